"""What one fortnight's luck may not do to the spread."""

from __future__ import annotations

import numpy as np
import pytest

from policies.forecasting.spread import calibrate


def calibrated(luck, seed=1, series=4000, days=14):
    """Poisson sales about a mean that everybody missed by the same factor."""
    rng = np.random.default_rng(seed)
    mean = np.repeat(rng.uniform(1, 8, (series, 1)), days, axis=1).astype(np.float32)
    sold = rng.poisson(mean * luck).astype(np.float32)
    return calibrate(np.full(series, 0.05), mean, sold, np.ones(mean.shape, dtype=bool), seed)


@pytest.mark.parametrize("luck", [0.8, 1.0, 1.25])
def test_a_fortnight_in_which_all_sold_more_moves_no_quantile(luck):
    """A week of 28 expected units: 0.95 of a Poisson are 37, whatever the last fortnight was."""
    spread = calibrated(luck)
    week = np.full(4000, 28.0)
    assert spread.of_total(week, 0.95, 7).mean() == pytest.approx(37, abs=1.2)
    assert spread.of_total(week, 0.5, 7).mean() == pytest.approx(28, abs=1.0)


def test_errors_that_differ_by_series_still_widen_the_spread():
    rng = np.random.default_rng(2)
    mean = np.full((4000, 14), 4.0, dtype=np.float32)
    own = rng.gamma(4.0, 0.25, (4000, 1))
    sold = rng.poisson(mean * own).astype(np.float32)
    spread = calibrate(np.full(4000, 0.05), mean, sold, np.ones(mean.shape, dtype=bool), 1)
    told = spread.of_total(np.full(4000, 28.0), 0.95, 7)
    fresh = rng.poisson(28.0 * rng.gamma(4.0, 0.25, 4000))
    assert (fresh <= told).mean() == pytest.approx(0.95, abs=0.015)
    assert told.mean() > 50


def test_nothing_sold_at_all_is_no_luck():
    mean = np.full((50, 14), 0.1, dtype=np.float32)
    spread = calibrate(np.full(50, 0.05), mean, 0 * mean, np.ones(mean.shape, dtype=bool), 1)
    assert np.isfinite(spread.of_total(np.full(50, 0.7), 0.95, 7)).all()
