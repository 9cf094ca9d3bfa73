"""Shelves that hold less than a store has, and staff who fill them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.domain.errors import ScenarioInvalid
from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from scenarios.scenario import load_scenario
from tests.unit.domain_networks import small_network
from tests.unit.twin_worlds import HOUR, up_to, world
from twin import kernel
from twin.hooks import BundleOrders
from twin.processes import CustomerReturns, ShelfRules, Substitution
from twin.reference_model import ReferenceModel
from twin.result import Trace
from twin.run import simulate
from twin.scenario import Frictions, Perishables, Scenario, StoreRules
from twin.shelf import fill_stores

BUNDLE = build_bundle("incumbent", {"reviews_per_week": 3})
ROWS = Trace(movements=True, final_state=True)


def chain(**rules) -> Scenario:
    network, demand = generate_chain(stores=4, skus=25, days=21, lines_per_store_day=200, seed=6)
    pack = np.full(25, 4, dtype=np.int32)
    network = dataclasses.replace(network, skus=dataclasses.replace(network.skus, pack_size=pack))
    return Scenario("shelf", network, demand, 0, 21, **({"opening_cover_days": 5.0} | rules))


def test_customers_find_what_is_in_front_and_the_rest_after_the_next_round():
    """Ten are there and six in front; the seventh is missed until staff come at noon."""
    lines = [(0, 9 * HOUR, 0, 5), (0, 10 * HOUR, 0, 2), (0, 13 * HOUR, 0, 4)]
    scenario = world(*lines, days=1, shelf=ShelfRules(6.0, (12.0,)))
    result = simulate(scenario, up_to(), seed=1, trace=ROWS)
    assert result.lost_per_sku.tolist() == [1, 0, 0]
    assert result.final.physical[1].tolist() == [0, 10, 10]
    assert result.counters["units_missed_behind"] == 1
    assert result.counters["shelf_cases"] == 4


def test_staff_fill_the_emptiest_shelf_first_and_no_more_than_they_carry():
    """Packs of 4: two cases are for the empty shelf, the next for the one that lacks most."""
    shelf = np.array([[9, 9, 9, 9], [0, 6, 3, 8]], dtype=np.int32)
    physical = np.array([[9, 9, 9, 9], [20, 20, 5, 20]], dtype=np.int32)
    is_store = np.array([False, True])
    room, pack = np.full(4, 8, dtype=np.int32), np.full(4, 4, dtype=np.int32)
    assert fill_stores(shelf, physical, physical[:, :0], is_store, room, pack, 3) == 3
    assert shelf.tolist() == [[9, 9, 9, 9], [8, 6, 5, 8]]
    assert fill_stores(shelf, physical, physical[:, :0], is_store, room, pack, 0) == 1
    assert shelf[1].tolist() == [8, 8, 5, 8]


def test_a_shelf_never_holds_more_than_there_is():
    shelf = np.array([[5, 2]], dtype=np.int32)
    physical = np.array([[3, 9]], dtype=np.int32)
    room = np.full(2, 6, dtype=np.int32)
    fill_stores(shelf, physical, physical[:, :0], np.ones(1, dtype=np.bool_), room, room, 0)
    assert shelf.tolist() == [[3, 6]]


@pytest.mark.parametrize(
    "frictions", [Frictions(), Frictions(0.05, 0.03, 0.1)], ids=["none", "many"]
)
@pytest.mark.parametrize("most", [0, 5])
def test_the_twin_equals_one_event_per_line_with_shelves(frictions, most):
    scenario = chain(
        frictions=frictions,
        store=StoreRules(3, 30.0),
        shelf=ShelfRules(1.0, (8.0, 14.0), most),
        substitution=Substitution(0.3),
        customer_returns=CustomerReturns(0.1, 3, 0.6),
    )
    fast = simulate(scenario, BUNDLE, seed=5, trace=ROWS)
    slow = ReferenceModel(scenario, BundleOrders(scenario, BUNDLE, seed=5), seed=5)
    account, shape = slow.run(), scenario.network.shape
    assert (fast.lost_per_sku == account.array("lost", shape).sum(axis=0)).all()
    sold = fast.facts.get("units_sold").sum(axis=(0, 2))
    assert (sold == account.array("sold", shape).sum(axis=1)).all()
    closing = fast.facts.get("closing_stock_units")[-1].sum(axis=1)
    assert (closing == account.array("book", shape).sum(axis=1)).all()
    assert fast.counters["units_missed_behind"] > 0
    untraced = simulate(scenario, BUNDLE, seed=5)
    assert untraced.facts.sku_facts.tobytes() == fast.facts.sku_facts.tobytes()


def test_a_shelf_that_holds_everything_and_is_filled_changes_nothing():
    """Identity: room for all there is, and a round before each possible customer."""
    network = small_network()
    lines = [
        (s, day * 24 * HOUR + 9 * HOUR + 60 * i, i % 3, 2)
        for s in (0, 1)
        for day in range(3)
        for i in range(9)
    ]
    plain = simulate(world(*lines, network=network), up_to(), seed=1)
    hours = tuple(float(hour) for hour in range(24))
    wide = simulate(
        world(*lines, network=network, shelf=ShelfRules(10_000.0, hours)), up_to(), seed=1
    )
    assert plain.facts.sku_facts.tobytes() == wide.facts.sku_facts.tobytes()
    assert (plain.lost_per_sku == wide.lost_per_sku).all()


def test_less_room_or_fewer_rounds_lose_more_sales_of_goods_that_are_there():
    lost = [
        simulate(chain(shelf=rules), BUNDLE, seed=3).lost_per_sku.sum()
        for rules in (
            ShelfRules(),
            ShelfRules(4.0),
            ShelfRules(1.0),
            ShelfRules(1.0, (7.0,)),
            ShelfRules(1.0, (7.0,), 3),
        )
    ]
    assert lost == sorted(lost)
    assert lost[0] < lost[2] < lost[3] < lost[4]


def test_demand_is_the_same_with_shelves_and_perishables_keep_their_ages():
    life = np.where(np.arange(25) % 2 == 0, 5, 0).astype(np.int32)
    plain = chain(perishables=Perishables(tracked=True, lifo_share=0.4))
    network = plain.network
    network = dataclasses.replace(
        network, skus=dataclasses.replace(network.skus, shelf_life_days=life)
    )
    plain = dataclasses.replace(plain, network=network)
    tight = dataclasses.replace(plain, shelf=ShelfRules(1.0))
    one, two = (simulate(scenario, BUNDLE, seed=3) for scenario in (plain, tight))
    assert (one.demanded_per_sku == two.demanded_per_sku).all()
    # Ages are checked against stock at each touch: a wrong one ends the run.
    assert two.facts.get("write_off_units").sum() > 0
    assert two.lost_per_sku.sum() > one.lost_per_sku.sum()


def test_the_compiled_kernel_with_shelves_is_the_plain_one(monkeypatch):
    scenario = chain(shelf=ShelfRules(1.0), substitution=Substitution(0.3))
    scenario = dataclasses.replace(scenario, days=2)
    fast = simulate(scenario, BUNDLE, seed=1, trace=ROWS)
    monkeypatch.setattr(kernel, "advance", kernel.advance.py_func)
    slow = simulate(scenario, BUNDLE, seed=1, trace=ROWS)
    assert fast.facts.sku_facts.tobytes() == slow.facts.sku_facts.tobytes()


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("shelf.packs", lambda: ShelfRules(-1.0)),
        ("shelf.fill_hours", lambda: ShelfRules(1.0, ())),
        ("shelf.fill_hours", lambda: ShelfRules(1.0, (24.0,))),
        ("shelf.cases_per_round", lambda: ShelfRules(1.0, (7.0,), -2)),
    ],
)
def test_impossible_shelves_are_refused_by_name(field, make):
    with pytest.raises(ScenarioInvalid) as caught:
        make()
    assert caught.value.field == field


def test_a_scenario_file_may_have_shelves(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text('name = "x"\nextends = "base"\n[shelf]\npacks = 2\nfill_hours = [6, 12.5]\n')
    assert load_scenario(str(path)).world(tmp_path).shelf == ShelfRules(2, (6, 12.5))
