"""OR-Tools engine: a wide ruin and recreate, then OR-Tools' guided local search.

Settings are those that were measured best (see POLICIES in the design documents): a
registered matrix and never a Python callback, every stop in a disjunction so that an
impossible day comes back as "unserved, because". The wide search is our own
(:mod:`policies.routing.ruin_recreate`); where a number of solutions is the limit it is
OR-Tools' slack-induced string removal (Christiaens & Vanden Berghe 2020), with automatic
annealing temperatures and no descent after each recreate. The best plan is handed to a short
guided local search at the end, and a start from yesterday's tours goes straight to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ortools.constraint_solver import pywrapcp, routing_enums_pb2

from policies.domain.decision import ProposalLines, Route, Unserved
from policies.domain.errors import InvalidInput
from policies.domain.view import NetworkView
from policies.routing.fleet import as_fleet
from policies.routing.problem import NO_LIMIT, Ints, Plan, RoutingProblem, plan_metres
from policies.routing.ruin_recreate import RuinRecreate
from policies.routing.rules import AS_GIVEN, RoutingRules, planned
from policies.routing.savings import SavingsRouter
from policies.routing.schedule import impossible, schedule

_LOAD_SCALE = 1_000
"""Grams to a kilogram and litres to a cubic metre."""
_WIDE_SHARE = 0.8
"""Of the time, for the iterated search; the rest polishes the best plan by guided search."""
_DROPPED = "no tour with room and time for it was found"


@dataclass(frozen=True)
class OrToolsRouter:
    """Search for short tours.

    Parameters
    ----------
    seconds : float > 0, time limit of each warehouse's search
    solutions : int ≥ 1 or None, stop after so many solutions: repeatable on any machine
        as long as `seconds` is not reached first
    seed : int, order in which stops are shown to the search; 0 = as given
    tour_metres : int ≥ 0, what one tour costs in itself, in metres of driving
    spare_share : float ≥ 0, tours offered beyond those of the cheap engine
    previous : tuple of tuples of int, yesterday's tours as axis indices: the search starts
        from them, so that drivers keep their routes where nothing is lost
    rules : RoutingRules, trucks, rounds and the price of changed tours
    """

    seconds: float = 10.0
    solutions: int | None = None
    seed: int = 0
    tour_metres: int = 36_000
    spare_share: float = 0.15
    previous: tuple[tuple[int, ...], ...] = ()
    rules: RoutingRules = AS_GIVEN

    def __post_init__(self) -> None:
        if not self.seconds > 0 or (self.solutions is not None and self.solutions < 1):
            raise InvalidInput(
                "the search has no time", field="seconds", remedy="give seconds above 0"
            )
        if self.tour_metres < 0 or self.spare_share < 0:
            raise InvalidInput("costs and shares are not negative", field="tour_metres")

    def routes(
        self, view: NetworkView, lines: ProposalLines
    ) -> tuple[tuple[Route, ...], tuple[Unserved, ...]]:
        """Tours for tomorrow's deliveries."""
        return planned(view, lines, self.rules, self.solve)

    def solve(self, problem: RoutingProblem) -> Plan:
        """Tours of `problem`, never worse than those of the cheap engine."""
        cheap = SavingsRouter(tour_metres=self.tour_metres).solve(problem)
        reasons = impossible(problem)
        nodes = np.setdiff1d(np.arange(len(problem.stops)), np.array(list(reasons), dtype=int))
        if not nodes.size:
            return cheap
        if self.seed:
            nodes = np.random.default_rng(self.seed).permutation(nodes)
        most = math.ceil(len(cheap.tours) * (1 + self.spare_share)) + 1
        most = min(most, problem.tours, len(nodes))

        def complete(tours: tuple[tuple[int, ...], ...] | None) -> Plan:
            if tours is None:
                return cheap
            missing = set(nodes.tolist()) - {i for tour in tours for i in tour}
            unserved = reasons | dict.fromkeys(missing, _DROPPED)
            return Plan(tuple(sorted(tours)), tuple(sorted(unserved.items())))

        begin = self._yesterday(problem, nodes)[:most]
        wide = 1.0 if begin else _WIDE_SHARE
        best = cheap
        if not begin:
            found = complete(self._wide(problem, nodes, most, wide * self.seconds))
            best = min(cheap, found, key=lambda plan: self._rank(problem, plan))
            begin, wide = best.tours, 1 - _WIDE_SHARE
        found = complete(_Model(self, problem, nodes, most).search_from(begin, wide * self.seconds))
        return min(best, found, key=lambda plan: self._rank(problem, plan))

    def _wide(
        self, problem: RoutingProblem, nodes: Ints, most: int, seconds: float
    ) -> tuple[tuple[int, ...], ...] | None:
        """The wide search: our own ruin and recreate, or OR-Tools' where solutions count.

        Measured at 10 s on one thread, ours came to 0.2, 0.0 and 0.0 % above the best known
        plans of X-n101-k25, R101 and C101, OR-Tools' to 0.3, 1.2 and 0.0 %.
        """
        if self.solutions is not None:
            return _Model(self, problem, nodes, most).search(seconds)
        search = RuinRecreate(seconds=seconds, seed=self.seed)
        plan = search.solve(as_fleet(problem, nodes, self.tour_metres))
        return tuple(tuple(int(nodes[i]) for i in tour) for _, tour in plan.tours)

    def polished(self, problem: RoutingProblem, plan: Plan) -> Plan:
        """`plan` after guided local search from it, or `plan` itself; no stop is dropped."""
        nodes = np.array(sorted(i for tour in plan.tours for i in tour), dtype=np.int64)
        if not nodes.size:
            return plan
        model = _Model(self, problem, nodes, len(plan.tours))
        tours = model.search_from(plan.tours, self.seconds)
        if tours is None or sum(len(tour) for tour in tours) < len(nodes):
            return plan
        found = Plan(tuple(sorted(tours)), plan.unserved)
        return min(plan, found, key=lambda one: self._rank(problem, one))

    def _rank(self, problem: RoutingProblem, plan: Plan) -> tuple[int, int]:
        metres = plan_metres(problem, plan) + self.tour_metres * len(plan.tours)
        return len(plan.unserved), metres

    def _yesterday(self, problem: RoutingProblem, nodes: Ints) -> tuple[tuple[int, ...], ...]:
        """Yesterday's tours of today's stops, where they can still be driven."""
        free: dict[int, list[int]] = {}
        for i in sorted(nodes.tolist(), reverse=True):
            free.setdefault(int(problem.stops[i]), []).append(i)
        tours = [
            tuple(free[place].pop() for place in tour if free.get(place)) for tour in self.previous
        ]
        return tuple(tour for tour in tours if tour and _can_drive(problem, tour))


