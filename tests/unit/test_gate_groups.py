"""A better average may hide one class that pays for it, waste, or a day that goes wrong."""

from __future__ import annotations

import numpy as np
import pytest

from policies.domain.facts import LOCATION_FACTS, SKU_FACTS, CostModel, DayFacts
from scenarios.gate import DEFAULT_RULES, _no_group_harmed, _no_more_waste, classes, judge
from scenarios.history.generate import generate_chain

DAYS, CELLS = 42, 100


@pytest.fixture(scope="module")
def network():
    made, _ = generate_chain(stores=20, skus=12, days=1, lines_per_store_day=5, seed=1)
    return made


def arm(network, *, out=None, wasted=None, lines=0, seed=1):
    """Sales of 100 a store, class and day; `out` cells of 100 without stock, by category.

    `lines` order lines on average a store, class and day are what it costs.
    """
    rng = np.random.default_rng(seed)
    places, names = network.shape[0], ("bread", "milk", "wine", "salt")
    sku = np.zeros((DAYS, places, 4, len(SKU_FACTS)), dtype=np.int64)

    def put(name, numbers):
        column = sku[..., SKU_FACTS.index(name)]
        column[:, network.stores] = numbers

    shape = (DAYS, len(network.stores), 4)
    sold = np.broadcast_to(np.array([100, 100, 100, 2]), shape)
    put("units_sold", sold)
    put("units_demanded", sold)
    put("ranged_sku_days", CELLS)
    gone = rng.binomial(CELLS, np.broadcast_to(out or [0.02] * 4, shape))
    put("in_stock_sku_days", CELLS - gone)
    put("open_sku_seconds", CELLS * 36_000)
    put("in_stock_open_sku_seconds", (CELLS - gone) * 36_000)
    put("revenue_cents", 100 * sold)
    put("write_off_cents", 100 * rng.binomial(100, np.broadcast_to(wasted or [0.0] * 4, shape)))
    put("purchase_lines", np.random.default_rng(7).poisson(lines, shape))
    place = np.zeros((DAYS, places, len(LOCATION_FACTS)), dtype=np.int64)
    ids = network.locations.ids
    return DayFacts(0, ids, names, sku, place, True, 0)


def test_classes_are_large_categories_and_the_small_ones_together(network):
    found = classes([arm(network)])
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "class bread": [0],
        "class milk": [1],
        "class wine": [2],
        "small classes together": [3],
    }


def test_one_class_that_loses_what_others_gain_is_named(network):
    """A point more in three classes, three points less in wine: better on average."""
    before = arm(network)
    better = arm(network, out=[0.01, 0.01, 0.01, 0.01], seed=2)
    check = _no_group_harmed([before], [better], network, CostModel(), DEFAULT_RULES)
    assert check.holds, check.found
    hidden = arm(network, out=[0.005, 0.005, 0.03, 0.005], seed=2)
    check = _no_group_harmed([before], [hidden], network, CostModel(), DEFAULT_RULES)
    assert not check.holds
    assert "in class wine" in check.found


def test_more_waste_is_refused_where_it_arises(network):
    before = arm(network, wasted=[0.02, 0.02, 0.0, 0.0])
    same = arm(network, wasted=[0.018, 0.018, 0.0, 0.0])
    assert _no_more_waste([before], [same], network, CostModel(), DEFAULT_RULES).holds
    shifted = arm(network, wasted=[0.01, 0.025, 0.0, 0.0])
    check = _no_more_waste([before], [shifted], network, CostModel(), DEFAULT_RULES)
    assert not check.holds
    assert "in class milk" in check.found


def test_waste_where_there_was_none_is_refused_and_none_at_all_is_not_judged(network):
    clean, dirty = arm(network), arm(network, wasted=[0.0, 0.0, 0.01, 0.0])
    assert _no_more_waste([clean], [clean], network, CostModel(), DEFAULT_RULES).holds
    check = _no_more_waste([clean], [dirty], network, CostModel(), DEFAULT_RULES)
    assert not check.holds
    assert "inf" in check.found


CLOSED = "a warehouse closed for two days"


def verdict(network, *, stressed_lines=8, **candidate):
    """The whole gate on a candidate that orders 8 lines where the incumbent orders 10."""
    before = arm(network, lines=10, wasted=[0.02] * 4)
    after = arm(network, lines=8, **{"wasted": [0.015] * 4, "out": [0.01] * 4, **candidate}, seed=2)
    closed = (CLOSED, before, arm(network, lines=stressed_lines, wasted=[0.02] * 4))
    return judge([before], [after], network, CostModel(), stress=[closed])


def failed(found):
    return [check.name for check in found.checks if not check.holds]


def test_a_cheaper_candidate_that_harms_nothing_passes_the_whole_gate(network):
    found = verdict(network)
    assert found.promoted, found.reasons


def test_the_gate_refuses_a_cheaper_candidate_for_one_harmed_class_alone(network):
    found = verdict(network, out=[0.005, 0.005, 0.03, 0.005])
    assert not found.promoted
    assert failed(found) == ["no group of stores or goods harmed"]
    assert "in class wine" in found.reasons[0]


def test_the_gate_refuses_a_cheaper_candidate_for_its_waste_alone(network):
    """Less is thrown away in all; the milk's share grows by a quarter."""
    found = verdict(network, wasted=[0.01, 0.025, 0.01, 0.01])
    assert not found.promoted
    assert failed(found) == ["no more waste"]
    assert "in class milk" in found.reasons[0]


def test_the_gate_refuses_what_a_closed_warehouse_makes_dear_alone(network):
    assert verdict(network, stressed_lines=10).promoted
    found = verdict(network, stressed_lines=11)
    assert not found.promoted
    assert failed(found) == [f"holds under {CLOSED}"]
