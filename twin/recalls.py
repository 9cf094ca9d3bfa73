"""Recalls: from an hour on a lot may not be sold; it is pulled wherever it lies or arrives."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.decision import SUPPLIER
from policies.domain.nearest import check_in_network
from policies.domain.network import DAY_SECONDS, IntArray, Network
from twin import draws
from twin.goods_rules import Recall
from twin.loads import Load
from twin.removal import Removal
from twin.state import State


@dataclass
class _Case:
    """A recall under way: its SKUs, its times, and what customers had lost before it."""

    rules: Recall
    member: npt.NDArray[np.bool_]
    begins_s: int
    ends_s: int
    lost_before: int = -1
    lost_after: int = -1


class Recalls:
    """All recalls of a run.

    Parameters
    ----------
    state : State
    removal : Removal
    seed, replication : int, for which units are of the lot
    """

    def __init__(self, state: State, removal: Removal, seed: int, replication: int) -> None:
        self.state, self.removal = state, removal
        rules = state.scenario.recalls
        self.on = bool(rules)
        first = state.scenario.first_day
        self._cases = []
        for one in rules:
            begins = (first + one.from_day) * DAY_SECONDS + int(one.at_hour * 3_600)
            ends = begins + one.days * DAY_SECONDS
            self._cases.append(_Case(one, goods_of(one, state.network), begins, ends))
        ids = state.network.locations.ids
        self._keys = draws.keys(seed, replication, "recall", ids) if rules else None
        self.units = self.destroyed = self.cents = 0

    def hours(self, day: int) -> list[int]:
        """Seconds of `day` at which a recall begins or ends."""
        times = {at for case in self._cases for at in (case.begins_s, case.ends_s)}
        return sorted(at for at in times if at // DAY_SECONDS == day)

    def pull(self, now: int) -> None:
        """What begins now is pulled everywhere; what ends now has cost its sales."""
        for number, case in enumerate(self._cases):
            if case.begins_s == now:
                case.lost_before = self._lost(case)
            if case.ends_s == now:
                case.lost_after = self._lost(case)
            if case.begins_s != now:
                continue
            sku = np.flatnonzero(case.member).astype(np.int32)
            for place in range(self.state.network.shape[0]):
                there = self.state.stock.physical[place, sku]
                self._take(number, case, place, sku, there, now)

    def arrived(self, load: Load, now: int) -> None:
        """A load was just received: what of it is of a lot goes no further.

        Of goods from a warehouse those that were on the road already: what leaves it later
        has been sorted.
        """
        for number, case in enumerate(self._cases):
            is_old = load.shipped_s < case.begins_s and load.origin != SUPPLIER
            if not case.begins_s <= now or not (is_old or now < case.ends_s):
                continue
            if load.origin != SUPPLIER and not is_old:
                continue
            mine = case.member[load.sku] & (load.shipped > 0)
            if mine.any():
                sku = load.sku[mine]
                self._take(number, case, load.destination, sku, load.shipped[mine], now)

    def _take(
        self, number: int, case: _Case, place: int, sku: IntArray, of: IntArray, now: int
    ) -> None:
        if self._keys is None:
            return
        counter = ((now // DAY_SECONDS) * len(self._cases) + number) * np.int64(len(case.member))
        u = draws.uniforms(self._keys[place], counter + sku.astype(np.int64))
        units = np.floor(case.rules.lot_share * of + u).astype(np.int32)
        is_thrown = case.rules.action == "destroy"
        gone = self.removal.take(place, sku, np.minimum(units, of), now, is_thrown=is_thrown)
        self.units += int(gone.sum())
        self.destroyed += int(gone.sum()) * is_thrown
        cost = self.state.network.skus.unit_cost_cents[sku].astype(np.int64)
        self.cents += int(gone @ cost)

    def _lost(self, case: _Case) -> int:
        return int(self.state.totals.lost[case.member].sum())

    def counters(self) -> dict[str, int]:
        """Units pulled, those of them destroyed, their cost, and sales lost meanwhile.

        A sale is lost meanwhile if the SKU was not there between a recall's beginning and
        end, whether or not the lot alone was to blame; after the warm-up, before tills.
        """
        if not self.on:
            return {}
        lost = 0
        for case in self._cases:
            if case.lost_before >= 0:
                is_over = case.lost_after >= 0
                lost += (case.lost_after if is_over else self._lost(case)) - case.lost_before
        return {
            "recalled_units": self.units,
            "recall_destroyed_units": self.destroyed,
            "recalled_cents": self.cents,
            "units_lost_in_recalls": lost,
        }


def goods_of(recall: Recall, network: Network) -> npt.NDArray[np.bool_]:
    """(K,) bool, the SKUs that a recall concerns.

    Raises
    ------
    ScenarioInvalid
        A SKU or a category that the network does not have.
    """
    skus = network.skus
    out = np.zeros(len(skus.ids), dtype=np.bool_)
    known = {name: i for i, name in enumerate(skus.ids)}
    for name in recall.skus:
        check_in_network("SKU", name, known, "recalls.skus")
        out[known[name]] = True
    if recall.category:
        check_in_network("category", recall.category, skus.categories, "recalls.category")
        out |= skus.category == skus.categories.index(recall.category)
    if recall.sku_share:
        rank = [hashlib.sha256(name.encode()).digest() for name in skus.ids]
        order = sorted(range(len(rank)), key=lambda k: rank[k])
        out[order[: max(1, round(recall.sku_share * len(rank)))]] = True
    return out
