"""What every engine has to keep to: trucks of a night, rounds, and the price of a new driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from policies.domain.decision import ProposalLines, Route, Unserved
from policies.domain.errors import InvalidInput
from policies.domain.network import DAY_SECONDS, IntArray, Network
from policies.domain.view import NetworkView
from policies.routing.problem import Plan, RoutingProblem, problems_of
from policies.routing.schedule import as_routes

Tours = Sequence[tuple[int, ...]]


@dataclass(frozen=True)
class RoutingRules:
    """The fleet that a policy uses, and how much it minds changed tours.

    Parameters
    ----------
    trucks_share : float in (0, 1], share of each warehouse's trucks that drive, rounded, at
        least one; the others stand
    rounds : int ≥ 1 or None, most tours of a truck in a night; None = a truck that is back
        goes again as often as there is something left
    stability_metres : int ≥ 0, what it is worth not to bring two stores together that had
        different trucks the last time, in metres of driving for each leg between them
    """

    trucks_share: float = 1.0
    rounds: int | None = None
    stability_metres: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.trucks_share <= 1:
            raise InvalidInput(
                f"trucks_share is {self.trucks_share}",
                field="trucks_share",
                remedy="above 0, up to 1 = all trucks",
            )
        if self.rounds is not None and self.rounds < 1:
            raise InvalidInput(
                f"rounds is {self.rounds}", field="rounds", remedy="at least 1, or none given"
            )
        if self.stability_metres < 0:
            raise InvalidInput(
                f"stability_metres is {self.stability_metres}",
                field="stability_metres",
                remedy="0 or more",
            )

    def trucks(self, network: Network) -> IntArray:
        """(W,) int32, trucks of each warehouse that drive."""
        some = np.maximum(np.round(network.fleet.trucks * self.trucks_share), 1)
        return np.minimum(some, network.fleet.trucks).astype(np.int32)

    def limited(self, problem: RoutingProblem, network: Network) -> RoutingProblem:
        """`problem` with no more tours than the trucks drive in their rounds."""
        if self.rounds is None:
            return problem
        which = int(np.flatnonzero(network.warehouses == problem.depot)[0])
        most = int(self.trucks(network)[which]) * self.rounds
        return replace(problem, tours=min(problem.tours, most))

    def priced(self, problem: RoutingProblem, recent: Tours) -> RoutingProblem:
        """`problem` as the search sees it: legs that mix recent tours are longer.

        Driving times and limits stay true, and so must the lengths that are reported.
        """
        if not self.stability_metres or not recent:
            return problem
        tour_of: dict[int, int] = {}
        for number, tour in enumerate(recent):
            for place in tour:
                tour_of.setdefault(place, number)
        mine = np.array([tour_of.get(int(place), -1) for place in problem.stops], dtype=np.int64)
        known = mine >= 0
        mixed = known[:, None] & known[None, :] & (mine[:, None] != mine[None, :])
        metres = problem.distance_m.copy()
        metres[1:, 1:] += np.where(mixed, self.stability_metres, 0)
        return replace(problem, distance_m=metres)


AS_GIVEN = RoutingRules()


def planned(
    view: NetworkView,
    lines: ProposalLines,
    rules: RoutingRules,
    solve: Callable[[RoutingProblem], Plan],
) -> tuple[tuple[Route, ...], tuple[Unserved, ...]]:
    """Each warehouse's problem solved under `rules`, in the decision's terms.

    The search sees priced legs; what is reported is the road.
    """
    routes: list[Route] = []
    unserved: list[Unserved] = []
    for problem in problems_of(view, lines):
        limited = rules.limited(problem, view.network)
        plan = solve(rules.priced(limited, view.recent_routes))
        made, left = as_routes(limited, plan, (view.day + 1) * DAY_SECONDS)
        routes += made
        unserved += left
    return tuple(routes), tuple(unserved)


def shared_stops(tours: Tours, recent: Tours) -> float:
    """Share of the pairs of stores on one tour that were on one tour before, 0 … 1.

    Only stores that were served before count; NaN where there is no such pair.
    """
    before: dict[int, int] = {}
    for number, tour in enumerate(recent):
        for place in tour:
            before.setdefault(place, number)
    kept = pairs = 0
    for tour in tours:
        known = sorted({place for place in tour if place in before})
        for i, a in enumerate(known):
            for b in known[i + 1 :]:
                pairs += 1
                kept += before[a] == before[b]
    return kept / pairs if pairs else float("nan")
