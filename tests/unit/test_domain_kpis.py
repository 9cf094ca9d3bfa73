"""KPIs are ratios of sums over day facts."""

from __future__ import annotations

import numpy as np
import pytest

from policies.domain.cost_parts import COST_PARTS
from policies.domain.errors import InvalidInput
from policies.domain.facts import LATENT_FACTS, LOCATION_FACTS, SKU_FACTS, CostModel, DayFacts
from policies.domain.kpis import KPIS, kpi, value


def facts_of(*, latent: bool = True, days: int = 2, **amounts: int) -> DayFacts:
    """Facts of two stores and one category, the same amount everywhere."""
    sku = np.zeros((days, 2, 1, len(SKU_FACTS)), dtype=np.int64)
    place = np.zeros((days, 2, len(LOCATION_FACTS)), dtype=np.int64)
    for name, amount in amounts.items():
        if name in SKU_FACTS:
            sku[..., SKU_FACTS.index(name)] = amount
        else:
            place[..., LOCATION_FACTS.index(name)] = amount
    return DayFacts(0, ("a", "b"), ("food",), sku, place, latent, 0)


# Ten worked rows: facts per store and day, expected value over two stores and two days.
WORKED = [
    (
        "on_shelf_availability",
        {"open_sku_seconds": 50_000, "in_stock_open_sku_seconds": 49_000},
        0.98,
    ),
    ("stockout_rate", {"ranged_sku_days": 20, "in_stock_sku_days": 17}, 0.15),
    ("true_fill_rate", {"units_demanded": 50, "units_lost": 4}, 0.92),
    ("stock_turn", {"cost_of_goods_sold_cents": 1_000, "closing_stock_cents": 36_500}, 10.0),
    ("days_of_supply", {"closing_stock_units": 120, "forecast_milliunits": 10_000}, 12.0),
    ("slow_mover_share", {"slow_stock_cents": 30, "closing_stock_cents": 120}, 0.25),
    ("order_fill_rate", {"order_units": 40, "filled_units": 38}, 0.95),
    ("transfer_accuracy", {"transfer_lines_received": 10, "transfer_lines_right": 9}, 0.9),
    (
        "replenishment_lead_time",
        {"replenishment_lines": 4, "replenishment_seconds": 4 * 43_200},
        0.5,
    ),
    ("stock_record_accuracy", {"count_lines": 20, "count_lines_right": 17}, 0.85),
    ("latent_record_accuracy", {"latent_records": 50, "latent_records_right": 49}, 0.98),
    ("write_off_rate", {"write_off_cents": 30, "revenue_cents": 1_000}, 0.03),
    ("truck_km", {"route_metres": 2_500}, 10.0),
    ("empty_km_share", {"route_metres": 50_000, "empty_metres": 20_000}, 0.4),
    ("on_time_stops", {"stops": 10, "stops_on_time": 8}, 0.8),
    ("stock_value", {"closing_stock_cents": 100}, 400.0),
    # 20 cases at 10 + 25 s, 10 lines scanned at 6 s, 5 counted at 20 s, 15 units at 8 s.
    (
        "clerk_minutes_per_100_handled",
        {
            "cases_received": 20,
            "transfer_lines_received": 10,
            "count_lines": 5,
            "write_off_units": 15,
        },
        (700 + 60 + 100 + 120) / 60 / 0.5,
    ),
    # 35 for handling, 1 km at 110 for 10 cases, 8 of the 10 at 25 from a warehouse.
    (
        "cost_per_case",
        {"cases_received": 10, "warehouse_cases": 8, "route_metres": 1_000},
        35.0 + 11.0 + 20.0,
    ),
    (
        "co2e_per_unit_sold",
        {
            "units_sold": 20,
            "co2e_transport_mg": 4_000_000,
            "co2e_storage_mg": 5_000_000,
            "co2e_waste_mg": 1_000_000,
        },
        0.5,
    ),
    ("co2e_transport", {"co2e_transport_mg": 1_500_000}, 6.0),
    ("co2e_storage", {"co2e_storage_mg": 2_000_000}, 8.0),
    ("co2e_waste", {"co2e_waste_mg": 250_000}, 1.0),
    (
        "cost_per_unit_demanded",
        {"units_demanded": 10, "margin_lost_cents": 50, "stock_change_cents": -20},
        5.3,
    ),
    (
        "running_cost_per_unit_demanded",
        {"units_demanded": 10, "margin_lost_cents": 50, "stock_change_cents": -20},
        5.0,
    ),
]


