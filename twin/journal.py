"""The journal: movement rows and documents of a run, kept on request.

Rows are written as columns in the ledger's schema, equal to what the constructors of
``policies.domain.ledger`` make one at a time (a test holds them to it).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from policies.domain.decision import SUPPLIER, LineKind
from policies.domain.documents import (
    CountLines,
    Documents,
    PurchaseLines,
    Stops,
    TransferLines,
)
from policies.domain.ledger import (
    CONVERT,
    COUNT,
    CUSTOMER,
    LOSS,
    OPENING,
    MovementColumns,
    MovementKind,
    Visibility,
    transit_code,
)
from policies.domain.network import IntArray, Network
from twin.arrays import Rows
from twin.loads import Load

Columns = list[npt.NDArray[np.int64]]


class Journal:
    """Collects rows while a run runs.

    Parameters
    ----------
    network : Network
    is_on : bool, False = keep nothing
    """

    def __init__(self, network: Network, *, is_on: bool) -> None:
        self.on = is_on
        self._places = network.shape[0]
        self._room = _rows(0)
        self._chunks: list[npt.NDArray[np.int64]] = []
        self._loads: list[Load] = []
        self._booked: dict[int, npt.NDArray[np.int32]] = {}
        self._ordered_s: dict[int, int] = {}
        self._counts: Columns = []
        self._stops: list[tuple[int, ...]] = []

    def room(self, lines: int) -> Rows:
        """Buffer for the rows of up to `lines` receipt lines (three each)."""
        if self.on and len(self._room.kind) < 3 * lines:
            self._room = _rows(3 * lines)
        return self._room

    def _add(
        self,
        kind: MovementKind,
        sku: npt.ArrayLike,
        a: npt.ArrayLike,
        b: npt.ArrayLike,
        quantity: npt.ArrayLike,
        at: npt.ArrayLike,
        document: int = -1,
        visibility: Visibility = Visibility.BOOK,
    ) -> None:
        amounts = np.asarray(quantity, dtype=np.int64)
        keep = amounts > 0
        if not keep.any():
            return
        columns = [
            np.broadcast_to(np.asarray(value, dtype=np.int64), amounts.shape)[keep]
            for value in (int(kind), int(visibility), sku, a, b, amounts, at, document)
        ]
        self._chunks.append(np.stack(columns))

    def opening(self, book: IntArray, at: int) -> None:
        """Opening stock of the book."""
        if self.on:
            place, sku = np.nonzero(book)
            self._add(MovementKind.OPENING, sku, OPENING, place, book[place, sku], at)

    def sales(self, place: int, rows: Rows, written: int) -> None:
        """Rows that the receipt kernel wrote."""
        if not self.on or not written:
            return
        kind = rows.kind[:written]
        ends = {
            MovementKind.SELL: (place, CUSTOMER, Visibility.BOOK),
            MovementKind.AUTO_FOUND: (COUNT, place, Visibility.BOOK),
            MovementKind.SHRINK: (place, LOSS, Visibility.LATENT),
        }
        columns = np.empty((8, written), dtype=np.int64)
        columns[0] = kind
        for which, (a, b, visibility) in ends.items():
            columns[1:5, kind == which] = np.array([[visibility], [0], [a], [b]])
        columns[2] = rows.sku[:written]
        columns[5], columns[6] = rows.quantity[:written], rows.at[:written]
        columns[7] = -1
        self._chunks.append(columns)

    def approved(self, load: Load, now: int) -> None:
        """A load became an order."""
        if self.on:
            self._loads.append(load)
            self._ordered_s[load.number] = now

    def shipped(self, load: Load, now: int) -> None:
        """A load left (or was cut)."""
        if self.on:
            lane = transit_code(load.origin, load.destination, self._places)
            self._add(
                MovementKind.SHIP, load.sku, load.origin, lane, load.shipped, now, load.number
            )

    def received(self, load: Load, error: IntArray, late: IntArray, now: int) -> None:
        """A load arrived; `error` as in ``touches.receive``."""
        if not self.on:
            return
        place, number = load.destination, load.number
        booked = np.where(error < 0, load.shipped - 1, load.shipped)
        booked = np.where(load.shipped > 0, booked, 0)
        self._booked[number] = booked
        if load.origin == SUPPLIER:
            self._add(MovementKind.RECEIVE, load.sku, SUPPLIER, place, booked, now, number)
        else:
            lane = transit_code(load.origin, place, self._places)
            kind = MovementKind.RECEIVE_TRANSFER
            self._add(kind, load.sku, lane, place, booked, now, number)
            short = load.shipped - booked
            self._add(MovementKind.CLOSE_SHORT, load.sku, lane, LOSS, short, now, number)
        gone = (error > 0) & (load.shipped > 0)
        self._add(MovementKind.SHRINK, load.sku, place, LOSS, gone, now, number, Visibility.LATENT)
        self._add(MovementKind.SELL, load.sku, place, CUSTOMER, late, now)

    def counted(
        self,
        place: int,
        sku: IntArray,
        expected: IntArray,
        difference: IntArray,
        now: int,
        *,
        is_sample: bool = True,
    ) -> None:
        """A count of some SKUs, drawn at random or not."""
        if not self.on:
            return
        self._add(MovementKind.ADJUST, sku, COUNT, place, difference, now)
        self._add(MovementKind.ADJUST, sku, place, COUNT, -difference, now)
        columns = (place, sku, expected, expected + difference, now, not is_sample)
        self._counts.append(
            np.stack([np.broadcast_to(np.asarray(c, dtype=np.int64), sku.shape) for c in columns])
        )

    def taken_back(
        self, place: IntArray, sku: IntArray, units: IntArray, damaged: IntArray, now: int
    ) -> None:
        """Goods that customers brought back; `damaged` of them are written off at once."""
        if self.on:
            self._add(MovementKind.CUSTOMER_RETURN, sku, CUSTOMER, place, units, now)
            self._add(MovementKind.WRITE_OFF, sku, place, LOSS, damaged, now)

    def taken_away(
        self,
        place: int,
        sku: IntArray,
        units: IntArray,
        found: IntArray,
        now: int,
        *,
        is_thrown: bool,
    ) -> None:
        """Goods that left for good, unsold; `found` of them were not in the book."""
        if self.on:
            kind = MovementKind.WRITE_OFF if is_thrown else MovementKind.RETURN_TO_SUPPLIER
            to = LOSS if is_thrown else SUPPLIER
            self._add(MovementKind.AUTO_FOUND, sku, COUNT, place, found, now)
            self._add(kind, sku, place, to, units, now)

    def converted(
        self,
        place: int,
        sku: int,
        used: int,
        outputs: IntArray,
        made: IntArray,
        now: int,
        document: int,
    ) -> None:
        """One SKU was used up and others were made of it."""
        if self.on:
            kind = MovementKind.CONVERT
            self._add(kind, [sku], place, CONVERT, [used], now, document)
            self._add(kind, outputs, CONVERT, place, made, now, document)

    def expired(
        self, place: IntArray, sku: IntArray, quantity: IntArray, found: IntArray, now: int
    ) -> None:
        """Goods past their day; `found` of them were not in the book."""
        if self.on:
            self._add(MovementKind.AUTO_FOUND, sku, COUNT, place, found, now)
            self._add(MovementKind.WRITE_OFF, sku, place, LOSS, quantity, now)

    def stop(self, place: int, at: int, share: list[int], *, is_on_time: bool) -> None:
        """A truck stop with its share of metres, seconds, starts (micro) and empty metres."""
        if self.on:
            *most, empty = share
            self._stops.append((place, at, *most, int(is_on_time), empty))

    def movements(self) -> MovementColumns | None:
        """All rows by time; rows of one second in the order they were made."""
        if not self.on:
            return None
        rows = np.concatenate([np.zeros((8, 0), dtype=np.int64), *self._chunks], axis=1)
        rows = rows[:, np.argsort(rows[6], kind="stable")]
        kind, visibility, sku, a, b, quantity, at, document = rows
        return MovementColumns(
            kind.astype(np.int8),
            visibility.astype(np.int8),
            sku.astype(np.int32),
            a.astype(np.int32),
            b.astype(np.int32),
            quantity.astype(np.int32),
            at.copy(),
            at.copy(),
            document.astype(np.int32),
        )

    def documents(self) -> Documents | None:
        """Orders, transfers, counts and stops beside the rows."""
        if not self.on:
            return None
        transfers: Columns = [np.zeros((9, 0), dtype=np.int64)]
        purchases: Columns = [np.zeros((6, 0), dtype=np.int64)]
        for load in self._loads:
            booked = self._booked.get(load.number, np.zeros(len(load.sku), dtype=np.int32))
            came = np.where(booked > 0, load.received_s, -1)
            if load.kind == LineKind.PURCHASE:
                at = self._ordered_s[load.number]
                purchases.append(_block(load.destination, load.sku, load.ordered, booked, at, came))
                continue
            transfers.append(
                _block(
                    load.origin,
                    load.destination,
                    load.sku,
                    load.ordered,
                    load.shipped,
                    booked,
                    load.need_s,
                    load.shipped_s,
                    np.where(load.shipped > 0, load.received_s, -1),
                )
            )
        counts = np.concatenate([np.zeros((6, 0), dtype=np.int64), *self._counts], axis=1)
        stops = np.array(self._stops, dtype=np.int64).reshape(-1, 7).T
        return Documents(
            TransferLines(*np.concatenate(transfers, axis=1)),
            PurchaseLines(*np.concatenate(purchases, axis=1)),
            CountLines(*counts),
            Stops(*stops),
        )


def _rows(size: int) -> Rows:
    return Rows(
        np.zeros(size, dtype=np.int8),
        np.zeros(size, dtype=np.int32),
        np.zeros(size, dtype=np.int32),
        np.zeros(size, dtype=np.int32),
    )


def _block(*columns: npt.ArrayLike) -> npt.NDArray[np.int64]:
    size = max(np.size(np.asarray(column)) for column in columns)
    return np.stack([np.broadcast_to(np.asarray(c, dtype=np.int64), (size,)) for c in columns])
