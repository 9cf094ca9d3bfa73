"""Recalled lots and goods that go back: taken once, booked, carried and counted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.domain.carbon import CarbonFactors
from policies.domain.errors import ScenarioInvalid
from policies.domain.ledger import MovementKind
from scenarios.chains import check_on_chain
from scenarios.scenario import load_scenario
from tests.unit.domain_networks import small_network
from tests.unit.twin_worlds import DAY, HOUR, up_to, world
from twin.goods_rules import GoodsReturns, Recall
from twin.result import Trace
from twin.run import simulate
from twin.scenario import Perishables

TRACED = Trace(movements=True, final_state=True)
NOTHING = up_to(store=0, warehouse=0)
WANTED = [(s, d * DAY + 10 * HOUR, 0, 1) for s in range(2) for d in range(4)]


def rows_of(result, kind):
    rows = result.movements
    mine = rows.kind == kind
    return list(zip(rows.sku[mine].tolist(), rows.quantity[mine].tolist(), strict=True))


def test_a_recalled_sku_is_gone_everywhere_and_its_sales_are_lost():
    """10 in each of two stores, one sold in each on day 0, 60 in the warehouse."""
    recall = Recall(skus=("K0",), from_day=1, days=2)
    result = simulate(world(*WANTED, days=4, recalls=(recall,)), NOTHING, seed=1, trace=TRACED)
    assert result.counters["recalled_units"] == 9 + 9 + 60
    assert result.counters["recall_destroyed_units"] == 78
    assert result.counters["recalled_cents"] == 7_800
    # Lost at 10 o'clock of days 1 and 2; day 3 is after the recall, and lost all the same.
    assert result.counters["units_lost_in_recalls"] == 4
    assert result.lost_per_sku.tolist() == [6, 0, 0]
    assert result.final.physical[:, 0].tolist() == [0, 0, 0]
    assert result.final.physical[:, 1].tolist() == [60, 10, 10]
    assert sorted(rows_of(result, MovementKind.WRITE_OFF)) == [(0, 9), (0, 9), (0, 60)]
    assert result.facts.get("write_off_cents").sum() == 7_800
    assert result.facts.get("write_off_cents")[1].sum() == 7_800


def test_a_lots_share_is_taken_and_the_rest_is_sold():
    recall = Recall(skus=("K0",), from_day=1, lot_share=0.5)
    result = simulate(world(*WANTED, days=4, recalls=(recall,)), NOTHING, seed=1)
    # 9, 9 and 60 at one half, each rounded by a draw.
    assert 2 * 4 + 30 <= result.counters["recalled_units"] <= 2 * 5 + 30
    assert result.lost_per_sku.sum() == 0


def test_what_suppliers_deliver_during_a_recall_is_taken_at_the_ramp():
    """Stock is ordered again at once; the lot goes on coming until day 6."""
    lines = [(0, 9 * DAY + 10 * HOUR, 0, 1)]
    during = Recall(skus=("K0",), from_day=1, days=5)
    short = dataclasses.replace(during, days=0)
    long, brief = (
        simulate(world(*lines, days=10, recalls=(one,)), up_to(), seed=1, trace=TRACED)
        for one in (during, short)
    )
    assert brief.counters["recalled_units"] == 80
    assert long.counters["recalled_units"] > 80
    assert long.final.physical[1, 0] > 0, "sound goods come after the recall"


def test_returned_lots_go_to_the_supplier_without_a_write_off_and_carbon_closes():
    recall = Recall(skus=("K0",), from_day=1, days=2, action="return")
    scenario = world(*WANTED, days=4, recalls=(recall,), carbon=CarbonFactors())
    result = simulate(scenario, NOTHING, seed=1, trace=TRACED)
    plain = simulate(dataclasses.replace(scenario, recalls=()), NOTHING, seed=1)
    assert sorted(rows_of(result, MovementKind.RETURN_TO_SUPPLIER)) == [(0, 9), (0, 9), (0, 60)]
    assert result.facts.get("write_off_units").sum() == 0
    assert result.counters["recall_destroyed_units"] == 0
    # 78 units of 0.5 kg over 300 km at 80 g a tonne and km.
    assert result.carbon.legs_g - plain.carbon.legs_g == pytest.approx(39 * 300 * 80 / 1e3)
    assert result.carbon.gap < 1e-9


def test_a_recall_of_perishables_keeps_their_ages_straight():
    network = small_network()
    life = np.full(3, 4, dtype=np.int32)
    network = dataclasses.replace(
        network, skus=dataclasses.replace(network.skus, shelf_life_days=life)
    )
    recall = Recall(category="food", from_day=1, days=3, lot_share=0.4)
    scenario = world(
        *WANTED, network=network, days=8, recalls=(recall,),
        perishables=Perishables(tracked=True, lifo_share=0.5), carbon=CarbonFactors(),
    )  # fmt: skip
    result = simulate(scenario, up_to(), seed=1, trace=TRACED)
    assert result.counters["recalled_units"] > 0
    assert result.carbon.gap < 1e-9
    # K0 and K2 are food; what was thrown away is what was recalled and what expired.
    assert result.facts.get("write_off_units")[1].sum() >= 20


def test_slow_movers_ride_home_and_are_sorted_at_the_warehouse():
    """10 of each of three SKUs in two stores, of K0 one sold a day: the others go back."""
    rules = GoodsReturns(every_days=3, cover_days=180.0, keep_days=56.0, damaged_share=0.0)
    result = simulate(world(*WANTED, days=5, goods_returns=rules), NOTHING, seed=1, trace=TRACED)
    # K0: 7 left after 3 of 56 days' window → 7 · 56 > 3 · 180 is not so: it stays.
    assert result.final.physical[1:, 0].tolist() == [6, 6]
    assert result.final.physical[:, 1].tolist() == [80, 0, 0]
    assert result.final.book[:, 2].tolist() == [80, 0, 0]
    assert result.counters["units_sent_back"] == 40
    facts = result.facts
    assert facts.get("route_metres").sum() == 0
    assert facts.get("cases_received")[3, 0].sum() == 40
    assert facts.get("in_transit_cents")[2, 0].sum() == 4_000


def test_damaged_goods_are_thrown_away_and_some_go_on_to_the_supplier():
    rules = GoodsReturns(3, 180.0, 0.0, 20.0, 1, 0.25, 0.5)
    result = simulate(
        world(days=5, goods_returns=rules, carbon=CarbonFactors()), NOTHING, seed=1, trace=TRACED
    )
    seen = result.counters
    assert seen["units_sent_back"] == 60
    # A quarter of six times 10 (2 or 3 each), then half of what is left (3 to 4 each).
    assert 12 <= seen["sent_back_damaged_units"] <= 18
    assert 18 <= seen["sent_back_to_supplier_units"] <= 24
    left = 180 + 60 - seen["sent_back_damaged_units"] - seen["sent_back_to_supplier_units"]
    assert result.final.physical[0].sum() == left
    assert result.facts.get("write_off_units").sum() == seen["sent_back_damaged_units"]
    assert result.carbon.gap < 1e-9


def test_goods_on_their_way_back_belong_to_the_next_run():
    rules = GoodsReturns(3, 180.0, 0.0, 20.0, 2, 0.0, 0.0)
    first = simulate(world(days=3, goods_returns=rules), NOTHING, seed=1, trace=TRACED)
    assert first.final.on_order_lines[:, 3].sum() == 60
    again = world(days=3, opening=first.final)
    second = simulate(dataclasses.replace(again, first_day=3), NOTHING, seed=1, trace=TRACED)
    assert second.final.physical.sum() == 240


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('[[recalls]]\nskus = ["nothing"]', "recalls.skus"),
        ('[[recalls]]\ncategory = "nothing"', "recalls.category"),
        ("[[recalls]]\nfrom_day = 3", "recalls.skus"),
        ('[[recalls]]\nsku_share = 0.1\naction = "burn"', "recalls.action"),
        ("[[recalls]]\nsku_share = 0.1\nlot_shares = 0.5", "recalls.lot_shares"),
        ("[[recalls]]\nsku_share = 0.1\nfrom_day = 99", "recalls.from_day"),
        ("recalls = [3]", "recalls"),
        ("[goods_returns]\nevery_days = 7\nkeep_days = 200", "goods_returns.keep_days"),
        ("[goods_returns]\nback_days = 0", "goods_returns.back_days"),
    ],
)
def test_rules_that_can_not_be_are_named_with_file_and_key(tmp_path, text, field):
    path = tmp_path / "mine.toml"
    path.write_text(f'name = "mine"\nextends = "tiny"\n{text}\n')
    with pytest.raises(ScenarioInvalid) as refused:
        check_on_chain(load_scenario(str(path)))
    assert refused.value.field == field
    assert str(path) in str(refused.value.row)
