"""Conversions: one SKU is used up, others are made of it, and by mass nothing appears."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.domain.carbon import CarbonFactors
from policies.domain.errors import ScenarioInvalid
from policies.domain.ledger import CONVERT, MovementKind
from policies.domain.panel import day_facts
from policies.domain.stock import project
from policies.registry import build_bundle
from scenarios.chains import check_on_chain
from scenarios.history.generate import generate_chain, network_to_be
from scenarios.scenario import load_scenario
from tests.unit.domain_networks import small_network
from tests.unit.twin_worlds import DAY, HOUR, opening, up_to, world
from twin.goods_rules import Conversion
from twin.processes import ShelfRules
from twin.result import Trace
from twin.run import simulate
from twin.scenario import Opening, Perishables, Scenario

TRACED = Trace(movements=True, final_state=True)
NOTHING = up_to(store=0, warehouse=0)
CUTS = Conversion("K0", (("K1", 2.5), ("K2", 4.0)), units_per_day=3)


def butcher(life: int = 0):
    """A carcass (K0) of 10 kg, cuts of 1 kg (K1) and mince of 500 g (K2)."""
    network = small_network()
    skus = dataclasses.replace(
        network.skus,
        mass_g=np.array([10_000, 1_000, 500], dtype=np.int32),
        shelf_life_days=np.full(3, life, dtype=np.int32),
    )
    return dataclasses.replace(network, skus=skus)


def carcasses(network, units: int):
    """So many carcasses in each store and nothing else anywhere."""
    stock = opening(network, 0, 0)
    book = stock.book.copy()
    book[1:, 0] = units
    return Opening(book, book.copy())


def shop(*lines, days=2, life=0, units=5, **changed):
    network = butcher(life)
    return world(
        *lines, network=network, days=days, opening=carcasses(network, units),
        **({"conversions": (CUTS,)} | changed),
    )  # fmt: skip


def test_a_store_makes_what_its_yields_say_and_loses_the_rest():
    """3 carcasses: 7.5 → 7 cuts, 12 of mince; then the 2 that are left: 5 and 8."""
    result = simulate(shop(), NOTHING, seed=1, trace=TRACED)
    assert result.final.physical.tolist() == [[0, 0, 0], [0, 12, 20], [0, 12, 20]]
    assert (result.final.book == result.final.physical).all()
    seen = result.counters
    assert seen["conversions"] == 4
    assert (seen["conversion_units_used"], seen["conversion_units_made"]) == (10, 64)
    # 5 carcasses are 50 kg; 12 cuts and 20 of mince are 22 kg.
    assert seen["conversion_loss_g"] == 2 * 28_000


def test_every_document_is_one_of_inputs_and_outputs_and_balances_by_mass():
    scenario = shop()
    result = simulate(scenario, NOTHING, seed=1, trace=TRACED)
    rows, mass = result.movements, scenario.network.skus.mass_g
    mine = rows.kind == MovementKind.CONVERT
    lost = 0
    for document in np.unique(rows.document[mine]):
        one = mine & (rows.document == document)
        goes_in = one & (rows.to_location == CONVERT)
        comes = one & (rows.from_location == CONVERT)
        assert (goes_in.sum(), comes.sum()) == (1, 2)
        grams = [int(rows.quantity[side] @ mass[rows.sku[side]]) for side in (goes_in, comes)]
        assert grams[0] >= grams[1]
        lost += grams[0] - grams[1]
    assert lost == result.counters["conversion_loss_g"]
    balances = project(rows, 3, 3)
    assert (balances.on_hand == result.final.book).all()
    told = day_facts(scenario.network, rows, result.documents, 0, 1, known_at_s=2 * DAY)
    for name in ("closing_stock_units", "closing_stock_cents", "stock_change_cents"):
        assert (told.get(name) == result.facts.get(name)).all(), name


def test_what_was_made_at_seven_is_sold_at_ten():
    lines = [(0, 6 * HOUR, 1, 1), (0, 10 * HOUR, 1, 1), (0, 11 * HOUR, 2, 20)]
    result = simulate(shop(*lines, days=1), NOTHING, seed=1)
    assert result.sold_per_sku.tolist() == [0, 1, 12]
    assert result.lost_per_sku.tolist() == [0, 1, 8]


def test_a_store_with_enough_of_every_output_converts_nothing():
    some = dataclasses.replace(CUTS, units_per_day=1, keep_units=4, stores=("S1",))
    result = simulate(shop(days=4, conversions=(some,)), NOTHING, seed=1, trace=TRACED)
    # Day 0: 2 and 4; day 1, since 2 < 4: 4 and 8; then there is enough of both.
    assert result.final.physical.tolist() == [[0, 0, 0], [5, 0, 0], [3, 4, 8]]


def test_what_is_made_is_fresh_and_carries_on_the_carbon():
    lines = [(0, 3 * DAY + 10 * HOUR, 1, 1)]
    scenario = shop(
        *lines, days=8, life=3, units=1, carbon=CarbonFactors(),
        conversions=(dataclasses.replace(CUTS, at_hour=18.0),),
        perishables=Perishables(tracked=True),
    )  # fmt: skip
    result = simulate(scenario, NOTHING, seed=1, trace=TRACED)
    assert result.carbon.gap < 1e-9
    # Made on the evening of day 0, for sale on days 0, 1 and 2, cleared that night.
    assert result.lost_per_sku.tolist() == [0, 1, 0]
    assert result.facts.get("write_off_units")[2].sum() == 2 * (2 + 4)
    # 2 × (10 − 2 × 1 − 4 × 0.5) kg lost, then 2 × 4 kg expired, at 2.1 kg each.
    assert result.carbon.waste_g == pytest.approx((2 * 6 + 2 * 4) * 2_100)


def test_it_goes_with_a_backroom_and_streams_the_same_with_and_without_rows():
    scenario = shop((0, 15 * HOUR, 1, 1), shelf=ShelfRules(1.0, (8.0,)))
    plain = simulate(scenario, NOTHING, seed=1)
    traced = simulate(scenario, NOTHING, seed=1, trace=TRACED)
    assert (plain.facts.sku_facts == traced.facts.sku_facts).all()
    assert plain.sold_per_sku.tolist() == [0, 1, 0]


def test_an_input_that_nobody_buys_is_ordered_by_what_stores_would_use():
    """None is there to begin with, and none is ever sold."""
    network, demand = generate_chain(stores=3, skus=20, days=56, lines_per_store_day=60, seed=1)
    order = np.argsort(network.skus.mass_g, kind="stable")
    heavy, light = int(order[-1]), int(order[0])
    keep = demand.sku != heavy
    owner = np.repeat(np.arange(3), np.diff(demand.offsets))[keep]
    columns = ("t_s", "sku", "quantity", "unit_price_cents", "basket")
    demand = dataclasses.replace(
        demand,
        offsets=np.searchsorted(owner, np.arange(4)),
        **{name: getattr(demand, name)[keep] for name in columns},
    )
    listed = network.listed.copy()
    listed[:, heavy] = True
    ids = network.skus.ids
    scenario = Scenario(
        "kitchen", dataclasses.replace(network, listed=listed), demand, 0, 56,
        conversions=(Conversion(ids[heavy], ((ids[light], 0.5),), units_per_day=4),),
    )  # fmt: skip
    bundle = build_bundle("base-stock", {"reviews_per_week": 7})
    result = simulate(scenario, bundle, seed=1, trace=TRACED)
    # 4 a day in three stores; the first weeks pass until warehouse and stores have some.
    rows = result.movements
    late = (rows.kind == MovementKind.CONVERT) & (rows.to_location == CONVERT)
    late &= rows.occurred_at_s >= 28 * DAY
    assert rows.quantity[late].sum() > 0.95 * 4 * 3 * 28
    assert result.sold_per_sku[heavy] == 0


def test_recipes_of_a_scenario_file_are_held_to_its_chain(tmp_path):
    settings = {"stores": 3, "skus": 20, "days": 28, "lines_per_store_day": 60, "seed": 1}
    skus = network_to_be(**settings).skus
    heavy, light = (skus.ids[int(at)] for at in (skus.mass_g.argmax(), skus.mass_g.argmin()))
    much = 2 * skus.mass_g.max() / skus.mass_g.min()

    def check(text):
        path = tmp_path / "mine.toml"
        path.write_text(f'name = "mine"\nextends = "tiny"\n[[conversions]]\n{text}\n')
        check_on_chain(load_scenario(str(path)))

    check(f'input = "{heavy}"\noutputs = {{"{light}" = 0.5}}')
    for text, field in (
        (f'input = "none"\noutputs = {{"{light}" = 0.5}}', "conversions.input"),
        (f'input = "{heavy}"\noutputs = {{none = 0.5}}', "conversions.outputs"),
        (f'input = "{heavy}"\noutputs = {{"{light}" = {much}}}', "conversions.outputs"),
        (f'input = "{heavy}"\noutputs = {{"{light}" = "x"}}', "conversions.outputs." + light),
        (f'input = "{heavy}"', "conversions.outputs"),
        (f'input = "{heavy}"\noutputs = {{"{heavy}" = 1.0}}', "conversions.outputs"),
        (
            f'input = "{heavy}"\noutputs = {{"{light}" = 0.5}}\nstores = ["none"]',
            "conversions.stores",
        ),
        (
            f'input = "{heavy}"\noutputs = {{"{light}" = 0.5}}\nunits_per_day = 0',
            "conversions.units_per_day",
        ),
    ):
        with pytest.raises(ScenarioInvalid) as refused:
            check(text)
        assert refused.value.field == field
        assert "mine.toml" in str(refused.value.row)
