"""A saving that one assumed rate alone makes is not let through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from policies.domain.facts import LOCATION_FACTS, SKU_FACTS, CostModel, DayFacts
from scenarios.gate import DEFAULT_RULES, _whatever_work_costs

STORES, DAYS = 3, 4


def arm(order_lines: int, metres: int) -> DayFacts:
    """Equal sales; so many supplier order lines and metres in all."""
    sku = np.zeros((DAYS, STORES, 1, len(SKU_FACTS)), dtype=np.int64)
    sku[..., SKU_FACTS.index("units_demanded")] = 10
    sku[0, 0, 0, SKU_FACTS.index("purchase_lines")] = order_lines
    place = np.zeros((DAYS, STORES, len(LOCATION_FACTS)), dtype=np.int64)
    place[0, 0, LOCATION_FACTS.index("route_metres")] = metres
    return DayFacts(0, ("a", "b", "c"), ("food",), sku, place, True, 0)


def verdict(candidate: DayFacts, rules=DEFAULT_RULES):
    return _whatever_work_costs([arm(100, 100_000)], [candidate], CostModel(), rules)


def test_a_saving_that_holds_at_half_and_twice_each_rate_passes_and_tells_the_least():
    # 40 lines less at 50 cents and no metre more: half the rate leaves 10 of 20 currency units.
    check = verdict(arm(60, 100_000))
    assert check.holds
    assert check.found.startswith("least saving at order_line_cents × 0.5: -8.333 ")


def test_a_saving_that_another_rate_would_undo_is_refused():
    # 40 lines less (20.00) for 6 km more (6.60) hold; for 12 km more (13.20), a dearer
    # kilometre or a cheaper order line turns the sum, the kilometre more so (+6.40).
    assert verdict(arm(60, 106_000)).holds
    check = verdict(arm(60, 112_000))
    assert not check.holds
    assert check.found.startswith("least saving at truck_cents_per_km × 2: +5.333 ")


def test_without_factors_the_check_says_that_nothing_was_asked_for():
    check = verdict(arm(200, 200_000), replace(DEFAULT_RULES, rate_factors=()))
    assert check.holds
    assert check.found == "no factors asked for"
