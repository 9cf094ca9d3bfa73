"""A ledger of millions of sales with true hashes, through COPY into tables without indexes.

Every row is linked to the one before it in its store's chain, so the health check holds on
the filled ledger as it would on one that tills wrote; what is left out is the write path
itself. Indexes and constraints that grow at random are dropped and made again at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine, text

from ops_api.database import writing
from ops_api.ledger.chain import GENESIS
from policies.domain.network import Network

OPENED = 2_000
"""Units of each SKU that a store opens with, where it sells no more than that."""
_BLOCK = 1_000_000
_MOVEMENT = (
    "movement_id, occurred_at, recorded_at, kind, sku, from_location, to_location, quantity, "
    "actor, device, chain, chain_seq, hash"
)
_HEARD_AFTER_S = 5


def fill(engine: Engine, network: Network, movements: int, start: int, seconds: int) -> None:
    """Opening stock of every store and SKU, then sales in the order of their time.

    Parameters
    ----------
    movements : int, sales
    start, seconds : int, seconds of UTC since 1970 of the opening, and the time that follows
    """
    made = _Sales(network, movements, start, seconds)
    with _without_indexes(engine, "movements"), _without_indexes(engine, "sale_values"):
        with writing(engine) as connection:
            _copy(connection, f"movements ({_MOVEMENT})", made.opening())
        for first in range(0, movements, _BLOCK):
            last = min(first + _BLOCK, movements) - 1
            with writing(engine) as connection:
                _copy(connection, f"movements ({_MOVEMENT})", made.sales(first, last))
                connection.execute(text(_VALUES), {"first": first, "last": last})
    with writing(engine) as connection:
        _copy(connection, "balances (location, sku, on_hand)", made.balances())
        _copy(connection, "chain_heads (chain, seq, hash)", made.heads())
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in ("movements", "sale_values", "balances", "chain_heads"):
            connection.execute(text(f"VACUUM ANALYZE {table}"))


@dataclass
class _Sales:
    network: Network
    movements: int
    start: int
    seconds: int
    stores: list[str] = field(init=False)
    skus: tuple[str, ...] = field(init=False)
    sold: npt.NDArray[np.int64] = field(init=False)
    ends: list[str] = field(init=False)
    counts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.stores = [self.network.locations.ids[i] for i in self.network.stores]
        self.skus = self.network.skus.ids
        self.sold = np.zeros((len(self.stores), len(self.skus)), dtype=np.int64)
        for first in range(0, self.movements, _BLOCK):
            store, sku, _ = self._drawn(first, min(first + _BLOCK, self.movements) - 1)
            np.add.at(self.sold, (store, sku), 1)
        self.opened = np.maximum(OPENED, self.sold)
        self.ends = [GENESIS] * len(self.stores)
        self.counts = [0] * len(self.stores)

    def _drawn(self, first: int, last: int) -> tuple[npt.NDArray[np.int64], ...]:
        """(store, SKU, time) of the sales numbered `first` … `last`."""
        n = np.arange(first, last + 1, dtype=np.int64)
        # Goods are sold unevenly: a fifth of them makes about half of the sales.
        even = (n * 2_654_435_761 % 1_000_003) / 1_000_003
        sku = (len(self.skus) * even**2.3).astype(np.int64)
        return n % len(self.stores), sku, self.start + n * self.seconds // self.movements

    def opening(self) -> Iterator[str]:
        """COPY lines of what each store opens with."""
        for s, store in enumerate(self.stores):
            units = self.opened[s].tolist()
            for k, sku in enumerate(self.skus):
                number = s * len(self.skus) + k
                yield self._line(
                    s, f"o{number}", self.start, self.start, 1, sku, "OPENING", store, units[k], ""
                )

    def sales(self, first: int, last: int) -> Iterator[str]:
        """COPY lines of the sales numbered `first` … `last`."""
        store, sku, at = (part.tolist() for part in self._drawn(first, last))
        stores, skus, line = self.stores, self.skus, self._line
        for n, s, k, t in zip(range(first, last + 1), store, sku, at, strict=True):
            heard = t + _HEARD_AFTER_S
            yield line(s, f"s{n}", t, heard, 3, skus[k], stores[s], "CUSTOMER", 1, "till")

    def _line(
        self, s: int, name: str, at: int, heard: int, kind: int, sku: str, origin: str, to: str,
        units: int, device: str,
    ) -> str:  # fmt: skip
        """One row as COPY reads it, linked to the last of its store's chain.

        The values stand in the order of :data:`ops_api.ledger.chain.MOVEMENT_FIELDS`.
        """
        chain, number = self.stores[s], self.counts[s] + 1
        told = (
            f"{self.ends[s]}\x1f{name}\x1factual\x1f0\x1f{at}\x1f{heard}\x1f{kind}\x1f{sku}\x1f"
            f"{origin}\x1f{to}\x1f{units}\x1f\x1f\x1fgood\x1f\x1f\x1f\x1fbench\x1f{device}\x1f\x1f"
            f"{chain}\x1f{number}"
        )
        value = self.ends[s] = sha256(told.encode()).hexdigest()
        self.counts[s] = number
        return (
            f"{name}\t{at}\t{heard}\t{kind}\t{sku}\t{origin}\t{to}\t{units}\tbench\t{device}\t"
            f"{chain}\t{number}\t{value}\n"
        )

    def balances(self) -> Iterator[str]:
        """COPY lines of what is left."""
        for s, store in enumerate(self.stores):
            left = (self.opened[s] - self.sold[s]).tolist()
            for sku, units in zip(self.skus, left, strict=True):
                yield f"{store}\t{sku}\t{units}\n"

    def heads(self) -> Iterator[str]:
        """COPY lines of the chains' ends."""
        for row in zip(self.stores, self.counts, self.ends, strict=True):
            yield "\t".join(map(str, row)) + "\n"


