"""Exact routines against the published tables and against other exact ways to the number."""

from __future__ import annotations

import csv
import itertools
import json

import numpy as np
import pytest

from policies.domain.errors import InvalidInput
from policies.exact import (
    LostSales,
    ReorderModel,
    SerialModel,
    best_echelon_levels,
    best_reorder_point,
    lost_sales,
    optimal,
    perishable,
)
from policies.exact.capped_search import best_capped_base_stock
from policies.exact.demand import NoExactAnswer, gamma_rounded, left_over, mass
from policies.exact.lost_sales_averages import base_stock_table, constant_order, table_averages
from policies.exact.reorder import averages as reorder_averages
from policies.exact.serial import cost_of
from scenarios.verify import verify_table
from scenarios.verify.exact import exact_rows
from tests.shared_data import shared
from tests.unit import verify_exact


def table(name):
    """Rows of a reference table."""
    with shared(f"reference/{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["lost_sales", "ss", "perishable", "serial"])
def test_every_row_of_a_reference_table_is_met_to_its_digits(name):
    result = verify_table(shared(f"reference/{name}.csv"), by="exact")
    assert [row["inside"] for row in result["rows"]] == [True] * len(table(name))
    largest = 1e-3 if name == "serial" else 1e-4
    assert max(abs(row["difference"]) for row in result["exact"]) <= largest


@pytest.mark.parametrize("row", range(4))
def test_the_tuner_finds_the_capped_base_stock_of_the_table(row):
    """Within 0.3 % of the table's best; it is told neither level nor cap."""
    line = [r for r in table("lost_sales") if r["policy"] == "capped_base_stock"][row]
    store = LostSales(
        line["demand"], float(line["mean"]), float(line["h"]), float(line["p"]), int(line["L"])
    )
    assert best_capped_base_stock(store, seed=row).cost <= 1.003 * float(line["cost"])


def test_the_tuner_equals_a_search_of_every_pair():
    """Geometric demand, no table at hand."""
    store = LostSales("geometric", 2.0, 1.0, 9.0, 2)
    highest = store.newsvendor(3) + 1
    costs = [
        table_averages(store, base_stock_table(store, level, cap)).cost
        for level in range(highest // 3, highest + 1)
        for cap in range(1, store.newsvendor(1) + 3)
    ]
    assert best_capped_base_stock(store).cost == pytest.approx(min(costs), abs=1e-6)


def test_a_chain_too_large_for_exact_averages_is_tuned_by_simulation(monkeypatch):
    store = LostSales("poisson", 3.0, 1.0, 9.0, 2)
    exact = best_capped_base_stock(store)
    monkeypatch.setattr("policies.exact.lost_sales_averages.MOST_VALUES", 10)
    found = best_capped_base_stock(store)
    assert not found.is_exact
    assert table_averages_of(store, found) <= 1.003 * exact.cost


def table_averages_of(store, pair):
    """Exact cost, whatever the limit is patched to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("policies.exact.lost_sales_averages.MOST_VALUES", 10**8)
        return table_averages(store, base_stock_table(store, pair.level, pair.cap)).cost


@pytest.mark.parametrize(("demand", "p"), [("poisson", 4.0), ("geometric", 9.0)])
def test_base_stock_averages_equal_those_of_the_markov_chain(demand, p):
    """The chain of the tests is written apart from the product."""
    store = LostSales(demand, 5.0, 1.0, p, 1)
    got = table_averages(store, base_stock_table(store, 12, 6))
    expected = verify_exact.averages(demand, 5.0, 1.0, p, verify_exact.base_stock(12, 6), 12)
    for name, value in expected.items():
        assert getattr(got, name) == pytest.approx(value, abs=1e-6)


def test_no_order_table_of_a_small_store_beats_the_optimum():
    """Every policy with lead time 1 and at most 4 units, one by one."""
    store = LostSales("poisson", 1.0, 1.0, 3.0, 1)
    best = table_averages(store, optimal(store)).cost
    most = store.newsvendor(2)
    tables = itertools.product(*[range(min(3, most - x) + 1) for x in range(most + 1)])
    costs = [
        table_averages(store, lost_sales.OrderTable(np.array(orders)[:, None], 4, most)).cost
        for orders in tables
        if orders[0] > 0
    ]
    assert best == pytest.approx(min(costs), abs=1e-6)


def test_optimum_myopic_and_base_stock_stand_in_their_known_order():
    """Lead time 3, geometric demand: not a row of the tables at hand."""
    store = LostSales("geometric", 5.0, 1.0, 9.0, 3)
    best = table_averages(store, optimal(store)).cost
    two, one = (table_averages(store, lost_sales.myopic(store, n)).cost for n in (2, 1))
    capped = best_capped_base_stock(store)
    base = min(
        table_averages(store, base_stock_table(store, level)).cost for level in range(20, 45)
    )
    assert best <= two <= one
    assert best <= capped.cost <= base


def test_without_lead_time_the_optimum_is_the_newsvendor():
    store = LostSales("poisson", 5.0, 1.0, 4.0, 0)
    held, lost = store.one_period(40)
    assert table_averages(store, optimal(store)).cost == pytest.approx((held + 4 * lost).min())


def test_what_a_constant_order_leaves_equals_a_long_chain():
    store = LostSales("geometric", 3.0, 1.0, 5.0, 2)
    left = left_over(store.probability(), 400)
    share = np.zeros(401)
    share[2] = 1.0
    for _ in range(3000):
        after = share @ left
        share = np.concatenate([[0, 0], after[:-2]])
    held = float(share @ left @ np.arange(401))
    assert constant_order(store, 2).holding == pytest.approx(held, rel=1e-6)


@pytest.mark.parametrize(
    ("mean", "lead", "order", "p"), [(3, 0, 10, 9), (0.4, 2, 5, 20), (12, 1, 0, 4)]
)
def test_no_pair_in_a_wide_grid_beats_the_best_reorder_point(mean, lead, order, p):
    model = ReorderModel(mean, lead, order, 1.0, p)
    best = best_reorder_point(model)
    grid = [
        reorder_averages(model, s, level).cost
        for s in range(best.reorder_point - 6, best.reorder_point + 7)
        for level in range(s + 1, best.level + 8)
    ]
    assert best.cost == pytest.approx(min(grid), abs=1e-9)


def test_reorder_averages_equal_those_of_the_markov_chain():
    got = reorder_averages(ReorderModel(4.0, 2, 30.0, 1.0, 9.0), 9, 25)
    for name, value in verify_exact.reorder_averages(4.0, 2, 30.0, 1.0, 9.0, 9, 25).items():
        assert getattr(got, name) == pytest.approx(value, abs=1e-7)


def test_no_echelon_levels_nearby_beat_those_of_the_recursion():
    model = SerialModel(6.0, 20.0, (0.5, 1.0, 0.2), (0.5, 0.25, 1.0))
    best = best_echelon_levels(model)
    assert cost_of(model, best.levels) == pytest.approx(best.cost)
    around = itertools.product(*[range(x - 2, x + 3) for x in best.levels])
    assert min(cost_of(model, levels) for levels in around) >= best.cost - 1e-9


def test_one_stage_is_a_newsvendor_on_the_lead_time_demand():
    model = SerialModel(6.0, 9.0, (1.0,), (0.5,))
    demand = mass("poisson", 3.0)
    units = np.arange(len(demand))
    costs = [
        float(demand @ (np.maximum(s - units, 0) + 9 * np.maximum(units - s, 0))) for s in range(15)
    ]
    best = best_echelon_levels(model)
    assert (best.levels, best.cost) == ((int(np.argmin(costs)),), pytest.approx(min(costs)))


def test_goods_that_live_one_period_are_a_newsvendor():
    """Life 1: everything left expires, whatever is sold first."""
    model = perishable.PerishableModel(1, 1, 7.0, is_fifo=True)
    demand = gamma_rounded(4.0, 0.5)
    units = np.arange(len(demand))
    costs = [
        float(demand @ (3 * q + 5 * np.maximum(units - q, 0) + 7 * np.maximum(q - units, 0)))
        for q in range(11)
    ]
    assert perishable.optimal(model).cost == pytest.approx(min(costs), abs=1e-5)


STORE = {"demand": "poisson", "mean": "5", "h": "1", "p": "4", "L": "1", "policy": "optimal"}
PAIR = {"mean": "5", "h": "1", "p": "4", "L": "1", "K": "9", "s": "1", "S": "2"}
LINE = {"lam": "5", "b": "1", "echelon_h": "[1]", "lead": "[1]"}
FRESH = {"m": "2", "L": "1", "waste_cost": "7", "issue": "fifo", "policy": "optimal"}


@pytest.mark.parametrize(
    ("kind", "line", "field"),
    [
        ("lost_sales", STORE | {"demand": "normal"}, "demand"),
        ("lost_sales", STORE | {"mean": "-5"}, "mean"),
        ("ss", PAIR | {"K": "x"}, "K"),
        ("ss", PAIR | {"s": "3"}, "S"),
        ("serial", LINE | {"echelon_h": "[1, 2]"}, "echelon_h"),
        ("serial", LINE | {"echelon_h": "one"}, "echelon_h"),
        ("perishable", FRESH | {"issue": "random"}, "issue"),
        ("perishable", FRESH | {"m": "0"}, "life"),
    ],
)
def test_a_bad_cell_is_named_with_its_row(kind, line, field):
    with pytest.raises(InvalidInput) as caught:
        exact_rows(kind, [line])
    assert (caught.value.field, caught.value.row) == (field, 1)


def test_a_row_too_large_for_its_routine_is_skipped_with_the_reason():
    line = {"demand": "poisson", "mean": "90", "h": "1", "p": "99", "L": "9", "policy": "optimal"}
    row = exact_rows("lost_sales", [line])[0]
    assert row["value"] is None
    assert "dynamic programme" in row["skipped"]
    with pytest.raises(NoExactAnswer, match="grows without end"):
        constant_order(LostSales("poisson", 5.0, 1.0, 4.0, 1), 5)


def test_rows_without_answers_get_values_and_no_verdict():
    line = {"stages": "1", "lam": "6", "b": "9", "echelon_h": json.dumps([1]), "lead": "[0.5]"}
    row = exact_rows("serial", [line])[0]
    assert row["value"] > 0
    assert row["inside"] is None
