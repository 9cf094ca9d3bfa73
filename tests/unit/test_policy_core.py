"""Quantiles, levels, sharing and tours against plain computation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from policies.allocation.fair_share import FairShare
from policies.domain.errors import InvalidInput
from policies.domain.forecast import SalesPanel
from policies.forecasting.quantiles import negative_binomial_quantile
from policies.forecasting.seasonal import SeasonalBaseline
from policies.registry import RECIPES, build_bundle, defaults
from policies.replenishment.packs import whole_packs
from tests.unit.domain_networks import small_network
from tests.unit.policy_views import a_view


@given(st.floats(0.01, 290), st.floats(1.001, 8), st.floats(0.05, 0.995))
def test_quantiles_equal_the_reference_distribution(mean, ratio, q):
    """Below the normal's range they are exact."""
    got = negative_binomial_quantile(np.array([mean]), np.array([ratio]), np.array([q]))[0]
    size, p = mean / (ratio - 1), 1 / ratio
    assert stats.nbinom.cdf(got, size, p) >= q - 1e-9
    assert got == 0 or stats.nbinom.cdf(got - 1, size, p) < q + 1e-9


def test_large_means_are_within_a_unit_of_the_reference():
    """The skewness term carries over to the normal."""
    rng = np.random.default_rng(5)
    mean, ratio, q = (
        rng.uniform(300, 3000, 500),
        rng.uniform(1.01, 6, 500),
        rng.uniform(0.5, 0.995, 500),
    )
    expected = stats.nbinom.ppf(q, mean / (ratio - 1), 1 / ratio)
    assert np.abs(negative_binomial_quantile(mean, ratio, q) - expected).max() <= 2


def panel(days=28, seed=3, network=None):
    """Poisson sales at the stores of a small network."""
    network = network or small_network()
    rate = np.array([0, 2.0, 0.5])[:, None] * np.array([1.0, 3.0, 0.0])
    sold = np.random.default_rng(seed).poisson(rate, (days, *network.shape))
    return SalesPanel(days - 1, sold.astype(np.int32))


def test_units_times_ten_give_a_forecast_times_ten():
    """The model knows no scale."""
    network, one = small_network(), panel()
    ten = SalesPanel(one.last_day, one.sold * 10)
    a, b = (SeasonalBaseline().fit(p, network).level for p in (one, ten))
    assert b == pytest.approx(10 * a, rel=1e-5)


def test_levels_are_near_the_truth_after_eight_weeks():
    """The exponential window of 56 days gives about 15 % on the larger series (5 sigma)."""
    network = small_network()
    forecast = SeasonalBaseline().fit(panel(56), network)
    assert forecast.level[1, 1] == pytest.approx(6.0, abs=5 * np.sqrt(6 / 40))
    assert forecast.level[1, 2] == 0


@pytest.mark.parametrize("days", [1, 2, 7])
def test_short_and_empty_panels_give_finite_numbers(days):
    """A chain that starts yesterday can still be planned."""
    network = small_network()
    for sold in (panel(days).sold, np.zeros((days, *network.shape), dtype=np.int32)):
        forecast = SeasonalBaseline().fit(SalesPanel(days - 1, sold), network)
        assert np.isfinite(forecast.level).all()
        assert (forecast.variance_ratio >= 1).all()


def test_negative_sales_are_refused():
    """A return is no negative demand."""
    sold = panel().sold.copy()
    sold[0, 1, 0] = -1
    with pytest.raises(InvalidInput, match="negative"):
        SeasonalBaseline().fit(SalesPanel(27, sold), small_network())


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_bundle_decides_within_what_is_available(name):
    """No policy ships what a warehouse does not have, and none touches the view."""
    view = a_view(small_network(stores=4))
    before = view.digest()
    params = {"quantity": 3} if name == "constant-order" else {}
    params = {"level": 9} if name == "fixed-base-stock" else params
    decision = build_bundle(name, params).decide(view)
    assert view.digest() == before
    lines = decision.lines
    shipped = np.zeros(view.network.shape)
    sent = lines.origin >= 0
    np.add.at(shipped, (lines.origin[sent], lines.sku[sent]), lines.quantity[sent])
    assert (shipped <= np.maximum(view.available, 0)).all()
    assert decision.digest() == build_bundle(name, params).decide(view).digest()


def test_a_missing_forecast_is_named():
    """Not an attribute error from the depth."""
    with pytest.raises(InvalidInput, match="no forecast"):
        build_bundle("base-stock").decide(a_view(small_network(), forecast=None))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 40), st.lists(st.integers(0, 15), min_size=4, max_size=4), st.integers(1, 4))
def test_scarce_stock_is_shared_in_whole_cases_and_used_up(free, wants, pack):
    """Nobody gets more than asked, nothing divisible is left."""
    network = small_network(stores=4, skus=1)
    view = a_view(network)
    on_hand = np.array(view.on_hand)
    on_hand[0, 0] = free
    view = a_view(network, on_hand=on_hand)
    object.__setattr__(network.skus, "pack_size", np.array([pack], dtype=np.int32))
    wanted = np.zeros(network.shape, dtype=np.int32)
    wanted[1:, 0] = [w * pack for w in wants]
    got = FairShare().allocate(view, wanted)
    assert (got <= wanted).all()
    assert (got % pack == 0).all()
    assert got.sum() == min(wanted.sum(), free // pack * pack)


@given(st.integers(0, 100), st.integers(1, 12), st.floats(0.05, 1.0))
def test_cases_are_whole(units, pack, share):
    """Up from the given part of a case, down below it."""
    got = whole_packs(np.array([[units]]), np.array([pack], dtype=np.int32), share)[0, 0]
    assert got % pack == 0
    assert abs(got - units) < pack


def test_tours_respect_capacity_windows_and_shift_and_visit_each_stop_once():
    """What the savings router returns can be driven."""
    network = small_network(stores=12)
    view = a_view(network, level=30.0, stock=0)
    on_hand = np.array(view.on_hand)
    on_hand[0] = 100_000
    decision = build_bundle("base-stock").decide(
        a_view(network, level=30.0, stock=0, on_hand=on_hand)
    )
    visited = [stop for route in decision.routes for stop in route.stops]
    assert sorted(visited) == sorted(set(decision.lines.destination[decision.lines.origin >= 0]))
    for route in decision.routes:
        assert route.kg <= network.fleet.capacity_kg
        assert route.returns_s - route.departs_s <= network.fleet.shift_minutes * 60
        for stop, at in zip(route.stops, route.arrives_s, strict=True):
            assert at % 86_400 <= network.locations.receives_until_s[stop]


def test_an_unknown_parameter_is_refused_with_the_nearest_name():
    """The remedy is a suggestion."""
    with pytest.raises(InvalidInput) as caught:
        build_bundle("capped-base-stock", {"cap_shar": 2})
    assert "cap_share" in str(caught.value)
    with pytest.raises(InvalidInput, match="no policy"):
        build_bundle("incumbant")


def test_defaults_build_the_bundle_they_describe():
    """Plain data and bundle are two forms of one thing."""
    for name in RECIPES:
        assert build_bundle(name, defaults(name)) == build_bundle(name)
