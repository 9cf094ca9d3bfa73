"""Demand restored from hours of stock, on made-up days whose truth is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from policies.domain.errors import InvalidInput
from policies.forecasting.unconstrain import HourlyUnconstrain, by_daily_flag
from scenarios.history.importer import import_history
from tests.shared_data import shared
from ui.cli import app

SERIES, DAYS = 60, 40
EVENING = np.concatenate([np.zeros(8), np.ones(8), np.full(4, 3.0), np.zeros(4)])
MORNING = EVENING[::-1]


def made(seed=3, level=12.0):
    """((N, 24) units, series, category): one category sells late, the other early."""
    rng = np.random.default_rng(seed)
    series = np.repeat(np.arange(SERIES), DAYS)
    group = series % 2
    shape = np.stack([EVENING, MORNING]) / EVENING.sum()
    pace = rng.gamma(3.0, level / 3.0, SERIES)[series] * rng.gamma(8.0, 1 / 8.0, len(series))
    return rng.poisson(pace[:, None] * shape[group]).astype(np.float64), series, group


def cut(truth, cover=1.0, seed=5):
    """Each day has a stock of about its series' mean; what lies after it is lost."""
    rng = np.random.default_rng(seed)
    mean = np.repeat(truth.sum(axis=1).reshape(SERIES, DAYS).mean(axis=1), DAYS)
    stock = np.maximum(np.round(cover * mean * rng.gamma(4, 0.25, len(mean))), 1)[:, None]
    running = truth.cumsum(axis=1)
    before = np.concatenate([np.zeros((len(truth), 1)), running[:, :-1]], axis=1)
    return np.diff(np.minimum(running, stock), axis=1, prepend=0), before < stock


def test_a_seventh_of_lost_sales_is_restored_to_within_a_few_percent():
    """The hour in which the last unit went counts as whole: that leaves it a little low."""
    truth, series, group = made()
    sold, seen = cut(truth, cover=1.5)
    assert 0.08 < 1 - sold.sum() / truth.sum() < 0.2
    out = HourlyUnconstrain().restore(sold, seen, series, group)
    assert out.demand.sum() == pytest.approx(truth.sum(), rel=0.03)
    assert out.demand.sum() > sold.sum() + 0.7 * (truth.sum() - sold.sum())
    added, deviation = out.recovered(sold.sum(axis=1))
    assert added == pytest.approx((out.demand - sold.sum(axis=1)).sum())
    assert 0 < deviation < 0.05 * added


def test_categories_keep_hours_of_their_own_though_they_sell_out():
    truth, series, group = made()
    sold, seen = cut(truth)
    profile = HourlyUnconstrain().restore(sold, seen, series, group).profile
    assert profile[0] == pytest.approx(EVENING / EVENING.sum(), abs=0.02)
    assert profile[1] == pytest.approx(MORNING / MORNING.sum(), abs=0.02)


def test_days_in_stock_stay_as_they_were():
    truth, series, group = made()
    out = HourlyUnconstrain().restore(truth, np.ones_like(truth, dtype=bool), series, group)
    assert (out.demand == truth.sum(axis=1)).all()
    assert out.deviation.max() == 0


def test_what_is_restored_is_never_less_than_what_sold_and_always_a_number():
    """Series out all the time, never sold, one day: each has its finite answer."""
    truth, series, group = made()
    sold, seen = cut(truth)
    seen[series == 0] = False
    sold[series == 0] = 0
    sold[series == 1] = 0
    out = HourlyUnconstrain().restore(sold, seen, series, group)
    assert np.isfinite(out.demand).all()
    assert (out.demand >= sold.sum(axis=1)).all()
    assert out.demand[np.isin(series, [0, 1])].max() == 0
    one = HourlyUnconstrain().restore(sold[:1], seen[:1], series[:1], group[:1])
    assert np.isfinite(one.demand).all()


def test_the_order_of_days_and_the_unit_of_time_out_do_not_matter():
    truth, series, group = made()
    sold, seen = cut(truth)
    rows = np.random.default_rng(1).permutation(len(sold))
    a = HourlyUnconstrain().restore(sold, seen, series, group).demand
    b = HourlyUnconstrain().restore(sold[rows], seen[rows], series[rows], group[rows]).demand
    assert b == pytest.approx(a[rows], rel=1e-9)


def test_a_daily_flag_alone_restores_a_part():
    truth, series, _ = made()
    sold, seen = cut(truth)
    units, ran_out = sold.sum(axis=1), ~seen.all(axis=1)
    out = by_daily_flag(units, ran_out, series)
    assert (out >= units).all()
    assert (out[~ran_out] == units[~ran_out]).all()
    assert abs(out.sum() - truth.sum()) < 0.6 * (truth.sum() - units.sum())


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda s, k, g: (s[:, :12], k, g), "sold"),
        (lambda s, k, g: (np.where(s > 0, np.nan, s), k, g), "sold"),
        (lambda s, k, g: (-s, k, g), "sold"),
        (lambda s, k, g: (s, k[:-1], g), "series"),
        (lambda s, k, g: (s, k, g[:-1]), "group"),
    ],
)
def test_what_can_not_be_is_named(change, field):
    truth, series, group = made()
    sold, series, group = change(truth, series, group)
    with pytest.raises(InvalidInput) as caught:
        HourlyUnconstrain().restore(sold, np.ones(sold.shape, dtype=bool), series, group)
    assert caught.value.field == field


@pytest.mark.parametrize(("name", "value"), [("pace_units", 0.0), ("prior_units", -1.0)])
def test_a_setting_that_can_not_be_is_named(name, value):
    with pytest.raises(InvalidInput) as caught:
        HourlyUnconstrain(**{name: value})
    assert caught.value.field == name


@pytest.fixture(scope="module")
def fresh_city(tmp_path_factory):
    out = tmp_path_factory.mktemp("fresh")
    import_history("freshretail-hourly", [shared("data/freshretail_city12_hourly.parquet")], out)
    return out


def test_on_a_real_city_bias_and_error_of_series_means_are_small(fresh_city):
    """179,319 days in stock throughout, 13 % of their units cut off."""
    run = CliRunner().invoke(app, ["study", "unconstrain", str(fresh_city), "--json"])
    assert run.exit_code == 0, run.output
    result = json.loads(run.stdout)
    ours, raw = result["methods"]["hourly profile"], result["methods"]["raw"]
    assert abs(result["lost"] - 0.13) < 0.005
    assert raw["bias"] == pytest.approx(-result["lost"])
    assert abs(ours["bias"]) <= 0.025
    assert ours["wape"] <= 0.045
    assert all(ours["wape"] < one["wape"] for n, one in result["methods"].items() if one != ours)


@pytest.mark.benchmark
@pytest.mark.parametrize("how", ["cover", "hour"])
def test_however_the_day_ends_the_error_stays_small(fresh_city, how):
    run = CliRunner().invoke(
        app, ["study", "unconstrain", str(fresh_city), "--cut", how, "--seed", "7", "--json"]
    )
    ours = json.loads(run.stdout)["methods"]["hourly profile"]
    assert abs(ours["bias"]) <= 0.025
    assert ours["wape"] <= 0.045


@pytest.mark.parametrize(("option", "value"), [("--cut", "moon"), ("--lost", "0"), ("--lost", "1")])
def test_a_study_that_can_not_be_is_named(fresh_city, option, value):
    run = CliRunner().invoke(app, ["study", "unconstrain", str(fresh_city), option, value])
    assert run.exit_code == 2
    assert "remedy" in run.output
