"""``storetwin bench ledger``: a chain's ledger of millions of rows, asked what people ask.

The rows come through COPY and prove nothing about the write path; what is measured is
reading: stock as of and as known at, facts of days, the health check, the planner's view
and, where it is asked for, one night's plan from the first query to its last row.
"""

from __future__ import annotations

import datetime as dt
import resource
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sqlalchemy import Engine

from ops_api.database import make_engine, reading, writing
from ops_api.ledger.health import check_ledger
from ops_api.ledger.reading import rows_written
from ops_api.ledger.rows import Stamp, sell
from ops_api.ledger.write import post
from ops_api.masterdata.service import load_network
from ops_api.migrations.run import upgrade
from ops_api.planning.day_book import DayBook
from ops_api.planning.ledger_columns import LedgerReader
from ops_api.planning.planner import plan
from ops_api.planning.releases import ACTIVE, move, propose
from ops_api.planning.view import panel_from_sql, view_from_sql
from ops_api.stock.queries import stock_as_of, stock_now
from policies.domain.errors import InvalidInput
from policies.domain.network import Network
from policies.release import Release, installed_source_sha256, params_sha256
from scenarios.history.generate import generate_chain
from ui.bench.fill import fill
from ui.bench.world import refuse_full

_POLICY, _PARAMS = "capped-base-stock", {"reviews_per_week": 7}
_ASKED, _NEW_ROWS, _LATE_DAYS = 20, 20_000, 3


def bench_ledger(
    url: str,
    *,
    movements: int,
    stores: int,
    skus: int,
    days: int = 28,
    seed: int = 1,
    plans: bool = True,
    filled: bool = False,
) -> dict[str, Any]:
    """Fill an empty PostgreSQL database, then ask.

    Parameters
    ----------
    movements : int, sales beside the opening stock of each store and SKU
    days : int, over which they are spread
    plans : whether a night is planned too, which reads the whole ledger into memory
    filled : ask a database that an earlier run with the same sizes filled

    Returns
    -------
    dict with fill_seconds, rows, stock_now_ms, as_of_ms (median and worst of 20 stores, for
    yesterday and for the middle of the time, and for the middle as known a day later),
    view_seconds, day_facts, health, panel_seconds (a new process's first read of the whole
    ledger), plan (its phases), peak_rss_bytes
    """
    if not url.startswith("postgresql"):
        raise InvalidInput("not PostgreSQL", field="--db", remedy="give a postgresql address")
    upgrade(url)
    engine = make_engine(url)
    try:
        network, _ = generate_chain(
            stores=stores, skus=skus, days=1, lines_per_store_day=1, seed=seed
        )
        end = int(dt.datetime.combine(network.start_date, dt.time(), dt.UTC).timestamp())
        end += days * 86_400 - 7_200
        began = time.perf_counter()
        if not filled:
            refuse_full(engine)
            load_network(engine, network)
            fill(engine, network, movements, end - days * 86_400, days * 86_400)
        took = time.perf_counter() - began
        out: dict[str, Any] = {"fill_seconds": None if filled else took, "movements": movements}
        out |= _ask(engine, network, end, days, np.random.default_rng(seed))
        # Ids of sales are new in each run.
        rng = np.random.default_rng([seed, out["rows"]])
        out["day_facts"] = _day_facts(engine, network, end, days, rng)
        out["peak_rss_bytes_before_health"] = _peak()
        out["health"] = _health(engine, network, end, rng)
        if plans:
            out |= _plan(engine, network, end)
        return {
            **out,
            "peak_rss_bytes": _peak(),
        }
    finally:
        engine.dispose()


def _ask(
    engine: Engine, network: Network, end: int, days: int, rng: np.random.Generator
) -> dict[str, Any]:
    chosen = rng.choice(network.stores, min(20, len(network.stores)), replace=False)
    names = [network.locations.ids[i] for i in chosen]
    out: dict[str, Any] = {}
    with reading(engine) as connection:
        out["rows"] = rows_written(connection)
        out["stock_now_ms"] = _milliseconds(
            [partial(stock_now, connection, name, None, 10_000) for name in names]
        )
        for label, back in (("yesterday", 86_400), ("middle", days * 43_200)):
            out[f"as_of_{label}_ms"] = _milliseconds(
                [
                    partial(stock_as_of, connection, name, None, end - back, end, 10_000, now=end)
                    for name in names
                ]
            )
        middle = end - days * 43_200
        out["known_at_middle_ms"] = _milliseconds(
            [
                partial(
                    stock_as_of, connection, name, None, middle, middle + 86_400, 10_000, now=end
                )
                for name in names
            ]
        )
        began = time.perf_counter()
        view_from_sql(connection, network, network.seconds(dt.datetime.fromtimestamp(end, dt.UTC)))
        out["view_seconds"] = time.perf_counter() - began
    return out


