"""What no tuning can fake: properties of the forecast models, on made-up series."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
import scipy.stats

from policies.domain.errors import InvalidInput
from policies.forecasting.baselines import (
    SeasonalNaive,
    SmoothedWeekday,
    TeunterSyntetosBabai,
    WeekdayMean,
)
from policies.forecasting.boosting import GlobalBoosting
from policies.forecasting.provenance import Provenance
from policies.forecasting.series import Fallback, SeriesForecast, SeriesPanel
from policies.forecasting.spread import SIZES, CalibratedSpread, calibrate

HORIZON, DAYS, SIZE = 14, 140, 80
SMALL = GlobalBoosting(trees=30, leaves=8, examples=40_000, threads=1)
BASELINES = [SeasonalNaive(), WeekdayMean(), SmoothedWeekday(), TeunterSyntetosBabai()]


def made_panel(size=SIZE, days=DAYS, seed=4, lift=1.5):
    """Poisson sales with a weekday profile, a level of each series and promotions."""
    rng = np.random.default_rng(seed)
    planned = days + HORIZON
    level = rng.gamma(1.5, 3.0, size)
    weekday = np.array([0.8, 0.8, 0.9, 1.0, 1.1, 1.3, 1.1])
    on_sale = rng.random((size, planned)) < 0.15
    mean = level[:, None] * weekday[np.arange(planned) % 7] * (1 + lift * on_sale)
    sold = rng.poisson(mean)[:, :days].astype(np.float32)
    return SeriesPanel(
        sold=sold,
        in_stock=np.ones((size, days), dtype=np.float32),
        promotion=np.where(on_sale, 0.3, 0.0).astype(np.float32),
        holiday=np.zeros(planned, dtype=np.bool_),
        first_weekday=0,
        store=np.arange(size) % 8,
        group=np.arange(size) % 5,
        names=tuple(f"series {i:04d}" for i in range(size)),
    )


@pytest.fixture(scope="module")
def panel():
    return made_panel()


@pytest.fixture(scope="module")
def forecast(panel):
    return SMALL.fit(panel, HORIZON).forecast(panel)


def taken(panel, rows, planned=None):
    """The panel's series in another order, or some of them."""
    return dataclasses.replace(
        panel,
        sold=panel.sold[rows],
        in_stock=panel.in_stock[rows],
        promotion=(panel.promotion if planned is None else planned)[rows],
        store=panel.store[rows],
        group=panel.group[rows],
        names=tuple(panel.names[i] for i in rows),
    )


@pytest.mark.parametrize("model", [*BASELINES, SMALL], ids=lambda m: type(m).__name__)
def test_the_future_changes_nothing(panel, model):
    known = panel.until(DAYS - HORIZON, HORIZON)
    changed = dataclasses.replace(panel, sold=panel.sold.copy(), in_stock=panel.in_stock.copy())
    changed.sold[:, DAYS - HORIZON :] *= 7
    changed.in_stock[:, DAYS - HORIZON :] = 0
    other = changed.until(DAYS - HORIZON, HORIZON)
    a = model.fit(known, HORIZON).forecast(known)
    b = model.fit(other, HORIZON).forecast(other)
    assert (a.mean == b.mean).all()
    assert (a.quantile(0.9) == b.quantile(0.9)).all()


def test_the_same_seed_gives_the_same_bytes(panel, forecast):
    fitted = pickle.loads(pickle.dumps(SMALL.fit(panel, HORIZON)))
    again = fitted.forecast(panel)
    assert again.mean.tobytes() == forecast.mean.tobytes()
    assert (again.total_quantile(0.95, 7) == forecast.total_quantile(0.95, 7)).all()
    other = dataclasses.replace(SMALL, seed=2).fit(panel, HORIZON).forecast(panel)
    assert other.mean.tobytes() != forecast.mean.tobytes()


def test_another_order_of_the_series_gives_the_same_forecasts(panel, forecast):
    rows = np.random.default_rng(1).permutation(SIZE)
    moved = taken(panel, rows)
    again = SMALL.fit(moved, HORIZON).forecast(moved)
    assert np.allclose(again.mean, forecast.mean[rows], rtol=1e-3)


