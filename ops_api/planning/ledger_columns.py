"""The service's ledger and documents as the domain's columns, read once and then grown.

Movement rows are never changed, so a reader keeps what it has and asks only for rows
after the last it saw.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, func, select

from ops_api.bulk import among
from ops_api.counts.tables import COUNT_LINES, COUNTS
from ops_api.ledger.reading import batches, rows_written
from ops_api.ledger.schema import MOVEMENTS
from ops_api.planning.frame_columns import FrameColumns
from ops_api.planning.tables import ROUTE_STOPS, ROUTES
from ops_api.planning.wallclock import WallClock
from ops_api.purchasing.tables import PURCHASE_LINES, PURCHASE_ORDERS
from ops_api.transfers.tables import TRANSFER_LINES, TRANSFERS
from policies.domain.documents import (
    CountLines,
    Documents,
    PurchaseLines,
    Stops,
    TransferLines,
    share_integer,
)
from policies.domain.ledger import MovementColumns
from policies.domain.network import Network

Ints = npt.NDArray[np.int64]
RANDOM_SAMPLE = "random"
"""Purpose of a count that belongs to the random sample of record accuracy."""


class LedgerReader:
    """Book rows of the actual ledger as columns, and what tills took for them.

    Parameters
    ----------
    network : Network, whose axis the columns use
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.last_seq = 0
        self._columns = FrameColumns(network)
        self._blocks: list[MovementColumns] = []
        self._prices: list[Ints] = []
        # Numbers at or below the last that no row was seen of: given back, or not yet shown.
        self._left_out = np.zeros(0, dtype=np.int64)
        self._seen = 0
        self._lock = threading.Lock()

    def refresh(self, connection: Connection) -> None:
        """Read the rows that were written since the last time.

        A number is given when a row is written and shown when its transaction ends, so a
        row may come to light below the highest number seen. Where fewer rows were seen than
        the chains' heads count, the numbers left out so far are asked for again.
        """
        with self._lock:
            written = rows_written(connection)
            if written == self._seen:
                return
            before = self.last_seq
            for frame in batches(connection, MOVEMENTS.c.seq > before):
                self._take(frame)
            if self._seen < written and len(self._left_out):
                late = among(connection, MOVEMENTS.c.seq, self._left_out.tolist())
                for frame in batches(connection, late):
                    self._take(frame)

    def columns(self) -> MovementColumns:
        """(N,) columns of every row read so far, in the order they were written."""
        with self._lock:
            if len(self._blocks) != 1:
                self._blocks = [_join(self._blocks)]
                self._prices = [np.concatenate([np.zeros(0, dtype=np.int64), *self._prices])]
            return self._blocks[0]

    def price_cents(self) -> Ints:
        """(N,) int64 cents per unit of each row of :meth:`columns`; 0 where nothing was sold."""
        self.columns()
        return self._prices[0]

    def _take(self, frame: pd.DataFrame) -> None:
        seq = frame.seq.to_numpy(dtype=np.int64)
        last = max(self.last_seq, int(seq[-1]))
        expected = np.arange(self.last_seq + 1, last + 1)
        self._left_out = np.setdiff1d(np.concatenate([self._left_out, expected]), seq)
        self._seen += len(seq)
        self.last_seq = last
        book = frame[frame.is_book.to_numpy(dtype=bool)]
        if len(book):
            self._add(book)

    def _add(self, rows: pd.DataFrame) -> None:
        self._blocks.append(self._columns.of(rows))
        self._prices.append(rows.price.to_numpy(dtype=np.int64))


def _join(blocks: list[MovementColumns]) -> MovementColumns:
    empty = MovementColumns.of([])
    return MovementColumns(
        *(
            np.concatenate([getattr(block, item.name) for block in (empty, *blocks)])
            for item in fields(MovementColumns)
        )
    )


def documents_from_sql(connection: Connection, network: Network, known_at_s: int) -> Documents:
    """Orders, transfers, counts and stops, of what had happened by `known_at_s`."""
    reader = _DocumentReader(connection, network, known_at_s)
    return Documents(reader.transfers(), reader.purchases(), reader.counts(), reader.stops())


