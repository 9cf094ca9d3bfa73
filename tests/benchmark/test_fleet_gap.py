"""How far plans from several depots lie above another engine's, on worlds made here."""

from __future__ import annotations

import numpy as np
import pytest

from policies.routing.fleet import FleetProblem, TruckType, check_fleet_plan, fleet_cost
from policies.routing.fleet_engine import FleetRouter

SCALE = 1_000


def made(seed, stops=360, depots=4):
    """A square of 200, windows of 90–180 in a day of 1000, tours of at most 500."""
    rng = np.random.default_rng(seed)
    place = np.concatenate([rng.uniform(-50, 50, (depots, 2)), rng.uniform(-100, 100, (stops, 2))])
    apart = np.sqrt(((place[:, None] - place[None]) ** 2).sum(axis=2)) * SCALE
    metres = np.floor(apart + 0.5).astype(np.int64)
    opens = rng.integers(60, 400, stops) * SCALE
    day = TruckType(0, 16, 200.0, 1.0, 500 * SCALE, 0, 1_000 * SCALE)
    trucks = tuple(
        TruckType(d, day.tours, day.capacity_kg, 1.0, day.shift_s, 0, day.returns_until_s)
        for d in range(depots)
    )
    return FleetProblem(
        trucks,
        depots,
        metres,
        metres,
        (rng.integers(1, 25, stops) * SCALE).astype(np.int64),
        opens.astype(np.int64),
        (opens + rng.integers(90, 180, stops) * SCALE).astype(np.int64),
        rng.integers(1, 25, stops).astype(float),
        np.zeros(stops),
        np.full(stops, 10**7, dtype=np.int64),
    )


@pytest.mark.benchmark
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_four_depots_with_360_stops_lie_within_six_percent_of_pyvrp(seed):
    """Ten seconds each, one thread."""
    pytest.importorskip("pyvrp")
    problem = made(seed)
    costs = {}
    for engine in ("ortools", "ruin-recreate", "pyvrp"):
        plan = FleetRouter(engine, seconds=10.0).solve(problem)
        assert check_fleet_plan(problem, plan) == []
        assert not plan.unserved
        costs[engine] = fleet_cost(problem, plan)
    shares = {name: f"{cost / costs['pyvrp'] - 1:+.2%}" for name, cost in costs.items()}
    print(f"seed {seed}: against pyvrp {shares}")
    assert costs["ortools"] <= 1.06 * costs["pyvrp"]
