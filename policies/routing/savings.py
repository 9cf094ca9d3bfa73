"""Deterministic constructor: Clarke–Wright savings, then 2-opt inside each tour.

No wall clock, no random number: the same lines give the same tours, which is what the
twin needs. Source: Clarke & Wright (1964), Operations Research 12:568.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.decision import ProposalLines, Route, Unserved
from policies.domain.network import DAY_SECONDS
from policies.domain.view import NetworkView
from policies.routing.problem import Ints, RoutingProblem, problems_of


@dataclass(frozen=True)
class SavingsRouter:
    """Cheap router.

    Parameters
    ----------
    improvement_rounds : int ≥ 0, most 2-opt sweeps of a tour
    """

    improvement_rounds: int = 20

    def routes(
        self, view: NetworkView, lines: ProposalLines
    ) -> tuple[tuple[Route, ...], tuple[Unserved, ...]]:
        """Tours for tomorrow's deliveries."""
        routes: list[Route] = []
        unserved: list[Unserved] = []
        midnight = (view.day + 1) * DAY_SECONDS
        for problem in problems_of(view, lines):
            tours, left = solve(problem, self.improvement_rounds)
            routes += [as_route(problem, tour, midnight) for tour in tours]
            unserved += [
                Unserved(int(problem.stops[i]), "too far or too late for any tour") for i in left
            ]
        return tuple(routes), tuple(unserved)


def solve(
    problem: RoutingProblem, improvement_rounds: int = 20
) -> tuple[list[list[int]], list[int]]:
    """(tours of stop numbers, stops that no tour can serve).

    A stop heavier than a truck is served by more than one tour: its load is split into
    full trucks, so that nothing stays behind for its size.
    """
    size = len(problem.stops)
    order = _savings_order(problem.distance_m)
    share = np.maximum(problem.kg / problem.capacity_kg, problem.m3 / problem.capacity_m3)
    tour_of, position = _merge(
        order,
        np.minimum(problem.kg, problem.capacity_kg),
        np.minimum(problem.m3, problem.capacity_m3),
        problem.capacity_kg,
        problem.capacity_m3,
        problem.drive_s,
        problem.service_s,
        problem.opens_s,
        problem.closes_s,
        problem.departs_s,
        problem.shift_s,
    )
    tours: list[list[int]] = []
    left: list[int] = []
    for tour in np.unique(tour_of):
        members = np.flatnonzero(tour_of == tour)
        stops = members[np.argsort(position[members], kind="stable")].astype(np.int64)
        better = _two_opt(
            stops,
            problem.distance_m,
            problem.drive_s,
            problem.service_s,
            problem.opens_s,
            problem.closes_s,
            problem.departs_s,
            problem.shift_s,
            improvement_rounds,
        )
        if schedule(problem, [int(i) for i in better]) is None:
            left += [int(i) for i in better]
            continue
        tours.append([int(i) for i in better])
    for i in range(size):
        extra = int(np.ceil(share[i] - 1e-9)) - 1
        tours += [[i]] * (extra if i not in left else 0)
    return tours, left


def schedule(problem: RoutingProblem, tour: list[int]) -> tuple[int, list[int], int] | None:
    """(departure, arrivals, return) in seconds after midnight; None if a limit is broken.

    The departure is as late as the first window allows, so that no driver waits at the
    first stop.
    """
    if not tour:
        return None
    first = int(problem.drive_s[0, tour[0] + 1])
    departs = max(problem.departs_s, int(problem.opens_s[tour[0]]) - first)
    at, node, arrivals = departs, 0, []
    for i in tour:
        at += int(problem.drive_s[node, i + 1])
        arrivals.append(at)
        if at > problem.closes_s[i]:
            return None
        at = max(at, int(problem.opens_s[i])) + int(problem.service_s[i])
        node = i + 1
    back = at + int(problem.drive_s[node, 0])
    return None if back - departs > problem.shift_s else (departs, arrivals, back)


