"""Where facts of single days are kept: a row a day, and the chain counts they rest on."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from ops_api.bulk import insert_rows
from ops_api.database import writing
from ops_api.errors import Busy
from ops_api.masterdata.tables import ARTEFACTS
from ops_api.planning.tables import DAY_FACT_CHAINS, DAY_FACT_MARK, DAY_FACTS
from ops_api.planning.view import SALES_HISTORY
from policies.domain.day_walk import DayChange
from policies.domain.facts import SKU_FACTS
from policies.domain.network import Network

Ints = npt.NDArray[np.int64]
_FORM = 1
"""Grows when the projector tells something else of the same rows: all days are read again."""


@dataclass(frozen=True)
class ClosedDay:
    """A day that is over.

    Attributes
    ----------
    content : what the ledger tells, packed; see :attr:`facts`
    newest : int, when the last of its rows was recorded, seconds of UTC since 1970
    following : int or None, when the first row was recorded that these facts do not know yet
    """

    content: bytes
    newest: int
    following: int | None

    @classmethod
    def of(cls, facts: Ints, newest: int, following: int | None) -> ClosedDay:
        """A day with these facts."""
        return cls(_squeezed(facts), newest, following)

    @property
    def facts(self) -> Ints:
        """(L, C, len(SKU_FACTS)) int64, unpacked each time."""
        return _released(self.content).astype(np.int64, copy=False)

    def holds(self, known: int) -> bool:
        """Whether these are the facts as known at that time."""
        return self.newest <= known and (self.following is None or known < self.following)


@dataclass(frozen=True)
class Mark:
    """State of the store: grows with each change, so that two writers see each other."""

    version: int
    basis: str
    first_day: int


def basis_of(network: Network) -> str:
    """SHA-256 of what facts of days rest on beside the ledger and the sales before it."""
    sha = hashlib.sha256(f"{_FORM} {network.start_date} {network.tz} {SKU_FACTS}".encode())
    places, skus = network.locations, network.skus
    sha.update(repr((places.ids, skus.ids, skus.categories)).encode())
    for array in (
        places.source,
        places.opens_s,
        places.closes_s,
        skus.category,
        skus.unit_cost_cents,
        skus.pack_size,
        network.listed,
        network.warehouses,
    ):
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def basis_with_history(connection: Connection, basis: str) -> str:
    """SHA-256 of everything but the ledger that facts of days rest on."""
    sha = connection.scalar(select(ARTEFACTS.c.sha256).where(ARTEFACTS.c.name == SALES_HISTORY))
    return hashlib.sha256(f"{basis} {sha}".encode()).hexdigest()


def read_mark(connection: Connection) -> Mark | None:
    """The store's state; None before the first day is kept."""
    m = DAY_FACT_MARK.c
    row = connection.execute(select(m.version, m.basis_sha256, m.first_day)).first()
    return None if row is None else Mark(*row)


def read_counts(connection: Connection) -> dict[str, int]:
    """Rows of each chain that the kept facts rest on."""
    rows = connection.execute(select(DAY_FACT_CHAINS.c.chain, DAY_FACT_CHAINS.c.seq))
    return {row.chain: int(row.seq) for row in rows}


def read_days(connection: Connection) -> list[ClosedDay]:
    """All kept days, in order."""
    d = DAY_FACTS.c
    rows = connection.execute(
        select(d.facts, d.newest_recorded_at, d.next_recorded_at).order_by(d.day)
    )
    return [ClosedDay(bytes(content), newest, following) for content, newest, following in rows]


def read_change(connection: Connection, day: int) -> bytes:
    """What a kept day changed, packed."""
    found = connection.execute(select(DAY_FACTS.c.change).where(DAY_FACTS.c.day == day))
    return bytes(found.scalar_one())


def keep_days(
    engine: Engine,
    seen: Mark | None,
    mark: Mark,
    counts: Mapping[str, int],
    days: Sequence[tuple[int, ClosedDay, bytes]],
    from_day: int,
) -> bool:
    """Store days from `from_day` on; False where another process was faster, or nobody may write.

    Parameters
    ----------
    seen : Mark or None, the state that the days were computed from
    """
    rows = [
        {
            "day": day,
            "newest_recorded_at": closed.newest,
            "next_recorded_at": closed.following,
            "facts": closed.content,
            "change": change,
        }
        for day, closed, change in days
    ]
    try:
        with writing(engine) as connection:
            if not _claim(connection, seen, mark):
                return False
            connection.execute(delete(DAY_FACTS).where(DAY_FACTS.c.day >= from_day))
            if seen is None or seen.first_day != mark.first_day:
                connection.execute(delete(DAY_FACTS).where(DAY_FACTS.c.day < mark.first_day))
            if rows:
                connection.execute(insert(DAY_FACTS), rows)
            connection.execute(delete(DAY_FACT_CHAINS))
            insert_rows(
                connection, DAY_FACT_CHAINS, [{"chain": c, "seq": n} for c, n in counts.items()]
            )
    except (Busy, DBAPIError):
        # Facts are kept to spare work; who asked for them has them all the same.
        return False
    return True


def _claim(connection: Connection, seen: Mark | None, mark: Mark) -> bool:
    m = DAY_FACT_MARK
    values = {
        "version": mark.version, "basis_sha256": mark.basis, "first_day": mark.first_day,
    }  # fmt: skip
    if seen is None:
        connection.execute(insert(m).values(id=1, **values))
        return True
    changed = connection.execute(update(m).where(m.c.version == seen.version).values(**values))
    return changed.rowcount == 1


def pack_change(change: DayChange) -> bytes:
    """A day's changes as bytes: distances between cells, then the three columns."""
    columns = (np.diff(change.cell, prepend=0), change.stock, change.moving, change.sold)
    return _squeezed(np.stack(columns).astype(np.int32))


def unpack_change(content: bytes) -> DayChange:
    """The changes of :func:`pack_change`."""
    gap, stock, moving, sold = _released(content).astype(np.int64)
    return DayChange(np.cumsum(gap), stock, moving, sold)


def _squeezed(values: npt.NDArray[np.integer]) -> bytes:
    out = io.BytesIO()
    # By column, and of these the high bytes together: they are nearly all alike.
    flat = np.ascontiguousarray(np.moveaxis(values, -1, 0) if values.ndim > 2 else values)
    bytes_ = flat.view(np.uint8).reshape(-1, flat.itemsize).T
    np.save(out, np.array([*flat.shape, flat.itemsize], dtype=np.int64), allow_pickle=False)
    return out.getvalue() + zlib.compress(np.ascontiguousarray(bytes_).tobytes(), 1)


def _released(content: bytes) -> npt.NDArray[np.integer]:
    source = io.BytesIO(content)
    *shape, itemsize = np.load(source, allow_pickle=False).tolist()
    raw = np.frombuffer(zlib.decompress(content[source.tell() :]), dtype=np.uint8)
    kind = np.int64 if itemsize == 8 else np.int32
    flat = np.ascontiguousarray(raw.reshape(itemsize, -1).T).reshape(-1).view(kind).reshape(shape)
    return np.ascontiguousarray(np.moveaxis(flat, 0, -1)) if flat.ndim > 2 else flat
