"""Paths drawn from a forecast, sums over its series, and where it comes from."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.domain.errors import InvalidInput
from policies.forecasting.baselines import SmoothedWeekday
from policies.forecasting.boosting import GlobalBoosting
from policies.forecasting.provenance import Provenance
from policies.forecasting.series import Fallback, SeriesForecast, SeriesPanel
from policies.forecasting.spread import SIZES, CalibratedSpread

SIZE, DAYS, HORIZON = 60, 112, 14
SMALL = GlobalBoosting(trees=20, leaves=8, examples=20_000, threads=1)


@pytest.fixture(scope="module")
def panel():
    """Poisson sales of four stores and three categories, the last series dead."""
    rng = np.random.default_rng(6)
    level = rng.gamma(2.0, 3.0, SIZE)
    level[-1] = 0.0
    planned = DAYS + HORIZON
    return SeriesPanel(
        sold=rng.poisson(level[:, None], (SIZE, DAYS)).astype(np.float32),
        in_stock=np.ones((SIZE, DAYS), dtype=np.float32),
        promotion=np.zeros((SIZE, planned), dtype=np.float32),
        holiday=np.zeros(planned, dtype=np.bool_),
        first_weekday=0,
        store=10 + np.arange(SIZE) % 4,
        group=np.arange(SIZE) % 3,
        names=tuple(f"series {i:03d}" for i in range(SIZE)),
    )


@pytest.fixture(scope="module")
def forecast(panel):
    return SMALL.fit(panel, HORIZON).forecast(panel)


def wide(weekly_scale):
    """A forecast of 200 series whose weeks scatter by their own scale; 6 units a day."""
    even = (np.arange(200) + 0.5) / 200
    scale = np.ones((2, len(SIZES) + 1)) * np.array([[0.5], [weekly_scale]])
    table = np.tile(even, (2, len(SIZES) + 1, 1))
    spread = CalibratedSpread(np.ones(200), (1, 7), scale, table)
    mean = np.full((200, 7), 6.0, dtype=np.float32)
    return SeriesForecast(mean, spread, Provenance("made"), np.zeros(200, dtype=np.int8))


def test_paths_have_the_means_and_the_daily_quantiles_of_the_forecast(forecast):
    paths = forecast.sample(400, np.random.default_rng(1))
    assert paths.shape == (400, SIZE, HORIZON)
    assert paths.min() >= 0
    assert paths.mean(axis=(0, 2)) == pytest.approx(forecast.mean.mean(axis=1), rel=0.1, abs=0.1)
    inside = (paths <= forecast.quantile(0.9)).mean()
    assert 0.89 < inside < 0.96  # whole units, so a little above
    assert paths[:, -1].max() == 0


@pytest.mark.parametrize("weekly_scale", [0.5, 2.0, 6.0])
def test_weeks_of_paths_scatter_as_the_weeks_of_the_spread(weekly_scale):
    """Independent days would give all three the same weeks."""
    told = wide(weekly_scale)
    weeks = told.sample(300, np.random.default_rng(2)).sum(axis=2)
    for chance in (0.1, 0.5, 0.9, 0.95):
        quantile = told.total_quantile(chance, 7)
        # Whole units: the probability asked for lies within the quantile's own unit.
        assert (weeks < quantile).mean() < chance + 0.02
        assert (weeks <= quantile).mean() > chance - 0.02


def test_the_same_seed_draws_the_same_paths_and_another_does_not(forecast):
    a, b, c = (forecast.sample(5, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert a.tobytes() == b.tobytes()
    assert a.tobytes() != c.tobytes()


def test_no_path_is_refused(forecast):
    with pytest.raises(InvalidInput, match="0 paths"):
        forecast.sample(0, np.random.default_rng(1))


@pytest.mark.parametrize(("by", "names"), [("category", [0, 1, 2]), ("store", [10, 11, 12, 13])])
def test_sums_over_series_keep_the_units(forecast, panel, by, names):
    summed = forecast.rollup(by)
    assert summed.keys[by].tolist() == names
    key = {"category": panel.group, "store": panel.store}[by]
    for row, name in enumerate(names):
        assert summed.mean[row] == pytest.approx(forecast.mean[key == name].sum(axis=0), rel=1e-5)
    assert (summed.fallback == Fallback.NONE).all()
    assert summed.provenance == forecast.provenance


def test_a_sum_s_quantile_lies_above_its_mean_and_below_the_sum_of_quantiles(forecast):
    summed = forecast.rollup("category")
    told = summed.total_quantile(0.95, 7)
    apart = np.bincount(forecast.keys["category"], forecast.total_quantile(0.95, 7))
    mean = summed.mean[:, :7].sum(axis=1)
    assert (told > mean).all()
    assert (told < apart).all()
    asked = np.stack([summed.total_quantile(q, 7) for q in (0.05, 0.5, 0.8, 0.99)])
    assert (np.diff(asked, axis=0) >= 0).all()


@pytest.mark.parametrize("model", [SMALL, SmoothedWeekday()], ids=lambda m: type(m).__name__)
def test_sums_of_what_is_independent_are_covered(panel, model):
    """Categories of Poisson series: 0.9 of a week holds in most of 300 futures."""
    told = model.fit(panel, HORIZON).forecast(panel).rollup("category")
    level = np.random.default_rng(6).gamma(2.0, 3.0, SIZE)
    level[-1] = 0.0
    truth = np.bincount(panel.group, 7 * level)
    future = np.random.default_rng(9).poisson(truth, (300, 3))
    assert 0.75 < (future <= told.total_quantile(0.9, 7)).mean() < 0.999


def test_some_of_the_sums_keep_their_figures(forecast):
    summed = forecast.rollup("store")
    which = np.array([2, 0])
    some = summed.rows(which)
    assert (some.quantile(0.9) == summed.quantile(0.9)[which]).all()
    assert (some.total_quantile(0.9, 7) == summed.total_quantile(0.9, 7)[which]).all()
    assert some.keys["store"].tolist() == [12, 10]


def test_an_unknown_key_names_those_there_are(forecast):
    with pytest.raises(InvalidInput) as caught:
        forecast.rollup("brand")
    assert caught.value.field == "by"
    assert "store, category" in str(caught.value.remedy)


def test_a_sum_falls_back_only_where_all_its_series_do(panel):
    alone = dataclasses.replace(panel, store=np.where(np.arange(SIZE) == SIZE - 1, 99, panel.store))
    told = SMALL.fit(alone, HORIZON).forecast(alone).rollup("store")
    assert told.fallback.tolist() == [0, 0, 0, 0, int(Fallback.NEVER_SOLD)]


def test_a_forecast_says_where_it_comes_from(panel, forecast):
    source = forecast.provenance
    assert source.as_of_day == DAYS
    assert source.calibrated_from_day == DAYS - HORIZON
    assert "GlobalBoosting" in source.model
    assert source.part_days_share == 0.0
    again = SMALL.fit(panel, HORIZON).forecast(panel).provenance
    assert again == source
    in_stock = panel.in_stock.copy()
    in_stock[:, ::4] = 0.5
    lost = dataclasses.replace(panel, in_stock=in_stock)
    other = SmoothedWeekday().fit(lost, HORIZON).forecast(lost).provenance
    assert other.part_days_share == pytest.approx(0.25)
    assert other.calibrated_from_day is None
    assert other.data_hash != source.data_hash
