"""Each routing parameter of a bundle changes what it is about in the twin."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest

from policies.conformance import check_policy
from policies.delivery import EVERY_DAY, DeliveryCalendar
from policies.domain.errors import InvalidInput, UnknownLocation
from policies.registry import build_bundle
from policies.routing.loading import PUT_OFF
from policies.routing.rules import RoutingRules, shared_stops
from policies.routing.savings import SavingsRouter
from scenarios.history.generate import generate_chain
from tests.unit.domain_networks import small_network
from twin.result import RunResult, Trace
from twin.run import simulate
from twin.scenario import Scenario

KEPT = Trace(decisions=True)


@cache
def run(*params: tuple[str, object]) -> RunResult:
    """Three weeks of 16 stores under base stock, with `params` over daily reviews."""
    network, demand = generate_chain(
        stores=16, skus=20, days=21, lines_per_store_day=60, seed=5, warehouses=1
    )
    scenario = Scenario("knobs", network, demand, first_day=0, days=21, opening_cover_days=5.0)
    bundle = build_bundle("base-stock", {"warehouse_cover_days": 10.0, **dict(params)})
    return simulate(scenario, bundle, seed=1, trace=KEPT)


def tours_of(result: RunResult) -> list[list[tuple[int, ...]]]:
    """Stops of each evening's tours."""
    return [[route.stops for route in one.routes] for one in result.decisions]


def most_tours(result: RunResult) -> int:
    """Tours of the busiest evening."""
    return max(len(one) for one in tours_of(result))


def metres(result: RunResult) -> int:
    """Road of the whole run."""
    return int(result.facts.get("route_metres").sum())


@pytest.mark.parametrize(
    "params",
    [
        {"drop_penalty": 0.5},
        {"minimum_fill_share": 0.9},
        {"fill_up_share": 1.0},
        {"fill_up_share": 0.8, "drop_penalty": 2.0, "trucks_share": 0.5, "rounds": 1},
    ],
)
def test_a_policy_that_loads_keeps_every_promise(params):
    """Whole cases, nothing beyond what is available, the same lines in another order."""
    for seed in (1, 2):
        check_policy(build_bundle("base-stock", params), seed=seed)


def test_stores_are_reviewed_on_the_given_days_only():
    """Two days a week make two evenings of tours; the interval covers the days between."""
    network = small_network(stores=10)
    calendar = DeliveryCalendar(reviews_per_week=1, delivery_days=2)
    due = calendar.due_on_weekday(network)[1:]
    assert due.sum(axis=0).tolist() == [5, 0, 0, 5, 0, 0, 0]
    assert (due.sum(axis=1) == 1).all()
    # Reviewed on Monday of week 1: the next order comes a week and a day later.
    monday = np.flatnonzero(calendar.review_due(network, 7)[1:])
    assert (calendar.protection_days(network, 7)[1:][monday] == 8).all()
    few = run(("delivery_days", 2), ("reviews_per_week", 1))
    assert {i % 7 for i, one in enumerate(tours_of(few)) if one} == {0, 3}


def test_a_store_has_the_weekdays_of_its_pattern():
    """A pattern goes before the common rule; one of an unknown store is refused."""
    network = small_network(stores=3)
    calendar = DeliveryCalendar.of(7, 7, {"S1": "1000100"})
    due = calendar.due_on_weekday(network)
    assert due[2].astype(int).tolist() == [1, 0, 0, 0, 1, 0, 0]
    assert due[[0, 1, 3]].all()
    assert calendar.days_to_next(network, 0)[2] == 4
    assert EVERY_DAY.protection_days(network, 0)[1] == 2
    with pytest.raises(UnknownLocation, match="S9"):
        DeliveryCalendar.of(7, 7, {"S9": "1000000"}).due_on_weekday(network)
    with pytest.raises(InvalidInput, match="0000000"):
        DeliveryCalendar.of(7, 7, {"S1": "0000000"})


def test_fewer_trucks_and_rounds_make_fewer_tours():
    """The plan keeps to trucks × rounds, and what finds none comes back with its reason."""
    free, tight = run(), run(("trucks_share", 0.01), ("rounds", 1))
    assert most_tours(free) > 1
    assert most_tours(tight) == 1
    reasons = {one.reason for night in tight.decisions for one in night.unserved}
    assert reasons == {"no tour is left for it"}


def test_the_price_of_a_tour_reaches_the_router():
    """It stands in the bundle's router; a dearer tour is never made more often."""
    bundle = build_bundle("base-stock", {"tour_metres": 7})
    assert bundle.router == SavingsRouter(tour_metres=7)
    cheap, dear = run(("tour_metres", 0)), run(("tour_metres", 400_000))
    assert sum(map(len, tours_of(dear))) <= sum(map(len, tours_of(cheap)))


def test_stores_that_miss_little_are_put_off():
    """A low penalty leaves stores out and saves road; a high one leaves none out."""
    free, low, high = run(), run(("drop_penalty", 1.0)), run(("drop_penalty", 1e6))
    assert any(one.reason == PUT_OFF for night in low.decisions for one in night.unserved)
    assert metres(low) < metres(free)
    assert metres(high) == metres(free)
    put_off = next(night for night in low.decisions if night.unserved)
    waits = {one.location for one in put_off.unserved}
    assert not waits & set(put_off.lines.destination.tolist())


def test_thin_tours_are_put_off():
    """With a minimum fill fewer tours leave."""
    free, filled = run(), run(("minimum_fill_share", 0.9))
    assert sum(map(len, tours_of(filled))) < sum(map(len, tours_of(free)))


def test_room_on_trucks_is_filled_with_what_is_wanted_next():
    """Trucks leave fuller, with no tour more on any evening's own plan."""
    free, full = run(("reviews_per_week", 2)), run(("reviews_per_week", 2), ("fill_up_share", 1.0))
    first = [next(one for one in result.decisions if one.routes) for result in (free, full)]
    load = [sum(route.kg for route in one.routes) for one in first]
    assert load[1] > load[0]
    assert len(first[1].routes) <= len(first[0].routes)


def test_a_price_on_changes_keeps_stores_on_common_tours():
    """Stores that shared a truck share it again more often."""

    def kept(result: RunResult) -> float:
        nights = [night for night in tours_of(result) if night]
        pairs = itertools.pairwise(nights)
        return float(np.nanmean([shared_stops(now, before) for before, now in pairs]))

    free = run(("trucks_share", 1.0))
    stable = run(("stability_metres", 200_000))
    assert kept(stable) > kept(free)


def test_the_twin_drives_no_more_trucks_than_the_bundle_uses():
    """Of three trucks a third is one, and never none."""
    network = small_network()
    assert RoutingRules(trucks_share=0.34).trucks(network).tolist() == [1]
    assert RoutingRules(trucks_share=0.01).trucks(network).tolist() == [1]
    assert RoutingRules().trucks(network).tolist() == [3]