def _can_drive(problem: RoutingProblem, tour: Sequence[int]) -> bool:
    rows = list(tour)
    return (
        problem.kg[rows].sum() <= problem.capacity_kg
        and problem.m3[rows].sum() <= problem.capacity_m3
        and schedule(problem, tour) is not None
    )


class _Model:
    """One OR-Tools routing model: node 0 is the depot, node i + 1 is ``nodes[i]``."""

    def __init__(
        self, settings: OrToolsRouter, problem: RoutingProblem, nodes: Ints, tours: int
    ) -> None:
        self.settings, self.problem, self.nodes = settings, problem, nodes
        self.manager = pywrapcp.RoutingIndexManager(len(nodes) + 1, tours, 0)
        self.routing = pywrapcp.RoutingModel(self.manager)
        rows = np.concatenate([[0], nodes + 1])
        self.rows = np.ix_(rows, rows)
        distance = problem.distance_m[self.rows]
        self.routing.SetArcCostEvaluatorOfAllVehicles(
            self.routing.RegisterTransitMatrix(distance.tolist())
        )
        self.routing.SetFixedCostOfAllVehicles(settings.tour_metres)
        self._loads()
        if problem.is_timed:
            self._times(tours)
        # Leaving a stop out must never pay: more than any detour and its own tour.
        penalty = 10 * (2 * int(distance.max(initial=1)) + settings.tour_metres + 1)
        for node in range(1, len(nodes) + 1):
            self.routing.AddDisjunction([self.manager.NodeToIndex(node)], penalty)

    def _loads(self) -> None:
        for name, load, most in (
            ("kg", self.problem.kg, self.problem.capacity_kg),
            ("m3", self.problem.m3, self.problem.capacity_m3),
        ):
            if not load.any():
                continue
            # Rounded up, so that a plan that fits here fits in truth.
            units = np.ceil(load[self.nodes] * _LOAD_SCALE - 1e-6).astype(np.int64)
            evaluator = self.routing.RegisterUnaryTransitVector([0, *units.tolist()])
            self.routing.AddDimension(
                evaluator, 0, math.floor(most * _LOAD_SCALE + 1e-6), True, name
            )

    def _times(self, tours: int) -> None:
        problem = self.problem
        work = np.concatenate([[0], problem.service_s[self.nodes]])
        transit = problem.drive_s[self.rows] + work[:, None]
        last = int(problem.closes_s[self.nodes].max()) + int(transit.max()) * 2
        horizon = min(problem.returns_until_s, last)
        self.routing.AddDimension(
            self.routing.RegisterTransitMatrix(transit.tolist()), horizon, horizon, False, "time"
        )
        time = self.routing.GetDimensionOrDie("time")
        for node, i in enumerate(self.nodes.tolist(), start=1):
            time.CumulVar(self.manager.NodeToIndex(node)).SetRange(
                int(problem.opens_s[i]), int(min(problem.closes_s[i], horizon))
            )
        for vehicle in range(tours):
            time.CumulVar(self.routing.Start(vehicle)).SetRange(problem.departs_s, horizon)
            if problem.shift_s < NO_LIMIT:
                time.SetSpanUpperBoundForVehicle(int(problem.shift_s), vehicle)

    def search(self, seconds: float) -> tuple[tuple[int, ...], ...] | None:
        """Iterated local search from the first solution on; it can't begin elsewhere."""
        parameters = self._limits(seconds)
        parameters.use_iterated_local_search = True
        ils = parameters.iterated_local_search_parameters
        ils.improve_perturbed_solution = False
        sisr = ils.ruin_recreate_parameters.ruin_strategies.add().sisr
        sisr.max_removed_sequence_size = 10
        sisr.avg_num_removed_visits = 10
        sisr.bypass_factor = 0.01
        ils.reference_solution_acceptance_strategy.simulated_annealing.automatic_temperatures = True
        return self._tours(self.routing.SolveWithIteratedLocalSearch(parameters))

    def search_from(
        self, start: Sequence[Sequence[int]], seconds: float
    ) -> tuple[tuple[int, ...], ...] | None:
        """Guided local search from the tours `start`."""
        parameters = self._limits(seconds)
        parameters.local_search_metaheuristic = (
            routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
        )
        # Closing first: otherwise the start would make the metaheuristic be ignored.
        self.routing.CloseModelWithParameters(parameters)
        place = {int(i): node for node, i in enumerate(self.nodes, start=1)}
        chains = [[place[i] for i in tour] for tour in start]
        begin = self.routing.ReadAssignmentFromRoutes(chains, True)
        if begin is None:
            return None
        return self._tours(self.routing.SolveFromAssignmentWithParameters(begin, parameters))

    def _tours(self, solution: Any) -> tuple[tuple[int, ...], ...] | None:
        """Tours in positions of ``problem.stops``; None if the search found nothing."""
        if solution is None:
            return None
        out = []
        for vehicle in range(self.routing.vehicles()):
            tour, index = [], solution.Value(self.routing.NextVar(self.routing.Start(vehicle)))
            while not self.routing.IsEnd(index):
                tour.append(int(self.nodes[self.manager.IndexToNode(index) - 1]))
                index = solution.Value(self.routing.NextVar(index))
            if tour:
                out.append(tuple(tour))
        return tuple(out)

    def _limits(self, seconds: float) -> Any:
        parameters = pywrapcp.DefaultRoutingSearchParameters()
        first = routing_enums_pb2.FirstSolutionStrategy
        parameters.first_solution_strategy = (
            first.PARALLEL_CHEAPEST_INSERTION if self.problem.is_timed else first.PATH_CHEAPEST_ARC
        )
        parameters.time_limit.FromMilliseconds(max(1, round(seconds * 1_000)))
        if self.settings.solutions is not None:
            parameters.solution_limit = self.settings.solutions
        return parameters
