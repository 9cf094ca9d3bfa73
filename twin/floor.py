"""The floor: every effect on stock, by the compiled kernels; lazy receipts."""

from __future__ import annotations

import time

import numpy as np

from policies.domain.decision import LineKind
from policies.domain.network import IntArray
from twin import draws, kernel, touches
from twin.ages import Ages
from twin.arrays import Mode
from twin.carbon import CarbonAccount
from twin.conversions import Conversions
from twin.goods_returns import ReturnRounds
from twin.journal import Journal
from twin.loads import Load
from twin.pull import Pull
from twin.recalls import Recalls
from twin.removal import Removal
from twin.returns import Returns
from twin.risk_counts import RiskCounts
from twin.sampling import count_sample, count_stores
from twin.scenario import Opening
from twin.shelf import Shelves
from twin.state import State
from twin.stray import Strays


class Floor:
    """Turns what happens in the network into stock, facts and, if asked for, rows.

    Stores are lazy: before anything else touches one, its receipts up to that very
    second are served or lost, a line of the same second before the touch.

    Parameters
    ----------
    state : State
    journal : Journal, keeps movement rows and documents (or nothing)
    opening : Opening, the ages of what is in stock
    first_kpi_day : int
    seed, replication : int, for errors at receipt and count samples
    """

    def __init__(
        self,
        state: State,
        journal: Journal,
        opening: Opening,
        first_kpi_day: int,
        seed: int,
        replication: int,
    ) -> None:
        self.state = state
        self.journal = journal
        self.first_kpi_day = first_kpi_day
        network = state.network
        self._store_number = {int(place): s for s, place in enumerate(network.stores)}
        scenario = state.scenario
        ids = network.locations.ids
        self._error_rate = scenario.frictions.receipt_error_per_line
        self._error_keys = (
            draws.keys(seed, replication, "receipt", ids) if self._error_rate > 0 else None
        )
        self._count_keys = (
            draws.keys(seed, replication, "count", ids) if scenario.store.has_counts else None
        )
        self._miscount_rate = scenario.store.count_error_per_line
        self._miscount_keys = (
            draws.keys(seed, replication, "count error", ids) if self._miscount_rate > 0 else None
        )
        self._listed_skus = {
            int(place): np.flatnonzero(network.listed[place]).astype(np.int32)
            for place in network.stores
        }
        self.ages = Ages(state, journal, opening, seed, replication)
        self.shelves = Shelves(state)
        self.returns = Returns(state, journal, seed, replication)
        self.pull = (
            Pull(state, scenario.pull, is_traced=journal.on) if scenario.pull is not None else None
        )
        factors = scenario.carbon
        self.carbon = (
            CarbonAccount(network, factors, state.stock)
            if factors.tracked and self.pull is None
            else None
        )
        removal = Removal(state, journal, self.ages, self.carbon)
        self.strays = Strays(state, seed, replication)
        self.risk = RiskCounts(state)
        self.conversions = Conversions(state, journal, self.ages, self.carbon)
        self.recalls = Recalls(state, removal, seed, replication)
        self.rounds = ReturnRounds(state, removal, seed, replication)
        self.kernel_seconds = 0.0
        self.touch_seconds = 0.0
        self.count_seconds = 0.0
        self.expire_seconds = 0.0

    def advance(self, place: int, until: int) -> None:
        """Serve or lose a store's receipt lines with t ≤ `until`; others have none."""
        s = self._store_number.get(place)
        if s is None:
            return
        state = self.state
        began = time.perf_counter()
        many = int(state.lines.offsets[s + 1] - state.cursor[s])
        rows = self.journal.room(2 * many if state.frailty.switches else many)
        written = kernel.advance(
            state.lines,
            state.cursor,
            s,
            until,
            state.stock,
            state.panel.sold_today,
            state.tally,
            state.master,
            state.frailty,
            state.totals,
            self._mode(until),
            rows,
        )
        self.kernel_seconds += time.perf_counter() - began
        self.journal.sales(place, rows, written)

    def advance_all(self, until: int, first: int = 0, end: int | None = None) -> None:
        """The same for every store, or for those among locations `first` … `end` − 1."""
        if self.pull is not None:
            self.pull.advance(until)
            return
        state = self.state
        location = state.lines.location
        begins = int(np.searchsorted(location, first))
        ends = len(location) if end is None else int(np.searchsorted(location, end))
        if self.journal.on:
            for place in location[begins:ends].tolist():
                self.advance(place, until)
            return
        began = time.perf_counter()
        kernel.advance_all(
            state.lines,
            state.cursor,
            begins,
            ends,
            until,
            state.stock,
            state.panel.sold_today,
            state.tally,
            state.master,
            state.frailty,
            state.totals,
            self._mode(until),
            self.journal.room(0),
        )
        self.kernel_seconds += time.perf_counter() - began

    def _mode(self, now: int) -> Mode:
        return Mode(now // 86_400 >= self.first_kpi_day, self.journal.on)

    def approve(self, load: Load, now: int) -> None:
        """A load is ordered: it counts as on order, and is reserved where it comes from."""
        state = self.state
        touches.order(load.origin, load.destination, load.sku, load.ordered, state.stock)
        if load.kind == LineKind.PURCHASE:
            touches.note_purchases(load.destination, load.sku, state.events, state.master)
        self.journal.approved(load, now)

    def ship(self, load: Load, now: int) -> None:
        """A load leaves its origin, cut to what is there."""
        began = time.perf_counter()
        state = self.state
        self.advance(load.origin, now)
        if self.carbon is not None:
            self.carbon.settle(load.origin, load.sku)
        load.shipped_units, load.shipped_cases, grams = touches.ship(
            load.origin,
            load.destination,
            load.sku,
            load.ordered,
            load.shipped,
            now,
            state.stock,
            state.events,
            state.master,
            state.network.skus.mass_g,
        )
        self.ages.left(load)
        if self.carbon is not None:
            self.carbon.shipped(load)
        load.shipped_s = now
        load.kg = grams / 1e3
        self.journal.shipped(load, now)
        self.touch_seconds += time.perf_counter() - began

    def cut(self, load: Load, now: int) -> None:
        """A load that nothing takes: ordered, not filled."""
        state = self.state
        touches.cut(
            load.origin,
            load.destination,
            load.sku,
            load.ordered,
            state.stock,
            state.events,
            state.master,
        )
        load.shipped_s, load.shipped_units, load.shipped_cases = now, 0, 0
        self.journal.shipped(load, now)

    def fall_short(self, load: Load, now: int) -> None:
        """A supplier sends ``load.shipped``; the rest of the order lapses."""
        stock = self.state.stock
        touches.fall_short(load.destination, load.sku, load.ordered, load.shipped, stock)
        load.shipped_s, load.shipped_units = now, int(load.shipped.sum())

    def receive(self, load: Load, now: int) -> None:
        """A load is for sale: exactly the lines after `now` can still be saved."""
        began = time.perf_counter()
        state, place = self.state, load.destination
        self.advance(place, now)
        if self.carbon is not None:
            self.carbon.settle(place, load.sku)
            self.carbon.received(load)
        error = self._errors(place, load.sku, now)
        late = np.zeros(len(load.sku), dtype=np.int32)
        touches.receive(
            load.origin,
            place,
            load.sku,
            load.ordered,
            load.shipped,
            error,
            late,
            load.need_s,
            now,
            state.stock,
            state.panel.sold_today,
            state.events,
            state.master,
        )
        self.ages.arrived(load, error, late)
        load.received_s = now
        self.journal.received(load, error, late, now)
        if self.recalls.on:
            self.recalls.arrived(load, now)
        self.touch_seconds += time.perf_counter() - began

    def count_all(self, now: int) -> None:
        """Count a random sample of every store's SKUs."""
        if self._count_keys is None:
            return
        state = self.state
        places = state.lines.location
        if self.journal.on:
            for place in places.tolist():
                self.count(place, now)
            return
        self.advance_all(now)
        began = time.perf_counter()
        skus = [self._listed_skus[place] for place in places.tolist()]
        first = np.cumsum([0, *map(len, skus)], dtype=np.int64)
        count_stores(
            places,
            first,
            np.concatenate(skus),
            np.array([state.scenario.store.lines_to_count(len(mine)) for mine in skus]),
            self._count_keys,
            self._miscount_rate,
            self._count_keys if self._miscount_keys is None else self._miscount_keys,
            self.strays.rules.count_finds_share,
            self.strays.find_keys,
            now,
            state.stock,
            state.events,
            state.master,
        )
        self.count_seconds += time.perf_counter() - began

    def count(self, place: int, now: int) -> None:
        """Count a random sample of a store's SKUs and set the book to what is there."""
        if self._count_keys is None:
            return
        state = self.state
        self.advance(place, now)
        sku = count_sample(
            self._listed_skus[place],
            state.scenario.store.lines_to_count(len(self._listed_skus[place])),
            self._count_keys[place],
            now // 86_400,
        )
        self._count_lines(place, sku, now)

    def count_risky(self, now: int) -> None:
        """Every store counts tonight's lines of the ranking."""
        self.advance_all(now)
        events = self.state.events
        for place in self.state.network.stores.tolist():
            sku = self.risk.tonight(place, now)
            if not len(sku):
                continue
            # No random sample: another fact, and no part of the record accuracy.
            before = events[place][:, touches.SAMPLED].copy()
            difference = self._count_lines(place, sku, now, is_sample=False)
            lines = events[place, :, touches.COUNTED] - before[:, 0]
            events[place][:, touches.SAMPLED] = before
            events[place, :, touches.RISK_COUNTED] += lines
            self.risk.counted(place, sku, difference, now)

    def _count_lines(
        self, place: int, sku: IntArray, now: int, *, is_sample: bool = True
    ) -> IntArray:
        state = self.state
        difference = np.zeros(len(sku), dtype=np.int32)
        expected = state.stock.book[place, sku].copy()
        wrong = self._off_by_one(self._miscount_keys, self._miscount_rate, place, sku, now)
        self.strays.search(place, sku, wrong, now)
        touches.count(place, sku, wrong, difference, now, state.stock, state.events, state.master)
        self.journal.counted(place, sku, expected, difference, now, is_sample=is_sample)
        return difference

    def fill_shelves(self, now: int) -> None:
        """Staff bring goods from behind to where customers reach them."""
        self.advance_all(now)
        self.shelves.fill(now)

    def take_back(self, now: int) -> None:
        """Customers bring back what they bought some days ago."""
        self.advance_all(now)
        self.returns.take_back(now)

    def misplace(self, now: int) -> None:
        """Goods go astray in stores."""
        self.advance_all(now)
        self.strays.move(now)

    def convert(self, now: int, first_document: int) -> int:
        """Stores make goods of others; returns the next document's number."""
        self.advance_all(now)
        return self.conversions.convert(now, first_document)

    def recall(self, now: int) -> None:
        """A recall begins or ends."""
        self.advance_all(now)
        self.recalls.pull(now)

    def send_back(self, now: int, first_number: int) -> list[Load]:
        """Stores send back what lasts too long; returns the loads, which have left."""
        self.advance_all(now)
        loads = self.rounds.collect(now, first_number)
        for load in loads:
            self.approve(load, now)
            self.ship(load, now)
        return loads

    def get_back(self, now: int) -> None:
        """Warehouses receive what stores have sent back."""
        for load in self.rounds.due(now):
            self.receive(load, now)
            self.rounds.sort(load, now)

    def mark_down(self, now: int) -> None:
        """Label what expires soon."""
        self.advance_all(now)
        self.ages.mark_down()

    def expire(self, now: int) -> None:
        """Clear every shelf of what ends its life today."""
        self.advance_all(now)
        began = time.perf_counter()
        if self.carbon is None:
            self.ages.expire(now)
        else:
            before = self.state.stock.physical.copy()
            self.ages.expire(now)
            self.carbon.expired(before)
        self.expire_seconds += time.perf_counter() - began

    def _errors(self, place: int, sku: IntArray, now: int) -> IntArray:
        """(n,) int32: what the person who receives gets wrong, as in `touches.receive`."""
        return self._off_by_one(self._error_keys, self._error_rate, place, sku, now)

    def _off_by_one(
        self, keys: draws.Keys | None, rate: float, place: int, sku: IntArray, now: int
    ) -> IntArray:
        """(n,) int32: -1 or 1 each in half of the share `rate`, else 0."""
        if keys is None:
            return np.zeros(len(sku), dtype=np.int32)
        counter = (now // 86_400) * np.int64(self.state.network.shape[1]) + sku.astype(np.int64)
        u = draws.uniforms(keys[place], counter)
        return np.where(u < rate / 2, -1, np.where(u < rate, 1, 0)).astype(np.int32)
