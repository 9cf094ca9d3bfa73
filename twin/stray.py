"""Misplaced goods: in the store, in the book, and not where customers look."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.network import DAY_SECONDS, IntArray
from twin import draws
from twin.arrays import Int32s, Stock
from twin.draws import Keys, uniform
from twin.state import State

_DAY_BITS = 24
"""A counter is day · 2²⁴ + SKU number, twice."""


class Strays:
    """What lies astray in all stores; ``Stock.stray`` has the units.

    Parameters
    ----------
    state : State
    seed, replication : int
    """

    def __init__(self, state: State, seed: int, replication: int) -> None:
        self.state, self.rules = state, state.scenario.misplacement
        self.on = self.rules.on
        ids = state.network.locations.ids
        none = np.zeros(len(ids), dtype=np.uint64)
        self._keys = draws.keys(seed, replication, "misplacement", ids) if self.on else none
        self.find_keys = draws.keys(seed, replication, "search", ids) if self.on else none
        self.astray = 0

    def move(self, now: int) -> None:
        """Goods go astray, and some turn up; receipts up to `now` have been served."""
        rules, state = self.rules, self.state
        places = state.network.stores.astype(np.int32)
        self.astray += _move(
            places, self._keys, now // DAY_SECONDS, rules.share_per_day, rules.found_per_day,
            state.stock,
        )  # fmt: skip

    def search(self, place: int, sku: IntArray, wrong: IntArray, now: int) -> None:
        """A count of `sku` (n,) finds stray units, or not: then `wrong` (n,) has them less."""
        if self.on:
            share = self.rules.count_finds_share
            search(
                place,
                sku,
                wrong,
                self.find_keys[place],
                now // DAY_SECONDS,
                share,
                self.state.stock,
            )

    def counters(self) -> dict[str, int]:
        """Units that went astray, those that are, and those that customers missed so."""
        if not self.on:
            return {}
        stock = self.state.stock
        left = np.minimum(stock.stray, stock.physical)
        missed = int(self.state.totals.behind.sum())
        return {
            "units_gone_astray": self.astray,
            "units_astray": int(left.sum()),
            "units_missed_behind": missed,
        }


@njit(cache=True)
def _move(places: Int32s, keys: Keys, day: int, astray: float, found: float, stock: Stock) -> int:
    total = 0
    for place in places:
        stray, physical = stock.stray[place], stock.physical[place]
        for k in range(len(physical)):
            if physical[k] == 0:
                stray[k] = 0
                continue
            lost = min(stray[k], physical[k])
            counter = 2 * ((day << _DAY_BITS) + k)
            gone = int(astray * (physical[k] - lost) + uniform(keys[place], counter))
            back = 0
            if lost > 0:
                back = int(found * lost + uniform(keys[place], counter + 1))
            stray[k] = lost + gone - back
            total += gone
    return total


@njit(cache=True)
def search(
    place: int,
    sku: Int32s,
    wrong: Int32s,
    key: np.uint64,
    day: int,
    share: float,
    stock: Stock,
) -> None:
    """Of each SKU counted the stray units are found and put back, or left out of the count.

    Parameters
    ----------
    sku, wrong : (n,) int32; what is not found is taken off `wrong`
    share : of SKUs whose stray units are found
    """
    stray: npt.NDArray[np.int32] = stock.stray[place]
    for i in range(len(sku)):
        k = sku[i]
        lost = min(stray[k], stock.physical[place, k])
        if lost == 0:
            continue
        if uniform(key, (day << _DAY_BITS) + k) < share:
            stray[k] = 0
        else:
            wrong[i] -= lost
