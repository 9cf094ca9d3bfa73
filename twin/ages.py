"""Perishables: age classes of stock, customers' choice among them, expiry in the evening."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from policies.domain.decision import SUPPLIER
from policies.domain.errors import ConservationBroken
from policies.domain.network import IntArray
from twin import age_touches, draws
from twin.age_touches import AgeClasses
from twin.journal import Journal
from twin.loads import Load
from twin.state import State


class Ages:
    """The ages of everything that expires, in stores, in warehouses and on the road.

    Life counts from the first receipt from a supplier and goes on while goods travel.
    Goods leave a warehouse, or a store for another, oldest first.

    Parameters
    ----------
    state : State
    journal : Journal, is told of write-offs
    seed, replication : int, for which customers take the youngest
    """

    def __init__(self, state: State, journal: Journal, seed: int, replication: int) -> None:
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
        self._travelling: dict[int, tuple[int, npt.NDArray[np.int32]]] = {}
        self._quantity = np.zeros(shape, dtype=np.int32)
        self._found = np.zeros(shape, dtype=np.int32)
        self._spread_opening()

    @property
    def on(self) -> bool:
        """Whether anything expires in this run."""
        return self.longest > 0

    def _spread_opening(self) -> None:
        """Opening stock is of all ages alike; what does not divide is the freshest."""
        classes = self.classes
        stock = self.state.stock.physical[:, classes.member]
        classes.held[:] = stock
        for p, life in enumerate(classes.life.tolist()):
            each = stock[:, p] // life
            for ahead in range(life):
                classes.units[:, p, (self.oldest + ahead) % self.longest] = each
            freshest = (self.oldest + life - 1) % self.longest
            classes.units[:, p, freshest] += stock[:, p] - each * life

    def left(self, load: Load) -> None:
        """A load has left its origin's stock: its goods take their ages along."""
        if not self.on:
            return
        place, sku = load.origin, load.sku
        self._settle(place, sku, -load.shipped)
        came = np.zeros((len(sku), self.longest), dtype=np.int32)
        age_touches.load_up(self.classes, place, sku, load.shipped, self.oldest, came)
        self._travelling[load.number] = (self.oldest, came)

    def arrived(self, load: Load, error: IntArray, late: IntArray) -> None:
        """A load has been put down; `error` and `late` as in ``touches.receive``."""
        if not self.on:
            return
        place, sku = load.destination, load.sku
        there = load.shipped - ((error > 0) & (load.shipped > 0)).astype(np.int32)
        # Units owed leave at once: they are settled at the next touch, like sales.
        self._settle(place, sku, there - late)
        since, came = self.oldest, np.zeros((len(sku), self.longest), dtype=np.int32)
        if load.origin != SUPPLIER:
            since, came = self._travelling.pop(load.number, (since, came))
        age_touches.put_down(
            self.classes, place, sku, there, came, self.oldest - since, self.oldest
        )

    def expire(self, now: int) -> None:
        """Clear what ends its life this evening; receipts up to `now` have been served."""
        if not self.on:
            return
        state, classes = self.state, self.classes
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
        if self.journal.on:
            where, p = (axis.astype(np.int32) for axis in np.nonzero(self._quantity))
            self.journal.expired(
                where, classes.member[p], self._quantity[where, p], self._found[where, p], now
            )

    def _settle(self, place: int, sku: IntArray, change: IntArray) -> None:
        physical = self.state.stock.physical[place]
        bad = age_touches.settle_rows(self.classes, place, sku, self.oldest, physical, change)
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
