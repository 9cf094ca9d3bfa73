"""Goods that leave stock and are not sold: thrown away, or sent to a supplier."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from policies.domain.network import IntArray
from twin import touches
from twin.ages import Ages
from twin.carbon import CarbonAccount
from twin.journal import Journal
from twin.state import State


class Removal:
    """Takes goods away in truth and in the book, with their ages and their carbon.

    Parameters
    ----------
    state : State
    journal : Journal, is told of the movements
    ages : Ages
    carbon : CarbonAccount or None
    """

    def __init__(
        self, state: State, journal: Journal, ages: Ages, carbon: CarbonAccount | None
    ) -> None:
        self.state, self.journal, self.ages, self.carbon = state, journal, ages, carbon

    def take(
        self, place: int, sku: IntArray, units: IntArray, now: int, *, is_thrown: bool
    ) -> npt.NDArray[np.int32]:
        """Take up to `units` (n,) of `sku` (n,) away; returns (n,) what was there to take.

        Receipts up to `now` have been served. What the book does not have is found first,
        as at a till.
        """
        state = self.state
        there = state.stock.physical[place, sku]
        taken: npt.NDArray[np.int32] = np.minimum(units, there).astype(np.int32)
        some = taken > 0
        sku, gone = sku[some].astype(np.int32), taken[some]
        if not len(sku):
            return taken
        found = np.zeros(len(sku), dtype=np.int32)
        if self.carbon is not None:
            self.carbon.settle(place, sku)
        touches.take_away(
            place, sku, gone, found, is_thrown, now, state.stock, state.events, state.master
        )
        self.ages.removed(place, sku, gone)
        if self.carbon is not None:
            self.carbon.removed(place, sku, gone, is_thrown=is_thrown)
        self.journal.taken_away(place, sku, gone, found, now, is_thrown=is_thrown)
        return taken
