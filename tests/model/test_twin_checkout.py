"""Queues at tills against Erlang, and in a run."""

from __future__ import annotations

import dataclasses
import heapq
import math

import numpy as np
import pytest

from policies.domain.errors import ScenarioInvalid
from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from twin.checkout import open_lanes, pass_tills
from twin.queue_kernel import queue, queue_on_sight
from twin.run import simulate
from twin.scenario import CheckoutRules, Scenario

REPLICATIONS, PEOPLE, WARM_UP = 40, 250_000, 10_000


def simulated(lanes: int, load: float, patience: float = math.inf):
    """(mean wait, share that leaves) of independent queues with mean service 1."""
    waits, shares = [], []
    for replication in range(REPLICATIONS):
        rng = np.random.default_rng([7, replication])
        arrives = np.cumsum(rng.exponential(1 / load, PEOPLE))
        service = rng.exponential(1.0, PEOPLE)
        patient = np.full(PEOPLE, math.inf)
        if patience < math.inf:
            patient = rng.exponential(patience, PEOPLE)
        wait, left = np.zeros(PEOPLE), np.zeros(PEOPLE, dtype=np.bool_)
        queue(arrives, service, patient, np.array([lanes]), 1.0, wait, left)
        waits.append(wait[WARM_UP:].mean())
        shares.append(left[WARM_UP:].mean())
    return np.array(waits), np.array(shares)


def inside(values, reference):
    """Within 99 % of independent replications."""
    half = 2.708 * values.std(ddof=1) / math.sqrt(len(values))
    return abs(values.mean() - reference) <= half and half < 0.03 * reference


@pytest.mark.parametrize(("lanes", "load"), [(1, 0.7), (3, 2.4), (8, 6.8)])
def test_the_mean_wait_without_patience_is_that_of_erlang_c(lanes, load):
    terms = [load**n / math.factorial(n) for n in range(lanes)]
    full = load**lanes / math.factorial(lanes) * lanes / (lanes - load)
    erlang_c = full / (sum(terms) + full) / (lanes - load)
    assert inside(simulated(lanes, load)[0], erlang_c)
    assert not inside(simulated(lanes, load)[0], erlang_c * 1.06)


@pytest.mark.parametrize(("lanes", "load", "patience"), [(2, 2.2, 1.5), (5, 5.5, 0.8)])
def test_the_share_that_gives_up_is_that_of_erlang_a(lanes, load, patience):
    """Birth and death: leaving at rate 1 / patience for each one who waits."""
    weight, up = [1.0], 400
    for n in range(1, up):
        weight.append(weight[-1] * load / (min(n, lanes) + max(n - lanes, 0) / patience))
    share = np.array(weight) / sum(weight)
    waiting = sum(p * max(n - lanes, 0) for n, p in enumerate(share))
    assert inside(simulated(lanes, load, patience)[1], waiting / patience / load)


def chain(**rules) -> Scenario:
    network, demand = generate_chain(stores=2, skus=20, days=10, lines_per_store_day=900, seed=4)
    return Scenario(
        "tills", network, demand, 0, 10, 3, checkout=CheckoutRules(**rules), opening_cover_days=3.0
    )


BUNDLE = build_bundle("incumbent", {"reviews_per_week": 7})
SLOW = {
    "fixed_seconds": 150.0,
    "line_seconds": 10.0,
    "patience_seconds": 120.0,
    "target_utilisation": 0.1,
}


