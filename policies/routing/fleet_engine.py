"""Engines for a mixed fleet from several depots.

One model over all depots lags far behind here, so the depots are joined by ruin and
recreate (stops change depot by insertion cost) and OR-Tools polishes each depot's tours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policies.domain.errors import InvalidInput
from policies.routing.fleet import FleetPlan, FleetProblem, check_fleet_plan, fleet_cost
from policies.routing.ortools_engine import OrToolsRouter
from policies.routing.problem import Plan
from policies.routing.pyvrp_fleet import solve_fleet
from policies.routing.ruin_recreate import RuinRecreate

_POLISH_SHARE = 0.1
"""Of the time, for OR-Tools' guided search on each depot's tours."""
CHEAP_ITERATIONS = 2_000


@dataclass(frozen=True)
class FleetRouter:
    """Search for short tours of a fleet.

    Parameters
    ----------
    engine : ``ortools``, ``pyvrp``, ``savings`` (insertion and a fixed number of rounds: no
        clock) or ``ruin-recreate`` (without the polish)
    seconds : float > 0, time limit
    seed : int
    """

    engine: str = "ortools"
    seconds: float = 10.0
    seed: int = 1

    def __post_init__(self) -> None:
        if self.engine not in ("ortools", "pyvrp", "savings", "ruin-recreate"):
            raise InvalidInput(
                f"no engine {self.engine!r}",
                field="engine",
                remedy="one of ortools, pyvrp, savings, ruin-recreate",
            )

    def solve(self, problem: FleetProblem, start: FleetPlan | None = None) -> FleetPlan:
        """Tours of `problem`; `start` is yesterday's plan, for the engines that can use it."""
        if self.engine == "pyvrp":
            return solve_fleet(problem, self.seconds, self.seed)
        if self.engine == "savings":
            search = RuinRecreate(iterations=CHEAP_ITERATIONS, seed=self.seed)
            return search.solve(problem, start)
        share = 1 - _POLISH_SHARE if self.engine == "ortools" else 1.0
        search = RuinRecreate(seconds=share * self.seconds, seed=self.seed)
        plan = search.solve(problem, start)
        return self._polished(problem, plan) if self.engine == "ortools" else plan

    def _polished(self, problem: FleetProblem, plan: FleetPlan) -> FleetPlan:
        """Each truck type's tours after guided local search; kept only if better and sound."""
        kinds = sorted({truck for truck, _ in plan.tours})
        tours: list[tuple[int, tuple[int, ...]]] = []
        for kind in kinds:
            mine = [tour for truck, tour in plan.tours if truck == kind]
            stops = np.array(sorted(i for tour in mine for i in tour), dtype=np.int64)
            place = {int(stop): at for at, stop in enumerate(stops)}
            part = problem.of_truck(kind, stops)
            router = OrToolsRouter(
                seconds=_POLISH_SHARE * self.seconds / len(kinds),
                tour_metres=problem.trucks[kind].fixed_metres,
            )
            begin = Plan(tuple(tuple(place[i] for i in tour) for tour in mine))
            better = router.polished(part, begin)
            tours += [(kind, tuple(int(stops[i]) for i in tour)) for tour in better.tours]
        found = FleetPlan(tuple(sorted(tours)), plan.unserved)
        if check_fleet_plan(problem, found) or fleet_cost(problem, found) > fleet_cost(
            problem, plan
        ):
            return plan
        return found
