"""What policies are never given: each fault is named, with its place and its remedy."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.conformance import random_view
from policies.domain.decision import LineKind
from policies.domain.errors import InvalidInput, StoretwinError, UnknownLocation, UnknownSku
from policies.domain.forecast import Forecast, SalesPanel
from policies.forecasting.seasonal import SeasonalBaseline
from policies.registry import build_bundle
from tests.unit.domain_networks import small_network


def view():
    return random_view(np.random.default_rng(3), stores=3, skus=4)


def changed(part, column, at, value):
    """The small network with one number of one column changed."""
    network = small_network()
    columns = getattr(network, part)
    array = np.array(getattr(columns, column), dtype=np.float64)
    array[at] = value
    return dataclasses.replace(network, **{part: dataclasses.replace(columns, **{column: array})})


@pytest.mark.parametrize(
    ("part", "column", "at", "value", "row"),
    [
        ("skus", "pack_size", 1, 0, "K1"),
        ("skus", "pack_size", 2, -4, "K2"),
        ("skus", "pack_size", 0, 1.5, "0"),
        ("skus", "unit_cost_cents", 1, -1, "K1"),
        ("skus", "unit_price_cents", 1, np.nan, "1"),
        ("skus", "mass_g", 2, 3e9, "2"),
        ("skus", "category", 0, 2, "K0"),
        ("skus", "shelf_life_days", 0, -1, "K0"),
        ("locations", "receives_until_s", 2, 6 * 3600, "S1"),
        ("locations", "receives_until_s", 1, 0, "S0"),
        ("locations", "closes_s", 1, 0, "S0"),
        ("locations", "latitude", 1, np.nan, "S0"),
        ("locations", "longitude", 2, 181, "S1"),
        ("locations", "source", 2, 99, "S1"),
        ("fleet", "trucks", 0, 0, "W0"),
        ("fleet", "trucks", 0, -1, None),
        ("suppliers", "lead_time_days", (0, 0), -1, None),
    ],
)
def test_a_network_names_what_is_wrong_with_it(part, column, at, value, row):
    with pytest.raises(StoretwinError) as caught:
        changed(part, column, at, value)
    fault = caught.value
    assert fault.field.split(".")[0] in {part, "locations"}
    assert fault.row == row
    assert fault.remedy or part == "suppliers"


@pytest.mark.parametrize(
    "change",
    [
        {"capacity_kg": 0.0},
        {"capacity_m3": -1.0},
        {"speed_km_per_hour": 0.0},
        {"speed_km_per_hour": float("nan")},
        {"shift_minutes": 0},
        {"stop_minutes": -1.0},
        {"unload_seconds_per_case": float("inf")},
        {"departs_s": 86_400},
    ],
)
def test_an_impossible_fleet_is_refused_by_the_number_that_makes_it_so(change):
    with pytest.raises(InvalidInput) as caught:
        dataclasses.replace(small_network().fleet, **change)
    assert caught.value.field == f"fleet.{next(iter(change))}"
    assert caught.value.remedy


def test_a_fleet_is_given_for_each_warehouse():
    network = small_network(warehouses=2)
    with pytest.raises(InvalidInput, match="trucks of 1 warehouses, the network has 2"):
        dataclasses.replace(network, fleet=dataclasses.replace(network.fleet, trucks=np.ones(1)))


@pytest.mark.parametrize("name", ["in_transit", "on_order", "backorders", "reserved"])
def test_negative_stock_in_a_view_names_the_location_and_the_sku(name):
    given = view()
    units = np.array(getattr(given, name))
    units[2, 1] = -3
    with pytest.raises(InvalidInput, match="SKU 1 is -3") as caught:
        dataclasses.replace(given, **{name: units})
    assert caught.value.row == "place 2"
    assert caught.value.field == f"view.{name}"


@pytest.mark.parametrize(
    ("name", "value"), [("on_hand", np.nan), ("on_hand", 0.5), ("on_order", 2.0**31)]
)
def test_a_number_that_is_no_count_of_units_is_not_rounded_away(name, value):
    given = view()
    units = np.array(getattr(given, name), dtype=np.float64)
    units[1, 0] = value
    with pytest.raises(InvalidInput, match="no whole number") as caught:
        dataclasses.replace(given, **{name: units})
    assert (caught.value.field, caught.value.row) == (f"view.{name}", "1, 0")


@pytest.mark.parametrize(
    "name", ["on_hand", "review_due", "protection_days", "scope", "forecast", "expires"]
)
def test_an_array_of_another_network_is_refused(name):
    given = view()
    other = random_view(np.random.default_rng(1), stores=5, skus=9)
    expires = np.zeros((*other.network.shape, 2), dtype=np.int32)
    with pytest.raises(InvalidInput) as caught:
        dataclasses.replace(given, **{name: getattr(other, name) if name != "expires" else expires})
    assert caught.value.field == f"view.{name}"


def test_an_unknown_sku_and_an_unknown_location_are_named():
    network = small_network()
    with pytest.raises(UnknownSku, match="K99"):
        network.sku_index("K99")
    with pytest.raises(UnknownLocation, match="S99"):
        network.location_index("S99")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1])
@pytest.mark.parametrize("name", ["level", "weekday", "variance_ratio"])
def test_a_forecast_holds_numbers_that_can_be(name, bad):
    issue = view().forecast
    values = np.array(getattr(issue, name))
    values.flat[1] = bad
    with pytest.raises(InvalidInput) as caught:
        dataclasses.replace(issue, **{name: values})
    assert caught.value.field == f"forecast.{name}"


@pytest.mark.parametrize(
    "sold", [np.full((3, 3, 3), np.nan), np.zeros((3, 3)), np.full((2, 3, 3), -1)]
)
def test_a_panel_of_sales_that_can_not_be_is_refused(sold):
    with pytest.raises(InvalidInput) as caught:
        SeasonalBaseline().fit(SalesPanel(2, sold), small_network())
    assert caught.value.field == "panel.sold"


def test_a_panel_without_a_day_is_refused():
    with pytest.raises(InvalidInput, match="no day"):
        SeasonalBaseline().fit(SalesPanel(-1, np.zeros((0, 3, 3), dtype=np.int32)), small_network())


@pytest.mark.parametrize("history", ["one day", "never sold", "starts yesterday"])
def test_thin_history_gives_finite_orders(history):
    """One day of sales, none at all, and a SKU that began yesterday."""
    network = small_network()
    sold = np.zeros((1 if history == "one day" else 30, *network.shape), dtype=np.int32)
    if history != "never sold":
        sold[-1, 1:, 0] = 6
    issue = SeasonalBaseline().fit(SalesPanel(29, sold), network)
    assert isinstance(issue, Forecast)
    given = dataclasses.replace(
        random_view(np.random.default_rng(3), stores=2, skus=3, warehouses=1),
        network=network,
        as_of_s=30 * 86_400 - 1,
        on_hand=np.zeros(network.shape),
        reserved=np.zeros(network.shape),
        backorders=np.zeros(network.shape),
        on_order=np.zeros(network.shape),
        in_transit=np.zeros(network.shape),
        review_due=np.ones(3),
        protection_days=np.full(3, 2),
        scope=None,
        forecast=issue,
    )
    lines = build_bundle("base-stock", {}).decide(given).lines
    wanted = lines.take(lines.kind == LineKind.PURCHASE)
    if history == "never sold":
        assert issue.level.sum() == 0
        assert len(wanted) == 0
    else:
        assert issue.level[1, 0] > issue.level[1, 1]
        assert set(wanted.sku.tolist()) == {0}