def as_route(problem: RoutingProblem, tour: list[int], midnight: int) -> Route:
    """The tour as a :class:`Route` on the day that begins at `midnight`."""
    plan = schedule(problem, tour)
    if plan is None:
        raise AssertionError("a tour was kept that breaks a limit")
    departs, arrivals, back = plan
    nodes = [0, *[i + 1 for i in tour], 0]
    metres = int(problem.distance_m[nodes[:-1], nodes[1:]].sum())
    return Route(
        problem.depot,
        tuple(int(problem.stops[i]) for i in tour),
        midnight + departs,
        tuple(midnight + at for at in arrivals),
        midnight + back,
        metres,
        float(problem.kg[tour].sum()),
        float(problem.m3[tour].sum()),
    )


def _savings_order(distance: Ints) -> Ints:
    """(P, 2) pairs of stops, largest saving first; ties by stop number."""
    size = len(distance) - 1
    i, j = np.triu_indices(size, 1)
    saving = distance[0, i + 1] + distance[0, j + 1] - distance[i + 1, j + 1]
    keep = saving > 0
    order = np.argsort(-saving[keep], kind="stable")
    return np.stack([i[keep][order], j[keep][order]], axis=1).astype(np.int64)


@njit(cache=True)
def _feasible(
    tour: Ints,
    drive: Ints,
    service: Ints,
    opens: Ints,
    closes: Ints,
    departs: int,
    shift: int,
) -> bool:
    start = max(departs, opens[tour[0]] - drive[0, tour[0] + 1])
    at, node = start, 0
    for i in tour:
        at += drive[node, i + 1]
        if at > closes[i]:
            return False
        at = max(at, opens[i]) + service[i]
        node = i + 1
    return bool(at + drive[node, 0] - start <= shift)


@njit(cache=True)
def _merge(
    order: Ints,
    kg: npt.NDArray[np.float64],
    m3: npt.NDArray[np.float64],
    most_kg: float,
    most_m3: float,
    drive: Ints,
    service: Ints,
    opens: Ints,
    closes: Ints,
    departs: int,
    shift: int,
) -> tuple[Ints, Ints]:
    """Tour number and position of each stop after all merges that stay feasible."""
    size = len(kg)
    tour_of = np.arange(size)
    members = np.full((size, size), -1, dtype=np.int64)
    length = np.ones(size, dtype=np.int64)
    for i in range(size):
        members[i, 0] = i
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
        if not _feasible(joined, drive, service, opens, closes, departs, shift):
            joined = joined[::-1].copy()
            if not _feasible(joined, drive, service, opens, closes, departs, shift):
                continue
        length[a] = len(joined)
        members[a, : len(joined)] = joined
        load_kg[a] += load_kg[b]
        load_m3[a] += load_m3[b]
        for s in right:
            tour_of[s] = a
    position = np.zeros(size, dtype=np.int64)
    for s in range(size):
        a = tour_of[s]
        for p in range(length[a]):
            if members[a, p] == s:
                position[s] = p
    return tour_of, position


@njit(cache=True)
def _two_opt(
    tour: Ints,
    distance: Ints,
    drive: Ints,
    service: Ints,
    opens: Ints,
    closes: Ints,
    departs: int,
    shift: int,
    rounds: int,
) -> Ints:
    """The tour with stretches reversed while that shortens it and keeps it feasible."""
    best = tour.copy()
    size = len(best)
    for _ in range(rounds):
        improved = False
        for i in range(size - 1):
            for j in range(i + 1, size):
                before = 0 if i == 0 else best[i - 1] + 1
                after = 0 if j == size - 1 else best[j + 1] + 1
                old = distance[before, best[i] + 1] + distance[best[j] + 1, after]
                new = distance[before, best[j] + 1] + distance[best[i] + 1, after]
                if new < old:
                    trial = best.copy()
                    trial[i : j + 1] = best[i : j + 1][::-1]
                    if _feasible(trial, drive, service, opens, closes, departs, shift):
                        best = trial
                        improved = True
        if not improved:
            break
    return best