def test_lost_baskets_fall_with_lanes_staffed_or_not():
    def lost(**rules):
        return pass_tills(chain(**SLOW, **rules), 1, 0)[1].facts.gave_up.sum()

    counts = [lost(staffed_lanes=n) for n in (1, 2, 3, 6)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 3 * counts[-1]
    assert lost(staffed_lanes=1, self_lanes=2) < counts[0]


def test_a_basket_that_gives_up_takes_no_stock_and_counts_as_demanded_and_lost():
    scenario = chain(staffed_lanes=1, **SLOW)
    result = simulate(scenario, BUNDLE, seed=1)
    free = simulate(dataclasses.replace(scenario, checkout=CheckoutRules()), BUNDLE, seed=1)
    paid, tills = pass_tills(scenario, 1, 0)
    assert paid.demand.lines + tills.lost.lines == scenario.demand.lines
    assert tills.lost.lines > 100
    assert result.counters["lines"] == paid.demand.lines
    facts, other = result.facts, free.facts
    # Demand is the same with tills and without: cost per unit is divided by one figure.
    assert (facts.get("units_demanded") == other.get("units_demanded")).all()
    assert (result.demanded_per_sku == free.demanded_per_sku).all()
    left = facts.get("units_demanded") - facts.get("units_sold") - facts.get("units_lost")
    assert not left.any()
    assert facts.get("units_lost").sum() >= tills.lost.quantity.sum()
    assert facts.get("margin_lost_cents").sum() > other.get("margin_lost_cents").sum()
    assert (result.checkout.wait_p95_s >= result.checkout.wait_p50_s).all()


def test_a_basket_is_paid_or_left_as_a_whole():
    scenario = chain(staffed_lanes=1, **SLOW)
    paid, tills = pass_tills(scenario, 1, 0)
    for s in range(2):
        kept = set(
            zip(
                paid.demand.t_s[paid.demand.store(s)],
                paid.demand.basket[paid.demand.store(s)],
                strict=True,
            )
        )
        gone = set(
            zip(
                tills.lost.t_s[tills.lost.store(s)],
                tills.lost.basket[tills.lost.store(s)],
                strict=True,
            )
        )
        assert not kept & gone
    assert tills.facts.baskets.sum() > tills.facts.gave_up.sum() > 0


def test_lanes_are_staffed_for_the_work_of_the_hour():
    """Ten baskets of 360 s in an hour are one lane's hour: at 75 % that takes two."""
    at = 8 * 3600 + np.arange(10) * 300.0
    lanes = open_lanes(at, np.full(10, 360.0), CheckoutRules(staffed_lanes=4))
    assert lanes[8] == 2
    assert (np.delete(lanes, 8) == 1).all()
    assert open_lanes(at, np.full(10, 3600.0), CheckoutRules(staffed_lanes=4))[8] == 4


def test_impossible_tills_are_refused_by_name():
    for key, rules in (
        ("checkout.staffed_lanes", {"self_lanes": 2}),
        ("checkout.line_seconds", {"line_seconds": -1.0}),
    ):
        with pytest.raises(ScenarioInvalid) as caught:
            CheckoutRules(**rules)
        assert caught.value.field == key
    scenario = chain(staffed_lanes=1)
    with pytest.raises(ScenarioInvalid, match="stretches"):
        simulate(scenario, BUNDLE, seed=1, feed=lambda _: None)


def people(n: int, load: float, patience: float, seed: int):
    """(arrives, service, patience) of `n` people at a load of `load` lanes."""
    rng = np.random.default_rng([11, seed])
    return (
        np.cumsum(rng.exponential(1 / load, n)),
        rng.exponential(1.0, n),
        rng.exponential(patience, n),
    )


def on_sight(who, most: int, open_at: int, walk: float = 0.0):
    """(wait, gave up, seconds with 1, 2, … lanes open, lanes opened)."""
    n = len(who[0])
    wait, left, worked = np.zeros(n), np.zeros(n, dtype=np.bool_), np.zeros(most)
    opened = queue_on_sight(*who, most, open_at, walk, wait, left, worked)
    return wait, left, worked, opened


@pytest.mark.parametrize(("lanes", "open_at"), [(1, 10**6), (4, 1)])
def test_a_lane_opened_at_once_or_never_is_a_queue_with_all_lanes_or_with_one(lanes, open_at):
    """The recursion of Kiefer and Wolfowitz, person by person."""
    who = people(20_000, 0.9 * lanes, 1.5, 1)
    wait, left, _, opened = on_sight(who, 4, open_at)
    waits, leaves = np.zeros(20_000), np.zeros(20_000, dtype=np.bool_)
    queue(*who, np.array([lanes]), 1.0, waits, leaves)
    assert (left == leaves).all()
    assert np.allclose(wait[~left], waits[~left], atol=1e-6)
    assert left.sum() > 500
    assert (opened > 1_000) == (lanes > 1)


def plain(who, most: int, open_at: int, walk: float):
    """The same rule, one event at a time: who waits, who is served until when."""
    events = [(at, 1, i) for i, at in enumerate(who[0])]
    heapq.heapify(events)
    line, open_lanes_now, coming, busy = [], 1, 0, 0
    wait, left = np.zeros(len(who[0])), np.ones(len(who[0]), dtype=np.bool_)
    while events:
        now, kind, i = heapq.heappop(events)
        line = [j for j in line if who[0][j] + who[2][j] >= now]
        if kind == 1:
            line.append(i)
        elif i < 0:
            coming -= 1
        else:
            busy -= 1
        is_idle = kind == 0 and not line
        while line and busy < open_lanes_now - coming:
            j = line.pop(0)
            busy += 1
            wait[j], left[j] = now - who[0][j], False
            heapq.heappush(events, (now + who[1][j], 0, j))
        if kind == 1 and i in line and len(line) >= open_at and open_lanes_now < most:
            open_lanes_now += 1
            coming += 1
            heapq.heappush(events, (now + walk, 0, -1))
        elif is_idle and open_lanes_now > 1:
            open_lanes_now -= 1
    return wait, left


@pytest.mark.parametrize(("most", "open_at", "walk"), [(4, 2, 0.0), (6, 3, 0.5), (3, 5, 2.0)])
def test_lanes_opened_on_sight_are_those_of_a_simulation_event_by_event(most, open_at, walk):
    who = people(4_000, 2.5, 2.0, 2)
    wait, left, worked, _ = on_sight(who, most, open_at, walk)
    slow_wait, slow_left = plain(who, most, open_at, walk)
    assert (left == slow_left).all()
    assert np.allclose(wait[~left], slow_wait[~left], atol=1e-6)
    assert 50 < left.sum() < 3_000
    assert worked[:-1].sum() <= who[0][-1] + 50


def test_a_later_opening_loses_more_baskets_and_takes_fewer_lane_hours():
    """Common random numbers: the same people, the rule alone differs."""
    lost, hours = [], []
    for open_at in (1, 2, 4, 8):
        rules = chain(staffed_lanes=5, open_at_queue=open_at, **SLOW)
        facts = pass_tills(rules, 1, 0)[1].facts
        lost.append(int(facts.gave_up.sum()))
        hours.append(float(facts.lane_seconds.sum() / 3_600))
    assert lost == sorted(lost)
    assert lost[0] < lost[-1]
    assert hours == sorted(hours, reverse=True)
    planned = pass_tills(chain(staffed_lanes=5, **SLOW), 1, 0)[1].facts
    assert 0 < hours[0] < planned.lane_seconds.sum() / 3_600


def test_lost_baskets_fall_with_lanes_that_may_be_opened():
    """Somebody sits down within five seconds of the first one who would wait."""
    rules = {"open_at_queue": 1, "walk_seconds": 5.0, **SLOW}
    counts = [
        pass_tills(chain(staffed_lanes=n, **rules), 1, 0)[1].facts.gave_up.sum()
        for n in (1, 2, 3, 6)
    ]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 2 * counts[-1]


@pytest.mark.parametrize("utilisation", [0.05, 0.3, 0.75])
@pytest.mark.parametrize("slow_self", [60.0, 350.0])
@pytest.mark.parametrize("open_at", [0, 2])
def test_lost_baskets_fall_with_self_checkout_lanes_however_slow_they_are(
    utilisation, slow_self, open_at
):
    """Who finds self-checkout too long goes to a till, and no till is closed for it."""
    network, demand = generate_chain(stores=2, skus=20, days=8, lines_per_store_day=2_000, seed=4)
    rules = CheckoutRules(
        staffed_lanes=3,
        target_utilisation=utilisation,
        fixed_seconds=90.0,
        line_seconds=10.0,
        self_fixed_seconds=slow_self,
        patience_seconds=120.0,
        open_at_queue=open_at,
    )
    lost = []
    for lanes in range(6):
        tills = dataclasses.replace(rules, self_lanes=lanes)
        scenario = Scenario("s", network, demand, 0, 8, checkout=tills, opening_cover_days=3.0)
        lost.append(int(pass_tills(scenario, 1, 0)[1].facts.gave_up.sum()))
    assert lost[0] > lost[1]
    if not open_at:
        assert lost == sorted(lost, reverse=True)
    else:
        # A queue that is shorter may be too short for another till to be opened.
        assert lost[1] >= lost[5]
        assert max(np.diff(lost)) <= 0.02 * lost[0]
