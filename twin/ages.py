"""Perishables: age classes of stock, customers' choice among them, expiry in the evening."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from policies.domain.decision import SUPPLIER
from policies.domain.errors import ConservationBroken, ScenarioInvalid
from policies.domain.network import IntArray
from twin import age_touches, draws
from twin.age_touches import AgeClasses
from twin.journal import Journal
from twin.loads import Load
from twin.markdown import Markdown
from twin.scenario import Opening
from twin.state import State


class Ages:
    """The ages of everything that expires, in stores, in warehouses and on the road.

    Life counts from the first receipt from a supplier and goes on while goods travel.
    Goods leave a warehouse, or a store for another, oldest first.

    Parameters
    ----------
    state : State
    journal : Journal, is told of write-offs
    opening : Opening, whose ages are taken where it knows them
    seed, replication : int, for which customers take the youngest
    """

    def __init__(
        self, state: State, journal: Journal, opening: Opening, seed: int, replication: int
    ) -> None:
        network, rules = state.network, state.scenario.perishables
        places, skus = network.shape
        self.state, self.journal = state, journal
        member = np.flatnonzero(network.skus.shelf_life_days > 0).astype(np.int32)
        if not rules.tracked:
            member = member[:0]
        row = np.full(skus, -1, dtype=np.int32)
        row[member] = np.arange(len(member), dtype=np.int32)
        days = np.floor(network.skus.shelf_life_days[member] * rules.life_factor + 1e-9)
        life = np.maximum(days, 1).astype(np.int32)
        self.longest = int(life.max()) if len(member) else 0
        shape = (places, len(member))
        self.classes = AgeClasses(
            np.zeros((*shape, self.longest), dtype=np.int32),
            np.zeros(shape, dtype=np.int32),
            np.zeros(shape, dtype=np.int64),
            member,
            row,
            life,
            draws.keys(seed, replication, "issue", network.locations.ids),
            float(rules.lifo_share),
        )
        self.oldest = state.scenario.first_day
        """The day whose evening is the next expiry."""
        self.markdown = Markdown(state)
        self._travelling: dict[int, tuple[int, npt.NDArray[np.int32]]] = {}
        self._quantity = np.zeros(shape, dtype=np.int32)
        self._found = np.zeros(shape, dtype=np.int32)
        self._spread_opening(opening.expiring)

    @property
    def on(self) -> bool:
        """Whether anything expires in this run."""
        return self.longest > 0

    def _spread_opening(self, known: npt.NDArray[np.int64]) -> None:
        """Opening stock by its known ages, the rest of all ages alike; its odd ones are fresh."""
        classes = self.classes
        stock = self.state.stock.physical[:, classes.member]
        classes.held[:] = stock
        place, p, day, units = self._perishable(known, sku=1).T
        np.add.at(classes.units, (place, p, self._slot(p, day)), units.astype(np.int32))
        rest = stock - classes.units.sum(axis=2, dtype=np.int32)
        if (rest < 0).any():
            raise self._too_many("opening.expiring", *np.argwhere(rest < 0)[0].tolist())
        for p, life in enumerate(classes.life.tolist()):
            each = rest[:, p] // life
            for ahead in range(life):
                classes.units[:, p, (self.oldest + ahead) % self.longest] += each
            freshest = (self.oldest + life - 1) % self.longest
            classes.units[:, p, freshest] += rest[:, p] - each * life

    def _perishable(self, rows: npt.NDArray[np.int64], sku: int) -> npt.NDArray[np.int64]:
        """`rows` of SKUs that expire, with their class row in place of column `sku`."""
        p = self.classes.row[rows[:, sku]]
        kept = rows[p >= 0].copy()
        kept[:, sku] = p[p >= 0]
        return kept

    def _slot(
        self, p: npt.NDArray[np.integer], day: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.int64]:
        """(n,) where units of `day` lie; past ones expire tonight, none lives past fresh ones."""
        ahead = np.clip(day - self.oldest, 0, self.classes.life[p] - 1)
        return np.asarray((self.oldest + ahead) % max(self.longest, 1), dtype=np.int64)

    def _too_many(self, field: str, place: int, p: int) -> ScenarioInvalid:
        network = self.state.network
        return ScenarioInvalid(
            f"ages of more {network.skus.ids[self.classes.member[p]]} than there is",
            field=field,
            row=network.locations.ids[place],
            remedy="give ages for what is on hand in truth, or for less of it",
        )

    def carried(self, load: Load, known: npt.NDArray[np.int64]) -> None:
        """An open order of a warm start; `known` as in ``Opening.expiring_on_way``."""
        if not self.on or load.origin == SUPPLIER:
            return
        rows = known[(known[:, :3] == (load.origin, load.destination, load.due_s)).all(axis=1)]
        _, _, _, p, day, units = self._perishable(rows, sku=3).T
        lines = self._lines(load)
        own = self.classes.row[load.sku[lines]]
        came = np.zeros((len(lines), self.longest), dtype=np.int32)
        ahead: npt.NDArray[np.int64] = (self._slot(p, day) - self.oldest) % self.longest
        # Rows ascend with SKUs, and a carried load's SKUs do.
        at = np.searchsorted(own, p)
        is_line = np.isin(p, own)
        np.add.at(came, (at[is_line], ahead[is_line]), units[is_line].astype(np.int32))
        rest = load.shipped[lines] - came.sum(axis=1, dtype=np.int32)
        wrong = [*p[~is_line].tolist(), *own[rest < 0].tolist()]
        if wrong:
            raise self._too_many("opening.expiring_on_way", load.destination, wrong[0])
        came[np.arange(len(lines)), self.classes.life[own] - 1] += rest
        self._travelling[load.number] = (self.oldest, came)

    def settle_all(self) -> None:
        """Take off what customers took anywhere since the last touch."""
        member = self.classes.member
        for place in range(len(self.classes.held)):
            self._settle(place, member, np.zeros(len(member), dtype=np.int32))

    def known(self) -> npt.NDArray[np.int64]:
        """Stock by age as it was last settled, as ``Opening.expiring``."""
        if not self.on:
            return np.zeros((0, 4), dtype=np.int64)
        place, p, slot = np.nonzero(self.classes.units)
        day = self.oldest + (slot - self.oldest) % self.longest
        units = self.classes.units[place, p, slot]
        return np.stack([place, self.classes.member[p], day, units], axis=1).astype(np.int64)

    def known_of(self, load: Load, quantity: IntArray, due_s: int) -> npt.NDArray[np.int64]:
        """The same of an open load, as ``expiring_on_way``; `quantity` (n,) leaves if it must."""
        if not self.on or load.origin == SUPPLIER:
            return np.zeros((0, 6), dtype=np.int64)
        lines = self._lines(load)
        if load.shipped_s >= 0:
            since, came = self._travelling[load.number]
        else:
            since, came = self.oldest, self._load_up(load, quantity, lines)
        line, ahead = np.nonzero(came)
        lane = [np.full(len(line), end) for end in (load.origin, load.destination, due_s)]
        day = np.maximum(since + ahead, self.oldest)
        return np.stack([*lane, load.sku[lines[line]], day, came[line, ahead]], axis=1).astype(
            np.int64
        )

    def left(self, load: Load) -> None:
        """A load has left its origin's stock: its goods take their ages along."""
        if not self.on:
            return
        lines = self._lines(load)
        self._settle(load.origin, load.sku, -load.shipped)
        self._travelling[load.number] = (self.oldest, self._load_up(load, load.shipped, lines))

    def removed(self, place: int, sku: IntArray, units: IntArray) -> None:
        """`units` (n,) have left a place for good and unsold, the oldest of each SKU."""
        if not self.on:
            return
        lines = age_touches.expiring_lines(self.classes.row, sku)
        self._settle(place, sku, -units)
        gone = np.zeros((len(lines), self.longest), dtype=np.int32)
        age_touches.load_up(self.classes, place, sku, units, self.oldest, lines, gone)

    def _lines(self, load: Load) -> IntArray:
        """(m,) positions of the lines whose SKU expires."""
        return age_touches.expiring_lines(self.classes.row, load.sku)

    def _load_up(self, load: Load, quantity: IntArray, lines: IntArray) -> IntArray:
        """(m, M) the classes of `quantity` (n,), the oldest of its origin, which leave it."""
        came = np.zeros((len(lines), self.longest), dtype=np.int32)
        origin, oldest = load.origin, self.oldest
        age_touches.load_up(self.classes, origin, load.sku, quantity, oldest, lines, came)
        return came

    def arrived(self, load: Load, error: IntArray, late: IntArray) -> None:
        """A load has been put down; `error` and `late` as in ``touches.receive``."""
        if not self.on:
            return
        place, sku, lines = load.destination, load.sku, self._lines(load)
        there = load.shipped - ((error > 0) & (load.shipped > 0)).astype(np.int32)
        # Units owed leave at once: they are settled at the next touch, like sales.
        self._settle(place, sku, there - late)
        since, came = self.oldest, np.zeros((0, self.longest), dtype=np.int32)
        if load.origin != SUPPLIER:
            since, came = self._travelling.pop(load.number, (since, came))
        age = self.oldest - since
        age_touches.put_down(self.classes, place, sku, there, lines, came, age, self.oldest)

    def mark_down(self) -> None:
        """Label what expires soon; receipts up to now have been served."""
        self.settle_all()
        self.markdown.label()

    def expire(self, now: int) -> None:
        """Clear what ends its life this evening; receipts up to `now` have been served."""
        if not self.on:
            return
        state, classes = self.state, self.classes
        if self.markdown.on:
            self.settle_all()
        place, sku = age_touches.expire(
            classes,
            self.oldest,
            now,
            state.stock,
            state.events,
            state.master,
            self._quantity,
            self._found,
        )
        if place >= 0:
            raise self._broken(place, sku)
        self.oldest += 1
        self.markdown.evening()
        if self.journal.on:
            where, p = (axis.astype(np.int32) for axis in np.nonzero(self._quantity))
            self.journal.expired(
                where, classes.member[p], self._quantity[where, p], self._found[where, p], now
            )

    def _settle(self, place: int, sku: IntArray, change: IntArray) -> None:
        state, classes = self.state, self.classes
        if self.markdown.on and state.master.is_store[place]:
            bad = self.markdown.settle(classes, place, sku, self.oldest, change)
        else:
            physical = state.stock.physical[place]
            bad = age_touches.settle_rows(classes, place, sku, self.oldest, physical, change)
        if bad >= 0:
            raise self._broken(place, int(sku[bad]))

    def _broken(self, place: int, sku: int) -> ConservationBroken:
        network = self.state.network
        return ConservationBroken(
            f"{network.locations.ids[place]} holds more of {network.skus.ids[sku]} than its "
            "age classes",
            field="ages",
            row=network.locations.ids[place],
            remedy="this is a defect of the program: report it with the scenario",
        )
