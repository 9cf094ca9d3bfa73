"""``storetwin bench ledger``: a chain's ledger of millions of rows, asked what people ask.

The rows are made by the database itself, so they carry no true hashes and prove nothing
about the write path; what is measured is reading: stock as of and as known at, the
planner's view, one night's plan from the first query to its last row.
"""

from __future__ import annotations

import datetime as dt
import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sqlalchemy import Engine, text

from ops_api.database import make_engine, reading, writing
from ops_api.ledger.reading import rows_written
from ops_api.masterdata.service import load_network
from ops_api.migrations.run import upgrade
from ops_api.planning.ledger_columns import LedgerReader
from ops_api.planning.planner import plan
from ops_api.planning.releases import ACTIVE, move, propose
from ops_api.planning.view import panel_from_sql, view_from_sql
from ops_api.stock.queries import stock_as_of, stock_now
from policies.domain.errors import InvalidInput
from policies.domain.network import Network
from policies.release import Release, installed_source_sha256, params_sha256
from scenarios.history.generate import generate_chain
from ui.bench.world import refuse_full

OPENED = 2_000
_BLOCK = 2_000_000
_INDEXES = ("ix_movements_from", "ix_movements_to")
_POLICY, _PARAMS = "capped-base-stock", {"reviews_per_week": 7}


def bench_ledger(
    url: str, *, movements: int, stores: int, skus: int, days: int = 28, seed: int = 1
) -> dict[str, Any]:
    """Fill an empty PostgreSQL database, then ask.

    Parameters
    ----------
    movements : int, sales beside the opening stock of each store and SKU
    days : int, over which they are spread

    Returns
    -------
    dict with fill_seconds, rows, stock_now_ms, as_of_ms (median and worst of 20 stores, for
    yesterday and for the middle of the time), view_seconds, panel_seconds (a new process's
    first read of the whole ledger), plan (its phases), peak_rss_bytes
    """
    if not url.startswith("postgresql"):
        raise InvalidInput("not PostgreSQL", field="--db", remedy="give a postgresql address")
    upgrade(url)
    engine = make_engine(url)
    try:
        refuse_full(engine)
        network, _ = generate_chain(
            stores=stores, skus=skus, days=1, lines_per_store_day=1, seed=seed
        )
        load_network(engine, network)
        end = int(dt.datetime.combine(network.start_date, dt.time(), dt.UTC).timestamp())
        end += days * 86_400 - 7_200
        began = time.perf_counter()
        _fill(engine, network, movements, end - days * 86_400, days * 86_400)
        filled = time.perf_counter() - began
        return {
            "fill_seconds": filled,
            "movements": movements,
            **_ask(engine, network, end, days, np.random.default_rng(seed)),
            "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
    finally:
        engine.dispose()


def _fill(engine: Engine, network: Network, movements: int, start: int, seconds: int) -> None:
    """Opening stock and sales; indexes that grow at random are built at the end."""
    with writing(engine) as connection:
        made = {
            row.indexname: row.indexdef
            for row in connection.execute(
                text("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'movements'")
            )
            if row.indexname in _INDEXES
        }
        for name in made:
            connection.execute(text(f"DROP INDEX {name}"))
        connection.execute(text("CREATE TABLE bench_store (n int PRIMARY KEY, id text)"))
        connection.execute(text("CREATE TABLE bench_sku (n int PRIMARY KEY, id text)"))
        stores = [network.locations.ids[i] for i in network.stores]
        for table, names in (("bench_store", stores), ("bench_sku", network.skus.ids)):
            rows = [{"n": n, "id": name} for n, name in enumerate(names)]
            connection.execute(text(f"INSERT INTO {table} VALUES (:n, :id)"), rows)  # noqa: S608
        connection.execute(
            text(_OPEN), {"at": start, "units": OPENED, "skus": len(network.skus.ids)}
        )
    for first in range(0, movements, _BLOCK):
        last = min(first + _BLOCK, movements) - 1
        with writing(engine) as connection:
            given = {
                "first": first, "last": last, "all": movements, "start": start,
                "seconds": seconds, "stores": len(stores), "skus": len(network.skus.ids),
            }  # fmt: skip
            connection.execute(text(_SELL), given)
            connection.execute(text(_VALUES), {"first": first, "last": last})
    with writing(engine) as connection:
        connection.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
        for statement in made.values():
            connection.execute(text(statement))
        connection.execute(text(_BALANCES), {"units": OPENED})
        connection.execute(text(_HEADS))
        connection.execute(text("DROP TABLE bench_store, bench_sku"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE movements"))
        connection.execute(text("VACUUM ANALYZE sale_values"))
        connection.execute(text("VACUUM ANALYZE balances"))


_ROW = (
    "INSERT INTO movements (movement_id, occurred_at, recorded_at, kind, sku, from_location, "
    "to_location, quantity, actor, device, chain, chain_seq, hash) "
)
_HASH = "repeat(md5(g.n::text), 2)"
_OPEN = f"""{_ROW}
SELECT 'o' || g.n, :at, :at, 1, k.id, 'OPENING', s.id, :units, 'bench', '', s.id, k.n + 1, {_HASH}
FROM bench_store s CROSS JOIN bench_sku k
CROSS JOIN LATERAL (SELECT s.n * :skus + k.n AS n) g ORDER BY g.n
"""  # noqa: S608 -- our own names
# Goods are sold unevenly: a fifth of them makes about half of the sales.
_SELL = f"""{_ROW}
SELECT 's' || g.n, g.at, g.at + 5, 3, k.id, s.id, 'CUSTOMER', 1, 'bench', 'till', s.id,
    :skus + g.n / :stores + 1, {_HASH}
FROM (
    SELECT n, :start + (n * :seconds / :all)::bigint AS at, (n % :stores)::int AS store,
        (:skus * pow(((n * 2654435761) % 1000003) / 1000003.0, 2.3))::int AS sku
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
) g JOIN bench_store s ON s.n = g.store JOIN bench_sku k ON k.n = g.sku ORDER BY g.n
"""  # noqa: S608 -- our own names
_VALUES = """
INSERT INTO sale_values (movement_id, unit_price_cents, basket)
SELECT 's' || n, 100 + n % 900, 'B' || n / 3
FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
"""
_BALANCES = """
INSERT INTO balances (location, sku, lot, condition, on_hand)
SELECT chain, sku, '', 'good', sum(CASE WHEN kind = 1 THEN quantity ELSE -quantity END)
FROM movements GROUP BY chain, sku
"""
_HEADS = """
INSERT INTO chain_heads (chain, seq, hash)
SELECT chain, count(*), repeat('0', 64) FROM movements GROUP BY chain
"""


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
    out |= _plan(engine, network, end)
    return out


def _plan(engine: Engine, network: Network, end: int) -> dict[str, Any]:
    as_of = dt.datetime.fromtimestamp(end, dt.UTC)
    reader = LedgerReader(network)
    as_of_s = network.seconds(as_of)
    began = time.perf_counter()
    with reading(engine) as connection:
        view_from_sql(connection, network, as_of_s)
        viewed = time.perf_counter()
        panel_from_sql(connection, network, as_of_s, 28, reader=reader)
        read = time.perf_counter()
    _activate(engine, end)
    made = plan(engine, as_of, reader=reader)
    return {
        "view_seconds": viewed - began,
        "panel_seconds": read - viewed,
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
