"""PyVRP on a mixed fleet from several depots."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from policies.routing.fleet import FleetPlan, FleetProblem
from policies.routing.problem import NO_LIMIT
from policies.routing.pyvrp_engine import library

_LOAD_SCALE = 1_000


def solve_fleet(problem: FleetProblem, seconds: float, seed: int) -> FleetPlan:
    """Tours by PyVRP; stops it leaves out come back with a reason.

    Raises
    ------
    InvalidInput
        If PyVRP is not installed.
    """
    pyvrp, stop = library("pyvrp"), library("pyvrp.stop")
    data = _data(pyvrp, problem)
    limit = stop.MaxRuntime(seconds)
    best = pyvrp.solve(data, limit, seed=seed, collect_stats=False).best
    if not best.is_feasible():
        every = range(len(problem.kg))
        return FleetPlan((), tuple((i, "no plan within every limit was found") for i in every))
    tours = tuple(
        (route.vehicle_type(), tuple(one.idx for one in route.schedule() if one.is_client()))
        for route in best.routes()
    )
    served = {i for _, tour in tours for i in tour}
    left = set(range(len(problem.kg))) - served
    reason = "no tour with room and time was found, or its drop is cheaper"
    return FleetPlan(tuple(sorted(tours)), tuple((i, reason) for i in sorted(left)))


def _data(pyvrp: Any, problem: FleetProblem) -> Any:
    # Loads are rounded up, so that a plan that fits here fits in truth.
    loads = np.ceil(np.stack([problem.kg, problem.m3], axis=1) * _LOAD_SCALE - 1e-6).astype(int)
    clients = [
        pyvrp.Client(
            location=problem.depots + i,
            delivery=loads[i].tolist(),
            service_duration=int(problem.service_s[i]),
            tw_early=int(problem.opens_s[i]),
            tw_late=int(problem.closes_s[i]),
            prize=int(problem.drop_metres[i]),
            required=False,
        )
        for i in range(len(loads))
    ]
    latest = int(np.iinfo(np.int64).max)
    trucks = [
        pyvrp.VehicleType(
            num_available=max(min(truck.tours, len(clients)), 1),
            capacity=[
                math.floor(truck.capacity_kg * _LOAD_SCALE + 1e-6),
                math.floor(truck.capacity_m3 * _LOAD_SCALE + 1e-6),
            ],
            start_depot=truck.depot,
            end_depot=truck.depot,
            fixed_cost=truck.fixed_metres,
            tw_early=truck.departs_s,
            tw_late=truck.returns_until_s if truck.returns_until_s < NO_LIMIT else latest,
            shift_duration=truck.shift_s if truck.shift_s < NO_LIMIT else latest,
        )
        for truck in problem.trucks
    ]
    return pyvrp.ProblemData(
        locations=[pyvrp.Location(0, 0) for _ in range(len(problem.distance_m))],
        clients=clients,
        depots=[pyvrp.Depot(location=d) for d in range(problem.depots)],
        vehicle_types=trucks,
        distance_matrices=[problem.distance_m],
        duration_matrices=[problem.drive_s],
    )