def test_dead_series_beside_them_leave_the_others_as_they_were(panel, forecast):
    """500 series that never sold: 0 for them, less than 1 % of change for the others."""
    more = 500
    grown = dataclasses.replace(
        panel,
        sold=np.vstack([panel.sold, np.zeros((more, DAYS), dtype=np.float32)]),
        in_stock=np.vstack([panel.in_stock, np.ones((more, DAYS), dtype=np.float32)]),
        promotion=np.vstack([panel.promotion, np.zeros((more, DAYS + HORIZON), np.float32)]),
        store=np.concatenate([panel.store, np.arange(more) % 8]),
        group=np.concatenate([panel.group, np.arange(more) % 5]),
        names=(*panel.names, *(f"dead {i}" for i in range(more))),
    )
    again = SMALL.fit(grown, HORIZON).forecast(grown)
    assert np.abs(again.mean[:SIZE] / forecast.mean - 1).max() < 0.01
    assert again.mean[SIZE:].max() == 0
    assert (again.fallback[SIZE:] == Fallback.NEVER_SOLD).all()


def test_ten_times_the_units_give_about_ten_times_the_forecast(panel, forecast):
    """The level is an offset, so only priors and the loss's weights see the unit."""
    large = dataclasses.replace(panel, sold=panel.sold * 10)
    again = SMALL.fit(large, HORIZON).forecast(large)
    assert again.mean.sum() == pytest.approx(10 * forecast.mean.sum(), rel=0.02)
    assert np.median(np.abs(again.mean / (10 * forecast.mean) - 1)) < 0.05


def test_a_promotion_that_is_switched_on_raises_the_forecast(panel):
    fitted = SMALL.fit(panel, HORIZON)
    plan = panel.promotion.copy()
    plan[:, DAYS:] = 0.0
    without = fitted.forecast(dataclasses.replace(panel, promotion=plan)).mean
    plan = plan.copy()
    plan[:, DAYS:] = 0.3
    during = fitted.forecast(dataclasses.replace(panel, promotion=plan)).mean
    assert (during > without).mean() > 0.99
    # The made-up promotion sells 2.5 times as much.
    assert 1.5 < during.sum() / without.sum() < 3.0


def test_quantiles_rise_with_their_probability(forecast):
    asked = [0.005, 0.05, 0.25, 0.5, 0.75, 0.9, 0.975, 0.995, 0.9995]
    days = np.stack([forecast.quantile(q) for q in asked])
    weeks = np.stack([forecast.total_quantile(q, 7) for q in asked])
    assert (np.diff(days, axis=0) >= 0).all()
    assert (np.diff(weeks, axis=0) >= 0).all()
    assert (days == np.rint(days)).all()
    assert days.min() >= 0


@pytest.mark.parametrize("days", [1, 4, 7, 11, 14])
def test_the_quantile_of_a_total_lies_between_its_largest_day_and_their_sum(forecast, days):
    total = forecast.total_quantile(0.95, days)
    daily = forecast.quantile(0.95)[:, :days]
    busy = forecast.mean[:, :days].min(axis=1) > 1.0
    assert busy.sum() > 20
    assert (total >= daily.max(axis=1)).all()
    assert (total[busy] <= daily.sum(axis=1)[busy]).all()
    if days >= 4:
        assert total.sum() < 0.95 * daily.sum()


@pytest.mark.parametrize(
    ("a_day", "fractile", "least", "most"), [(0.03, 0.95, 0.95, 0.99), (0.5, 0.5, 0.5, 0.75)]
)
def test_a_week_of_goods_that_seldom_sell_is_covered(forecast, a_day, fractile, least, most):
    """Independent Poisson days, whose own quantiles are 0: the exact chance of the week."""
    size = len(forecast.mean)
    slow = dataclasses.replace(
        forecast,
        mean=np.full_like(forecast.mean, a_day),
        spread=CalibratedSpread(
            np.full(size, 1e-6),
            (1, 7),
            np.ones((2, len(SIZES) + 1)),
            np.broadcast_to((np.arange(200) + 0.5) / 200, (2, len(SIZES) + 1, 200)),
        ),
    )
    assert slow.quantile(fractile).max() == 0
    told = slow.total_quantile(fractile, 7)
    covered = scipy.stats.poisson.cdf(told, 7 * a_day)
    assert (covered >= least).all()
    assert (covered <= most).all()


