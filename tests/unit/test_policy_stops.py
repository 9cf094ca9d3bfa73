"""A plan explained stop by stop agrees with driving it."""

from __future__ import annotations

import itertools

import pytest

from policies.routing.files import route_file
from policies.routing.problem import Plan, plan_metres
from policies.routing.savings import SavingsRouter
from policies.routing.stops import explain_stops
from tests.unit.policy_tours import a_problem
from tests.unit.test_policy_fleet import VRPLIB


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_stop_is_told_in_driving_order_with_its_own_detour(seed):
    problem = a_problem(20, seed)
    plan = SavingsRouter().solve(problem)
    told = explain_stops(problem, plan)
    assert [one.stop for one in told] == [i for tour in plan.tours for i in tour]
    for one in told:
        without = tuple(
            tuple(i for i in tour if i != one.stop) for tour in plan.tours if tour != (one.stop,)
        )
        shorter = plan_metres(problem, plan) - plan_metres(problem, Plan(without))
        assert one.detour_metres == shorter
        assert one.slack_s == problem.closes_s[one.stop] - one.arrives_s >= 0
        assert one.waits_s == max(problem.opens_s[one.stop] - one.arrives_s, 0)
        assert 0 < one.load_share <= 1


def test_arrivals_follow_each_other_by_work_and_drive():
    problem = a_problem(20, 4)
    told = explain_stops(problem, SavingsRouter().solve(problem))
    for one, two in itertools.pairwise(told):
        if one.tour == two.tour:
            leaves = one.arrives_s + one.waits_s + problem.service_s[one.stop]
            assert two.arrives_s == leaves + problem.drive_s[one.stop + 1, two.stop + 1]


def test_a_tour_that_cannot_be_driven_is_left_out():
    problem = a_problem(5, 1, shift_s=1)
    assert explain_stops(problem, Plan(((0, 1),))) == []


def test_the_command_tells_each_stop_of_a_file_with_several_depots(tmp_path):
    path = tmp_path / "two.txt"
    path.write_text(VRPLIB)
    result = route_file(path, "savings")
    told = [(one["route"], one["customer"]) for one in result["stops"]]
    assert told == [(r, c) for r, route in enumerate(result["routes"]) for c in route]
    assert all(one["slack"] >= 0 for one in result["stops"])
