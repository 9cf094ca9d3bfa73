"""Day facts of a ledger of any length: a day is read once, and again when late rows touch it.

Days that are over are kept in the database, with the number of rows of each location's
chain that they rest on. A row that is recorded later makes its chain longer; the earliest
day that the chains' new rows belong to is opened again, and with it the days after it, for
stock that was different then is different since. Nothing before it is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection

from ops_api.ledger.reading import chain_counts, earliest, rows_between
from ops_api.planning import day_store
from ops_api.planning.day_store import ClosedDay, Mark
from ops_api.planning.facts import facts_beside_ledger, revenue
from ops_api.planning.frame_columns import FrameColumns
from ops_api.planning.view import read_sales_history
from ops_api.planning.wallclock import WallClock
from policies.domain.day_walk import DayChange, Standing, facts_of_day
from policies.domain.facts import SKU_FACTS, DayFacts
from policies.domain.ledger import MovementColumns
from policies.domain.network import DAY_SECONDS, Network
from policies.domain.stock import SLOW_WINDOW_DAYS

Ints = npt.NDArray[np.int64]
_KEEP_EVERY = 10
"""Days of a long way that are kept together: who is interrupted goes on from there."""


@dataclass
class _Walk:
    """One way through the days, from the day opened again until today."""

    connection: Connection
    first: int
    known: int

    @cached_property
    def history(self) -> Ints | None:
        """(H, L, K) units sold before the ledger began, read when they are needed."""
        found = read_sales_history(self.connection)
        return None if found is None else found[0].astype(np.int64)

    def sold_before(self, day: int) -> Ints | None:
        """(L·K,) units sold on a day before the ledger's first, where they are known."""
        if self.history is None or not 1 <= self.first - day <= len(self.history):
            return None
        out: Ints = self.history[day - self.first].ravel()
        return out