@pytest.mark.parametrize(("name", "amounts", "expected"), WORKED)
def test_each_kpi_gives_its_worked_example(name, amounts, expected):
    """Figures by hand."""
    assert value(kpi(name), facts_of(**amounts)) == pytest.approx(expected)


def test_every_registered_kpi_has_a_worked_example():
    """A KPI without an example can't be added unseen."""
    assert {row[0] for row in WORKED} == set(KPIS)


def test_ratios_roll_up_as_sums_and_never_as_means_of_ratios():
    """A big store weighs more than a small one."""
    facts = facts_of(ranged_sku_days=10, in_stock_sku_days=10)
    facts.sku_facts[:, 0, :, SKU_FACTS.index("ranged_sku_days")] = 90
    facts.sku_facts[:, 0, :, SKU_FACTS.index("in_stock_sku_days")] = 45
    assert value(kpi("stockout_rate"), facts) == pytest.approx(0.45)
    assert value(kpi("stockout_rate"), facts, by=("location",)) == pytest.approx([0.5, 0.0])


def test_a_kpi_without_events_is_not_a_number_rather_than_zero():
    """Nothing received means nothing known."""
    assert np.isnan(value(kpi("transfer_accuracy"), facts_of()))


@pytest.mark.parametrize("name", [n for n, k in KPIS.items() if not k.observable])
def test_the_live_service_cannot_compute_what_only_the_twin_knows(name):
    """Lost demand is never recorded in reality."""
    with pytest.raises(InvalidInput, match="latent"):
        value(kpi(name), facts_of(latent=False))


@pytest.mark.parametrize("name", [n for n, k in KPIS.items() if k.observable])
def test_an_observable_kpi_needs_no_latent_fact(name):
    """It works on the live service's facts."""
    value(kpi(name), facts_of(latent=False), by=("day",))


def test_costs_are_the_sum_of_their_named_parts():
    """Nothing is counted twice or left out."""
    facts = facts_of(**dict.fromkeys((*SKU_FACTS, *LOCATION_FACTS), 3))
    total = sum(part(facts, CostModel()).sum() for part in COST_PARTS.values())
    units = facts.get("units_demanded").sum()
    assert value(kpi("cost_per_unit_demanded"), facts) == pytest.approx(total / units)


def test_an_unknown_kpi_is_refused_with_the_names_there_are():
    """The remedy lists them."""
    with pytest.raises(InvalidInput, match="on_shelf_availability"):
        kpi("service_level")


def test_latent_facts_are_facts():
    """The list of latent facts names no stranger."""
    assert set(SKU_FACTS) >= LATENT_FACTS


def test_dearer_fuel_raises_its_share_of_a_kilometre_and_nothing_else():
    # 110 a km, 35 % of it fuel: half as much again is 110 × (1 + 0.35 × 0.5) = 129.25.
    facts = facts_of(route_metres=1_000, route_seconds=3_600, cases_received=1, units_demanded=1)
    today, dear = CostModel(), CostModel(fuel_price_factor=1.5)
    assert dear.km_cents == pytest.approx(129.25)
    for name, part in COST_PARTS.items():
        more = part(facts, dear).sum() - part(facts, today).sum()
        # Two stores, two days, a kilometre each.
        assert more == pytest.approx(4 * 19.25 if name == "transport" else 0.0), name


def test_a_share_of_fuel_above_one_is_refused():
    with pytest.raises(InvalidInput, match="fuel_share_of_km") as refused:
        CostModel(fuel_share_of_km=1.2)
    assert refused.value.field == "costs.fuel_share_of_km"
