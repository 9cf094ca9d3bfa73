"""Levels of what has no history: SKU times store, and a reason for each."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from policies.domain.errors import InvalidInput
from policies.forecasting.cold_start import ColdStart, Source
from scenarios.cold_start_study import cold_start_study
from scenarios.history.importer import import_history
from tests.integration.test_backtest import made as made_history
from tests.shared_data import shared
from ui.cli import app

STORES, SKUS = 8, 30


def made(seed=2):
    """(true level, store, sku, group) of all pairs; category 0 sells five times category 1."""
    rng = np.random.default_rng(seed)
    store, sku = np.repeat(np.arange(STORES), SKUS), np.tile(np.arange(SKUS), STORES)
    group = sku % 2
    size, popularity = rng.gamma(4, 0.25, STORES), rng.gamma(3, 1 / 3, SKUS)
    return np.where(group == 0, 10.0, 2.0) * size[store] * popularity[sku], store, sku, group


def test_a_new_pair_is_its_sku_elsewhere_times_its_store():
    """A fifth of the pairs unseen, the others known for 60 days: within a few percent."""
    level, store, sku, group = made()
    back = np.random.default_rng(1).random(len(level)) < 0.2
    days = np.where(back, 0.0, 60.0)
    units = np.random.default_rng(3).poisson(level * days).astype(float)
    told, why = ColdStart().levels(units, days, store, sku, group)
    assert np.median(np.abs(told / level - 1)[back]) < 0.08
    assert (why[back] == Source.SKU_ELSEWHERE).all()
    assert (why[~back] == Source.OWN_DAYS).all()


def test_a_sku_that_nobody_sold_has_its_categorys_level_in_its_store():
    level, store, sku, group = made()
    new = sku == 4
    days = np.where(new, 0.0, 60.0)
    told, why = ColdStart().levels(level * days, days, store, sku, group)
    assert (why[new] == Source.CATEGORY).all()
    for number in range(STORES):
        others = (store == number) & ~new & (group == 0)
        mean = level[others].mean()
        assert told[new & (store == number)][0] == pytest.approx(mean, rel=0.35)


def test_own_days_take_over_with_their_number():
    """n days weigh n / (n + 5): five days are half."""
    level, store, sku, group = made()
    row = 17
    for own in (0, 1, 5, 45):
        days = np.full(len(level), 60.0)
        units = level * days
        days[row], units[row] = own, own * 100.0
        told, _ = ColdStart().levels(units, days, store, sku, group)
        days[row] = units[row] = 0
        assert told[row] >= ColdStart().levels(units, days, store, sku, group)[0][row]
        assert told[row] == pytest.approx(100 * own / (own + 5), rel=0.35, abs=8)


@pytest.mark.parametrize("days", [0.0, 1.0])
def test_a_chain_without_sales_or_with_one_day_has_finite_levels_and_reasons(days):
    _, store, sku, group = made()
    units = np.zeros(len(store))
    told, why = ColdStart().levels(units, np.full(len(store), days), store, sku, group)
    assert np.isfinite(told).all()
    assert told.max() == 0
    assert (why == (Source.SKU_ELSEWHERE if days else Source.NOTHING)).all()


def test_no_series_has_no_level():
    none = np.zeros(0, dtype=np.int64)
    level, why = ColdStart().levels(np.zeros(0), np.zeros(0), none, none, none)
    assert (len(level), len(why)) == (0, 0)


@pytest.mark.parametrize(
    ("name", "value"), [("units", -1.0), ("units", np.nan), ("days", np.inf), ("days", -2.0)]
)
def test_a_number_that_can_not_be_is_named(name, value):
    _, store, sku, group = made()
    given = {"units": np.ones(len(store)), "days": np.ones(len(store))}
    given[name][7] = value
    with pytest.raises(InvalidInput) as caught:
        ColdStart().levels(given["units"], given["days"], store, sku, group)
    assert (caught.value.field, caught.value.row) == (name, 7)


@pytest.mark.parametrize("name", ["shrink_days", "sku_days"])
def test_a_setting_below_zero_is_named(name):
    with pytest.raises(InvalidInput) as caught:
        ColdStart(**{name: -1.0})
    assert caught.value.field == name


@pytest.mark.benchmark
def test_on_a_real_city_it_beats_the_categorys_mean_and_hands_over(tmp_path):
    """5,117 series, each held back once; a fortnight's sums and single days."""
    source = shared("data/freshretail_city12_hourly.parquet")
    import_history("freshretail-hourly", [source], tmp_path)
    run = CliRunner().invoke(app, ["study", "cold-start", str(tmp_path), "--json"])
    assert run.exit_code == 0, run.output
    rows = {one["days"]: one for one in json.loads(run.stdout)["known"]}
    assert rows[0]["total"]["ratio"] < 0.80
    assert rows[0]["daily"]["ratio"] < 0.88
    told = [rows[days]["total"]["cold_start"] for days in (0, 1, 3, 7, 14)]
    assert told == sorted(told, reverse=True)
    assert rows[1]["total"]["cold_start"] < rows[1]["total"]["own"]


def test_each_series_is_held_back_once():
    """Few SKUs of levels far apart: the SKU elsewhere is far better than its category."""
    result = cold_start_study(made_history(), folds=4)
    assert result["series"] == 24
    assert result["sources"]["sku_elsewhere"] == 24
    none = result["known"][0]
    assert none["days"] == 0
    assert none["total"]["ratio"] < 0.6
    assert none["daily"]["own"] == none["daily"]["category"]


def test_a_study_of_one_fold_is_named():
    with pytest.raises(InvalidInput) as caught:
        cold_start_study(made_history(), folds=1)
    assert caught.value.field == "folds"
