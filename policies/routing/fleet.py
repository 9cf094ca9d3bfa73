"""Tours of a mixed fleet from several depots: the problem, the plan, and its check."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from policies.domain.errors import InvalidInput
from policies.routing.problem import Floats, Ints, Plan, RoutingProblem, tour_metres
from policies.routing.validator import check_plan


@dataclass(frozen=True)
class TruckType:
    """Trucks that are alike and start and end at the same depot.

    Attributes
    ----------
    depot : int, node number of the depot, 0 … D − 1
    tours : int ≥ 0, most tours of this type
    capacity_kg, capacity_m3 : float > 0
    shift_s : int, longest tour; departs_s, returns_until_s : int, its earliest and latest
    fixed_metres : int ≥ 0, what one tour costs in itself, in metres of driving
    """

    depot: int
    tours: int
    capacity_kg: float
    capacity_m3: float
    shift_s: int
    departs_s: int
    returns_until_s: int
    fixed_metres: int = 0

    def __post_init__(self) -> None:
        if self.tours < 0 or self.fixed_metres < 0 or self.shift_s < 0:
            raise InvalidInput("tours, costs and shifts are not negative", field="trucks")
        if not (self.capacity_kg > 0 and self.capacity_m3 > 0):
            raise InvalidInput(
                "a truck that carries nothing", field="trucks", remedy="give a capacity above 0"
            )


@dataclass(frozen=True)
class FleetProblem:
    """Deliveries of a day from several depots.

    Attributes
    ----------
    trucks : tuple of TruckType
    depots : int, D; nodes 0 … D − 1 of the matrices, stop i is node D + i
    distance_m, drive_s : (D + N, D + N) int64
    service_s, opens_s, closes_s : (N,) int64
    kg, m3 : (N,) float64
    drop_metres : (N,) int64, what leaving a stop out costs, in metres of driving
    """

    trucks: tuple[TruckType, ...]
    depots: int
    distance_m: Ints
    drive_s: Ints
    service_s: Ints
    opens_s: Ints
    closes_s: Ints
    kg: Floats
    m3: Floats
    drop_metres: Ints

    def __post_init__(self) -> None:
        size = self.depots + len(self.kg)
        if not self.trucks:
            raise InvalidInput("there is no truck", field="trucks", remedy="give a fleet")
        if any(not 0 <= truck.depot < self.depots for truck in self.trucks):
            raise InvalidInput("a truck stands at no depot", field="trucks")
        for name in ("distance_m", "drive_s"):
            value = getattr(self, name)
            if value.shape != (size, size) or (value < 0).any():
                raise InvalidInput(
                    f"{name} must be ({size}, {size}), none negative", field=f"routing.{name}"
                )
        for name in ("service_s", "opens_s", "closes_s", "kg", "m3", "drop_metres"):
            value = getattr(self, name)
            bad = np.flatnonzero(~(np.isfinite(value) & (value >= 0)))
            if value.shape != self.kg.shape or bad.size:
                raise InvalidInput(
                    f"{name} has a negative or missing number",
                    field=f"routing.{name}",
                    row=int(bad[0]) if bad.size else None,
                    remedy="give one finite number a stop, not negative",
                )

    def of_truck(self, truck: int, stops: Ints) -> RoutingProblem:
        """The problem of one truck type and some stops, which are the stops' numbers."""
        kind = self.trucks[truck]
        nodes = np.concatenate([[kind.depot], stops + self.depots]).astype(np.int64)
        square = np.ix_(nodes, nodes)
        return RoutingProblem(
            kind.depot,
            stops.astype(np.int64),
            self.distance_m[square],
            self.drive_s[square],
            self.service_s[stops],
            self.opens_s[stops],
            self.closes_s[stops],
            self.kg[stops],
            self.m3[stops],
            kind.capacity_kg,
            kind.capacity_m3,
            kind.departs_s,
            kind.shift_s,
            kind.returns_until_s,
            kind.tours,
        )


def as_fleet(problem: RoutingProblem, stops: Ints, tour_cost: int) -> FleetProblem:
    """Stops of a one-depot problem as a fleet's; leaving one out must never pay."""
    nodes = np.concatenate([[0], stops + 1])
    square = np.ix_(nodes, nodes)
    metres = problem.distance_m[square]
    truck = TruckType(
        0,
        min(problem.tours, len(stops)),
        problem.capacity_kg,
        problem.capacity_m3,
        problem.shift_s,
        problem.departs_s,
        problem.returns_until_s,
        tour_cost,
    )
    drop = 10 * (2 * int(metres.max(initial=1)) + tour_cost + 1)
    return FleetProblem(
        (truck,),
        1,
        metres,
        problem.drive_s[square],
        problem.service_s[stops],
        problem.opens_s[stops],
        problem.closes_s[stops],
        problem.kg[stops],
        problem.m3[stops],
        np.full(len(stops), drop, dtype=np.int64),
    )


@dataclass(frozen=True)
class FleetPlan:
    """Tours as (truck type, stops), and what is left out, each with its reason."""

    tours: tuple[tuple[int, tuple[int, ...]], ...]
    unserved: tuple[tuple[int, str], ...] = ()


def fleet_metres(problem: FleetProblem, plan: FleetPlan) -> int:
    """Length of all tours in metres."""
    total = 0
    for truck, tour in plan.tours:
        stops = np.array(tour, dtype=np.int64)
        total += tour_metres(problem.of_truck(truck, stops), tuple(range(len(tour))))
    return total


def fleet_cost(problem: FleetProblem, plan: FleetPlan) -> int:
    """Metres, with what tours cost in themselves and what dropped stops cost."""
    fixed = sum(problem.trucks[truck].fixed_metres for truck, _ in plan.tours)
    dropped = sum(int(problem.drop_metres[i]) for i, _ in plan.unserved)
    return fleet_metres(problem, plan) + fixed + dropped


def check_fleet_plan(problem: FleetProblem, plan: FleetPlan) -> list[str]:
    """Faults in words, each tour recomputed by the independent validator."""
    size = len(problem.kg)
    times = Counter(i for _, tour in plan.tours for i in tour)
    times.update(i for i, _ in plan.unserved)
    found = [f"stop {i} does not exist" for i in times if not 0 <= i < size]
    found += [f"stop {i} is visited or left out {times[i]} times" for i in range(size)
              if times[i] != 1]  # fmt: skip
    found += [f"stop {i} has no reason" for i, reason in plan.unserved if not reason.strip()]
    used = Counter(truck for truck, _ in plan.tours)
    for truck, number in used.items():
        if number > problem.trucks[truck].tours:
            found.append(f"{number} tours of truck {truck}, at most {problem.trucks[truck].tours}")
    for number, (truck, tour) in enumerate(plan.tours):
        if any(not 0 <= i < size for i in tour):
            continue
        part = problem.of_truck(truck, np.array(tour, dtype=np.int64))
        faults = check_plan(part, Plan((tuple(range(len(tour))),)))
        found += [f"route {number}: {fault}" for fault in faults]
    return found
