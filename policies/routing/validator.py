"""Independent check of a plan: loads, times, windows, durations, coverage, metres.

Nothing here calls an engine or :mod:`policies.routing.schedule`; every figure is
recomputed from the problem by driving the tour in plain Python.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from policies.domain.decision import ProposalLines, Route, Unserved
from policies.domain.network import DAY_SECONDS
from policies.domain.view import NetworkView
from policies.routing.problem import Plan, RoutingProblem, problems_of

_TOLERANCE = 1e-6


def check_plan(problem: RoutingProblem, plan: Plan) -> list[str]:
    """Faults of a plan in words; empty if it can be driven.

    The earliest possible departure and every later one that starts a window are tried, so
    that a tour is called too long only if no departure makes it short enough.
    """
    found = _coverage(problem, plan)
    if len(plan.tours) > problem.tours:
        found.append(f"{len(plan.tours)} tours, at most {problem.tours}")
    for number, tour in enumerate(plan.tours):
        if not tour:
            found.append(f"tour {number} has no stop")
            continue
        found += [f"tour {number}: {fault}" for fault in _loads(problem, tour)]
        faults = min((_times(problem, tour, start) for start in _starts(problem, tour)), key=len)
        found += [f"tour {number}: {fault}" for fault in faults]
    return found


def check_routes(
    view: NetworkView,
    lines: ProposalLines,
    routes: Sequence[Route],
    unserved: Sequence[Unserved],
) -> list[str]:
    """Faults of a decision's routes in words: also the times and metres that they state."""
    midnight = (view.day + 1) * DAY_SECONDS
    found: list[str] = []
    known = set()
    for problem in problems_of(view, lines):
        known.add(problem.depot)
        mine = [route for route in routes if route.warehouse == problem.depot]
        plan, odd = _as_plan(problem, mine, unserved)
        found += odd + check_plan(problem, plan)
        for number, (route, tour) in enumerate(zip(mine, plan.tours, strict=True)):
            found += [f"route {number}: {x}" for x in _stated(problem, route, tour, midnight)]
    found += [
        f"a route from {route.warehouse}, which delivers nothing"
        for route in routes
        if route.warehouse not in known
    ]
    return found


def _coverage(problem: RoutingProblem, plan: Plan) -> list[str]:
    """Every stop once: on a tour, or left out with a reason."""
    times = Counter(i for tour in plan.tours for i in tour)
    times.update(i for i, _ in plan.unserved)
    found = [f"stop {i} has no reason" for i, reason in plan.unserved if not reason.strip()]
    found += [f"stop {i} does not exist" for i in times if not 0 <= i < len(problem.stops)]
    return found + [
        f"stop {i} is visited or left out {times[i]} times"
        for i in range(len(problem.stops))
        if times[i] != 1
    ]


def _loads(problem: RoutingProblem, tour: Sequence[int]) -> list[str]:
    kg = sum(float(problem.kg[i]) for i in tour)
    m3 = sum(float(problem.m3[i]) for i in tour)
    found = []
    if kg > problem.capacity_kg + _TOLERANCE:
        found.append(f"carries {kg:.1f} kg of {problem.capacity_kg:.1f}")
    if m3 > problem.capacity_m3 + _TOLERANCE:
        found.append(f"carries {m3:.2f} m3 of {problem.capacity_m3:.2f}")
    return found


def _starts(problem: RoutingProblem, tour: Sequence[int]) -> set[int]:
    """Departures worth trying: the earliest, and those that meet a window as it opens."""
    starts, offset, node = {problem.departs_s}, 0, 0
    for i in tour:
        offset += int(problem.drive_s[node, i + 1])
        starts.add(max(problem.departs_s, int(problem.opens_s[i]) - offset))
        starts.add(max(problem.departs_s, int(problem.closes_s[i]) - offset))
        offset += int(problem.service_s[i])
        node = i + 1
    return starts


def _times(problem: RoutingProblem, tour: Sequence[int], start: int) -> list[str]:
    """Faults of driving `tour` from `start` on."""
    found, at, node = [], start, 0
    for i in tour:
        at += int(problem.drive_s[node, i + 1])
        if at > problem.closes_s[i]:
            found.append(f"stop {i} is reached at {at}, its window ends at {problem.closes_s[i]}")
        at = max(at, int(problem.opens_s[i])) + int(problem.service_s[i])
        node = i + 1
    at += int(problem.drive_s[node, 0])
    if at - start > problem.shift_s:
        found.append(f"takes {at - start} s of a shift of {problem.shift_s}")
    if at > problem.returns_until_s:
        found.append(f"returns at {at}, latest is {problem.returns_until_s}")
    return found


def _as_plan(
    problem: RoutingProblem, routes: Sequence[Route], unserved: Sequence[Unserved]
) -> tuple[Plan, list[str]]:
    """The routes in the problem's terms, and stops that the problem does not know."""
    free: dict[int, list[int]] = {}
    for i in range(len(problem.stops) - 1, -1, -1):
        free.setdefault(int(problem.stops[i]), []).append(i)
    odd: list[str] = []
    tours = []
    for route in routes:
        tour = []
        for place in route.stops:
            if free.get(place):
                tour.append(free[place].pop())
            else:
                odd.append(f"location {place} is visited more often than it has loads")
        tours.append(tuple(tour))
    left = [(i, one.reason) for one in unserved for i in free.pop(one.location, [])]
    return Plan(tuple(tours), tuple(left)), odd


def _stated(
    problem: RoutingProblem, route: Route, tour: Sequence[int], midnight_s: int
) -> list[str]:
    """Differences between what a route says of itself and what its tour gives."""
    found, at, node, metres = [], route.departs_s - midnight_s, 0, 0
    if at < problem.departs_s:
        found.append(f"departs at {at}, earliest is {problem.departs_s}")
    if len(route.arrives_s) != len(tour):
        return [*found, f"{len(route.arrives_s)} arrivals for {len(tour)} stops"]
    for i, arrival in zip(tour, route.arrives_s, strict=True):
        at += int(problem.drive_s[node, i + 1])
        metres += int(problem.distance_m[node, i + 1])
        if at != arrival - midnight_s:
            found.append(f"stop {i} is reached at {at}, stated {arrival - midnight_s}")
        if at > problem.closes_s[i]:
            found.append(f"stop {i} is reached at {at}, its window ends at {problem.closes_s[i]}")
        at = max(at, int(problem.opens_s[i])) + int(problem.service_s[i])
        node = i + 1
    at += int(problem.drive_s[node, 0])
    metres += int(problem.distance_m[node, 0])
    if at != route.returns_s - midnight_s:
        found.append(f"returns at {at}, stated {route.returns_s - midnight_s}")
    if metres != route.metres:
        found.append(f"is {metres} m long, stated {route.metres}")
    if route.returns_s - route.departs_s > problem.shift_s:
        found.append(f"takes {route.returns_s - route.departs_s} s of {problem.shift_s}")
    kg = sum(float(problem.kg[i]) for i in tour)
    m3 = sum(float(problem.m3[i]) for i in tour)
    if abs(kg - route.kg) > 1e-3 or abs(m3 - route.m3) > 1e-6:
        found.append(f"carries {kg:.3f} kg and {m3:.6f} m3, stated {route.kg} and {route.m3}")
    return found
