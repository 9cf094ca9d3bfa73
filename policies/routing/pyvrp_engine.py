"""PyVRP engine, where the optional extra ``pyvrp`` is installed.

One vehicle type, one depot; the same problem and plan as the other engines. Every stop is
optional at a prize above any detour, so that an impossible day comes back with reasons.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from policies.domain.decision import ProposalLines, Route, Unserved
from policies.domain.errors import InvalidInput
from policies.domain.view import NetworkView
from policies.routing.problem import NO_LIMIT, Plan, RoutingProblem
from policies.routing.rules import AS_GIVEN, RoutingRules, planned
from policies.routing.schedule import impossible

_LOAD_SCALE = 1_000


@dataclass(frozen=True)
class PyVrpRouter:
    """Search by PyVRP.

    Parameters
    ----------
    seconds : float > 0, time limit of each warehouse's search
    seed : int ≥ 0
    tour_metres : int ≥ 0, what one tour costs in itself, in metres of driving
    rules : RoutingRules, trucks, rounds and the price of changed tours
    """

    seconds: float = 10.0
    seed: int = 0
    tour_metres: int = 36_000
    rules: RoutingRules = AS_GIVEN

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise InvalidInput(
                "the search has no time", field="seconds", remedy="give seconds above 0"
            )
        if self.seed < 0 or self.tour_metres < 0:
            raise InvalidInput("seed and cost of a tour are not negative", field="seed")

    def routes(
        self, view: NetworkView, lines: ProposalLines
    ) -> tuple[tuple[Route, ...], tuple[Unserved, ...]]:
        """Tours for tomorrow's deliveries."""
        return planned(view, lines, self.rules, self.solve)

    def solve(self, problem: RoutingProblem) -> Plan:
        """Tours of `problem`.

        Raises
        ------
        InvalidInput
            If PyVRP is not installed.
        """
        pyvrp, stop = library("pyvrp"), library("pyvrp.stop")
        reasons = impossible(problem)
        nodes = [i for i in range(len(problem.stops)) if i not in reasons]
        if not nodes:
            return Plan((), tuple(sorted(reasons.items())))
        data = _data(pyvrp, problem, nodes, self.tour_metres)
        limit = stop.MaxRuntime(self.seconds)
        best = pyvrp.solve(data, limit, seed=self.seed, collect_stats=False).best
        if not best.is_feasible():
            reasons |= dict.fromkeys(nodes, "no plan within every limit was found")
            return Plan((), tuple(sorted(reasons.items())))
        tours = [
            tuple(nodes[one.idx] for one in route.schedule() if one.is_client())
            for route in best.routes()
        ]
        served = {i for tour in tours for i in tour}
        reasons |= dict.fromkeys(set(nodes) - served, "no tour with room and time was found")
        return Plan(tuple(sorted(tours)), tuple(sorted(reasons.items())))


def _data(pyvrp: Any, problem: RoutingProblem, nodes: list[int], tour_metres: int) -> Any:
    """PyVRP's problem data; client c is ``nodes[c]`` at location c + 1."""
    rows = np.concatenate([[0], np.array(nodes) + 1])
    square = np.ix_(rows, rows)
    latest = int(np.iinfo(np.int64).max)
    distance = problem.distance_m[square]
    prize = 10 * (2 * int(distance.max(initial=1)) + tour_metres + 1)
    # Loads are rounded up, so that a plan that fits here fits in truth.
    loads = np.ceil(np.stack([problem.kg, problem.m3], axis=1) * _LOAD_SCALE - 1e-6).astype(int)
    clients = [
        pyvrp.Client(
            location=row + 1,
            delivery=loads[i].tolist(),
            service_duration=int(problem.service_s[i]),
            tw_early=int(problem.opens_s[i]),
            tw_late=int(problem.closes_s[i]),
            prize=prize,
            required=False,
        )
        for row, i in enumerate(nodes)
    ]
    capacity = [
        math.floor(problem.capacity_kg * _LOAD_SCALE + 1e-6),
        math.floor(problem.capacity_m3 * _LOAD_SCALE + 1e-6),
    ]
    truck = pyvrp.VehicleType(
        num_available=min(problem.tours, len(nodes)),
        capacity=capacity,
        fixed_cost=tour_metres,
        tw_early=problem.departs_s,
        tw_late=problem.returns_until_s if problem.returns_until_s < NO_LIMIT else latest,
        shift_duration=problem.shift_s if problem.shift_s < NO_LIMIT else latest,
    )
    return pyvrp.ProblemData(
        locations=[pyvrp.Location(0, 0) for _ in rows],
        clients=clients,
        depots=[pyvrp.Depot(location=0)],
        vehicle_types=[truck],
        distance_matrices=[distance],
        duration_matrices=[problem.drive_s[square]],
    )


def library(name: str) -> Any:
    """A module of the optional engine, or a clear refusal."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise InvalidInput(
            "the engine pyvrp is not installed",
            field="engine",
            remedy="pip install storetwin[pyvrp], or choose ortools or savings",
        ) from None
