"""Weekday patterns by CP-SAT: level, within the trucks, repeatable, read by a bundle."""

from __future__ import annotations

import numpy as np
import pytest

from policies.domain.errors import InvalidInput
from policies.domain.network import Network
from policies.registry import build_bundle
from policies.routing.patterns import FoundPatterns, PatternRules, find_patterns
from scenarios.history.generate import generate_chain


def chain(stores: int = 24) -> Network:
    """One warehouse and its stores."""
    return generate_chain(
        stores=stores, skus=3, days=1, lines_per_store_day=1, seed=4, warehouses=1
    )[0]


def found(network: Network, *, stock: float = 100_000.0, **rules: float) -> FoundPatterns:
    """Patterns where each store takes a tenth of a truck a week."""
    size = network.shape[0]
    return find_patterns(network, np.full(size, 0.1), np.full(size, stock), PatternRules(**rules))


def test_every_store_has_a_pattern_that_a_bundle_takes():
    """And the calendar is due on exactly these days."""
    network = chain()
    answer = found(network)
    assert set(answer.patterns) == {network.locations.ids[i] for i in network.stores}
    bundle = build_bundle("base-stock", {"delivery_patterns": answer.patterns})
    due = bundle.calendar.due_on_weekday(network)
    for store, days in answer.patterns.items():
        row = due[network.location_index(store)]
        assert "".join("1" if day else "0" for day in row) == days
    assert 0 <= answer.gap_share < 0.05


def test_dear_stock_is_brought_more_often():
    """The days between deliveries are worth what lies on the shelf meanwhile."""
    network = chain()
    cheap, dear = found(network), found(network, stock=1e9)
    visits = [sum(days.count("1") for days in one.patterns.values()) for one in (cheap, dear)]
    assert visits[0] == 24
    assert visits[1] == 24 * 7


def test_a_price_on_the_fullest_day_levels_the_week():
    """Without it a region's stores are brought on whatever days are cheapest."""
    network = chain()
    loose, level = found(network, level_cents=0.0), found(network, level_cents=1e6)
    assert level.loads.max() < loose.loads.max() or level.loads.max() == pytest.approx(2.4 / 7, 0.2)
    assert level.loads.sum() == pytest.approx(2.4)


def test_the_same_seed_gives_the_same_patterns_and_trucks_are_kept_to():
    """A week that trucks can't carry is refused with a remedy."""
    network = chain()
    assert found(network).patterns == found(network).patterns
    rounds = 0.6 / float(network.fleet.trucks[0])
    assert (found(network, rounds=rounds, level_cents=0.0).loads <= 0.61).all()
    with pytest.raises(InvalidInput, match="no patterns"):
        found(network, rounds=0.001)
    with pytest.raises(InvalidInput, match="trucks"):
        find_patterns(network, np.full(network.shape[0], np.nan), np.ones(network.shape[0]))
