"""Mixed fleets from several depots: engines, files, dropping, and the validator."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.domain.errors import InvalidInput
from policies.routing.files import route_file
from policies.routing.fleet import (
    FleetPlan,
    FleetProblem,
    TruckType,
    check_fleet_plan,
    fleet_cost,
    fleet_metres,
)
from policies.routing.fleet_engine import FleetRouter
from policies.routing.fleet_files import has_several_depots, read_fleet_instance
from policies.routing.ruin_recreate import RuinRecreate

KM = 1_000


def a_fleet(stops=20, depots=2, seed=1, **changed):
    """Stops on a square of 100 km with windows; trucks of 100 kg; speed a metre a second."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(0, 100 * KM, (depots + stops, 2))
    metres = np.sqrt(((place[:, None] - place[None]) ** 2).sum(axis=2)).astype(np.int64)
    opens = rng.integers(0, 200, stops) * KM
    truck = TruckType(0, stops, 100.0, 1.0, 500 * KM, 0, 10**7)
    fields = {
        "trucks": tuple(replace(truck, depot=d) for d in range(depots)),
        "depots": depots,
        "distance_m": metres,
        "drive_s": metres,
        "service_s": np.full(stops, 5 * KM, dtype=np.int64),
        "opens_s": opens.astype(np.int64),
        "closes_s": (opens + 150 * KM).astype(np.int64),
        "kg": rng.uniform(5, 40, stops),
        "m3": np.zeros(stops),
        "drop_metres": np.full(stops, 10**8, dtype=np.int64),
    }
    return FleetProblem(**(fields | changed))


def best_of_all(problem):
    """Every partition into tours, every order and truck: for a handful of stops."""
    size = len(problem.kg)
    alone = {}
    for count in range(1, size + 1):
        for tour in itertools.permutations(range(size), count):
            stops = np.array(tour)
            for kind in range(len(problem.trucks)):
                part = FleetPlan(((kind, tour),))
                others = tuple((i, "elsewhere") for i in range(size) if i not in tour)
                if check_fleet_plan(problem, FleetPlan(part.tours, others)) == []:
                    cost = fleet_metres(problem, part) + problem.trucks[kind].fixed_metres
                    key = frozenset(stops.tolist())
                    alone[key] = min(alone.get(key, cost), cost)
    best = {frozenset(): 0}
    for i in range(size):
        for done in [d for d in best if i not in d]:
            rest = best[done] + int(problem.drop_metres[i])
            best[done | {i}] = min(best.get(done | {i}, rest), rest)
        for group, cost in alone.items():
            if max(group) != i:
                continue
            for done in [d for d in best if not d & group]:
                key = done | group
                best[key] = min(best.get(key, best[done] + cost), best[done] + cost)
    return best[frozenset(range(size))]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(0, 25),
    st.integers(1, 4),
    st.integers(1, 10),
    st.floats(20, 300),
)
def test_every_plan_is_sound_in_any_world(seed, stops, depots, hours, capacity):
    """Short shifts and small trucks leave stops out with a reason, never break a limit."""
    problem = a_fleet(stops, depots, seed)
    trucks = tuple(
        replace(t, shift_s=hours * 60 * KM, capacity_kg=capacity, tours=3) for t in problem.trucks
    )
    problem = replace(problem, trucks=trucks)
    plan = RuinRecreate(iterations=200, seed=seed).solve(problem)
    assert check_fleet_plan(problem, plan) == []


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_small_plans_are_the_best_of_all(seed):
    """Two depots, two sizes of truck with their own fixed cost."""
    problem = a_fleet(6, 2, seed)
    small, large = replace(problem.trucks[0], capacity_kg=60.0, fixed_metres=10 * KM), replace(
        problem.trucks[1], fixed_metres=40 * KM
    )  # fmt: skip
    problem = replace(problem, trucks=(small, large))
    plan = RuinRecreate(iterations=3_000, seed=seed).solve(problem)
    assert fleet_cost(problem, plan) == best_of_all(problem)


def test_a_stop_is_dropped_where_its_expected_shortage_costs_less_than_the_detour():
    problem = a_fleet(6, 2, 1)
    cheap = problem.drop_metres.copy()
    cheap[2] = 1
    problem = replace(problem, drop_metres=cheap)
    plan = RuinRecreate(iterations=2_000).solve(problem)
    assert [i for i, _ in plan.unserved] == [2]
    assert fleet_cost(problem, plan) == best_of_all(problem)


def test_equal_seeds_and_rounds_give_equal_plans():
    problem = a_fleet(40, 3)
    one, two = (RuinRecreate(iterations=500, seed=7).solve(problem) for _ in range(2))
    assert one == two


def test_a_start_is_never_made_worse():
    problem = a_fleet(40, 3)
    first = RuinRecreate(iterations=3_000).solve(problem)
    again = RuinRecreate(iterations=50, seed=9).solve(problem, first)
    assert fleet_cost(problem, again) <= fleet_cost(problem, first)


def test_a_start_that_can_no_longer_be_driven_is_planned_anew():
    problem = a_fleet(20, 2)
    every = FleetPlan(((0, tuple(range(20))),))
    plan = RuinRecreate(iterations=300).solve(problem, every)
    assert check_fleet_plan(problem, plan) == []
    assert not plan.unserved


@pytest.mark.parametrize("engine", ["ortools", "savings", "ruin-recreate"])
def test_every_engine_serves_all_and_is_sound(engine):
    problem = a_fleet(30, 3)
    plan = FleetRouter(engine, seconds=1.0).solve(problem)
    assert check_fleet_plan(problem, plan) == []
    assert not plan.unserved