def _day_facts(
    engine: Engine, network: Network, end: int, days: int, rng: np.random.Generator
) -> dict[str, Any]:
    """All days but the last 20; these one by one; a new process; a sale told days late."""
    now_s = network.seconds(dt.datetime.fromtimestamp(end, dt.UTC))
    book, single = DayBook(network), min(_ASKED, days - 1)
    out: dict[str, Any] = {}
    out["first_days"], out["first_seconds"] = _read_days(engine, book, now_s - single * 86_400)
    each = []
    for back in range(single - 1, -1, -1):
        read, seconds = _read_days(engine, book, now_s - back * 86_400)
        each.append(seconds / read)
    out["day_seconds"] = {"median": float(np.median(each)), "worst": max(each)}
    out["new_process_seconds"] = _read_days(engine, DayBook(network), now_s)[1]
    _post(engine, network, 1, (end - _LATE_DAYS * 86_400, end), rng)
    out["late_sale_days"], out["late_sale_seconds"] = _read_days(engine, book, now_s)
    return out


def _read_days(engine: Engine, book: DayBook, now_s: int) -> tuple[int, float]:
    """(days read from the ledger, seconds)."""
    before, began = book.days_read, time.perf_counter()
    with reading(engine) as connection:
        book.ledger_days(connection, now_s)
    return book.days_read - before, time.perf_counter() - began


def _health(engine: Engine, network: Network, end: int, rng: np.random.Generator) -> dict[str, Any]:
    """Every row, then those written since."""
    out: dict[str, Any] = {}
    for name, incremental in (("full", False), ("incremental", True)):
        if incremental:
            _post(engine, network, _NEW_ROWS, (end, end), rng)
        began = time.perf_counter()
        found = check_ledger(engine, incremental=incremental, keeps=True)
        out |= {
            f"{name}_seconds": time.perf_counter() - began,
            f"{name}_rows": found["rows_read"],
            f"{name}_violations": sum(found["violations"].values()),
        }
    return out


def _post(
    engine: Engine, network: Network, rows: int, at: tuple[int, int], rng: np.random.Generator
) -> None:
    """Sales by the service's own write path, (occurred, recorded) at these times."""
    stores = [network.locations.ids[i] for i in network.stores]
    stamp = Stamp(at[0], at[1], "bench", "till")
    made = [
        sell(
            stamp,
            str(uuid.UUID(bytes=rng.bytes(16), version=4)),
            network.skus.ids[int(rng.integers(len(network.skus.ids)))],
            stores[int(rng.integers(len(stores)))],
            1,
        )
        for _ in range(rows)
    ]
    with writing(engine) as connection:
        post(connection, made)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _plan(engine: Engine, network: Network, end: int) -> dict[str, Any]:
    as_of = dt.datetime.fromtimestamp(end, dt.UTC)
    reader = LedgerReader(network)
    as_of_s = network.seconds(as_of)
    began = time.perf_counter()
    with reading(engine) as connection:
        panel_from_sql(connection, network, as_of_s, 28, reader=reader)
        read = time.perf_counter()
    _activate(engine, end)
    made = plan(engine, as_of, reader=reader)
    return {
        "panel_seconds": read - began,
        "plan": {key: value for key, value in made.items() if key != "plans"},
        "phases": [one.get("phases") for one in made["plans"]],
    }


def _activate(engine: Engine, now: int) -> None:
    one = Release(
        name="bench", version="1", policy=_POLICY, params=_PARAMS,
        params_sha256=params_sha256(_POLICY, _PARAMS), source_sha256=installed_source_sha256(),
        scenario_sha256="0" * 64, data_sha256="0" * 64, seeds=(1,), kpis=(), gate={},
    )  # fmt: skip
    with writing(engine) as connection:
        made = propose(connection, one.text(), actor="bench", now=now)
        move(connection, made["id"], ACTIVE, actor="bench boss", now=now)


def _milliseconds(asked: list[Callable[[], Any]]) -> dict[str, float]:
    took = []
    for ask in asked:
        began = time.perf_counter()
        ask()
        took.append(1e3 * (time.perf_counter() - began))
    return {"median": float(np.median(took)), "worst": float(max(took))}
