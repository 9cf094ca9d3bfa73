"""Disruptions, dated or by chance: suppliers that stop, closed warehouses, shut lanes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from policies.domain.errors import ScenarioInvalid
from policies.domain.nearest import check_in_network
from policies.domain.network import DAY_SECONDS, Network
from twin import draws
from twin.processes import MarkovDisruption
from twin.scenario import Disruptions, Scenario

_BEYOND_DAYS = 400
"""Days after the last one on which chance still closes things: orders reach beyond it."""
Bools = npt.NDArray[np.bool_]


class Closures:
    """When goods can move in spite of a run's disruptions.

    Parameters
    ----------
    network : Network
    rules : Disruptions
    first_day : int, first simulated day; the rules count from it
    days : int, how many days are simulated, for disruptions by chance
    seed, replication : int, likewise
    """

    def __init__(
        self,
        network: Network,
        rules: Disruptions,
        first_day: int,
        days: int = 0,
        *,
        seed: int = 0,
        replication: int = 0,
    ) -> None:
        self._first_day = first_day
        length = days + _BEYOND_DAYS
        for one in (rules, *rules.others):
            ends = (
                one.suppliers_from_day + one.suppliers_days,
                one.warehouses_from_day + one.warehouses_days,
            )
            length = max(length, *ends)
        names = {
            "suppliers": network.suppliers.ids,
            "warehouses": tuple(network.locations.ids[i] for i in network.warehouses),
            "lanes": network.locations.ids,
        }
        self._down: dict[str, Bools] = {
            target: np.zeros((len(ids), length), dtype=np.bool_) for target, ids in names.items()
        }
        self._warehouse = {int(place): w for w, place in enumerate(network.warehouses)}
        for one in (rules, *rules.others):
            self._add_dated(one)
        for i, chain in enumerate(rules.markov):
            chosen = _chosen(chain, names[chain.target])
            ids = [names[chain.target][n] for n in chosen]
            keys = draws.keys(seed, replication, f"disruption {i} {chain.target}", ids)
            self._down[chain.target][chosen] |= stretches(chain, keys, length)
        self._has = {target: bool(down.any()) for target, down in self._down.items()}

    @classmethod
    def of(cls, scenario: Scenario, seed: int, replication: int) -> Closures:
        """The closures of one replication."""
        window = (scenario.first_day, scenario.days)
        rules = scenario.disruptions
        return cls(scenario.network, rules, *window, seed=seed, replication=replication)

    def _add_dated(self, rules: Disruptions) -> None:
        warehouses = self._down["warehouses"]
        if rules.warehouse_number > len(warehouses):
            raise ScenarioInvalid(
                f"warehouse_number is {rules.warehouse_number} of {len(warehouses)} warehouses",
                field="disruptions.warehouse_number",
                remedy=f"give 1 to {len(warehouses)}, or 0 for all of them",
            )
        begin, end = rules.suppliers_from_day, rules.suppliers_from_day + rules.suppliers_days
        self._down["suppliers"][:, begin:end] = True
        begin = rules.warehouses_from_day
        number = rules.warehouse_number
        mine = warehouses if number == 0 else warehouses[number - 1 : number]
        mine[:, begin : begin + rules.warehouses_days] = True

    def _is_down(self, target: str, row: int, day: int) -> bool:
        down, since = self._down[target], day - self._first_day
        return bool(0 <= since < down.shape[1] and down[row, since])

    def supplier_days(self, ordered_day: int, due_day: int, supplier: int = 0) -> int:
        """Days by which a delivery is later: days since its order that the supplier lost."""
        if not self._has["suppliers"]:
            return 0
        day = ordered_day
        for _ in range(due_day - ordered_day):
            day += 1
            while self._is_down("suppliers", supplier, day):
                day += 1
        return day - due_day

    def pause_s(self, place: int, now: int) -> int:
        """Seconds until a location's doors open again; 0 = they are open."""
        row = self._warehouse.get(place)
        if row is None or not self._has["warehouses"]:
            return 0
        today = day = now // DAY_SECONDS
        while self._is_down("warehouses", row, day):
            day += 1
        return day * DAY_SECONDS - now if day > today else 0

    def is_lane_shut(self, place: int, day: int) -> bool:
        """Whether nothing gets to a location from its source on `day`."""
        return self._has["lanes"] and self._is_down("lanes", place, day)


def stretches(rules: MarkovDisruption, keys: draws.Keys, days: int) -> Bools:
    """(n, D) whether each of n chains of two states is down, from the first day on.

    A day after a good one is bad with 1 / mean_up_days, one after a bad one is good with
    1 / mean_down_days; the first day is drawn from the chain's equilibrium.
    """
    down = np.zeros((len(keys), days), dtype=np.bool_)
    breaks, mends = 1 / rules.mean_up_days, 1 / rules.mean_down_days
    state = draws.uniforms(keys, np.zeros(1, dtype=np.int64)) < breaks / (breaks + mends)
    for day in range(days):
        down[:, day] = state
        u = draws.uniforms(keys, np.full(1, day + 1, dtype=np.int64))
        state = np.where(state, u >= mends, u < breaks)
    return down


def _chosen(rules: MarkovDisruption, known: Sequence[str]) -> npt.NDArray[np.int64]:
    """Rows of the names that a disruption is about."""
    for name in rules.names:
        check_in_network(rules.target[:-1], name, known, "disruptions.names")
    names = rules.names or known
    return np.array([known.index(name) for name in names], dtype=np.int64)
