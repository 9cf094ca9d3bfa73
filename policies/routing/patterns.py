"""Delivery patterns: on which weekdays each store is reviewed, chosen by CP-SAT.

For every store one weekday pattern, so that stops, approaches to groups of neighbours and
the stock between deliveries together cost least, no warehouse sends out more on a day than
its trucks carry, and its days are level. Each region of a warehouse is a problem of its own;
one after the other they meet what the regions before have put on each day.

Source: Holzapfel, Hübner, Kuhn & Sternbeck (2016), Transportation Science 50:1281.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model

from policies.delivery import WEEK
from policies.domain.errors import InvalidInput
from policies.domain.network import Network

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
PATTERNS: npt.NDArray[np.bool_] = np.array(
    [np.roll([1, 0, 0, 0, 0, 0, 0], i) for i in range(WEEK)]
    + [np.roll([1, 0, 0, 1, 0, 0, 0], i) for i in range(WEEK)]
    + [[1] * WEEK],
    dtype=np.bool_,
)
"""(15, 7): one day, two days three or four apart, every day; Monday first."""
_MILLI = 1_000


@dataclass(frozen=True)
class PatternRules:
    """What deliveries and stock cost, and how long may be searched.

    Parameters
    ----------
    cents_per_km, stop_cents : float, driving, and a stop in itself
    holding_rate_per_year : float, of the goods' cost
    level_cents : float, price of a truckload by which a warehouse's fullest day grows
    group_size : int, neighbours by direction that share an approach
    rounds : float, truckloads that a truck carries in a night at most
    deterministic_s : float, CP-SAT's deterministic time for each region: the same answer
        on any machine
    seed : int
    """

    cents_per_km: float = 157.0
    stop_cents: float = 700.0
    holding_rate_per_year: float = 0.25
    level_cents: float = 2_000.0
    group_size: int = 8
    rounds: float = 1.0
    deterministic_s: float = 5.0
    seed: int = 1

    def __post_init__(self) -> None:
        if self.group_size < 1 or self.rounds <= 0 or self.deterministic_s <= 0:
            raise InvalidInput("a group, a round and a search are above 0", field="patterns")


@dataclass(frozen=True)
class FoundPatterns:
    """The answer.

    Attributes
    ----------
    patterns : dict of store id -> seven 0/1 from Monday on, as a bundle takes them
    cents, bound_cents : float, modelled cost a week of all regions, and what is proved
    loads : (W, 7) float64, truckloads of each warehouse and review weekday
    """

    patterns: dict[str, str]
    cents: float
    bound_cents: float
    loads: Floats

    @property
    def gap_share(self) -> float:
        """How far the answer may be above the best one."""
        return (self.cents - self.bound_cents) / self.cents if self.cents else 0.0


def find_patterns(
    network: Network,
    trucks_per_week: Floats,
    stock_cents_per_week: Floats,
    rules: PatternRules | None = None,
) -> FoundPatterns:
    """The cheapest weekday pattern of each store.

    Parameters
    ----------
    trucks_per_week : (L,) float64, truckloads that each store is sent in a week
    stock_cents_per_week : (L,) float64, cost of goods that each store sells in a week

    Raises
    ------
    InvalidInput
        Where a number is missing or negative, or the trucks can't carry a region's week.
    """
    given = rules or PatternRules()
    for name, column in (("trucks", trucks_per_week), ("stock", stock_cents_per_week)):
        if column.shape != network.shape[:1] or not (np.isfinite(column) & (column >= 0)).all():
            raise InvalidInput(
                f"{name} per week is no number of each location",
                field=name,
                remedy="give one for each location, none negative or missing",
            )
    patterns: dict[str, str] = {}
    loads = np.zeros((len(network.warehouses), WEEK))
    cents = bound = 0.0
    for w, warehouse in enumerate(network.warehouses.tolist()):
        mine = np.flatnonzero(network.locations.source == warehouse)
        regions = np.array([network.locations.region[i] for i in mine])
        room = float(network.fleet.trucks[w]) * given.rounds
        for region in sorted(set(regions.tolist())):
            rows = mine[regions == region]
            chosen, value, least = _solve(
                network, rows, trucks_per_week, stock_cents_per_week, room - loads[w], given
            )
            for place, which in zip(rows.tolist(), chosen, strict=True):
                days = PATTERNS[which]
                loads[w] += days * trucks_per_week[place] / days.sum()
                name = network.locations.ids[place]
                patterns[name] = "".join("1" if day else "0" for day in days)
            cents, bound = cents + value, bound + least
    return FoundPatterns(patterns, cents, bound, loads)


def _solve(
    network: Network, rows: Ints, trucks: Floats, stock: Floats, room: Floats, rules: PatternRules
) -> tuple[list[int], float, float]:
    """(pattern of each of `rows`, cost, proved bound) of one region, in cents a week."""
    model = cp_model.CpModel()
    visits = PATTERNS.sum(axis=1)
    picks = [[model.new_bool_var("") for _ in PATTERNS] for _ in rows]
    cost = []
    for i, place in enumerate(rows.tolist()):
        model.add_exactly_one(picks[i])
        # Half of what lies between two deliveries is on the shelf on average.
        held = stock[place] / 2 * rules.holding_rate_per_year / 52
        for p, many in enumerate(visits.tolist()):
            cost.append(round(_MILLI * (rules.stop_cents * many + held / many)) * picks[i][p])
    group = network.sectors(max(len(rows) // rules.group_size, 1))[rows]
    for one in sorted(set(group.tolist())):
        mine = np.flatnonzero(group == one)
        away = network.distance_m[network.locations.source[rows[mine]], rows[mine]].mean() / 1e3
        for day in range(WEEK):
            comes = model.new_bool_var("")
            for i in mine.tolist():
                for p in np.flatnonzero(PATTERNS[:, day]).tolist():
                    model.add_implication(picks[i][p], comes)
            cost.append(round(_MILLI * 2 * away * rules.cents_per_km) * comes)
    fullest = model.new_int_var(0, 10**9, "")
    for day in range(WEEK):
        load = sum(
            round(_MILLI * float(trucks[place]) / int(visits[p])) * picks[i][p]
            for i, place in enumerate(rows.tolist())
            for p in np.flatnonzero(PATTERNS[:, day]).tolist()
        )
        model.add(load <= int(_MILLI * max(room[day], 0.0)))
        used = int(_MILLI * (room.max() - room[day]))
        model.add(load + used <= fullest)
    model.minimize(sum(cost) + round(rules.level_cents) * fullest)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = rules.seed
    solver.parameters.max_deterministic_time = rules.deterministic_s
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        raise InvalidInput(
            "no patterns were found: the trucks can't carry the week, or the time was too short",
            field="patterns",
            remedy="give more trucks, rounds or deterministic_s",
        )
    chosen = [next(p for p, one in enumerate(row) if solver.value(one)) for row in picks]
    return chosen, solver.objective_value / _MILLI, solver.best_objective_bound / _MILLI