class DayBook:
    """Facts of the ledger's days as one process knows them; not safe for several threads.

    Parameters
    ----------
    network : Network, whose axis the facts have
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.days_read = 0
        """Days whose rows were read from the ledger since this was made."""
        self._clock = WallClock(network)
        self._columns = FrameColumns(network)
        self._network_basis = day_store.basis_of(network)
        self._seen: Mark | None = None
        self._first = 0
        self._days: list[ClosedDay] = []
        self._counts: dict[str, int] = {}
        self._standing = Standing.empty(network)
        # Packed, a ten-thousandth of the ledger: who kept a day does not see it in the
        # snapshot it was computed in.
        self._changes: dict[int, bytes] = {}
        self._unpacked: dict[int, tuple[ClosedDay, Ints]] = {}

    def facts(self, connection: Connection, now_s: int) -> DayFacts | None:
        """Facts from the ledger's first day to the day of `now_s`; None before the first row."""
        first, days = self.ledger_days(connection, now_s)
        if not days:
            return None
        beside = facts_beside_ledger(connection, self.network, first, first + len(days) - 1, now_s)
        names, categories = self.network.locations.ids, self.network.skus.categories
        sku = beside.sku.reshape(len(days), len(names), len(categories), len(SKU_FACTS))
        for i, one in enumerate(days):
            sku[i] += one
        return DayFacts(first, names, categories, sku, beside.location, False, now_s)

    def ledger_days(self, connection: Connection, now_s: int) -> tuple[int, list[Ints]]:
        """(first day, (L, C, len(SKU_FACTS)) facts of each day), from the ledger alone."""
        walk, last = self._to(connection, now_s)
        if walk is None:
            return 0, []
        closed = self._days[: last - self._first + 1]
        days = [self._facts_of(self._first + i, one) for i, one in enumerate(closed)]
        if len(days) <= last - self._first:
            # A day that is not over is never kept.
            days.append(self._step(walk, last)[0].facts)
        return self._first, days

    def stock_before(
        self, connection: Connection, days: int, as_of_s: int, known_s: int
    ) -> tuple[int, Ints] | None:
        """The first of the `days` days up to `as_of_s` that the ledger knows, and its start.

        Returns
        -------
        None where no row is known, else (day, (L·K,) int64 stock at its beginning)
        """
        walk, _ = self._to(connection, known_s)
        last = as_of_s // DAY_SECONDS
        if walk is None or self._first > last:
            return None
        known = (self._first + i for i, one in enumerate(self._days) if one.newest)
        first = max(last - days + 1, min(next(known, last), last))
        stock = self._standing.stock.copy()
        for day in range(self._first + len(self._days) - 1, first - 1, -1):
            change = self._change(walk, day)
            stock[change.cell] -= change.stock
        return first, stock

    def rows_of(
        self, connection: Connection, day: int, known: int
    ) -> tuple[pd.DataFrame, int | None]:
        """Rows of a day as known at a time, and when the next one was recorded."""
        start, end = self._clock.day_start(day), self._clock.day_start(day + 1)
        frame = rows_between(connection, start, end)
        self.days_read += 1
        recorded = frame.recorded_at.to_numpy(dtype=np.int64)
        later = recorded[recorded > known]
        if len(later) == 0:
            return frame, None
        return frame[recorded <= known], int(later.min())

    def columns_of(self, frame: pd.DataFrame) -> MovementColumns:
        """Rows of :meth:`rows_of` on the network's axis."""
        return self._columns.of(frame)

    def _to(self, connection: Connection, now_s: int) -> tuple[_Walk | None, int]:
        """Compute what is not kept of the days before that of `now_s`; (walk, that day)."""
        self._look(connection)
        counts = chain_counts(connection)
        known = self._clock.epoch(now_s)
        opened = self._opened_again(connection, counts, known)
        if opened is None:
            return None, 0
        last = max(now_s // DAY_SECONDS, self._first)
        walk = _Walk(connection, min(opened, self._first), known)
        if opened < self._first + len(self._days):
            self._rewind(walk, opened)
        self._first = walk.first
        self._forward(walk, counts, last)
        return walk, last

    def _facts_of(self, day: int, closed: ClosedDay) -> Ints:
        found = self._unpacked.get(day)
        if found is None or found[0] is not closed:
            found = self._unpacked[day] = (closed, closed.facts)
        return found[1]

    def _forget(self) -> None:
        self._seen, self._first = None, 0
        self._days, self._counts, self._changes = [], {}, {}
        self._standing = Standing.empty(self.network)

    def _look(self, connection: Connection) -> None:
        """Take over what is kept, where it is not what this process kept itself."""
        self._basis = day_store.basis_with_history(connection, self._network_basis)
        mark = day_store.read_mark(connection)
        if mark is not None and mark == self._seen and mark.basis == self._basis:
            return
        self._forget()
        self._seen = mark
        if mark is None or mark.basis != self._basis:
            return
        self._first = mark.first_day
        self._days = day_store.read_days(connection)
        self._counts = day_store.read_counts(connection)
        if not self._days:
            return
        walk = _Walk(connection, self._first, 0)
        standing = self._start(walk)
        for day in range(self._first, self._first + len(self._days)):
            standing = standing.after(self._change(walk, day), self._sold(walk, day))
        self._standing = standing

    def _opened_again(
        self, connection: Connection, counts: dict[str, int], known: int
    ) -> int | None:
        """The first day that has to be computed; None where the ledger has no row."""
        following = self._first + len(self._days)
        at = earliest(connection, self._counts, counts)
        touched = None if at is None else self._clock.second(at) // DAY_SECONDS
        if not self._counts:
            if touched is not None:
                self._first = touched
            return touched
        stale = (self._first + i for i, one in enumerate(self._days) if not one.holds(known))
        first = min(following, next(stale, following))
        return first if touched is None else min(first, touched)

    def _rewind(self, walk: _Walk, day: int) -> None:
        """Back to the start of `day`."""
        if day <= self._first:
            self._days, self._standing = [], self._start(walk)
            return
        standing = self._standing
        for back in range(self._first + len(self._days) - 1, day - 1, -1):
            standing = standing.before(self._change(walk, back), self._sold(walk, back))
        self._days = self._days[: day - self._first]
        self._standing = standing

    def _forward(self, walk: _Walk, counts: dict[str, int], last: int) -> None:
        """Through the days before `last`; what is new is kept now and then, and at the end."""
        fresh: list[tuple[int, ClosedDay, bytes]] = []
        begins = self._first + len(self._days)
        may_keep = True
        if not self._days:
            self._standing = self._start(walk)
        for day in range(begins, last):
            closed, change, self._standing = self._step(walk, day)
            self._days.append(closed)
            self._changes[day] = day_store.pack_change(change)
            fresh.append((day, closed, self._changes[day]))
            if may_keep and (len(fresh) == _KEEP_EVERY or day == last - 1):
                may_keep = self._keep(walk, counts, fresh)
                fresh.clear()
        # Rows of a day that is not kept are read each time: they open nothing again.
        self._counts = counts
        if not may_keep:
            # Another process keeps its own: this one's work is for this answer only.
            self._seen = None

    def _keep(
        self, walk: _Walk, counts: dict[str, int], fresh: list[tuple[int, ClosedDay, bytes]]
    ) -> bool:
        version = 1 if self._seen is None else self._seen.version + 1
        mark = Mark(version, self._basis, self._first)
        engine = walk.connection.engine
        if not day_store.keep_days(engine, self._seen, mark, counts, fresh, fresh[0][0]):
            return False
        self._seen = mark
        return True

    def _step(self, walk: _Walk, day: int) -> tuple[ClosedDay, DayChange, Standing]:
        """Facts of one day from its rows."""
        frame, following = self.rows_of(walk.connection, day, walk.known)
        rows = self._columns.of(frame)
        change = DayChange.of(rows, self.network)
        after = self._standing.after(change, self._sold(walk, day))
        facts = facts_of_day(
            self.network, rows, day, self._standing, after, is_first=day == walk.first
        )
        prices = frame.price.to_numpy(dtype=np.int64)
        known_s = self._clock.second(walk.known)
        facts[..., SKU_FACTS.index("revenue_cents")] = revenue(
            self.network, rows, prices, day, day, known_s
        )[0]
        newest = int(frame.recorded_at.max()) if len(frame) else 0
        return ClosedDay.of(facts, newest, following), change, after

    def _change(self, walk: _Walk, day: int) -> DayChange:
        """What a day between the first and the last of them changed."""
        if day not in self._changes:
            self._changes[day] = day_store.read_change(walk.connection, day)
        return day_store.unpack_change(self._changes[day])

    def _sold(self, walk: _Walk, day: int) -> DayChange | Ints | None:
        """Sales that leave the slow movers' window when `day` enters it."""
        left = day - SLOW_WINDOW_DAYS
        return self._change(walk, left) if left >= walk.first else walk.sold_before(left)

    def _start(self, walk: _Walk) -> Standing:
        """Before the first row: no stock, and the sales that are known from elsewhere."""
        empty = Standing.empty(self.network)
        sold = empty.sold.copy()
        for day in range(walk.first - SLOW_WINDOW_DAYS, walk.first):
            known = walk.sold_before(day)
            if known is not None:
                sold += known
        return Standing(empty.stock, empty.moving, sold)