def test_several_depots_come_within_two_percent_of_pyvrp():
    """60 stops, two seconds each; in minutes of work per place, not in luck."""
    pytest.importorskip("pyvrp")
    problem = a_fleet(60, 4, 3)
    ours, theirs = (
        FleetRouter(engine, seconds=2.0).solve(problem) for engine in ("ortools", "pyvrp")
    )
    assert check_fleet_plan(problem, theirs) == []
    assert fleet_cost(problem, ours) <= 1.02 * fleet_cost(problem, theirs)


def test_the_validator_sees_double_visits_wrong_trucks_and_heavy_loads():
    problem = a_fleet(3, 2, kg=np.array([60.0, 60.0, 10.0]))
    heavy = check_fleet_plan(problem, FleetPlan(((0, (0, 1)), (1, (2,)))))
    assert any("carries" in fault for fault in heavy)
    twice = check_fleet_plan(problem, FleetPlan(((0, (0,)), (1, (0, 2)))))
    assert any("2 times" in fault for fault in twice)
    assert any("0 times" in fault for fault in twice)
    few = replace(problem, trucks=tuple(replace(t, tours=1) for t in problem.trucks))
    many = check_fleet_plan(few, FleetPlan(((0, (0,)), (0, (1,)), (1, (2,)))))
    assert any("at most 1" in fault for fault in many)


VRPLIB = """NAME: TWO
TYPE: MDVRPTW
EDGE_WEIGHT_TYPE: EUC_2D
DIMENSION: 5
VEHICLES: 4
CAPACITY: 10
VEHICLES_MAX_DURATION: 100
NODE_COORD_SECTION
1 0 0
2 100 0
3 0 10
4 100 10
5 90 0
DEMAND_SECTION
1 0
2 0
3 5
4 5
5 5
TIME_WINDOW_SECTION
1 0 1000
2 0 1000
3 0 500
4 20 500
5 0 500
SERVICE_TIME_SECTION
1 0
2 0
3 2
4 2
5 2
VEHICLES_DEPOT_SECTION
1 1
2 1
3 2
4 2
DEPOT_SECTION
1
2
-1
EOF
"""
CORDEAU = """6 2 3 2
100 10
100 10
1 0 10 2 5 1 2 1 2 0 500
2 100 10 2 5 1 2 1 2 20 500
3 90 0 2 5 1 2 1 2 0 500
4 0 0 0 0 0 0 0 1000
5 100 0 0 0 0 0 0 1000
"""


@pytest.mark.parametrize(("text", "unit"), [(VRPLIB, 1), (CORDEAU, 1_000)])
def test_both_formats_read_as_the_same_world(text, unit):
    assert has_several_depots(text)
    problem = read_fleet_instance(text).problem
    assert [t.depot for t in problem.trucks] == [0, 1]
    assert {t.tours for t in problem.trucks} == {2}
    assert {t.shift_s for t in problem.trucks} == {100 * unit}
    assert {t.returns_until_s for t in problem.trucks} == {1_000 * unit}
    assert problem.distance_m[0, 2] == 10 * unit
    assert problem.opens_s.tolist() == [0, 20 * unit, 0]
    assert problem.service_s.tolist() == [2 * unit] * 3


@pytest.mark.parametrize("text", [VRPLIB, CORDEAU])
def test_a_file_with_several_depots_is_solved_and_checked(text, tmp_path):
    """Stop 3 from depot 0; stops 4 and 5 share a truck of depot 1."""
    path = tmp_path / "two.txt"
    path.write_text(text)
    result = route_file(path, "savings")
    assert result["feasible"]
    assert sorted(zip(result["depots"], map(sorted, result["routes"]), strict=True)) == [
        (0, [2]),
        (1, [3, 4]),
    ]
    assert result["cost"] == pytest.approx(20 + 10 + 10 + 200**0.5, abs=1)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("CAPACITY: 10\n", "", "CAPACITY"),
        ("4 2\nDEPOT", "4 9\nDEPOT", "VEHICLES_DEPOT_SECTION"),
        ("DEPOT_SECTION\n1\n2", "DEPOT_SECTION\n2\n3", "DEPOT_SECTION"),
        ("3 0 500\n", "3 0\n", "TIME_WINDOW_SECTION"),
        ("EUC_2D", "GEO", "EDGE_WEIGHT_TYPE"),
    ],
)
def test_a_bad_file_is_named_by_its_section(old, new, field):
    assert old in VRPLIB
    with pytest.raises(InvalidInput) as caught:
        read_fleet_instance(VRPLIB.replace(old, new))
    assert caught.value.field == field


def test_a_short_cordeau_file_is_refused():
    with pytest.raises(InvalidInput, match="3 customers and 2 depots"):
        read_fleet_instance(CORDEAU.rsplit("\n", 2)[0])


@pytest.mark.parametrize(
    "change",
    [
        {"trucks": ()},
        {"kg": np.full(20, np.nan)},
        {"distance_m": np.zeros((3, 3), dtype=np.int64)},
        {"trucks": (TruckType(5, 1, 1.0, 1.0, 1, 0, 1),)},
    ],
)
def test_an_impossible_fleet_is_refused(change):
    with pytest.raises(InvalidInput):
        a_fleet(20, 2, **change)


def test_a_truck_that_carries_nothing_is_refused():
    with pytest.raises(InvalidInput, match="carries nothing"):
        TruckType(0, 1, 0.0, 1.0, 1, 0, 1)
