"""The growing sales panel: newest days last, bounded, and wide enough for grams."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.twin_worlds import DAY, HOUR, up_to, world
from twin.panel import GrowingPanel
from twin.result import Trace
from twin.run import simulate


@pytest.mark.parametrize("known", [0, 3, 90])
def test_the_newest_days_are_seen_in_order_however_long_a_run_is(known):
    """300 days through a block that holds two windows; the leaving row is 56 days old."""
    shape = (2, 3)
    history = np.arange(known)[:, None, None] * np.ones(shape, dtype=int) if known else None
    panel = GrowingPanel(shape, 10, 300, history)
    for day in range(known, known + 300):
        panel.begin_day()
        panel.sold_today[:] = day
        seen = panel.view(day)
        first = max(day - 9, 0)
        assert (seen.sold[:, 0, 0] == np.arange(first, day + 1)).all()
        assert seen.last_day == day
        assert not seen.sold.flags.writeable
        leaving = panel.leaving()
        assert (leaving is None) == (day < 56)
        if leaving is not None:
            assert leaving[1, 2] == day - 56
    assert (panel.history()[:, 0, 0] == np.arange(known + 244, known + 300)).all()


def test_sales_beyond_sixteen_bits_widen_the_panel():
    """A day that sells 40 kg in grams is kept exactly, and so are the days before."""
    lines = [(0, 9 * HOUR, 0, 7), (0, DAY + 9 * HOUR, 0, 40_000), (0, 2 * DAY + 9 * HOUR, 0, 5)]
    scenario = world(*lines, days=3, store_stock=100_000)
    result = simulate(scenario, up_to(100_000, 0), seed=1, trace=Trace(final_state=True))
    assert result.final.sold[:, 1, 0].tolist() == [7, 40_000, 5]
    assert result.final.sold.dtype == np.int32
    narrow = simulate(world(lines[0], days=3), up_to(), seed=1, trace=Trace(final_state=True))
    assert narrow.final.sold.dtype == np.int16
    assert narrow.final.sold[:, 1, 0].tolist() == [7, 0, 0]


def test_a_year_of_slow_movers_balances_when_days_leave_the_window():
    """Conservation holds while sales leave the 56-day window, and cover turns slow."""
    lines = [(0, d * DAY + 9 * HOUR, 0, 1) for d in range(0, 150, 3)]
    result = simulate(world(*lines, days=200, store_stock=30), up_to(30, 60), seed=1)
    slow = result.facts.get("slow_stock_cents")[:, 1, 0]
    # SKU 0 sells every third day until day 149, SKU 2 never: both are "food" at 100 cents.
    assert (slow[60:140] == 30 * 100).all()
    assert slow[-1] == 2 * 30 * 100
