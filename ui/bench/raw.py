"""The raw limit: a plain driver that leaves the same rows as the service would.

No HTTP, no validation, no checks: the rows of each batch are made beforehand, hash chain
included, and written with the statements that are fastest for the database (arrays in one
statement each on PostgreSQL, ``executemany`` on SQLite), one transaction a batch.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import threading
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.engine import make_url

from ops_api.database import make_engine, reading
from ops_api.ledger.chain import AUDIT_FIELDS, GENESIS, MOVEMENT_FIELDS, link, read_heads
from ops_api.ledger.rows import Stamp, sell
from ops_api.ledger.schema import AUDIT, IDEMPOTENCY, MOVEMENTS, OUTBOX, SALE_VALUES
from ui.bench.world import BenchWorld

Batch = dict[str, list[dict[str, Any]]]
"""Rows by table name; ``balances`` holds what each shelf loses, ``heads`` the chains' ends."""


def raw_lines_per_second(
    world: BenchWorld, sales: Sequence[Sequence[Sequence[dict[str, Any]]]], seconds: float
) -> float:
    """Lines a second of one writer per till until the time or the rows run out.

    Parameters
    ----------
    sales : for each till its batches of sales
    """
    batches = [_batches(world, mine) for mine in sales]
    done = [0] * len(batches)
    gate = threading.Barrier(len(batches) + 1)
    # SQLite takes one writer at a time: a lock of ours is cheaper than its busy loop.
    turn = threading.Lock() if world.url.startswith("sqlite") else None

    def write(number: int) -> None:
        writer = _Sqlite(world.url) if turn else _Postgres(world.url)
        gate.wait()
        stop = time.perf_counter() + seconds
        for batch in batches[number]:
            if time.perf_counter() >= stop:
                break
            if turn:
                with turn:
                    writer.write(batch)
            else:
                writer.write(batch)
            done[number] += len(batch["movements"])
        writer.close()

    threads = [threading.Thread(target=write, args=(i,)) for i in range(len(batches))]
    for thread in threads:
        thread.start()
    gate.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - begun)


def _batches(world: BenchWorld, sales: Sequence[Sequence[dict[str, Any]]]) -> list[Batch]:
    """The rows of a till's batches, each chain going on from where it stands."""
    store = sales[0][0]["location"]
    names = (store, f"audit:{store}")
    engine = make_engine(world.url)
    try:
        with reading(engine) as connection:
            found = read_heads(connection, names)
    finally:
        engine.dispose()
    heads = {name: found.get(name, (0, GENESIS)) for name in names}
    now = int(dt.datetime.now(dt.UTC).timestamp())
    return [_rows(lines, store, heads, now) for lines in sales]


def _rows(
    lines: Sequence[dict[str, Any]], store: str, heads: dict[str, tuple[int, str]], now: int
) -> Batch:
    movements, values, keys = [], [], []
    taken: dict[str, int] = {}
    for line in lines:
        stamp = Stamp(now - 60, now, "bench", line["device"], line["basket"])
        row = sell(stamp, line["event_id"], line["sku"], store, line["quantity"])
        movements.append(_linked(row, heads, MOVEMENT_FIELDS))
        values.append(
            {
                "movement_id": line["event_id"],
                "unit_price_cents": line["unit_price_cents"],
                "basket": line["basket"],
            }
        )
        keys.append(
            {
                "key": line["event_id"], "body_sha256": row["hash"], "actor": "bench",
                "recorded_at": now, "status": 201, "answer": "",
            }
        )  # fmt: skip
        taken[line["sku"]] = taken.get(line["sku"], 0) + line["quantity"]
    audit = {
        "recorded_at": now, "actor": "bench", "device": "", "action": "sales.post",
        "location": store, "subject": "", "detail": json.dumps({"lines": len(lines)}),
        "chain": f"audit:{store}",
    }  # fmt: skip
    told = {
        "topic": "sales.posted", "location": store, "recorded_at": now,
        "payload": json.dumps({"location": store, "lines": len(lines)}),
    }  # fmt: skip
    return {
        "movements": movements,
        "sale_values": values,
        "idempotency": keys,
        "audit": [_linked(audit, heads, AUDIT_FIELDS)],
        "outbox": [told],
        "balances": [{"location": store, "sku": k, "q": taken[k]} for k in sorted(taken)],
        "heads": [{"chain": n, "seq": seq, "hash": sha} for n, (seq, sha) in heads.items()],
    }


