"""When a tour drives: the departure that makes it shortest in time, and all arrivals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from policies.domain.decision import Route, Unserved
from policies.routing.problem import Ints, Plan, RoutingProblem, tour_metres


@dataclass(frozen=True)
class Schedule:
    """Times of one tour, seconds after midnight; an arrival may precede the window."""

    departs_s: int
    arrives_s: tuple[int, ...]
    returns_s: int


@njit(cache=True)
def departure(
    tour: Ints,
    size: int,
    drive: Ints,
    service: Ints,
    opens: Ints,
    closes: Ints,
    departs: int,
    shift: int,
    returns: int,
) -> int:
    """Earliest departure among those of least duration; -1 if the tour is impossible.

    Only the first `size` entries of `tour` count. Stops are joined one after the other by
    duration, earliest and latest departure (Savelsbergh 1992, INFORMS J. Comput. 4:146).
    """
    duration, earliest, latest = 0, departs, returns
    node = 0
    for p in range(size):
        i = tour[p]
        leg = drive[node, i + 1]
        reach = duration + leg
        wait = max(opens[i] - reach - latest, 0)
        if earliest + reach > closes[i]:
            return -1
        earliest = max(opens[i] - reach, earliest) - wait
        latest = min(closes[i] - reach, latest)
        duration = reach + wait + service[i]
        node = i + 1
    duration += drive[node, 0]
    if duration > shift or earliest + duration > returns:
        return -1
    return int(earliest)


def schedule(problem: RoutingProblem, tour: Sequence[int]) -> Schedule | None:
    """The tour's times; None if it breaks a window, the shift or the latest return."""
    at = departure(
        np.array(tour, dtype=np.int64),
        len(tour),
        problem.drive_s,
        problem.service_s,
        problem.opens_s,
        problem.closes_s,
        problem.departs_s,
        problem.shift_s,
        problem.returns_until_s,
    )
    if at < 0:
        return None
    departs, node, arrivals = at, 0, []
    for i in tour:
        at += int(problem.drive_s[node, i + 1])
        arrivals.append(at)
        at = max(at, int(problem.opens_s[i])) + int(problem.service_s[i])
        node = i + 1
    return Schedule(departs, tuple(arrivals), at + int(problem.drive_s[node, 0]))


def impossible(problem: RoutingProblem) -> dict[int, str]:
    """Stops that no tour can serve, each with its reason, worst first."""
    out: dict[int, str] = {}
    there, back = problem.drive_s[0, 1:], problem.drive_s[1:, 0]
    begins = np.maximum(problem.departs_s + there, problem.opens_s)
    for i in range(len(problem.stops)):
        if problem.closes_s[i] < problem.opens_s[i]:
            out[i] = "the receiving window is empty"
        elif begins[i] > problem.closes_s[i]:
            out[i] = "the truck can't arrive before the receiving window ends"
        elif there[i] + problem.service_s[i] + back[i] > problem.shift_s:
            out[i] = "there and back takes longer than a shift"
        elif begins[i] + problem.service_s[i] + back[i] > problem.returns_until_s:
            out[i] = "the truck can't be back in time"
        elif problem.kg[i] > problem.capacity_kg or problem.m3[i] > problem.capacity_m3:
            out[i] = "the load is more than a truck carries"
    return out


def as_routes(
    problem: RoutingProblem, plan: Plan, midnight_s: int
) -> tuple[list[Route], list[Unserved]]:
    """The plan in the decision's terms, on the day that begins at `midnight_s`."""
    routes = [_as_route(problem, tour, midnight_s) for tour in plan.tours]
    return routes, _unserved(problem, plan.unserved)


def _unserved(problem: RoutingProblem, left: Iterable[tuple[int, str]]) -> list[Unserved]:
    # A location split over several trucks is reported once.
    reasons = {int(problem.stops[i]): reason for i, reason in left}
    return [Unserved(place, reason) for place, reason in sorted(reasons.items())]


def _as_route(problem: RoutingProblem, tour: tuple[int, ...], midnight_s: int) -> Route:
    times = schedule(problem, tour)
    if times is None:
        raise AssertionError("a tour was kept that breaks a limit")
    rows = list(tour)
    return Route(
        problem.depot,
        tuple(int(problem.stops[i]) for i in tour),
        midnight_s + times.departs_s,
        tuple(midnight_s + at for at in times.arrives_s),
        midnight_s + times.returns_s,
        tour_metres(problem, tour),
        float(problem.kg[rows].sum()),
        float(problem.m3[rows].sum()),
    )
