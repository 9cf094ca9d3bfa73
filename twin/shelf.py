"""Shelf and backroom: what customers reach, and staff who fill it from behind."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from twin.arrays import Int32s
from twin.processes import ShelfRules
from twin.state import State


class Shelves:
    """The shelves of all stores.

    Parameters
    ----------
    state : State
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.rules: ShelfRules = state.scenario.shelf
        self.on = self.rules.packs > 0
        self._room = self.rules.room(state.network.skus.pack_size)
        self.cases = 0

    def fill(self, now: int) -> None:
        """Staff of every store bring cases from behind; receipts up to `now` are served."""
        state = self.state
        self.cases += fill_stores(
            state.stock.shelf,
            state.stock.physical,
            state.stock.stray,
            state.master.is_store,
            self._room,
            state.master.pack,
            self.rules.cases_per_round,
        )

    def counters(self) -> dict[str, int]:
        """Cases brought from behind, and units not found in front that lay there."""
        if not self.on:
            return {}
        return {
            "shelf_cases": self.cases,
            "units_missed_behind": int(self.state.totals.behind.sum()),
        }


@njit(cache=True)
def fill_stores(
    shelf: Int32s,
    physical: Int32s,
    stray: Int32s,
    is_store: npt.NDArray[np.bool_],
    room: Int32s,
    pack: Int32s,
    most: int,
) -> int:
    """Fill (L, K) `shelf` up to (K,) `room` where (L, K) `physical` has more; returns cases.

    At most `most` cases a store, the emptiest shelf first (0 = no limit); a case may be
    begun. A shelf never holds more than there is and is not astray, (L, K) or (L, 0) `stray`.
    """
    cases = 0
    empty = np.zeros(len(room))
    for place in range(shelf.shape[0]):
        if not is_store[place]:
            continue
        front, stock = shelf[place], physical[place]
        if stray.shape[1]:
            stock = np.maximum(stock - stray[place], 0).astype(np.int32)
        for k in range(len(room)):
            front[k] = min(front[k], stock[k])
            has_more = min(room[k], stock[k]) > front[k]
            empty[k] = front[k] / room[k] if has_more else 2.0
        # Of equally empty ones the first: the order never depends on the sort.
        order = np.argsort(empty, kind="mergesort")
        left = most if most > 0 else np.int64(2**31)
        for k in order:
            if empty[k] > 1.0 or left <= 0:
                break
            units = min(min(room[k], stock[k]) - front[k], left * np.int64(pack[k]))
            begun = -(-units // pack[k])
            front[k] += units
            left -= begun
            cases += begun
    return cases
