"""Numbers and words of proposal lines."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats

from policies.domain.decision import LineKind, Reason
from policies.domain.errors import InvalidInput
from policies.explain import LineNumbers, cover_days, explain, run_out_risk, sentence
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


def test_what_is_not_known_is_left_out_of_the_sentence():
    line = LineNumbers(3, 1, 0.0, None, None)
    assert sentence(line, "en").endswith("cover goes from no sales to no sales.")
    assert "缺货概率" not in sentence(line, "zh")