_VALUES = """
INSERT INTO sale_values (movement_id, unit_price_cents, basket)
SELECT 's' || n, 100 + n % 900, 'B' || n / 3
FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
"""


def _copy(connection: Connection, into: str, lines: Iterator[str]) -> None:
    raw = connection.connection.dbapi_connection
    part: list[str] = []
    with (
        raw.cursor() as cursor,  # type: ignore[union-attr]
        cursor.copy(f"COPY {into} FROM STDIN") as copy,
    ):
        for line in lines:
            part.append(line)
            if len(part) == 10_000:
                copy.write("".join(part))
                part.clear()
        copy.write("".join(part))


@contextmanager
def _without_indexes(engine: Engine, table: str) -> Iterator[None]:
    """Drop the table's indexes and unique constraints; make them again at the end."""
    with writing(engine) as connection:
        again = _definitions(connection, table)
        for name, _, is_constraint in again:
            connection.execute(
                text(
                    f"ALTER TABLE {table} DROP CONSTRAINT {name}"
                    if is_constraint
                    else f"DROP INDEX {name}"
                )
            )
    yield
    for name, definition, is_constraint in again:
        with writing(engine) as connection:
            # Whoever looks on must not undo the work of minutes.
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SET LOCAL maintenance_work_mem = '1GB'"))
            connection.execute(
                text(
                    f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"
                    if is_constraint
                    else definition
                )
            )


def _definitions(connection: Connection, table: str) -> list[tuple[Any, ...]]:
    """(name, its SQL, whether it is a constraint)."""
    constraints = text(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = CAST(:table AS regclass) AND contype IN ('p', 'u')"
    )
    indexes = text(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = :table AND NOT EXISTS "
        "(SELECT 1 FROM pg_constraint WHERE conname = indexname)"
    )
    return [
        (*row, is_constraint)
        for query, is_constraint in ((constraints, True), (indexes, False))
        for row in connection.execute(query, {"table": table})
    ]
