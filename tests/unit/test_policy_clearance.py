"""Slow movers: the best of moving, marking down and returning, by a plain loop."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.clearance import Action, Clearance
from policies.conformance import random_view
from policies.domain.errors import InvalidInput
from tests.unit.domain_networks import small_network
from tests.unit.policy_views import a_view


def gains(view, rule, place, sku):
    """Every option of one cell: {(action, receiver, discount): (gain, units)}."""
    network, goods = view.network, view.network.skus
    life, cost = int(goods.shelf_life_days[sku]), int(goods.unit_cost_cents[sku])
    price = int(goods.unit_price_cents[sku])
    days = min(life, rule.horizon_days) if life else rule.horizon_days
    residual = 0.0 if life else rule.residual_share * cost
    rate = view.forecast.level[:, sku].astype(float)
    stock, sells = int(view.available[place, sku]), rate[place] * days
    excess = math.floor(stock - sells)
    if stock <= 0 or excess < 1:
        return {}
    out = {}
    if rule.return_share:
        each = rule.return_share * cost - residual - rule.handling_cents_per_unit
        out[Action.RETURN, -1, 0.0] = (excess * each, excess)
    kept = sells * price + (stock - sells) * residual
    for d in rule.discounts:
        sold = min(stock, sells * (1 - d) ** -rule.elasticity)
        worth = sold * price * (1 - d) + (stock - sold) * residual
        out[Action.MARK_DOWN, -1, d] = (worth - kept, stock)
    others = [s for s in network.stores if s != place]
    others.sort(key=lambda s: (network.distance_m[place, s], s))
    for to in others[: rule.neighbours]:
        room = math.floor(rate[to] * days - int(view.inventory_position[to, sku]))
        units = min(excess, room)
        if units >= 1 and network.listed[to, sku]:
            run = network.distance_m[place, to] * 2 / 1_000 * rule.run_cents_per_km
            each = price - residual - rule.handling_cents_per_unit
            out[Action.REBALANCE, int(to), 0.0] = (units * each - run, units)
    return out


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.9]), st.sampled_from([0.0, 50.0]))
def test_every_proposal_is_the_best_of_its_cell_and_none_is_missing(seed, back, run):
    view = random_view(np.random.default_rng(seed), stores=6, skus=4)
    rule = Clearance(horizon_days=2.0, return_share=back, run_cents_per_km=run, neighbours=3)
    lines = rule.propose(view)
    found = {
        (int(p), int(k)): i for i, (p, k) in enumerate(zip(lines.location, lines.sku, strict=True))
    }
    for place in view.network.stores.tolist():
        for sku in range(4):
            options = gains(view, rule, place, sku)
            best = max([gain for gain, _ in options.values()], default=0.0)
            assert ((place, sku) in found) == (best >= rule.least_gain_cents)
            if (place, sku) in found:
                i = found[place, sku]
                key = (Action(lines.action[i]), int(lines.to_location[i]), lines.discount_share[i])
                assert options[key][0] == pytest.approx(best)
                assert lines.gain_cents[i] == pytest.approx(best)
                assert lines.units[i] == options[key][1]
    assert (np.diff(lines.gain_cents) <= 0).all()


def test_stock_that_sells_in_time_is_left_alone():
    assert len(Clearance(horizon_days=56).propose(a_view(small_network(), stock=5))) == 0


def test_goods_that_expire_are_marked_down_and_lasting_ones_are_kept():
    """Forty units that sell two a day: three days of life leave most to waste."""
    network = small_network(stores=1, skus=2)
    life = np.array([3, 0], dtype=np.int32)
    network = replace(network, skus=replace(network.skus, shelf_life_days=life))
    lines = Clearance().propose(a_view(network, stock=40))
    assert lines.sku.tolist() == [0]
    assert lines.action.tolist() == [Action.MARK_DOWN]


@pytest.mark.parametrize(
    "change",
    [
        {"discounts": (1.0,)},
        {"residual_share": -0.1},
        {"horizon_days": 0.0},
        {"elasticity": float("nan")},
        {"neighbours": 0},
    ],
)
def test_impossible_settings_are_refused(change):
    with pytest.raises(InvalidInput):
        Clearance(**change)


def test_without_a_forecast_nothing_is_called_slow():
    with pytest.raises(InvalidInput, match="no forecast"):
        Clearance().propose(a_view(small_network(), forecast=None))
