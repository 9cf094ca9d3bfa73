"""Deterministic engine: Clarke–Wright savings, then local search within and across tours.

No wall clock, no random number: the same lines give the same tours, which is what the
twin needs. Source: Clarke & Wright (1964), Operations Research 12:568.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from policies.domain.decision import ProposalLines, Route, Unserved
from policies.domain.errors import InvalidInput
from policies.domain.view import NetworkView
from policies.routing.local_search import improve
from policies.routing.problem import Floats, Ints, Plan, RoutingProblem
from policies.routing.rules import AS_GIVEN, RoutingRules, planned
from policies.routing.schedule import departure, impossible


@dataclass(frozen=True)
class SavingsRouter:
    """Cheap router.

    Parameters
    ----------
    improvement_rounds : int ≥ 0, most sweeps of the local search
    neighbours : int ≥ 1, nearest stops that a stop may be moved next to
    tour_metres : int ≥ 0, what one tour costs in itself, in metres of driving
    rules : RoutingRules, trucks, rounds and the price of changed tours
    """

    improvement_rounds: int = 20
    neighbours: int = 20
    tour_metres: int = 36_000
    rules: RoutingRules = AS_GIVEN

    def __post_init__(self) -> None:
        if self.improvement_rounds < 0 or self.neighbours < 1 or self.tour_metres < 0:
            raise InvalidInput("rounds, neighbours and cost of a tour are not negative", field="")

    def routes(
        self, view: NetworkView, lines: ProposalLines
    ) -> tuple[tuple[Route, ...], tuple[Unserved, ...]]:
        """Tours for tomorrow's deliveries."""
        return planned(view, lines, self.rules, self.solve)

    def solve(self, problem: RoutingProblem) -> Plan:
        """Tours of `problem`; what can't be served comes back with its reason."""
        reasons = impossible(problem)
        possible = np.setdiff1d(np.arange(len(problem.stops)), np.array(list(reasons), dtype=int))
        tours = _tours(problem, possible, self)
        if len(tours) > problem.tours:
            # The tours that carry most stay.
            tours.sort(key=lambda tour: (-float(problem.kg[list(tour)].sum()), tour))
            for tour in tours[problem.tours :]:
                reasons |= dict.fromkeys(tour, "no tour is left for it")
            tours = tours[: problem.tours]
        return Plan(tuple(sorted(tours)), tuple(sorted(reasons.items())))


def _tours(
    problem: RoutingProblem, possible: Ints, settings: SavingsRouter
) -> list[tuple[int, ...]]:
    """Tours over the stops `possible`."""
    if not possible.size:
        return []
    table, length = _merge(
        _savings_order(problem.distance_m, possible),
        possible,
        problem.kg,
        problem.m3,
        problem.capacity_kg,
        problem.capacity_m3,
        problem.drive_s,
        problem.service_s,
        problem.opens_s,
        problem.closes_s,
        problem.departs_s,
        problem.shift_s,
        problem.returns_until_s,
    )
    improve(
        problem,
        table,
        length,
        rounds=settings.improvement_rounds,
        neighbours=settings.neighbours,
        tour_metres=settings.tour_metres,
    )
    return [tuple(table[r, : length[r]].tolist()) for r in range(len(table)) if length[r]]


def _savings_order(distance: Ints, possible: Ints) -> Ints:
    """(P, 2) pairs of stops, largest saving first; ties by stop number."""
    a, b = np.triu_indices(len(possible), 1)
    i, j = possible[a], possible[b]
    saving = distance[0, i + 1] + distance[0, j + 1] - distance[i + 1, j + 1]
    keep = saving > 0
    order = np.argsort(-saving[keep], kind="stable")
    return np.stack([i[keep][order], j[keep][order]], axis=1).astype(np.int64)


@njit(cache=True)
def _merge(
    order: Ints,
    possible: Ints,
    kg: Floats,
    m3: Floats,
    most_kg: float,
    most_m3: float,
    drive: Ints,
    service: Ints,
    opens: Ints,
    closes: Ints,
    departs: int,
    shift: int,
    returns: int,
) -> tuple[Ints, Ints]:
    """((R, N) stops of each tour, (R,) their number) after all merges that stay feasible."""
    size = len(kg)
    tour_of = np.arange(size)
    members = np.full((size, size), -1, dtype=np.int64)
    length = np.zeros(size, dtype=np.int64)
    for i in possible:
        members[i, 0] = i
        length[i] = 1
    load_kg, load_m3 = kg.copy(), m3.copy()
    for row in range(len(order)):
        i, j = order[row, 0], order[row, 1]
        a, b = tour_of[i], tour_of[j]
        if a == b or load_kg[a] + load_kg[b] > most_kg or load_m3[a] + load_m3[b] > most_m3:
            continue
        i_first, i_last = members[a, 0] == i, members[a, length[a] - 1] == i
        j_first, j_last = members[b, 0] == j, members[b, length[b] - 1] == j
        if not ((i_first or i_last) and (j_first or j_last)):
            continue
        left, right = members[a, : length[a]].copy(), members[b, : length[b]].copy()
        # Bring i to the end of the left tour and j to the start of the right one.
        if not i_last:
            left = left[::-1].copy()
        if not j_first:
            right = right[::-1].copy()
        joined = np.concatenate((left, right))
        whole = len(joined)
        if departure(joined, whole, drive, service, opens, closes, departs, shift, returns) < 0:
            joined = joined[::-1].copy()
            if departure(joined, whole, drive, service, opens, closes, departs, shift, returns) < 0:
                continue
        length[a], length[b] = whole, 0
        members[a, :whole] = joined
        load_kg[a] += load_kg[b]
        load_m3[a] += load_m3[b]
        for s in right:
            tour_of[s] = a
    return members, length
