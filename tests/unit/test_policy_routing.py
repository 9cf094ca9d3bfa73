"""Engines, validator and files of the routing family."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.domain.errors import InvalidInput
from policies.registry import build_bundle
from policies.routing import local_search
from policies.routing.files import ENGINES, route_file
from policies.routing.ortools_engine import OrToolsRouter
from policies.routing.problem import Plan, RoutingProblem, plan_metres, problems_of, tour_metres
from policies.routing.savings import SavingsRouter
from policies.routing.schedule import impossible, schedule
from policies.routing.validator import check_plan, check_routes
from policies.routing.vrplib import read_cost, read_instance
from tests.shared_data import shared
from tests.unit.domain_networks import small_network
from tests.unit.policy_tours import a_problem
from tests.unit.policy_views import a_view

SOLOMON = """TINY

VEHICLE
NUMBER     CAPACITY
  2         10

CUSTOMER
CUST NO.  XCOORD.  YCOORD.  DEMAND  READY TIME  DUE DATE  SERVICE TIME

 0  0  0  0  0  100  0
 1  3  4  5  0  50   1
 2  6  8  5  20 60   1
 3  0  7  5  0  50   1
"""
VRPLIB = """NAME : TINY
TYPE : CVRP
DIMENSION : 3
EDGE_WEIGHT_TYPE : EUC_2D
CAPACITY : 10
NODE_COORD_SECTION
1 0 0
2 3 4
3 1 1
DEMAND_SECTION
1 0
2 5
3 5
DEPOT_SECTION
1
-1
EOF
"""


def engines(seconds: float = 0.3) -> dict[str, SavingsRouter | OrToolsRouter]:
    """One of each that is always installed."""
    return {"savings": SavingsRouter(), "ortools": OrToolsRouter(seconds=seconds)}


@pytest.mark.parametrize("engine", ["savings", "ortools"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_engine_makes_a_plan_without_fault(engine, seed):
    """Loads, windows, shifts and coverage as recomputed by the validator."""
    problem = a_problem(15, seed)
    plan = engines()[engine].solve(problem)
    assert check_plan(problem, plan) == []
    assert not plan.unserved


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 25), st.floats(0.02, 1.0), st.integers(1, 12))
def test_savings_tours_are_valid_in_any_world(seed, stops, size, hours):
    """Small trucks and short shifts leave stops out with a reason, never break a limit."""
    problem = a_problem(stops, seed)
    problem = replace(
        problem,
        capacity_kg=9_000 * size,
        capacity_m3=40 * size,
        shift_s=hours * 3_600,
    )
    plan = SavingsRouter().solve(problem)
    assert check_plan(problem, plan) == []
    alone = {i for i in range(stops) if not check_plan_of_one(problem, i)}
    assert {i for i, _ in plan.unserved} == set(range(stops)) - alone


def check_plan_of_one(problem, stop):
    """Faults of visiting `stop` alone."""
    others = tuple((i, "elsewhere") for i in range(len(problem.stops)) if i != stop)
    return check_plan(problem, Plan(((stop,),), others))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 7))
def test_the_schedule_is_the_shortest_that_any_departure_gives(seed, stops):
    """Held against driving the tour from every minute of the morning."""
    problem = a_problem(stops, seed, shift_s=2**40, capacity_kg=1e6, capacity_m3=1e3)
    tour = tuple(np.random.default_rng(seed).permutation(stops).tolist())
    durations = []
    for start in range(problem.departs_s, 16 * 3_600, 60):
        at, node = start, 0
        for i in tour:
            at += int(problem.drive_s[node, i + 1])
            if at > problem.closes_s[i]:
                break
            at = max(at, int(problem.opens_s[i])) + 900
            node = i + 1
        else:
            durations.append(at + int(problem.drive_s[node, 0]) - start)
    times = schedule(problem, tour)
    assert (times is None) == (not durations) or times.departs_s % 60
    if times is not None and durations:
        assert times.returns_s - times.departs_s <= min(durations)
    assert (check_plan(problem, Plan((tour,))) == []) == (times is not None)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 25), st.floats(0.2, 3.0))
def test_local_search_ends_where_no_move_gains(seed, stops, size):
    """Moves passed over because their tours have not changed hide no gain."""
    problem = a_problem(stops, seed)
    problem = replace(problem, kg=np.minimum(problem.kg * size, problem.capacity_kg))
    tours = [[i] for i in range(stops) if not impossible(problem).get(i)]
    table, length = np.full((stops, stops), -1), np.zeros(stops, dtype=np.int64)
    for r, tour in enumerate(tours):
        table[r, 0], length[r] = tour[0], 1
    local_search.improve(problem, table, length, rounds=500, neighbours=20, tour_metres=36_000)
    before = table.copy(), length.copy()
    local_search.improve(problem, table, length, rounds=1, neighbours=20, tour_metres=36_000)
    assert (length == before[1]).all()
    assert all((table[r, :n] == before[0][r, :n]).all() for r, n in enumerate(length))


def test_local_search_shortens_and_never_breaks_a_limit():
    """More sweeps, fewer metres."""
    problem = a_problem(60, 4)
    rough, fine = (SavingsRouter(improvement_rounds=n, tour_metres=0) for n in (0, 50))
    assert plan_metres(problem, fine.solve(problem)) < plan_metres(problem, rough.solve(problem))
    assert check_plan(problem, fine.solve(problem)) == []


def test_the_search_is_never_longer_than_its_start():
    """The cheap plan is kept where the search finds no better one."""
    problem = a_problem(40, 5)
    cheap = SavingsRouter(tour_metres=0).solve(problem)
    found = OrToolsRouter(seconds=0.5, tour_metres=0).solve(problem)
    assert plan_metres(problem, found) <= plan_metres(problem, cheap)


def test_a_limit_on_solutions_makes_the_search_repeatable():
    """Wall clock is no part of the answer then."""
    router = OrToolsRouter(seconds=30, solutions=40)
    problem = a_problem(25, 6)
    assert router.solve(problem) == router.solve(problem)


def test_yesterdays_tours_are_kept_where_nothing_is_lost():
    """A start from them comes back unchanged when the search may not look further."""
    problem = a_problem(20, 7)
    yesterday = OrToolsRouter(seconds=1).solve(problem)
    places = tuple(tuple(int(problem.stops[i]) for i in tour) for tour in yesterday.tours)
    again = OrToolsRouter(seconds=0.5, previous=places).solve(problem)
    assert check_plan(problem, again) == []
    kept = {frozenset(t) for t in again.tours} & {frozenset(t) for t in yesterday.tours}
    assert len(kept) >= len(yesterday.tours) // 2


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"closes_s": np.array([0, 90_000])}, "window is empty"),
        ({"closes_s": np.array([14_401, 90_000]), "opens_s": np.array([0, 0])}, "can't arrive"),
        ({"service_s": np.array([50_000, 900])}, "longer than a shift"),
        ({"kg": np.array([10_000.0, 5.0])}, "more than a truck"),
    ],
)
@pytest.mark.parametrize("engine", ["savings", "ortools"])
def test_a_stop_that_no_tour_can_serve_is_left_out_with_its_reason(engine, changed, reason):
    """Never "no solution"."""
    problem = a_problem(2, 3, **changed)
    plan = engines()[engine].solve(problem)
    assert [i for i, _ in plan.unserved] == [0]
    assert reason in plan.unserved[0][1]
    assert plan.tours == ((1,),)


def test_a_load_of_three_trucks_becomes_three_stops():
    """Each part fits; the location is visited three times."""
    network = small_network(stores=3)
    fleet = replace(network.fleet, unload_seconds_per_case=0.1)
    network = replace(network, fleet=fleet)
    view = a_view(network, level=9_000.0, stock=0)
    on_hand = np.array(view.on_hand)
    on_hand[0] = 1_000_000
    view = a_view(network, level=9_000.0, stock=0, on_hand=on_hand)
    decision = build_bundle("base-stock").decide(view)
    (problem,) = problems_of(view, decision.lines)
    assert len(problem.stops) > 3
    assert check_routes(view, decision.lines, decision.routes, decision.unserved) == []
    assert {stop for route in decision.routes for stop in route.stops} == {1, 2, 3}


@pytest.mark.parametrize("damage", range(8))
def test_the_validator_sees_each_kind_of_fault(damage):
    """A plan damaged in one way is refused in words."""
    problem = a_problem(14, 8)
    plan = SavingsRouter().solve(problem)
    first, *rest = plan.tours
    broken = {
        0: (problem, Plan(tuple(rest))),
        1: (problem, Plan((*plan.tours, first))),
        2: (problem, Plan((sum(plan.tours, ()),))),
        3: (replace(problem, closes_s=problem.opens_s - 1), plan),
        4: (replace(problem, shift_s=600), plan),
        5: (replace(problem, tours=1), plan),
        6: (problem, Plan(tuple(rest), tuple((i, " ") for i in first))),
        7: (replace(problem, returns_until_s=5 * 3_600), plan),
    }[damage]
    assert check_plan(*broken)


def test_a_route_that_lies_about_its_times_or_metres_is_seen():
    """What a route states is recomputed."""
    network = small_network(stores=6)
    view = a_view(network, level=30.0, stock=0)
    on_hand = np.array(view.on_hand)
    on_hand[0] = 100_000
    view = a_view(network, level=30.0, stock=0, on_hand=on_hand)
    decision = build_bundle("base-stock").decide(view)
    lines, routes = decision.lines, decision.routes
    assert check_routes(view, lines, routes, ()) == []
    for change in (
        {"metres": 1},
        {"returns_s": routes[0].returns_s + 1},
        {"kg": 0.0},
        {"departs_s": 0},
        {"stops": routes[0].stops[::-1]} if len(routes[0].stops) > 1 else {"metres": 2},
        {"warehouse": 4},
    ):
        assert check_routes(view, lines, (replace(routes[0], **change), *routes[1:]), ())
    assert check_routes(view, lines, routes[1:], ())


def test_negative_or_missing_distances_are_refused():
    """Named by field."""
    good = a_problem(3)
    for name in ("distance_m", "kg"):
        value = getattr(good, name).copy()
        value.flat[1] = -1
        with pytest.raises(InvalidInput) as caught:
            replace(good, **{name: value})
        assert name in caught.value.field
    with pytest.raises(InvalidInput):
        replace(good, kg=np.array([np.nan, 1, 1]))
    with pytest.raises(InvalidInput):
        replace(good, kg=np.zeros(2))


def test_conventions_of_the_public_sets():
    """CVRPLIB rounds to the nearest integer, Solomon truncates to one decimal."""
    assert read_instance(VRPLIB).problem.distance_m.tolist() == [[0, 5, 1], [5, 0, 4], [1, 4, 0]]
    solomon = read_instance(SOLOMON)
    assert solomon.scale == 10
    assert solomon.problem.distance_m[1, 3] == 42  # sqrt(18) = 4.2426
    assert solomon.problem.tours == 2
    assert read_instance(VRPLIB, 100).problem.distance_m[0, 2] == 141


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("nonsense", "file"),
        (VRPLIB.replace("2 3 4", "2 3 x"), "NODE_COORD_SECTION"),
        (VRPLIB.replace("3 1 1\n", ""), "NODE_COORD_SECTION"),
        (VRPLIB.replace("CAPACITY : 10\n", ""), "CAPACITY"),
        (VRPLIB.replace("EUC_2D", "EXPLICIT"), "EDGE_WEIGHT_TYPE"),
        (SOLOMON.replace("  2         10", "two ten"), "VEHICLE"),
        (SOLOMON.replace(" 3  0  7  5  0  50   1", " 3 0 7"), "CUSTOMER"),
    ],
)
def test_a_broken_file_is_refused_by_field(text, field):
    """Nothing is guessed."""
    with pytest.raises(InvalidInput) as caught:
        read_instance(text)
    assert caught.value.field == field


def test_a_file_is_solved_and_answered_in_its_own_unit(tmp_path):
    """The optimum of three customers is known by hand."""
    path = tmp_path / "tiny.txt"
    path.write_text(SOLOMON)
    for engine in ("savings", "ortools"):
        answer = route_file(path, engine=engine, seconds=0.2)
        assert answer["feasible"]
        # {1} alone: 5 + 5, and {2, 3}: 10 + 6.0 + 7.
        assert answer["cost"] == 33.0
    with pytest.raises(InvalidInput) as caught:
        route_file(path, engine="vroom")
    assert "savings" in str(caught.value)


def test_an_absent_optional_engine_says_how_to_get_it(tmp_path, monkeypatch):
    """Not an ImportError from the depth."""
    import sys

    monkeypatch.setitem(sys.modules, "pyvrp", None)
    path = tmp_path / "tiny.txt"
    path.write_text(SOLOMON)
    with pytest.raises(InvalidInput, match="not installed"):
        route_file(path, engine="pyvrp")


def test_pyvrp_answers_like_the_others(tmp_path):
    """Where it is installed."""
    pytest.importorskip("pyvrp")
    path = tmp_path / "tiny.txt"
    path.write_text(SOLOMON)
    answer = route_file(path, engine="pyvrp", seconds=0.2)
    assert (answer["cost"], answer["feasible"]) == (33.0, True)


@pytest.mark.parametrize(("name", "most"), [("X-n101-k25.vrp", 0.05), ("R101.txt", 0.08)])
def test_the_cheap_engine_is_near_the_best_known(name, most):
    """5 % with capacity, 8 % with narrow windows, in milliseconds."""
    path = shared(f"reference/routing/{name}")
    best = read_cost(path.with_suffix(".sol").read_text())
    answer = route_file(path, engine="savings")
    assert answer["feasible"]
    assert answer["cost"] <= best * (1 + most)


def test_the_best_known_plans_pass_the_validator():
    """The validator agrees with the literature on cost and feasibility."""
    for name in ("X-n101-k25.vrp", "R101.txt", "C101.txt"):
        path = shared(f"reference/routing/{name}")
        solution = path.with_suffix(".sol").read_text()
        instance = read_instance(path.read_text())
        tours = tuple(
            tuple(int(x) - 1 for x in line.partition(":")[2].split())
            for line in solution.splitlines()
            if line.startswith("Route")
        )
        assert check_plan(instance.problem, Plan(tours)) == []
        cost = sum(tour_metres(instance.problem, tour) for tour in tours) / instance.scale
        assert cost == pytest.approx(read_cost(solution), abs=1e-6)


@pytest.mark.benchmark
@pytest.mark.parametrize("engine", sorted(ENGINES))
@pytest.mark.parametrize("name", ["X-n101-k25.vrp", "R101.txt", "C101.txt"])
def test_gap_to_the_best_known_after_ten_seconds(engine, name):
    """Printed for the dated table; within 6 %."""
    if engine == "pyvrp":
        pytest.importorskip("pyvrp")
    path = shared(f"reference/routing/{name}")
    best = read_cost(path.with_suffix(".sol").read_text())
    answer = route_file(path, engine=engine, seconds=10)
    gap = answer["cost"] / best - 1
    print(f"{name} {engine} {answer['cost']} gap {gap:.2%} in {answer['seconds']} s")
    assert answer["feasible"]
    assert gap <= (0.08 if engine == "savings" else 0.04)


def test_a_problem_without_stops_has_an_empty_plan():
    """A quiet day."""
    problem: RoutingProblem = a_problem(0)
    for engine in engines().values():
        assert engine.solve(problem) == Plan(())
