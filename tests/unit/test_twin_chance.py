"""Disruptions by chance, and deliveries that fail or come short."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.domain.errors import ScenarioInvalid
from policies.domain.ledger import MovementKind
from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from scenarios.scenario import from_values, load_scenario
from tests.unit.domain_networks import small_network
from tests.unit.twin_worlds import DAY
from twin import draws
from twin.closures import Closures, stretches
from twin.hooks import BundleOrders
from twin.processes import (
    BreakdownRules,
    CraneRules,
    DeliveryRules,
    DriverRules,
    MarkovDisruption,
    TrafficRules,
)
from twin.reference_model import ReferenceModel
from twin.result import Trace
from twin.run import simulate
from twin.scenario import Disruptions, Scenario, WarehouseRules

BUNDLE = build_bundle("incumbent", {"reviews_per_week": 7})
ROWS = Trace(movements=True, final_state=True)


def chain(days=28, **rules) -> Scenario:
    network, demand = generate_chain(stores=4, skus=20, days=28, lines_per_store_day=60, seed=2)
    return Scenario("chance", network, demand, 0, days, opening_cover_days=4.0, **rules)


def markov(target="suppliers", up=10.0, down=4.0, names=()) -> Disruptions:
    return Disruptions(markov=(MarkovDisruption(target, up, down, names),))


def test_stretches_have_the_stated_means_from_the_first_day_on():
    """400 chains of 2,000 days: shares within 5 standard errors of the chain's equilibrium."""
    rules = MarkovDisruption("suppliers", 12.0, 4.0)
    keys = draws.keys(3, 0, "t", [str(i) for i in range(400)])
    down = stretches(rules, keys, 2_000)
    assert abs(down[:, 0].mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 400)
    share = down.mean(axis=1)
    assert abs(share.mean() - 0.25) < 5 * share.std() / 20
    falls = (~down[:, :-1] & down[:, 1:]).sum()
    assert (~down[:, :-1]).sum() / falls == pytest.approx(12.0, rel=0.05)
    rises = (down[:, :-1] & ~down[:, 1:]).sum()
    assert down[:, :-1].sum() / rises == pytest.approx(4.0, rel=0.05)


def test_a_chain_belongs_to_a_name_a_seed_and_a_replication():
    """Another supplier beside it, another length of the run: the same days are bad."""
    network = small_network(stores=3)
    alone = markov("lanes", names=("S1",))
    one = Closures(network, markov("lanes"), 0, 50, seed=1)
    two = Closures(network, alone, 0, 20, seed=1)
    days = range(300)
    s1 = [one.is_lane_shut(2, day) for day in days]
    assert s1 == [two.is_lane_shut(2, day) for day in days]
    assert 10 < sum(s1) < 200
    assert not any(two.is_lane_shut(1, day) for day in days)
    other = Closures(network, alone, 0, 20, seed=1, replication=1)
    assert s1 != [other.is_lane_shut(2, day) for day in days]


def test_a_supplier_that_is_down_makes_each_order_lose_its_days():
    closures = Closures(small_network(), markov(up=5.0, down=3.0), 0, 60, seed=2)
    down = closures._down["suppliers"]
    for supplier in (0, 1):
        for ordered in range(0, 60, 7):
            late = closures.supplier_days(ordered, ordered + 4, supplier)
            passed = down[supplier, ordered + 1 : ordered + 5 + late]
            assert (~passed).sum() == 4
            assert not passed[-1]


