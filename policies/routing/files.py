"""Solve a routing file with one of the engines and check the plan."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from policies.domain.errors import InvalidInput
from policies.routing.fleet import check_fleet_plan, fleet_metres
from policies.routing.fleet_engine import FleetRouter
from policies.routing.fleet_files import has_several_depots, read_fleet_instance
from policies.routing.ortools_engine import OrToolsRouter
from policies.routing.problem import NO_LIMIT, Plan, RoutingProblem, plan_metres
from policies.routing.pyvrp_engine import PyVrpRouter
from policies.routing.savings import SavingsRouter
from policies.routing.stops import StopReason, explain_stops, explain_tour
from policies.routing.validator import check_plan
from policies.routing.vrplib import read_instance

Solve = Callable[[RoutingProblem], Plan]

# The public sets count distance only, so a tour costs nothing in itself.
ENGINES: dict[str, Callable[[float, int], Solve]] = {
    "ortools": lambda seconds, seed: OrToolsRouter(seconds=seconds, seed=seed, tour_metres=0).solve,
    "pyvrp": lambda seconds, seed: PyVrpRouter(seconds=seconds, seed=seed, tour_metres=0).solve,
    "savings": lambda seconds, seed: SavingsRouter(improvement_rounds=100, tour_metres=0).solve,
}


def route_file(
    path: Path,
    engine: str = "ortools",
    seconds: float = 10.0,
    seed: int = 1,
    scale: int | None = None,
) -> dict[str, Any]:
    """Solve a VRPLIB or Solomon file.

    Parameters
    ----------
    path : Path
    engine : str, one of ``ENGINES``
    seconds : float > 0, time limit (the savings engine ends by itself)
    seed : int
    scale : int, optional
        Integer units per unit of distance; default by the set's convention.

    Returns
    -------
    dict
        ``cost`` in the file's unit, ``feasible`` (every stop served, no fault found by the
        independent validator), ``unserved`` (customer, reason), ``routes`` (customers in
        driving order), ``faults``, ``seconds``, ``engine``, ``instance``, and ``stops``: each
        stop's arrival, wait, slack to the end of its window, detour (what its tour would be
        shorter without it) and share of the truck. Files with several
        depots, or VRPLIB files with time windows, also give ``depots``: the depot (node
        number from 0) of each route.
    """
    if engine not in ENGINES:
        raise InvalidInput(
            f"no engine {engine!r}", field="engine", remedy=f"one of {', '.join(ENGINES)}"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} can't be read: {error}", field="file") from None
    if has_several_depots(text):
        return _fleet_file(text, FleetRouter(engine, seconds, seed), scale)
    instance = read_instance(text, scale)
    problem = instance.problem
    began = time.perf_counter()
    plan = ENGINES[engine](seconds, seed)(problem)
    took = time.perf_counter() - began
    faults = check_plan(problem, plan)
    return {
        "instance": instance.name,
        "engine": engine,
        "cost": plan_metres(problem, plan) / instance.scale,
        "feasible": not faults and not plan.unserved,
        "unserved": [
            {"customer": int(problem.stops[i]), "reason": reason} for i, reason in plan.unserved
        ],
        "routes": [[int(problem.stops[i]) for i in tour] for tour in plan.tours],
        "stops": [
            _stop(one, int(problem.stops[one.stop]), instance.scale)
            for one in explain_stops(problem, plan)
        ],
        "faults": faults,
        "seconds": round(took, 3),
    }


def _stop(one: StopReason, customer: int, scale: int) -> dict[str, Any]:
    """A stop's numbers in the file's unit."""
    return {
        "customer": customer,
        "route": one.tour,
        "place": one.place,
        "arrives": one.arrives_s / scale,
        "waits": one.waits_s / scale,
        "slack": None if one.slack_s > NO_LIMIT // 2 else one.slack_s / scale,
        "detour": one.detour_metres / scale,
        "load_share": round(one.load_share, 4),
    }


def _fleet_file(text: str, router: FleetRouter, scale: int | None) -> dict[str, Any]:
    instance = read_fleet_instance(text, scale)
    problem = instance.problem
    began = time.perf_counter()
    plan = router.solve(problem)
    took = time.perf_counter() - began
    faults = check_fleet_plan(problem, plan)
    return {
        "instance": instance.name,
        "engine": router.engine,
        "cost": fleet_metres(problem, plan) / instance.scale,
        "feasible": not faults and not plan.unserved,
        "unserved": [
            {"customer": problem.depots + i, "reason": reason} for i, reason in plan.unserved
        ],
        "routes": [[problem.depots + i for i in tour] for _, tour in plan.tours],
        "depots": [problem.trucks[truck].depot for truck, _ in plan.tours],
        "stops": [
            _stop(one, problem.depots + tour[one.stop], instance.scale)
            for number, (truck, tour) in enumerate(plan.tours)
            for one in explain_tour(
                problem.of_truck(truck, np.array(tour, dtype=np.int64)), range(len(tour)), number
            )
        ],
        "faults": faults,
        "seconds": round(took, 3),
    }
