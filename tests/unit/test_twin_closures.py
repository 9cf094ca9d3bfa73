"""Suppliers and warehouses that stand still, by hand and in a run."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.domain.errors import ScenarioInvalid
from policies.domain.ledger import MovementKind
from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from tests.unit.domain_networks import small_network
from tests.unit.twin_worlds import DAY
from twin.closures import Closures
from twin.result import Trace
from twin.run import simulate
from twin.scenario import Disruptions, Scenario

BUNDLE = build_bundle("incumbent", {"reviews_per_week": 7})


@pytest.mark.parametrize(
    ("ordered", "due", "days"),
    [(3, 9, 0), (3, 10, 5), (8, 12, 5), (10, 12, 4), (12, 20, 2), (13, 15, 1), (14, 16, 0)],
)
def test_an_order_loses_the_days_of_a_strike_that_lie_before_its_due_day(ordered, due, days):
    """Strike on days 10 … 14 (the run begins on day 7): days after the order count."""
    rules = Disruptions(suppliers_from_day=3, suppliers_days=5)
    assert Closures(small_network(), rules, 7).supplier_days(ordered, due) == days


def test_doors_open_again_at_the_midnight_after_the_last_closed_day():
    network = small_network(stores=2, warehouses=2)
    rules = Disruptions(warehouses_from_day=1, warehouses_days=2, warehouse_number=2)
    closures = Closures(network, rules, 0)
    assert closures.pause_s(1, DAY + 5) == 2 * DAY - 5
    assert [closures.pause_s(1, t) for t in (DAY - 1, 3 * DAY)] == [0, 0]
    assert closures.pause_s(0, DAY + 5) == 0


def run(**rules):
    """Days of a generated chain on which goods were shipped and received from suppliers."""
    network, demand = generate_chain(stores=4, skus=20, days=28, lines_per_store_day=60, seed=2)
    scenario = Scenario("strike", network, demand, 0, 28, opening_cover_days=4.0)
    scenario = dataclasses.replace(scenario, disruptions=Disruptions(**rules))
    result = simulate(scenario, BUNDLE, seed=1, trace=Trace(movements=True))
    rows = result.movements
    shipped = rows.occurred_at_s[rows.kind == MovementKind.SHIP] // DAY
    came = rows.occurred_at_s[rows.kind == MovementKind.RECEIVE] // DAY
    return set(shipped.tolist()), set(came.tolist()), result


def test_a_closed_warehouse_ships_and_receives_nothing_and_then_goes_on():
    shipped, came, result = run(warehouses_from_day=10, warehouses_days=3)
    open_shipped, open_came, open_result = run()
    closed = {10, 11, 12}
    assert closed & open_shipped
    assert closed & open_came
    assert not closed & (shipped | came)
    assert 13 in shipped
    assert 13 in came
    assert result.lost_per_sku.sum() > open_result.lost_per_sku.sum()


def test_nothing_comes_from_suppliers_during_a_strike():
    _, came, result = run(suppliers_from_day=8, suppliers_days=9)
    assert not set(range(8, 17)) & came
    assert any(day >= 17 for day in came)
    assert result.lost_per_sku.sum() > run()[2].lost_per_sku.sum()
    assert np.array_equal(
        result.facts.sku_facts, run(suppliers_from_day=8, suppliers_days=9)[2].facts.sku_facts
    )


def test_impossible_disruptions_are_refused_by_name():
    with pytest.raises(ScenarioInvalid) as caught:
        Disruptions(suppliers_days=-1)
    assert caught.value.field == "disruptions.suppliers_days"
    with pytest.raises(ScenarioInvalid, match="2 of 1 warehouses"):
        Closures(small_network(), Disruptions(warehouse_number=2), 0)
