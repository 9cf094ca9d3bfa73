"""A plan explained stop by stop: when, how much room is left, and what the stop costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policies.routing.problem import Plan, RoutingProblem, tour_metres
from policies.routing.schedule import schedule


@dataclass(frozen=True)
class StopReason:
    """One stop of a tour.

    Attributes
    ----------
    stop : int, position in ``problem.stops``
    tour, place : int, number of the tour and of the stop on it, from 0
    arrives_s : int, planned arrival
    waits_s : int, until the window opens
    slack_s : int, from arrival to the end of the window
    detour_metres : int, what the tour would be shorter without it
    load_share : float, of the truck's tighter capacity
    """

    stop: int
    tour: int
    place: int
    arrives_s: int
    waits_s: int
    slack_s: int
    detour_metres: int
    load_share: float


def explain_stops(problem: RoutingProblem, plan: Plan) -> list[StopReason]:
    """Every stop of `plan` in driving order; tours that can't be driven are left out."""
    out: list[StopReason] = []
    for number, tour in enumerate(plan.tours):
        out += explain_tour(problem, tour, number)
    return out


def explain_tour(problem: RoutingProblem, tour: Sequence[int], number: int) -> list[StopReason]:
    """The stops of one tour."""
    times = schedule(problem, tour)
    if times is None:
        return []
    whole = tour_metres(problem, tuple(tour))
    out = []
    for place, (i, at) in enumerate(zip(tour, times.arrives_s, strict=True)):
        without = tuple(tour[:place]) + tuple(tour[place + 1 :])
        shorter = whole - tour_metres(problem, without) if without else whole
        share = max(problem.kg[i] / problem.capacity_kg, problem.m3[i] / problem.capacity_m3)
        out.append(
            StopReason(
                int(i),
                number,
                place,
                at,
                max(int(problem.opens_s[i]) - at, 0),
                int(problem.closes_s[i]) - at,
                shorter,
                float(share),
            )
        )
    return out
