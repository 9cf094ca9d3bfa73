"""Markdown near expiry: labelled goods pull customers to the old end, at a lower price.

Without labels a settlement of ages needs sums only (:mod:`twin.age_touches`). With them the
order matters, since customers are pulled only while a labelled unit is there: units are
taken one by one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from policies.domain.errors import ScenarioInvalid
from policies.domain.network import IntArray
from twin.age_touches import AgeClasses
from twin.arrays import Int32s
from twin.draws import uniform
from twin.kernel import MARGIN_LOST
from twin.state import State
from twin.touches import LATE_REVENUE


class Markdown:
    """Labels of all stores: which expiry days have them now, and what they cost.

    Parameters
    ----------
    state : State
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.rules = rules = state.scenario.markdown
        self.on = rules.days_before > 0
        perishables = state.scenario.perishables
        if self.on and not perishables.tracked:
            raise ScenarioInvalid(
                "nothing expires, so nothing is marked down",
                field="markdown.days_before",
                remedy="set tracked = true under [perishables]",
            )
        if self.on and rules.from_hour * 3_600 >= perishables.expire_s:
            raise ScenarioInvalid(
                f"labels come at {rules.from_hour} h, after shelves are cleared of what expires",
                field="markdown.from_hour",
                remedy=f"give an hour before {perishables.expire_s / 3_600:g}",
            )
        self._days = max(rules.days_before - 1, 0)
        self.units = self.discount_cents = 0

    def label(self) -> None:
        """Today's round: one more expiry day has labels until the evening."""
        self._days = self.rules.days_before

    def evening(self) -> None:
        """Today's expiry is over: a labelled day is gone."""
        self._days = self.rules.days_before - 1

    def settle(
        self, classes: AgeClasses, place: int, sku: IntArray, oldest: int, change: IntArray
    ) -> int:
        """As ``age_touches.settle_rows`` of a store, with labels."""
        sold = np.zeros(len(sku), dtype=np.int32)
        bad = settle_labelled(
            classes,
            place,
            sku,
            oldest,
            self.state.stock.physical[place],
            change,
            self._days,
            self.rules.pull_share,
            sold,
        )
        if sold.any():
            self._note(place, sku[sold > 0], sold[sold > 0])
        return bad

    def _note(self, place: int, sku: IntArray, sold: IntArray) -> None:
        """What was sold with a label took in less: revenue, and margin that was given up."""
        state, skus = self.state, self.state.network.skus
        off = np.rint(sold * skus.unit_price_cents[sku] * self.rules.discount_share)
        cents = off.astype(np.int64)
        np.subtract.at(state.events[place, :, LATE_REVENUE], skus.category[sku], cents)
        np.add.at(state.tally[place, :, MARGIN_LOST], skus.category[sku], cents)
        self.units += int(sold.sum())
        self.discount_cents += int(cents.sum())

    def counters(self) -> dict[str, int]:
        """Units sold with a label, and what they were cheaper by."""
        if not self.on:
            return {}
        return {"marked_units": self.units, "markdown_cents": self.discount_cents}


@njit(cache=True)
def settle_labelled(
    ages: AgeClasses,
    place: int,
    sku: Int32s,
    oldest: int,
    physical: Int32s,
    change: Int32s,
    days: int,
    pull_share: float,
    sold: Int32s,
) -> int:
    """Settle the SKUs of a load; `sold` (n,) is filled with units taken with a label."""
    held, taken, key = ages.held[place], ages.taken[place], ages.key[place]
    for i in range(len(sku)):
        p = ages.row[sku[i]]
        if p < 0:
            continue
        gone = held[p] - (physical[sku[i]] - change[i])
        if gone < 0:
            return i
        if gone == 0:
            continue
        base = (np.int64(sku[i]) << 36) + taken[p]
        sold[i] = take_labelled(
            ages.units[place, p], oldest, gone, base, key, ages.youngest_share, days, pull_share
        )
        held[p] -= gone
        taken[p] += gone
    return -1


@njit(cache=True)
def take_labelled(
    classes: Int32s,
    oldest: int,
    gone: int,
    base: int,
    key: np.uint64,
    youngest_share: float,
    days: int,
    pull_share: float,
) -> int:
    """Take `gone` units one by one; returns how many of them had a label.

    Labels are on what expires in the next `days` days. A unit's customer is drawn as in
    ``age_touches.take``; of those who want the youngest the share `pull_share` takes a
    labelled unit while there is one.
    """
    size = len(classes)
    labelled = 0
    for ahead in range(min(days, size)):
        labelled += classes[(oldest + ahead) % size]
    first = labelled
    for n in range(gone):
        u = uniform(key, base + n)
        is_young = u < youngest_share and not (labelled > 0 and u < youngest_share * pull_share)
        for step in range(size):
            ahead = size - 1 - step if is_young else step
            slot = (oldest + ahead) % size
            if classes[slot] > 0:
                classes[slot] -= 1
                labelled -= ahead < days
                break
    return int(first - labelled)
