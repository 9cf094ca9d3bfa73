"""Every gram of the carbon account is caused once and carried by somebody."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.domain.carbon import SOURCES, CarbonFactors, shares, truck_grams
from policies.domain.decision import LineKind
from policies.domain.errors import ConservationBroken, ScenarioInvalid
from policies.domain.kpis import CO2E_FACTS, kpi, value
from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from tests.unit.domain_networks import small_network
from tests.unit.twin_worlds import opening, up_to, world
from twin.arrays import Stock
from twin.carbon import CarbonAccount
from twin.loads import Load
from twin.road import Stop, Tour
from twin.run import simulate
from twin.scenario import Frictions, Perishables, Scenario, StoreRules

FACTORS = CarbonFactors()
NOTHING = CarbonFactors(
    True, *(0.0 for item in dataclasses.fields(CarbonFactors) if item.name != "tracked")
)


def busy(days=35, **changed):
    """Perishables, theft, counts, wrong receipts and a warm-up."""
    network, demand = generate_chain(stores=4, skus=25, days=days, lines_per_store_day=60, seed=3)
    life = np.where(np.arange(25) % 3 == 0, 5, 0).astype(np.int32)
    network = dataclasses.replace(
        network, skus=dataclasses.replace(network.skus, shelf_life_days=life)
    )
    fields = {
        "opening_cover_days": 4.0,
        "warmup_days": 7,
        "frictions": Frictions(0.05, 0.03, 0.1, 0.6, 0.1, 0.1, 0.1),
        "store": StoreRules(3, 30.0, count_cycle_days=4.0, count_error_per_line=0.2),
        "perishables": Perishables(tracked=True, lifo_share=0.3, life_factor=0.5),
        "carbon": FACTORS,
    }
    return Scenario("busy", network, demand, 0, days, **(fields | changed))


def account_of(network, factors=FACTORS):
    zeros = np.zeros(network.shape, dtype=np.int32)
    fields = dict.fromkeys(Stock._fields, zeros) | {"physical": zeros.copy()}
    return CarbonAccount(network, factors, Stock(**fields))


def load(number, place, sku, units, kg, origin=0):
    many = np.array(units, dtype=np.int32)
    skus = np.array(sku, dtype=np.int32)
    return Load(number, LineKind.REPLENISH, origin, place, 0, skus, many, many.copy(), 0, kg)


def test_three_legs_worked_by_hand():
    """10 km with 3 t, 20 km with 1 t, 25 km empty; direct distances 10 km and 25 km.

    Litres: 0.1 × (20 + 8 × 3/9) + 0.2 × (20 + 8 × 1/9) + 0.25 × 20 = 11.4444…; at 3,240 g
    37,080 g. Mass × direct distance: 2 t × 10 km and 1 t × 25 km, so 4/9 and 5/9: 16,480 g
    and 20,600 g. The first load's goods weigh 1 : 3 and get 4,120 g and 12,360 g.
    """
    network = small_network()
    network.__dict__["distance_m"] = np.array(
        [[0, 10_000, 25_000], [10_000, 0, 20_000], [25_000, 20_000, 0]]
    )
    account = account_of(network)
    first, second = load(1, 1, [0, 1], [1_000, 3_000], 2_000.0), load(2, 2, [0], [2_000], 1_000.0)
    stops = tuple(Stop(one, 0, 0, 0, is_on_time=True) for one in (first, second))
    account.departed(Tour(0, None, stops, 0, 0, 55_000))
    assert account.legs_g == pytest.approx(37_080, rel=1e-12)
    assert account._travelling[1] == pytest.approx([4_120, 12_360], rel=1e-12)
    assert account._travelling[2] == pytest.approx([20_600], rel=1e-12)
    account.received(first)
    assert account.mean[1, :2] == pytest.approx([4.12, 4.12], rel=1e-12)
    assert account.today[1].sum() + account.today[2].sum() == pytest.approx(37_080)


def test_shares_follow_mass_times_direct_distance():
    assert shares(np.array([1.0, 3.0]), np.array([30.0, 10.0])) == pytest.approx([0.5, 0.5])
    assert shares(np.array([1.0, 3.0]), np.zeros(2)) == pytest.approx([0.25, 0.75])
    assert shares(np.zeros(2), np.zeros(2)) == pytest.approx([0.5, 0.5])
    assert len(shares(np.zeros(0), np.zeros(0))) == 0


def test_an_overloaded_truck_uses_what_a_full_one_does():
    full, over = truck_grams(FACTORS, np.full(2, 1e5), np.array([9e3, 2e4]), 9e3)
    assert full == over == pytest.approx(28 * 3_240)


@pytest.mark.parametrize("policy", ["capped-base-stock", "incumbent"])
def test_what_units_carry_is_what_was_caused(policy):
    result = simulate(busy(), build_bundle(policy), seed=5)
    account = result.carbon
    assert account is not None
    per_unit = np.nan_to_num(account.kg_per_unit_sold())
    carried = (per_unit * account.sold).sum() * 1e3 + account.unsold_g + account.closing_g
    caused = account.opening_g + account.legs_g + account.storage_g + account.waste_g
    assert carried == pytest.approx(caused, rel=1e-9)
    assert min(account.legs_g, account.storage_g, account.waste_g, account.opening_g) > 0
    assert (account.wasted_g <= account.gone_g + 1e-6).all()
    rows = result.facts.window(result.first_kpi_day, 34)
    assert account.sold.sum() == rows.get("units_sold").sum()
    for name, grams in zip(
        CO2E_FACTS, (account.legs_g, account.storage_g, account.waste_g), strict=True
    ):
        assert rows.get(name).sum() / 1e3 == pytest.approx(grams, rel=1e-5)
    kg = value(kpi("co2e_per_unit_sold"), rows) * rows.get("units_sold").sum()
    assert kg == pytest.approx((account.legs_g + account.storage_g + account.waste_g) / 1e3, 1e-5)


def test_goods_that_stand_still_cost_their_days_in_stock():
    """Two stores, three SKUs of 10 units, three days; a warehouse of 60 each."""
    network = small_network()
    rules = dataclasses.replace(NOTHING, store_kwh_per_m3_day=2.0, grid_g_per_kwh=500.0)
    result = simulate(world(carbon=rules), up_to(10, 60), seed=1)
    m3 = 2 * 10 * network.skus.volume_cm3.sum() / 1e6
    assert result.carbon.storage_g == pytest.approx(m3 * 2.0 * 500.0 * 3)
    assert result.carbon.closing_g == result.carbon.storage_g
    assert result.carbon.legs_g == 0


def test_goods_thrown_away_are_carried_by_those_that_are_sold():
    scenario = busy(frictions=Frictions())
    without = dataclasses.replace(scenario, carbon=dataclasses.replace(FACTORS, waste_g_per_kg=0.0))
    a, b = (simulate(one, build_bundle("incumbent"), seed=2) for one in (scenario, without))
    assert a.carbon.waste_g > 0 == b.carbon.waste_g
    more = (a.carbon.gone_g - b.carbon.gone_g).sum()
    assert more == pytest.approx(a.carbon.waste_g)
    wasted = a.carbon.wasted_g.sum() - b.carbon.wasted_g.sum()
    assert wasted == pytest.approx(a.carbon.waste_g)


def test_tracking_carbon_changes_nothing_else_and_no_tracking_reads_no_figure():
    scenario = busy()
    off = dataclasses.replace(scenario, carbon=CarbonFactors(tracked=False))
    a, b = (simulate(one, build_bundle("incumbent"), seed=2) for one in (scenario, off))
    assert b.carbon is None
    assert np.isnan(value(kpi("co2e_per_unit_sold"), b.facts))
    kept = a.facts.sku_facts.copy()
    kept[..., -3:] = 0
    assert np.array_equal(kept, b.facts.sku_facts)


def test_a_gram_that_vanishes_is_found():
    """Broken on purpose: a load that forgets what it carries."""
    network = small_network()
    account = account_of(network)
    account.departed(Tour(0, None, (Stop(load(1, 1, [0], [9], 4.5), 0, 0, 0, True),), 0, 0, 9_000))
    account.result()
    account._travelling.clear()
    with pytest.raises(ConservationBroken, match="carbon"):
        account.result()


def test_each_factor_says_its_unit_source_and_year():
    names = {item.name for item in dataclasses.fields(CarbonFactors)} - {"tracked"}
    assert names == set(SOURCES)
    assert all(unit and source and 1990 < year < 2100 for unit, source, year in SOURCES.values())


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"grid_g_per_kwh": -1.0}, "carbon.grid_g_per_kwh"),
        ({"waste_g_per_kg": float("nan")}, "carbon.waste_g_per_kg"),
        ({"truck_litres_per_100_km_full": 1.0}, "carbon.truck_litres_per_100_km_full"),
    ],
)
def test_impossible_factors_are_refused(change, field):
    with pytest.raises(ScenarioInvalid) as caught:
        CarbonFactors(**change)
    assert caught.value.field == field
    assert caught.value.remedy


def test_opening_stock_carries_nothing_yet():
    result = simulate(
        world(carbon=NOTHING, opening=opening(small_network(), 5, 5)), up_to(10, 60), seed=1
    )
    assert result.carbon.opening_g == result.carbon.closing_g == 0
