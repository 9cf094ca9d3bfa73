"""Safety stock in a tree, and orders as suppliers accept them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.domain.errors import InvalidInput
from policies.replenishment.guaranteed_service import SupplyTree, place_safety_stock
from policies.replenishment.purchasing import PurchaseTerms, purchase


def brute_force(tree):
    """Every combination of service times; inbound = the slowest supplier's promise."""
    size, most = len(tree.own_days), sum(tree.own_days)
    best = math.inf
    for quoted in itertools.product(range(most + 1), repeat=size):
        cost = 0.0
        for i in range(size):
            inbound = max([quoted[a] for a, b in tree.arcs if b == i], default=0)
            net = inbound + tree.own_days[i] - quoted[i]
            limit = tree.promised_days[i]
            if net < 0 or (limit is not None and quoted[i] > limit):
                break
            cost += tree.safety_factor * tree.holding_cost[i] * tree.deviation[i] * math.sqrt(net)
        else:
            best = min(best, cost)
    return best


SHAPES = [
    (((0, 1), (1, 2), (2, 3))),
    (((0, 1), (0, 2), (0, 3))),
    (((0, 3), (1, 3), (2, 3))),
    (((0, 1), (2, 1), (1, 3))),
    (((3, 0), (0, 1), (2, 1))),
]


@pytest.mark.parametrize("arcs", SHAPES)
@settings(max_examples=12, deadline=None)
@given(
    own=st.lists(st.integers(0, 2), min_size=4, max_size=4),
    cost=st.lists(st.floats(0.1, 5), min_size=4, max_size=4),
    spread=st.lists(st.floats(0.1, 5), min_size=4, max_size=4),
    promise=st.integers(0, 2),
)
def test_the_tree_programme_equals_every_combination(arcs, own, cost, spread, promise):
    """Lines, distribution, assembly and mixed trees."""
    ends = {i for i in range(4) if all(a != i for a, _ in arcs)}
    limits = tuple(promise if i in ends else None for i in range(4))
    tree = SupplyTree(tuple(own), tuple(cost), tuple(spread), arcs, limits)
    found = place_safety_stock(tree)
    assert found.cost == pytest.approx(brute_force(tree), abs=1e-9)
    stock = np.array(found.safety_stock) @ np.array(cost)
    assert stock == pytest.approx(found.cost, abs=1e-9)
    for a, b in arcs:
        assert found.inbound_days[b] >= found.service_days[a]


@pytest.mark.parametrize("arcs", [((0, 1),), ((0, 1), (1, 0)), ((0, 1), (0, 7))])
def test_what_is_no_tree_is_refused(arcs):
    with pytest.raises(InvalidInput, match="tree"):
        SupplyTree((1, 1, 1), (1.0,) * 3, (1.0,) * 3, arcs, (None, None, 0))


def terms(**changed):
    """Two suppliers, three SKUs; the second supplier takes any order."""
    fields = {
        "supplier": np.array([0, 0, 1], dtype=np.int32),
        "case_units": np.array([6, 4, 10], dtype=np.int32),
        "pallet_units": np.array([60, 40, 100], dtype=np.int32),
        "minimum_cases": np.array([0, 0], dtype=np.int32),
        "truck_pallets": np.array([0, 0], dtype=np.int32),
    }
    return PurchaseTerms(**(fields | changed))


def order(what, need, position=(0, 0, 0), rate=(6.0, 4.0, 10.0)):
    """Units of each SKU."""
    return purchase(
        what,
        np.array(need, dtype=np.int32),
        np.array(position, dtype=np.int32),
        np.array(rate),
    ).tolist()


def test_needs_become_cases_and_nearly_full_pallets():
    assert order(terms(), (7, 27, 0)) == [12, 40, 0]
    assert order(terms(), (7, 21, 0)) == [12, 24, 0]


def test_an_order_below_the_minimum_is_filled_with_what_runs_out_first():
    few = terms(minimum_cases=np.array([5, 0], dtype=np.int32))
    assert order(few, (6, 0, 0), position=(0, 0, 0)) == [18, 8, 0]
    assert order(few, (6, 0, 0), position=(0, 400, 0)) == [30, 0, 0]


def test_a_minimum_that_nothing_sells_fast_enough_for_is_no_order():
    few = terms(minimum_cases=np.array([500, 0], dtype=np.int32))
    assert order(few, (6, 0, 10)) == [0, 0, 10]


def test_a_truck_that_is_mostly_full_is_filled_and_a_begun_one_waits():
    truck = terms(truck_pallets=np.array([4, 0], dtype=np.int32))
    assert sum(np.array(order(truck, (120, 40, 0))) / [60, 40, 100]) == 4
    assert order(truck, (240, 8, 0), position=(0, 900, 0)) == [240, 0, 0]


def test_a_small_first_truck_still_drives():
    truck = terms(truck_pallets=np.array([4, 0], dtype=np.int32))
    assert order(truck, (6, 0, 0)) == [6, 0, 0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 300), min_size=3, max_size=3),
    st.integers(0, 40),
    st.integers(0, 5),
)
def test_orders_are_whole_cases_and_reach_the_minimum_or_are_none(need, minimum, truck):
    what = terms(
        minimum_cases=np.array([minimum, 0], dtype=np.int32),
        truck_pallets=np.array([truck, 0], dtype=np.int32),
    )
    got = np.array(order(what, need))
    assert (got % what.case_units == 0).all()
    cases = (got // what.case_units)[:2].sum()
    assert cases == 0 or cases >= minimum
    if truck == 0 and cases:
        assert (got[:2] >= np.array(need)[:2]).all()


@pytest.mark.parametrize(
    "change",
    [
        {"case_units": np.array([0, 4, 10], dtype=np.int32)},
        {"pallet_units": np.array([61, 40, 100], dtype=np.int32)},
        {"supplier": np.array([0, 0, 2], dtype=np.int32)},
    ],
)
def test_impossible_terms_are_refused(change):
    with pytest.raises(InvalidInput):
        terms(**change)


def test_a_need_that_is_no_number_is_refused():
    with pytest.raises(InvalidInput, match="finite"):
        order(terms(), (1, 1, 1), rate=(math.nan, 1.0, 1.0))
