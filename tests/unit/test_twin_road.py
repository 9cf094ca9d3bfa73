"""Traffic, breakdowns and drivers' hours on the road, by hand and in a run."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from policies.domain.decision import LineKind
from policies.domain.errors import ScenarioInvalid
from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from tests.unit.domain_networks import small_network
from tests.unit.twin_worlds import HOUR, world
from twin.loads import Load
from twin.processes import BreakdownRules, DriverRules, ToteRules, TrafficRules
from twin.road import Road
from twin.run import simulate
from twin.scenario import Scenario

BUNDLE = build_bundle("incumbent", {"reviews_per_week": 7})
STOP_S = 15 * 60


def load_to(place: int) -> Load:
    """An empty load: unloading takes the fixed time of a stop."""
    none = np.zeros(0, dtype=np.int32)
    return Load(0, LineKind.REPLENISH, 0, place, -1, none, none, none, 0)


def road(km: float, seed: int = 1, **rules) -> Road:
    """A road of `km` from the warehouse to each of two stores, driven at 60 km/h."""
    network = small_network()
    metres = np.full((3, 3), int(km * 1_000)) - np.diag(np.full(3, int(km * 1_000)))
    fleet = dataclasses.replace(network.fleet, speed_km_per_hour=60.0)
    until = np.full(3, 86_399, dtype=np.int32)
    places = dataclasses.replace(
        network.locations, receives_from_s=until * 0, receives_until_s=until
    )
    network = dataclasses.replace(network, distance_m=metres, fleet=fleet, locations=places)
    return Road(world(network=network, **rules), seed, 0)


def test_traffic_slows_each_hour_by_its_own_factor():
    """From 7:30: half an hour at full speed is 30 km, then half speed, 10 km more in 20 min."""
    factors = tuple(0.5 if hour == 8 else 1.0 for hour in range(24))
    tour = road(40, traffic=TrafficRules(factors)).tour(0, [load_to(1)], 7 * HOUR + 1800)
    assert tour.stops[0].arrives_s == 8 * HOUR + 20 * 60
    # Unloaded at 8:35 it drives 12.5 km until nine and the rest at 60 km/h.
    assert tour.returns_s == pytest.approx(9 * HOUR + 27.5 * 60, abs=1)
    assert tour.metres == 80_000


def test_factors_of_one_change_nothing():
    plain = road(37).tour(0, [load_to(1), load_to(2)], 5 * HOUR)
    even = road(37, traffic=TrafficRules((1.0,) * 24)).tour(0, [load_to(1), load_to(2)], 5 * HOUR)
    times = [[stop.arrives_s for stop in tour.stops] + [tour.returns_s] for tour in (plain, even)]
    assert times[0] == times[1]


def test_a_driver_takes_45_minutes_after_4_5_hours_and_stops_after_9():
    """300 km out is 4.5 h, 45 min, half an hour; back he has 4 h and then 11 h of rest."""
    tour = road(300, drivers=DriverRules(regulated=True)).tour(0, [load_to(1)], 4 * HOUR)
    assert tour.stops[0].arrives_s == 4 * HOUR + 5 * HOUR + 45 * 60
    left = tour.stops[0].unloaded_s
    assert left == tour.stops[0].arrives_s + STOP_S
    assert tour.returns_s == left + 5 * HOUR + 11 * HOUR
    free = road(300).tour(0, [load_to(1)], 4 * HOUR)
    assert tour.returns_s - free.returns_s == 45 * 60 + 11 * HOUR


def test_a_drive_that_ends_with_the_permitted_time_needs_no_break():
    """270 km are 4.5 h to the second: the break comes before the way back."""
    roads = road(270, drivers=DriverRules(regulated=True))
    tour = roads.tour(0, [load_to(1)], 0)
    assert tour.stops[0].arrives_s == 4.5 * HOUR
    assert tour.returns_s == tour.stops[0].unloaded_s + 45 * 60 + 4.5 * HOUR
    assert roads.counters() == {"driver_breaks": 1}


def test_breakdowns_come_by_the_kilometre_and_last_as_long_as_repairs():
    """4,000 tours of 2 × 100 km at 0.5 a 1,000 km, within 5 standard deviations."""
    rules = BreakdownRules(per_1000_km=0.5, repair_hours=2.0)
    roads = road(100, breakdowns=rules)
    tours = [roads.tour(0, [load_to(1)], day * 86_400) for day in range(4_000)]
    share, legs = -math.expm1(-0.05), 8_000
    sd = math.sqrt(legs * share * (1 - share))
    assert abs(roads.breakdowns - legs * share) < 5 * sd
    late = sum(tour.returns_s - tour.departs_s for tour in tours) - 4_000 * (2 * 6_000 + STOP_S)
    assert late / roads.breakdowns == pytest.approx(2 * HOUR, rel=5 / math.sqrt(roads.breakdowns))
    assert {tour.starts for tour in tours} == {1}
    assert roads.counters()["emergency_runs"] == 0


def test_a_relief_truck_shortens_the_delay_and_is_an_emergency_run():
    """Same seed, same breakdowns: a delay is never longer than it takes relief to come."""
    rules = BreakdownRules(per_1000_km=2.0, repair_hours=6.0)
    sent = dataclasses.replace(rules, relief_share=1.0, relief_hours=1.0)
    alone, helped = road(100, breakdowns=rules), road(100, breakdowns=sent)
    runs = 0
    for day in range(300):
        slow = alone.tour(0, [load_to(1)], day * 86_400)
        quick = helped.tour(0, [load_to(1)], day * 86_400)
        delay = quick.stops[0].arrives_s - day * 86_400 - 6_000
        assert delay == min(slow.stops[0].arrives_s - day * 86_400 - 6_000, HOUR)
        relieved = quick.starts - 1
        runs += relieved
        assert quick.metres == 200_000 + relieved * 100_000
        if relieved:
            assert quick.repaired_s > quick.stops[0].arrives_s
    assert helped.emergency_runs == runs > 20
    assert alone.breakdowns == helped.breakdowns


def chain(**rules) -> Scenario:
    network, demand = generate_chain(stores=8, skus=20, days=28, lines_per_store_day=60, seed=5)
    return Scenario("road", network, demand, 0, 28, opening_cover_days=4.0, **rules)


def test_breakdowns_make_a_run_later_and_dearer_and_nothing_else():
    """Receipts come later, kilometres of relief trucks are counted, demand is what it was."""
    plain = simulate(chain(), BUNDLE, seed=1)
    rules = BreakdownRules(20.0, 10.0, relief_share=0.5, relief_hours=2.0)
    worn = simulate(chain(breakdowns=rules), BUNDLE, seed=1)
    assert worn.counters["breakdowns"] > worn.counters["emergency_runs"] > 0
    lines = [run.facts.get("replenishment_lines").sum() for run in (plain, worn)]
    seconds = [run.facts.get("replenishment_seconds").sum() for run in (plain, worn)]
    assert seconds[1] / lines[1] > seconds[0] / lines[0] + 600
    starts = worn.facts.get("route_starts_micro").sum() / 1e6
    ended = worn.counters["tours"] + worn.counters["emergency_runs"]
    assert ended - 8 <= starts <= ended
    assert (worn.demanded_per_sku == plain.demanded_per_sku).all()
    assert worn.facts.get("stops_on_time").sum() < plain.facts.get("stops_on_time").sum()


def test_a_truck_takes_the_empties_of_the_load_before_on_board():
    """Ten cases are three totes; the second visit takes them, and so a minute and a half more."""
    roads = road(60, totes=ToteRules(4.0, 30.0))
    load = dataclasses.replace(load_to(1), shipped_cases=10)
    tours = [roads.tour(0, [load], day * 86_400) for day in (0, 1, 2)]
    took = [tour.stops[0].unloaded_s - tour.stops[0].begins_s for tour in tours]
    assert took[1] - took[0] == took[2] - took[0] == 90
    assert roads.counters() == {"totes_out": 9, "totes_back": 6}
    # Another store has empties of its own.
    other = roads.tour(0, [dataclasses.replace(load, destination=2)], 3 * 86_400)
    assert other.stops[0].unloaded_s - other.stops[0].begins_s == took[0]


def test_totes_that_went_out_are_back_or_at_stores():
    result = simulate(chain(totes=ToteRules(3.0)), BUNDLE, seed=1)
    out, back = result.counters["totes_out"], result.counters["totes_back"]
    assert out > back > 0
    plain = simulate(chain(), BUNDLE, seed=1)
    assert result.facts.get("route_seconds").sum() > plain.facts.get("route_seconds").sum()


def test_a_breakdown_belongs_to_a_road_and_a_day_whatever_the_policy():
    rules = BreakdownRules(per_1000_km=3.0)
    one, two = road(100, breakdowns=rules), road(100, breakdowns=rules)
    for day in range(50):
        first = one.tour(0, [load_to(1), load_to(2)], day * 86_400)
        two.tour(0, [load_to(2)], day * 86_400)
        second = two.tour(0, [load_to(1)], day * 86_400)
        assert first.stops[0].arrives_s == second.stops[0].arrives_s


@pytest.mark.parametrize(
    ("key", "make"),
    [
        ("breakdowns.relief_share", lambda: BreakdownRules(relief_share=1.5)),
        ("breakdowns.per_1000_km", lambda: BreakdownRules(per_1000_km=-1.0)),
        ("traffic.speed_factors", lambda: TrafficRules((1.0, 0.5))),
        ("traffic.speed_factors", lambda: TrafficRules((0.0,) * 24)),
        ("drivers.drive_per_day_hours", lambda: DriverRules(drive_per_day_hours=0.0)),
    ],
)
def test_impossible_roads_are_refused_by_name(key, make):
    with pytest.raises(ScenarioInvalid) as caught:
        make()
    assert caught.value.field == key
    assert caught.value.remedy