def test_quantiles_of_days_and_of_totals_cover_what_they_say():
    """Drawn from the model's own family. A right 0.95 falls outside 0.92–0.98 (4,000 days,
    of which those of a series move together) in less than one seed of a thousand."""
    whole = made_panel(size=400, days=DAYS + HORIZON, seed=11, lift=0.0)
    known = whole.until(DAYS, HORIZON)
    told = SMALL.fit(known, HORIZON).forecast(known)
    truth = whole.sold[:, DAYS:]
    assert 0.92 < (truth <= told.quantile(0.95)).mean() < 0.98
    week = truth[:, :7].sum(axis=1)
    assert 0.91 < (week <= told.total_quantile(0.95, 7)).mean() < 0.99


def test_a_stretch_in_which_all_sold_less_does_not_lower_the_quantiles_of_totals():
    """The calibration fortnight sold 15 % less of everything; the next one does not."""
    rng = np.random.default_rng(3)
    mean = np.repeat(rng.uniform(2, 9, 600)[:, None], 14, axis=1).astype(np.float32)
    sold = rng.poisson(0.85 * mean).astype(np.float32)
    spread = calibrate(np.full(600, 0.05), mean, sold, np.ones_like(sold, dtype=np.bool_), 1)
    week = mean[:, :7].sum(axis=1, dtype=np.float64)
    after = rng.poisson(week)
    assert 0.92 < (after <= spread.of_total(week, 0.95, 7)).mean() < 0.98


def test_weeks_with_a_day_out_of_stock_tell_of_the_scatter():
    """No week was in stock throughout; a wave of ± 40 % moves each series' days together."""
    rng = np.random.default_rng(5)
    mean = np.full((600, 14), 6.0, dtype=np.float32)
    wave = np.where(rng.random((600, 1)) < 0.5, 0.6, 1.4)
    sold = rng.poisson(mean * wave).astype(np.float32)
    known = np.ones_like(sold, dtype=np.bool_)
    known[:, ::7] = False
    sold[~known] = 0.0
    spread = calibrate(np.full(600, 0.05), mean, sold, known, 1)
    told = spread.of_total(np.full(600, 42.0), 0.95, 7)
    after = rng.poisson(42.0 * wave[:, 0])
    assert 0.93 < (after <= told).mean() < 0.98
    assert told.max() < 80


def test_what_all_series_share_widens_totals_more_than_days(forecast):
    wide = dataclasses.replace(forecast, spread=dataclasses.replace(forecast.spread, shift=0.3))
    days = wide.quantile(0.95).sum() / forecast.quantile(0.95).sum()
    week = wide.total_quantile(0.95, 7).sum() / forecast.total_quantile(0.95, 7).sum()
    assert 1.0 < days < week
    assert 1.1 < week < 1.6


def test_seven_weeks_of_history_are_enough_for_four_weeks_ahead(panel):
    start = panel.until(49, 28)
    told = SMALL.fit(start, 28).forecast(start)
    assert told.mean.shape == (SIZE, 28)
    assert (told.fallback == Fallback.NONE).all()
    truth = panel.sold[:, 49:77].sum()
    assert told.mean.sum() == pytest.approx(truth, rel=0.1)


def test_some_of_the_series_keep_their_figures(forecast):
    which = np.array([7, 3, 40])
    some = forecast.rows(which)
    assert (some.mean == forecast.mean[which]).all()
    assert (some.total_quantile(0.9, 5) == forecast.total_quantile(0.9, 5)[which]).all()
    assert (some.fallback == forecast.fallback[which]).all()


def test_days_without_stock_do_not_pull_the_forecast_down(panel, forecast):
    """Half of each sixth day is lost: the level stays, where raw sales would fall 8 %."""
    lost = np.zeros_like(panel.sold, dtype=np.bool_)
    lost[:, ::6] = True
    rng = np.random.default_rng(2)
    half = rng.binomial(panel.sold.astype(np.int64), 0.5).astype(np.float32)
    censored = dataclasses.replace(
        panel,
        sold=np.where(lost, half, panel.sold).astype(np.float32),
        in_stock=np.where(lost, 0.5, 1.0).astype(np.float32),
    )
    again = SMALL.fit(censored, HORIZON).forecast(censored)
    assert again.mean.sum() == pytest.approx(forecast.mean.sum(), rel=0.025)


@pytest.mark.parametrize("days", [1, 3, 20])
@pytest.mark.parametrize("model", [*BASELINES, SMALL], ids=lambda m: type(m).__name__)
def test_a_short_history_gives_finite_numbers_and_says_so(panel, model, days):
    start = panel.until(days, HORIZON)
    told = model.fit(start, HORIZON).forecast(start)
    assert told.mean.shape == (SIZE, HORIZON)
    assert np.isfinite(told.mean).all()
    assert np.isfinite(told.total_quantile(0.9, 7)).all()
    if model is SMALL or days < 7:
        assert (told.fallback != Fallback.NONE).all()


