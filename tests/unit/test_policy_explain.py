"""Numbers and words of proposal lines; phantoms found where the truth is known."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats

from policies.conformance import random_view
from policies.domain.decision import LineKind, Reason
from policies.domain.errors import InvalidInput
from policies.domain.forecast import Forecast, SalesPanel
from policies.explain import LineNumbers, cover_days, explain, run_out_risk, sentence
from policies.phantom import PhantomDetector, days_without_sale
from policies.registry import build_bundle
from tests.unit.domain_networks import small_network
from tests.unit.policy_views import a_view


def decided(stores=6):
    """A view with shortage and its decision, with tours."""
    network = small_network(stores=stores)
    view = a_view(network, level=3.0, stock=2)
    return view, build_bundle("base-stock").decide(view)


def test_every_line_carries_the_numbers_of_a_plain_computation():
    view, decision = decided()
    got, lines = explain(view, decision, cents_per_km=100.0), decision.lines
    for row in range(len(lines)):
        place, sku, units = (int(x[row]) for x in (lines.destination, lines.sku, lines.quantity))
        if lines.kind[row] != LineKind.REPLENISH:
            continue
        demand = stats.poisson(3.0 * 3)
        position = int(view.inventory_position[place, sku])
        assert got.demand_per_day[row] == pytest.approx(3.0)
        assert got.cover_before_days[row] == pytest.approx(position / 3.0)
        assert got.cover_after_days[row] == pytest.approx((position + units) / 3.0)
        assert got.risk_before[row] == pytest.approx(demand.sf(position), abs=1e-6)
        assert got.risk_after[row] == pytest.approx(demand.sf(position + units), abs=1e-6)
        assert got.cost_cents[row] == units * 100
        assert place in decision.routes[got.truck[row]].stops


def test_freight_of_all_lines_is_what_the_tours_cost():
    view, decision = decided()
    got = explain(view, decision, cents_per_km=100.0)
    metres = sum(route.metres for route in decision.routes)
    assert got.freight_cents.sum() == pytest.approx(metres / 1_000 * 100)


def test_a_warehouse_line_speaks_of_the_demand_of_its_stores():
    view, decision = decided(stores=4)
    bought = np.flatnonzero(decision.lines.kind == LineKind.PURCHASE)
    got = explain(view, decision)
    assert got.demand_per_day[bought] == pytest.approx(np.full(len(bought), 12.0))
    assert (got.truck[bought] == -1).all()


@pytest.mark.parametrize("ratio", [1.0, 1.5, 4.0])
def test_the_risk_is_that_of_the_distribution(ratio):
    mean = 4.0
    law = stats.poisson(mean) if ratio == 1 else stats.nbinom(mean / (ratio - 1), 1 / ratio)
    units = np.arange(-3, 20)
    got = run_out_risk(units, np.full(23, mean), np.full(23, ratio))
    assert got == pytest.approx(law.sf(units), abs=1e-7)


def test_what_sells_nothing_has_endless_cover_and_no_risk():
    assert cover_days(np.array([0, 3]), np.zeros(2)).tolist() == [np.inf, np.inf]
    assert run_out_risk(np.array([0]), np.zeros(1), np.ones(1)).tolist() == [0.0]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_sentence_with_its_numbers(language, reason):
    view, decision = decided()
    got = explain(view, decision)
    row = int(np.flatnonzero(got.truck >= 0)[0])
    text = sentence(got.line(row, 12, int(reason)), language)
    assert "12" in text
    assert f"{got.demand_per_day[row]:.1f}" in text
    assert f"{got.risk_before[row]:.0%}" in text
    assert f"{got.truck[row] + 1}" in text
    assert bool(re.search(r"[一-鿿]", text)) == (language == "zh")


def test_an_unknown_language_and_a_missing_forecast_are_refused():
    view, decision = decided()
    with pytest.raises(InvalidInput, match="no language"):
        sentence(explain(view, decision).line(0, 1, 1), "de")
    with pytest.raises(InvalidInput, match="no forecast"):
        explain(a_view(view.network, forecast=None), decision)


def a_world(seed, hazard=0.004, days=60):
    """(view, panel, truth): 30 stores × 200 SKUs, some of whose book stock is not there.

    The forecast is off by a third either way; phantoms began on a random day and stay.
    """
    rng = np.random.default_rng(seed)
    view = random_view(rng, stores=30, skus=200, warehouses=1)
    rate = rng.gamma(0.7, 1.0, view.network.shape)
    ratio = 1.5
    began = rng.geometric(hazard, view.network.shape) - 1
    sold = rng.negative_binomial(rate / (ratio - 1) + 1e-9, 1 / ratio, (days, *rate.shape))
    sold[np.arange(days)[:, None, None] >= began] = 0
    on_hand = 1 + rng.poisson(rate * 4)
    on_hand[rng.random(rate.shape) < 0.05] = 0
    off = np.exp(rng.normal(0, 0.3, rate.shape))
    forecast = Forecast(
        days,
        0,
        (rate * off).astype(np.float32),
        np.ones((rate.shape[0], 7), np.float32),
        np.full(rate.shape, ratio, np.float32),
    )
    fields = {"on_hand": on_hand.astype(np.int32), "forecast": forecast}
    nothing = np.zeros(rate.shape, dtype=np.int32)
    fields |= dict.fromkeys(("on_order", "in_transit", "backorders", "reserved"), nothing)
    view = a_view(view.network, **fields)
    return view, SalesPanel(days - 1, sold.astype(np.int32)), (began < days) & (on_hand > 0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_proposed_counts_hit_three_times_as_often_as_random_ones(seed):
    """At equal numbers of counts: a hit is a cell whose stock is not there."""
    view, panel, truth = a_world(seed)
    counts = PhantomDetector(0.004).counts(view, panel, 150)
    hits = np.mean([truth[place, sku] for place, sku, _ in counts])
    stores = (view.network.locations.source >= 0)[:, None] & view.network.listed
    random = truth[stores & (view.on_hand > 0)].mean()
    assert len(counts) == 150
    assert hits >= 3 * random


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_corrected_availability_is_within_a_point_of_the_truth(seed):
    view, panel, truth = a_world(seed)
    book, corrected = PhantomDetector(0.004).availability(view, panel)
    stores = (view.network.locations.source >= 0)[:, None] & view.network.listed
    true = ((view.on_hand > 0) & ~truth)[stores].mean()
    assert abs(corrected - true) <= 0.01
    assert abs(book - true) > 0.05


def test_the_hazard_is_found_from_the_panels_own_silences():
    """Told five times too much; the truth is 0.4 % a day."""
    view, panel, truth = a_world(5)
    found = PhantomDetector(0.02).fitted(view, panel)
    assert found.hazard_per_day == pytest.approx(0.004, rel=0.2)
    stores = (view.network.locations.source >= 0)[:, None] & view.network.listed
    true = ((view.on_hand > 0) & ~truth)[stores].mean()
    assert abs(found.availability(view, panel)[1] - true) <= 0.01


def test_what_is_not_known_is_left_out_of_the_sentence():
    line = LineNumbers(3, 1, 0.0, None, None)
    assert sentence(line, "en").endswith("cover goes from no sales to no sales.")
    assert "缺货概率" not in sentence(line, "zh")


def test_days_out_of_stock_are_no_evidence():
    sold = np.zeros((5, 1, 1), dtype=np.int32)
    sold[1] = 2
    assert days_without_sale(SalesPanel(4, sold)).item() == 3
    out = np.zeros((5, 1, 1), dtype=np.uint8)
    out[3] = 100
    assert days_without_sale(SalesPanel(4, sold, out)).item() == 2


def test_an_empty_book_is_never_counted_as_a_phantom():
    view, panel, _ = a_world(4)
    chance = PhantomDetector().chance(view, panel)
    assert (chance[view.on_hand <= 0] == 0).all()
    assert ((chance >= 0) & (chance <= 1)).all()
    with pytest.raises(InvalidInput):
        PhantomDetector(0.0)
