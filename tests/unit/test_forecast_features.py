"""Compiled walks over a panel against plain loops, and both forms of the features."""

from __future__ import annotations

import numpy as np
import pytest

from policies.forecasting.baselines import day_factors, smoothed, weekday_profile
from policies.forecasting.features import NAMES, History
from policies.forecasting.panel_sums import sums_by_key, sums_by_weekday
from policies.forecasting.series import SeriesPanel

SIZE, DAYS, PLANNED = 30, 60, 67


@pytest.fixture(scope="module")
def panel():
    """Sales with lost days, late beginnings, promotions and a holiday."""
    rng = np.random.default_rng(8)
    sold = rng.poisson(rng.gamma(1.0, 3.0, SIZE)[:, None], (SIZE, DAYS)).astype(np.float32)
    sold[::5, :25] = 0.0
    holiday = np.zeros(PLANNED, dtype=np.bool_)
    holiday[[20, 62]] = True
    return SeriesPanel(
        sold=sold,
        in_stock=rng.choice([0.0, 0.2, 0.6, 1.0], (SIZE, DAYS), p=[0.1, 0.1, 0.2, 0.6]).astype(
            np.float32
        ),
        promotion=(0.3 * (rng.random((SIZE, PLANNED)) < 0.2)).astype(np.float32),
        holiday=holiday,
        first_weekday=3,
        store=np.arange(SIZE) % 4,
        group=np.arange(SIZE) % 3,
    )


def test_a_level_moves_by_the_part_of_each_day_that_was_in_stock(panel):
    factors = day_factors(panel, weekday_profile(panel, 8.0))
    told = smoothed(panel, factors, 0.1)
    share = panel.exposure
    for series in range(SIZE):
        first = int(np.flatnonzero(panel.sold[series] > 0)[0])
        days = [d for d in range(first, min(first + 28, DAYS)) if share[series, d] > 0]
        seen = sum(factors[series, d] * share[series, d] for d in days)
        level = sum(panel.sold[series, d] for d in days) / max(seen, 1e-9)
        for day in range(DAYS):
            part = share[series, day]
            if day >= first and part > 0:
                usual = max(factors[series, day] * part, 0.05)
                level += 0.1 * part * (panel.sold[series, day] / usual - level)
            assert told[series, day] == pytest.approx(level, rel=1e-5)


def test_sums_run_by_weekday_and_by_key(panel):
    values = panel.sold.astype(np.float64)
    weekly = sums_by_weekday(values)
    for day in (0, 6, 7, 40):
        assert np.allclose(weekly[:, day + 7], values[:, day % 7 : day + 1 : 7].sum(axis=1))
    by_store = sums_by_key(values, panel.store, 4)
    assert np.allclose(by_store[2], values[panel.store == 2].sum(axis=0))


def test_all_days_of_a_series_have_the_features_of_each(panel):
    history = History.of(panel, 0.07)
    chosen = np.array([3, 0, 17])
    features, offset = history.all_days(chosen, DAYS - 1, 7)
    series, ahead = np.repeat(chosen, 7), np.tile(np.arange(7) + 1, 3)
    again, other = history.rows(series, np.full(21, DAYS - 1), ahead)
    assert features.shape == (21, len(NAMES))
    assert np.isfinite(features).all()
    assert features.tobytes() == again.tobytes()
    assert (offset == other).all()