@pytest.mark.parametrize("model", [*BASELINES, SMALL], ids=lambda m: type(m).__name__)
def test_series_that_never_sold_or_began_yesterday_are_told_apart(panel, model):
    sold = panel.sold.copy()
    sold[0] = 0
    sold[1, :-1] = 0
    sold[1, -1] = 9
    odd = dataclasses.replace(panel, sold=sold)
    told = model.fit(odd, HORIZON).forecast(odd)
    assert told.fallback[:3].tolist() == [Fallback.NEVER_SOLD, Fallback.TOO_NEW, Fallback.NONE]
    assert told.mean[0].max() < 1e-6
    assert told.quantile(0.5)[0].max() == 0


@pytest.mark.parametrize(
    ("name", "value"), [("sold", np.nan), ("sold", -1), ("in_stock", np.nan), ("promotion", np.inf)]
)
def test_a_number_that_can_not_be_names_its_series(panel, name, value):
    values = getattr(panel, name).copy()
    values[3, 5] = value
    with pytest.raises(InvalidInput) as caught:
        dataclasses.replace(panel, **{name: values})
    assert (caught.value.field, caught.value.row) == (f"panel.{name}", "series 0003")


def test_a_plan_that_ends_too_early_is_refused(panel):
    with pytest.raises(InvalidInput, match="15 days too early"):
        panel.until(DAYS, HORIZON + 15)


@pytest.mark.parametrize("fractile", [0.0, 1.0, -0.5, float("nan")])
def test_a_fractile_is_a_probability(forecast, fractile):
    with pytest.raises(InvalidInput, match="fractile"):
        forecast.quantile(fractile)


@pytest.mark.parametrize("mean", [0.02, 0.4, 3.0, 25.0])
def test_shortage_and_stockout_of_a_known_distribution_are_its_own(mean):
    """Negative binomial of variance ratio 1.6 for a week, against the sum over its chances."""
    even = (np.arange(200) + 0.5) / 200
    ones = np.ones((1, len(SIZES) + 1))
    spread = CalibratedSpread(np.array([0.6] * 4), (7,), ones, np.tile(even, (*ones.shape, 1)))
    days = np.full((4, 7), mean, dtype=np.float32)
    told = SeriesForecast(days, spread, Provenance("known"), np.zeros(4, dtype=np.int8))
    total = 7 * mean
    stock = np.floor(total * np.array([0.0, 0.5, 1.0, 1.5]))
    units = np.arange(2_000)
    chance = scipy.stats.nbinom.pmf(units, total / 0.6, 1 / 1.6)
    short = [(chance * np.maximum(units - held, 0)).sum() for held in stock]
    out = [chance[units > held].sum() for held in stock]
    assert told.expected_shortage(stock, 7) == pytest.approx(short, rel=0.02, abs=0.002)
    assert told.prob_stockout(stock, 7) == pytest.approx(out, abs=0.003)


def test_more_stock_lacks_less_and_runs_out_less_often(forecast):
    stocks = np.arange(0, 120, 12)
    lacks = np.stack([forecast.expected_shortage(np.full(SIZE, held), 7) for held in stocks])
    outs = np.stack([forecast.prob_stockout(np.full(SIZE, held), 7) for held in stocks])
    assert (np.diff(lacks, axis=0) <= 0).all()
    assert (np.diff(outs, axis=0) <= 0).all()
    # Without stock all demand is lacking; the calibrated table may shift it a little.
    assert lacks[0].sum() == pytest.approx(forecast.mean[:, :7].sum(), rel=0.1)
    assert (outs >= 0).all()
    assert (outs <= 1 + 1e-9).all()


@pytest.mark.parametrize("bad", [np.nan, -1.0, np.inf])
def test_a_stock_that_can_not_be_names_its_series(forecast, bad):
    stock = np.ones(SIZE)
    stock[5] = bad
    with pytest.raises(InvalidInput) as caught:
        forecast.prob_stockout(stock, 7)
    assert (caught.value.field, caught.value.row) == ("stock", 5)
    with pytest.raises(InvalidInput, match="shape"):
        forecast.expected_shortage(stock[:3], 7)
    with pytest.raises(InvalidInput, match="15 days"):
        forecast.expected_shortage(np.ones(SIZE), HORIZON + 1)
