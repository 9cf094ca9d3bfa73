"""What a run may know, and how one run goes on from another."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from tests.unit.domain_networks import small_network
from tests.unit.twin_worlds import DAY, HOUR, opening, receipts, up_to, world
from twin.result import Trace
from twin.run import simulate
from twin.scenario import Frictions, Scenario

KEEP = Trace(decisions=True, final_state=True)


def chain(days=14, **changed):
    network, demand = generate_chain(stores=4, skus=20, days=28, lines_per_store_day=60, seed=9)
    fields = {"opening": opening(network, 12, 200)} | changed
    return Scenario("chain", network, demand, 0, days, **fields)


def scrambled(scenario, after_s):
    """The same receipts up to `after_s`, others after it."""
    demand = scenario.demand
    later = demand.t_s > after_s
    sku = np.where(later, (demand.sku + 7) % 20, demand.sku).astype(np.int32)
    quantity = np.where(later, demand.quantity * 3, demand.quantity).astype(np.int32)
    return dataclasses.replace(
        scenario, demand=dataclasses.replace(demand, sku=sku, quantity=quantity)
    )


@pytest.mark.parametrize("day", [0, 4, 9])
def test_receipts_after_an_evening_change_no_decision_up_to_it(day):
    """No look-ahead: decisions, views and forecasts up to the evening are the same bytes."""
    scenario = chain(frictions=Frictions(0.05, 0.02, 0.05))
    bundle = build_bundle("base-stock")
    evening = day * DAY + scenario.plan_s
    as_it_is = simulate(scenario, bundle, seed=2, trace=KEEP).decisions
    otherwise = simulate(scrambled(scenario, evening), bundle, seed=2, trace=KEEP).decisions
    same = [a.digest() == b.digest() for a, b in zip(as_it_is, otherwise, strict=True)]
    assert all(same[: day + 1])
    assert not any(same[day + 1 :])


def test_a_policy_sees_the_book_and_never_the_truth():
    """Shrink that no count has found changes no decision while no shelf is empty."""
    honest = chain(opening=opening(small := chain().network, 900, 2_000))
    loose = dataclasses.replace(honest, frictions=Frictions(shrink_per_unit_sold=0.3))
    bundle = build_bundle("base-stock")
    a, b = (simulate(s, bundle, seed=2, trace=KEEP) for s in (honest, loose))
    assert small.shape == honest.network.shape
    assert (b.final.physical != b.final.book).any()
    assert [d.digest() for d in a.decisions] == [d.digest() for d in b.decisions]


def test_another_store_changes_nothing_at_the_others():
    """Streams are keyed by name: an unrelated store leaves every draw where it was."""
    frictions = Frictions(0.1, 0.05, 0.1, 1.0, 0.1, 0.1, 0.1)
    lines = [
        (s, d * DAY + (9 + h) * HOUR, k, 2)
        for s in (0, 1)
        for d in range(7)
        for h in range(8)
        for k in range(3)
    ]
    more = [*lines, *[(2, at, k, q) for s, at, k, q in lines if s == 0]]
    two, three = small_network(stores=2), small_network(stores=3)
    big = {"days": 7, "warehouse_stock": 9_000, "frictions": frictions}
    a = simulate(world(*lines, network=two, **big), up_to(30, 0), seed=3).facts
    b = simulate(world(*more, network=three, **big), up_to(30, 0), seed=3).facts
    for name in ("units_sold", "units_lost", "shrink_cents", "order_units"):
        assert (a.get(name)[:, 1:3] == b.get(name)[:, 1:3]).all(), name
    assert a.get("shrink_cents")[:, 1:3].any()


def test_a_direct_run_of_28_days_equals_two_of_14():
    """Stock, open orders, recent sales and draws are carried over exactly."""
    network = small_network(warehouses=0, stores=3)
    rng = np.random.default_rng(5)
    lines = [
        (int(s), d * DAY + 9 * HOUR + int(t), int(k), int(q))
        for d in range(28)
        for s, t, k, q in zip(
            rng.integers(0, 3, 40),
            rng.integers(0, 30_000, 40),
            rng.integers(0, 3, 40),
            rng.integers(1, 4, 40),
            strict=True,
        )
    ]
    whole = Scenario(
        "direct",
        network,
        receipts(network, *lines),
        0,
        28,
        opening=opening(network, 15, 0),
        direct=True,
        direct_lead_time_days=3,
        frictions=Frictions(0.05, 0.05, 0.1),
        panel_days=56,
    )
    bundle = build_bundle("fixed-base-stock", {"level": 60})
    full = simulate(whole, bundle, seed=8, trace=KEEP)
    first = simulate(dataclasses.replace(whole, days=14), bundle, seed=8, trace=KEEP)
    assert len(first.final.on_order_lines) > 0
    rest = simulate(
        dataclasses.replace(whole, first_day=14, days=14, opening=first.final),
        bundle,
        seed=8,
        trace=KEEP,
    )
    assert full.facts.get("units_lost").sum() > 0
    for name in (
        "units_sold",
        "units_lost",
        "closing_stock_units",
        "units_received",
        "slow_stock_cents",
        "shrink_cents",
        "latent_records_right",
    ):
        joined = np.concatenate([first.facts.get(name), rest.facts.get(name)])
        assert (joined == full.facts.get(name)).all(), name
    for name in ("book", "physical", "on_order_lines"):
        assert (getattr(rest.final, name) == getattr(full.final, name)).all(), name


def test_a_warm_start_behind_a_warehouse_keeps_every_unit():
    """Loads being picked at midnight go on as loads on the road; no unit is lost or made."""
    scenario = chain(days=10)
    bundle = build_bundle("incumbent", {"reviews_per_week": 7})
    first = simulate(scenario, bundle, seed=2, trace=KEEP)
    final = first.final
    open_units = final.on_order_lines[final.on_order_lines[:, 0] >= 0, 3].sum()
    assert open_units > 0
    assert (final.book.sum() + open_units) == first.facts.get("closing_stock_units")[-1].sum()
    rest = simulate(
        dataclasses.replace(scenario, first_day=10, days=4, opening=final), bundle, seed=2
    )
    assert rest.facts.get("units_received")[0].sum() >= open_units
    assert rest.facts.get("stock_change_cents")[0].sum() != 0


def test_the_order_of_the_evening_before_is_for_sale_at_opening_in_a_direct_scenario():
    """Lead time 0: what was sold on a day is back on the next morning."""
    network = small_network(warehouses=0, stores=1)
    lines = [(0, d * DAY + 8 * HOUR, 0, 10) for d in range(6)]
    for lead, lost in ((0, 0), (1, 30), (2, 40)):
        scenario = Scenario(
            "direct",
            network,
            receipts(network, *lines),
            0,
            6,
            opening=opening(network, 10, 0),
            direct=True,
            direct_lead_time_days=lead,
        )
        bundle = build_bundle("fixed-base-stock", {"level": 10})
        assert simulate(scenario, bundle, seed=1).facts.get("units_lost").sum() == lost


def test_backorders_wait_and_are_served_first():
    """Demand is counted when it comes, the sale when it is served, and nothing is lost."""
    from twin.scenario import StoreRules

    network = small_network(warehouses=0, stores=1)
    scenario = Scenario(
        "direct",
        network,
        receipts(network, (0, 9 * HOUR, 0, 14), (0, 2 * DAY, 0, 1)),
        0,
        4,
        opening=opening(network, 10, 0),
        direct=True,
        direct_lead_time_days=1,
        store=StoreRules(backorders=True),
    )
    facts = simulate(scenario, build_bundle("fixed-base-stock", {"level": 10}), seed=1).facts
    assert facts.get("units_demanded")[:, 0, 0].tolist() == [14, 0, 1, 0]
    assert facts.get("units_sold")[:, 0, 0].tolist() == [10, 0, 5, 0]
    assert facts.get("closing_stock_units")[:, 0, 0].tolist()[:3] == [10, 10, 19]
    assert facts.get("units_lost").sum() == 0