def _linked(
    row: dict[str, Any], heads: dict[str, tuple[int, str]], fields: tuple[str, ...]
) -> dict[str, Any]:
    seq, previous = heads[row["chain"]]
    row["chain_seq"] = seq + 1
    row["hash"] = link(previous, [row[name] for name in fields])
    heads[row["chain"]] = (seq + 1, row["hash"])
    return row


_TABLES: tuple[Table, ...] = (IDEMPOTENCY, MOVEMENTS, SALE_VALUES, AUDIT, OUTBOX)


class _Sqlite:
    """sqlite3 with the service's settings."""

    def __init__(self, url: str) -> None:
        self.connection = sqlite3.connect(
            str(make_url(url).database), isolation_level=None, check_same_thread=False
        )
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            self.connection.execute(f"PRAGMA {pragma}")

    def write(self, batch: Batch) -> None:
        """One batch, one transaction."""
        run = self.connection
        run.execute("BEGIN IMMEDIATE")
        for table in _TABLES:
            rows = batch[table.name]
            names = list(rows[0])
            holes = ", ".join(f":{name}" for name in names)
            columns = ", ".join(names)
            run.executemany(
                f"INSERT INTO {table.name} ({columns}) VALUES ({holes})",  # noqa: S608 -- our names
                rows,
            )
        run.executemany(
            "UPDATE balances SET on_hand = on_hand - :q WHERE location = :location AND sku = :sku "
            "AND lot = '' AND condition = 'good' AND on_hand - reserved >= :q",
            batch["balances"],
        )
        run.executemany(
            "INSERT INTO chain_heads (chain, seq, hash) VALUES (:chain, :seq, :hash) "
            "ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
            batch["heads"],
        )
        run.execute("COMMIT")

    def close(self) -> None:
        """End the connection."""
        self.connection.close()


class _Postgres:
    """psycopg, a statement of arrays for each table, sent in one pipeline."""

    def __init__(self, url: str) -> None:
        import psycopg  # noqa: PLC0415 -- an extra: SQLite needs none

        address = make_url(url).set(drivername="postgresql")
        self.connection = psycopg.connect(
            address.render_as_string(hide_password=False), autocommit=True
        )

    def write(self, batch: Batch) -> None:
        """One batch, one transaction."""
        with self.connection.pipeline(), self.connection.transaction():
            for table in _TABLES:
                self._insert(table, batch[table.name])
            self.connection.execute(
                "UPDATE balances b SET on_hand = on_hand - t.q FROM "
                "unnest(%s::text[], %s::text[], %s::bigint[]) AS t(location, sku, q) "
                "WHERE b.location = t.location AND b.sku = t.sku AND b.lot = '' "
                "AND b.condition = 'good' AND b.on_hand - b.reserved >= t.q",
                _columns(batch["balances"], ("location", "sku", "q")),
            )
            self.connection.execute(
                "INSERT INTO chain_heads (chain, seq, hash) SELECT * FROM "
                "unnest(%s::text[], %s::bigint[], %s::text[]) "
                "ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
                _columns(batch["heads"], ("chain", "seq", "hash")),
            )

    def _insert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        names = list(rows[0])
        holes = ", ".join(
            "%s::bigint[]" if isinstance(rows[0][name], int) else "%s::text[]" for name in names
        )
        self.connection.execute(
            f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM unnest({holes})",  # noqa: S608
            _columns(rows, names),
        )

    def close(self) -> None:
        """End the connection."""
        self.connection.close()


def _columns(rows: list[dict[str, Any]], names: Sequence[str]) -> list[list[Any]]:
    return [[row[name] for row in rows] for name in names]