def test_nothing_reaches_a_store_whose_lane_is_shut_and_all_of_it_comes_later():
    """Loads wait approved; the run ends with the units that were ordered for it."""
    scenario = chain(disruptions=markov("lanes", 6.0, 3.0))
    result = simulate(scenario, BUNDLE, seed=1, trace=ROWS)
    closures = Closures.of(scenario, 1, 0)
    rows = result.movements
    left = rows.where(rows.kind == MovementKind.SHIP)
    docs = result.documents.transfers
    assert not any(
        closures.is_lane_shut(int(place), int(at) // DAY)
        for place, at in zip(docs.destination, docs.shipped_s, strict=True)
        if at >= 0
    )
    assert len(left)
    plain = simulate(chain(), BUNDLE, seed=1, trace=ROWS)
    assert result.lost_per_sku.sum() > plain.lost_per_sku.sum()


def test_a_warehouse_that_goes_down_by_chance_ships_and_receives_nothing_that_day():
    scenario = chain(disruptions=markov("warehouses", 5.0, 2.0))
    result = simulate(scenario, BUNDLE, seed=4, trace=ROWS)
    closures = Closures.of(scenario, 4, 0)
    rows = result.movements
    moves = (rows.kind == MovementKind.SHIP) | (rows.kind == MovementKind.RECEIVE)
    used = set((rows.occurred_at_s[moves] // DAY).tolist())
    bad = {day for day in range(28) if closures._down["warehouses"][:, day].all()}
    assert bad
    assert not used & bad


def on_order_at_the_end(result) -> int:
    return int(result.final.on_order_lines[:, 3].sum())


def test_a_failed_delivery_never_comes_and_is_ordered_again():
    """The stated share fails; what lapsed is not on order (checked at the end of each run)."""
    rules = DeliveryRules(failed_share=0.4)
    result = simulate(chain(deliveries=rules), BUNDLE, seed=1, trace=ROWS)
    plain = simulate(chain(), BUNDLE, seed=1, trace=ROWS)
    orders = result.documents.purchases
    early = orders.ordered_s < 14 * DAY
    category = chain().network.skus.category[orders.sku]
    lapsed = early & (orders.received_s < 0)
    nothing = set(zip(orders.ordered_s[lapsed], category[lapsed], strict=True))
    # A delivery fails as a whole: no line of a failed one has come.
    came = early & (orders.received_s >= 0)
    assert not nothing & set(zip(orders.ordered_s[came], category[came], strict=True))
    assert result.counters["deliveries_failed"] >= len(nothing) > 3
    assert orders.ordered.sum() > plain.documents.purchases.ordered.sum()
    assert (result.demanded_per_sku == plain.demanded_per_sku).all()


def test_a_failed_delivery_with_a_retry_comes_so_many_days_later():
    every = DeliveryRules(failed_share=1.0, retry_days=3)
    late = simulate(chain(deliveries=every), BUNDLE, seed=1, trace=ROWS).documents.purchases
    plain = simulate(chain(), BUNDLE, seed=1, trace=ROWS).documents.purchases
    first = late.ordered_s == late.ordered_s.min()
    same = plain.ordered_s == plain.ordered_s.min()
    assert (late.ordered[first] == plain.ordered[same]).all()
    days = late.received_s[first] // DAY - plain.received_s[same] // DAY
    assert set(days.tolist()) == {3}


def test_a_short_delivery_brings_whole_packs_of_its_share_and_the_rest_lapses():
    rules = DeliveryRules(short_share=1.0, short_fill=0.6)
    result = simulate(chain(deliveries=rules), BUNDLE, seed=1, trace=ROWS)
    orders = result.documents.purchases
    came = orders.received_s >= 0
    pack = chain().network.skus.pack_size[orders.sku]
    expected = np.floor(orders.ordered * 0.6 / pack + 1e-9) * pack
    assert came.sum() > 50
    assert (orders.received[came] == expected[came]).all()
    assert result.counters["deliveries_short"] > 0
    open_lines = result.final.on_order_lines
    assert (open_lines[:, 4] >= 28 * DAY).all()


EVERYTHING = {
    "asrs": CraneRules(cranes=2, cases_per_unit=1.0),
    "deliveries": DeliveryRules(0.2, 0, 0.3, 0.5),
    "breakdowns": BreakdownRules(10.0, 4.0, 0.5, 1.0),
    "traffic": TrafficRules(tuple(0.6 if hour in {7, 8, 17} else 1.0 for hour in range(24))),
    "drivers": DriverRules(regulated=True, drive_before_break_hours=0.5, break_minutes=20.0),
    "disruptions": Disruptions(
        suppliers_from_day=5,
        suppliers_days=2,
        others=(Disruptions(warehouses_from_day=12, warehouses_days=1),),
        markov=tuple(MarkovDisruption(t, 12.0, 2.0) for t in ("suppliers", "warehouses", "lanes")),
    ),
    "warehouse": WarehouseRules(docks=1, pickers=2, cases_per_picker_hour=60),
}


def test_with_everything_on_the_twin_equals_one_event_per_receipt_line():
    scenario = chain(**EVERYTHING)
    fast = simulate(scenario, BUNDLE, seed=5, trace=ROWS)
    slow = ReferenceModel(scenario, BundleOrders(scenario, BUNDLE, seed=5), seed=5)
    account = slow.run()
    shape = scenario.network.shape
    assert (fast.lost_per_sku == account.array("lost", shape).sum(axis=0)).all()
    closing = fast.facts.get("closing_stock_units")[-1].sum(axis=1)
    assert (closing == account.array("book", shape).sum(axis=1)).all()
    assert fast.counters["tours"] == slow.logistics.tours
    assert (account.array("on_order", shape) >= 0).all()
    for name in ("breakdowns", "driver_breaks", "deliveries_failed", "deliveries_short"):
        assert fast.counters[name] == slow.logistics.counters()[name] > 0


@pytest.mark.parametrize(
    ("field", "rules"),
    [
        ("disruptions.target", {"target": "ports"}),
        ("disruptions.mean_up_days", {"mean_up_days": 0.5}),
        ("disruptions.mean_down_days", {"mean_down_days": float("nan")}),
    ],
)
def test_impossible_chains_are_refused_by_name(field, rules):
    with pytest.raises(ScenarioInvalid) as caught:
        MarkovDisruption(**rules)
    assert caught.value.field == field


def test_a_disruption_of_a_place_that_is_not_there_is_named_with_the_nearest():
    with pytest.raises(ScenarioInvalid, match="did you mean 'S1'") as caught:
        Closures(small_network(), markov("lanes", names=("S11",)), 0)
    assert caught.value.field == "disruptions.names"


SCENARIO = """
name = "x"
extends = "base"

[traffic]
speed_factors = [1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.6, 1, 1, 1, 1, 1, 1, 1, 0.7, 0.6, 0.8, 1, 1, 1, 1, 1]

[[disruptions]]
suppliers_from_day = 3
suppliers_days = 2

[[disruptions]]
kind = "markov"
target = "lanes"
mean_up_days = 60
names = ["S001"]

[[disruptions]]
kind = "dated"
warehouses_from_day = 9
warehouses_days = 1
"""


def test_a_scenario_file_lists_disruptions_of_both_kinds(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(SCENARIO)
    world = load_scenario(str(path)).world(tmp_path)
    assert world.disruptions.suppliers_days == 2
    assert world.disruptions.others == (Disruptions(warehouses_from_day=9, warehouses_days=1),)
    assert world.disruptions.markov == (MarkovDisruption("lanes", 60, 3.0, ("S001",)),)
    assert world.traffic.speed_factors[7] == 0.6
    plain = dataclasses.asdict(from_values({"name": "y"}).world(tmp_path).disruptions)
    assert plain == dataclasses.asdict(Disruptions())


@pytest.mark.parametrize(
    ("text", "field", "remedy"),
    [
        ('[[disruptions]]\nkind = "markow"', "disruptions.kind", "markov"),
        ('[[disruptions]]\nkind = "markov"\nmean_up = 3', "disruptions.mean_up", "mean_up_days"),
        ('[[disruptions]]\nkind = "markov"\nnames = [1]', "disruptions.names", "text"),
        ('[[disruptions]]\nkind = "markov"\nmean_down_days = 0', "disruptions.mean_down_days", "1"),
        ("[disruptions]\nmarkov = 1", "disruptions.markov", ""),
        ("disruptions = [3]", "disruptions", "table"),
        ("[traffic]\nspeed_factors = [1, 1]", "traffic.speed_factors", "24"),
        ('[traffic]\nspeed_factors = ["quick"]', "traffic.speed_factors", "number"),
        ("[traffic]\nspeed_factors = 0.5", "traffic.speed_factors", "list"),
        ("[breakdowns]\nrelief_share = 2", "breakdowns.relief_share", "0 to 1"),
        ("[drivers]\nregulated = 1", "drivers.regulated", "bool"),
        ("[asrs]\ncrane = 4", "asrs.crane", "cranes"),
        ("[deliveries]\nfailed_share = -0.1", "deliveries.failed_share", "0 or more"),
    ],
)
def test_a_fault_in_a_file_is_named_with_file_key_and_remedy(tmp_path, text, field, remedy):
    path = tmp_path / "x.toml"
    body = f"{text}\n" if text.startswith("disruptions") else ""
    tables = "" if body else f"{text}\n"
    path.write_text(f'name = "x"\nextends = "base"\n{body}{tables}')
    with pytest.raises(ScenarioInvalid) as caught:
        load_scenario(str(path))
    assert caught.value.field == field
    assert str(path) in str(caught.value.row)
    assert remedy in str(caught.value.remedy)