@dataclass
class _DocumentReader:
    connection: Connection
    network: Network
    known_at_s: int
    _place: dict[str, int] = field(init=False)
    _sku: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._place = {name: i for i, name in enumerate(self.network.locations.ids)}
        self._sku = {name: i for i, name in enumerate(self.network.skus.ids)}
        self._clock = WallClock(self.network)
        self._known = self._clock.epoch(self.known_at_s)

    def transfers(self) -> TransferLines:
        """Approved lines; a line that left nothing behind was cut when the rest shipped."""
        t, line = TRANSFERS.c, TRANSFER_LINES.c
        query = (
            select(
                t.origin,
                t.destination,
                line.sku,
                line.approved,
                line.shipped,
                line.received_good,
                t.need_detected_at,
                t.shipped_at,
                t.received_at,
            )
            .select_from(TRANSFERS.join(TRANSFER_LINES, line.transfer_id == t.id))
            .where(t.approved_at <= self._known, line.approved > 0)
        )
        rows = self.connection.execute(query).fetchall()
        if not rows:
            return TransferLines()
        origin, to, sku, ordered, shipped, good, need, left, came = zip(*rows, strict=True)
        shipped_s, received_s = self._times(left), self._times(came)
        units, arrived = np.array(shipped, dtype=np.int64), np.array(good, dtype=np.int64)
        return TransferLines(
            self._places(origin),
            self._places(to),
            self._skus(sku),
            np.array(ordered, dtype=np.int64),
            np.where(shipped_s >= 0, units, 0),
            np.where(received_s >= 0, arrived, 0),
            self._times(need),
            shipped_s,
            np.where(units > 0, received_s, -1),
        )

    def purchases(self) -> PurchaseLines:
        """Approved supplier order lines."""
        p, line = PURCHASE_ORDERS.c, PURCHASE_LINES.c
        query = (
            select(
                p.destination, line.sku, line.ordered, line.received, p.approved_at, p.received_at
            )
            .select_from(PURCHASE_ORDERS.join(PURCHASE_LINES, line.purchase_order_id == p.id))
            .where(p.approved_at <= self._known, line.ordered > 0)
        )
        rows = self.connection.execute(query).fetchall()
        if not rows:
            return PurchaseLines()
        to, sku, ordered, received, approved, came = zip(*rows, strict=True)
        return PurchaseLines(
            self._places(to),
            self._skus(sku),
            np.array(ordered, dtype=np.int64),
            np.array(received, dtype=np.int64),
            self._times(approved),
            self._times(came),
        )

    def counts(self) -> CountLines:
        """First passes of the random sample."""
        c, line = COUNTS.c, COUNT_LINES.c
        query = (
            select(c.location, line.sku, line.first_expected, line.first_counted, line.counted_at)
            .select_from(COUNTS.join(COUNT_LINES, line.count_id == c.id))
            .where(
                c.purpose == RANDOM_SAMPLE,
                line.first_counted.is_not(None),
                line.first_expected.is_not(None),
                line.counted_at <= self._known,
            )
        )
        rows = self.connection.execute(query).fetchall()
        if not rows:
            return CountLines()
        place, sku, expected, counted, at = zip(*rows, strict=True)
        return CountLines(
            self._places(place),
            self._skus(sku),
            np.array(expected, dtype=np.int64),
            np.array(counted, dtype=np.int64),
            self._times(at),
        )

    def stops(self) -> Stops:
        """Stops of tours that are back; totals, the way home too, shared by planned load."""
        r, stop = ROUTES.c, ROUTE_STOPS.c
        query = (
            select(
                r.id,
                stop.location,
                func.coalesce(stop.unloaded_at, stop.arrived_at),
                stop.is_on_time,
                stop.kg,
                func.coalesce(r.actual_metres, r.planned_metres),
                r.returned_at - r.departed_at,
                r.warehouse,
            )
            .select_from(ROUTES.join(ROUTE_STOPS, stop.route_id == r.id))
            .where(r.returned_at <= self._known, stop.arrived_at.is_not(None))
            .order_by(r.id, stop.position)
        )
        rows = self.connection.execute(query).fetchall()
        if not rows:
            return Stops()
        route, place, at, on_time, kg, metres, seconds, home = zip(*rows, strict=True)
        _, first = np.unique(np.array(route), return_index=True)
        shares = []
        for lo, hi in zip(first, [*first[1:], len(rows)], strict=True):
            weight = np.array(kg[lo:hi], dtype=np.float64)
            # Nobody reads the odometer at the last stop: the way back is the road's length.
            ends = self._place[place[hi - 1]], self._place[home[lo]]
            back = min(int(self.network.distance_m[ends]), int(metres[lo]))
            totals = (int(metres[lo]), int(seconds[lo]), 1_000_000, back)
            shares.append(np.stack([share_integer(total, weight) for total in totals], axis=1))
        share = np.concatenate(shares)
        return Stops(
            self._places(place),
            self._times(at),
            share[:, 0],
            share[:, 1],
            share[:, 2],
            np.array([bool(value) for value in on_time], dtype=np.int64),
            share[:, 3],
        )

    def _places(self, names: tuple[str, ...]) -> Ints:
        return np.array([self._place[name] for name in names], dtype=np.int64)

    def _skus(self, names: tuple[str, ...]) -> Ints:
        return np.array([self._sku[name] for name in names], dtype=np.int64)

    def _times(self, epochs: tuple[int | None, ...]) -> Ints:
        """Seconds since day 0; −1 = has not happened by `known_at_s`."""
        given = np.array([-1 if value is None else value for value in epochs], dtype=np.int64)
        happened = (given >= 0) & (given <= self._known)
        out = np.full(len(given), -1, dtype=np.int64)
        out[happened] = self._clock.seconds(given[happened])
        return out
