"""A run begins with the ages, open orders and stock that another run or a service ended with."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.domain.decision import SUPPLIER
from policies.domain.errors import ScenarioInvalid
from policies.domain.network import DAY_SECONDS
from policies.domain.view import NetworkView
from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from scenarios.worlds import load_opening, save_opening
from tests.unit.domain_networks import small_network
from tests.unit.twin_worlds import up_to, world
from twin.result import Trace
from twin.run import simulate
from twin.scenario import Frictions, Opening, Perishables, Scenario, StoreRules
from twin.warm_start import opening_of

FINAL = Trace(final_state=True)
NOTHING = up_to(0, 0)


def fresh(first_day: int = 0, opening: Opening | None = None, days: int = 12) -> Scenario:
    """A chain of goods that live 2, 3, 5 days and for ever, with everything that goes wrong."""
    network, demand = generate_chain(stores=4, skus=24, days=28, lines_per_store_day=70, seed=7)
    life = np.array([2, 3, 5, 0], dtype=np.int32)[np.arange(24) % 4]
    return Scenario(
        "fresh",
        dataclasses.replace(network, skus=dataclasses.replace(network.skus, shelf_life_days=life)),
        demand,
        first_day,
        days,
        opening=opening,
        opening_cover_days=3.0,
        frictions=Frictions(0.03, 0.03, 0.05, 0.6, 0.1, 0.1, 0.1),
        store=StoreRules(4, 600.0),
        perishables=Perishables(tracked=True, lifo_share=0.3),
    )


def test_a_final_state_knows_the_age_of_every_unit_that_expires():
    scenario = fresh()
    final = simulate(scenario, build_bundle("capped-base-stock"), seed=3, trace=FINAL).final
    lives = scenario.network.skus.shelf_life_days > 0
    stock = np.zeros(scenario.network.shape, dtype=np.int64)
    place, sku, day, units = final.expiring.T
    np.add.at(stock, (place, sku), units)
    assert (stock[:, lives] == final.physical[:, lives]).all()
    assert not stock[:, ~lives].any()
    assert (day >= 12).all()
    assert (day < 12 + scenario.network.skus.shelf_life_days[sku]).all()
    # As many units are on the way, by lane, as the open orders say.
    way = np.zeros(scenario.network.shape, dtype=np.int64)
    np.add.at(way, tuple(final.expiring_on_way[:, [1, 3]].T), final.expiring_on_way[:, 5])
    lines = final.on_order_lines[final.on_order_lines[:, 0] != SUPPLIER]
    lines = lines[lives[lines[:, 2]]]
    ordered = np.zeros_like(way)
    np.add.at(ordered, tuple(lines[:, [1, 2]].T), lines[:, 3])
    assert way.sum() > 0
    assert (way == ordered).all()


def test_a_run_goes_on_from_a_final_state_through_a_file(tmp_path):
    """Ages survive the file; the run that goes on keeps every balance for another week."""
    bundle = build_bundle("capped-base-stock")
    final = simulate(fresh(), bundle, seed=3, trace=FINAL).final
    save_opening(final, tmp_path)
    opening = load_opening(tmp_path)
    assert (opening.expiring == final.expiring).all()
    later = simulate(fresh(12, opening, 7), bundle, seed=3)
    whole = simulate(fresh(0, days=19), bundle, seed=3)
    forgetful = dataclasses.replace(
        opening, expiring=opening.expiring[:0], expiring_on_way=opening.expiring_on_way[:0]
    )
    without = simulate(fresh(12, forgetful, 7), bundle, seed=3)
    # The first evening's waste is what an unbroken run clears that evening; without ages not.
    waste = [run.facts.get("write_off_units") for run in (whole, later, without)]
    assert waste[0][12].sum() > 0
    assert abs(waste[1][0].sum() - waste[0][12].sum()) <= 0.1 * waste[0][12].sum()
    assert abs(waste[2][0].sum() - waste[0][12].sum()) > 0.25 * waste[0][12].sum()


def test_what_nobody_touches_expires_on_the_days_it_always_would():
    """Without demand and orders a run cut in two writes off what a whole one does."""
    network = small_network()
    skus = dataclasses.replace(
        network.skus, shelf_life_days=np.full(network.shape[1], 6, dtype=np.int32)
    )
    network = dataclasses.replace(network, skus=skus)
    fields = {"network": network, "perishables": Perishables(tracked=True)}
    whole = simulate(world(days=7, **fields), NOTHING, seed=1)
    head = simulate(world(days=3, **fields), NOTHING, seed=1, trace=FINAL)
    tail = world(days=4, **(fields | {"opening": head.final, "first_day": 3}))
    waste = whole.facts.get("write_off_units")
    assert waste.sum() > 0
    assert (simulate(tail, NOTHING, seed=1).facts.get("write_off_units") == waste[3:]).all()


def test_ages_of_more_units_than_there_are_get_refused():
    network = small_network()
    skus = dataclasses.replace(
        network.skus, shelf_life_days=np.full(network.shape[1], 6, dtype=np.int32)
    )
    network = dataclasses.replace(network, skus=skus)
    base = world(network=network, perishables=Perishables(tracked=True))
    store = int(network.stores[0])
    many = np.array([[store, 1, 2, 11]])
    wrong = dataclasses.replace(base, opening=dataclasses.replace(base.opening, expiring=many))
    with pytest.raises(ScenarioInvalid, match=f"ages of more {network.skus.ids[1]}") as raised:
        simulate(wrong, NOTHING, seed=1)
    assert raised.value.row == network.locations.ids[store]
    origin = int(network.locations.source[store])
    due = DAY_SECONDS // 2
    lines = np.array([[origin, store, 1, 4, due]])
    way = np.array([[origin, store, due, 1, 2, 5]])
    opening = dataclasses.replace(base.opening, on_order_lines=lines, expiring_on_way=way)
    with pytest.raises(ScenarioInvalid, match="ages of more"):
        simulate(dataclasses.replace(base, opening=opening), NOTHING, seed=1)


def view_of(network, **changed) -> NetworkView:
    """Day 4 in the evening, ten of everything on hand."""
    nothing = np.zeros(network.shape, dtype=np.int32)
    fields = {
        "as_of_s": 4 * DAY_SECONDS + 80_000,
        "network": network,
        "on_hand": nothing + 10,
        "in_transit": nothing,
        "on_order": nothing,
        "backorders": nothing,
        "reserved": nothing,
        "review_due": np.ones(network.shape[0], dtype=np.bool_),
        "protection_days": np.ones(network.shape[0], dtype=np.int32),
    }
    return NetworkView(**(fields | changed))


def test_a_live_networks_view_is_the_start_of_a_run():
    """Goods on the road and promised ones come; nothing appears, nothing vanishes."""
    network = small_network()
    store = int(network.stores[0])
    origin = int(network.locations.source[store])
    on_order = np.zeros(network.shape, dtype=np.int32)
    in_transit = on_order.copy()
    expires = np.zeros((*network.shape, 3), dtype=np.int32)
    on_order[store, 0], in_transit[store, 0] = 9, 4
    on_order[store, 1] = 40  # more than the warehouse has
    on_order[origin, 2] = 12
    expires[store, 0] = (3, 2, 8)  # of 10: one of the last has gone unnoticed three times
    view = view_of(network, on_order=on_order, in_transit=in_transit, expires=expires)
    opening = opening_of(view)
    assert opening.book[origin, 0] == 10 - 5
    assert opening.book[origin, 1] == 0
    rows = {(int(r[0]), int(r[1]), int(r[2])): int(r[3]) for r in opening.on_order_lines}
    assert rows == {(origin, store, 0): 9, (origin, store, 1): 10, (SUPPLIER, origin, 2): 12}
    assert opening.expiring.tolist() == [[store, 0, 5, 3], [store, 0, 6, 2], [store, 0, 7, 5]]
    scenario = world(network=network, days=9, first_day=5, opening=opening)
    result = simulate(scenario, NOTHING, seed=1, trace=FINAL)
    whole = view.on_hand.sum() + 4 + 12
    assert result.final.physical.sum() == whole
    assert result.final.physical[store, 0] == 10 + 9
    assert not len(result.final.on_order_lines)


def test_a_book_below_nothing_begins_at_nothing():
    """Sold before it was booked in: the goods are known to be gone."""
    network = small_network()
    on_hand = np.full(network.shape, 3, dtype=np.int32)
    on_hand[int(network.stores[0]), 1] = -2
    opening = opening_of(view_of(network, on_hand=on_hand))
    assert opening.book.min() == 0
    assert (opening.book == opening.physical).all()
