"""The movable festival: what earlier years teach of it, and what the calendar knows."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from policies.domain.errors import InvalidInput
from policies.forecasting.baselines import SmoothedWeekday, weekday_profile
from policies.forecasting.boosting import GlobalBoosting
from policies.forecasting.festival import festival_factors
from policies.forecasting.series import NO_FESTIVAL
from scenarios.history.day_plan import day_plan
from scenarios.spring_festival import (
    CATEGORIES,
    FestivalWorld,
    generated,
    spring_festival,
    uplift,
)
from ui.cli import app

SMALL = GlobalBoosting(trees=30, examples=40_000, threads=1)


@pytest.fixture(scope="module")
def small():
    return generated(FestivalWorld(stores=6, skus=3))[0]


def test_lunar_features_save_a_fifth_of_the_error_about_the_third_festival():
    """On 48 series; what no model can better stands beside it."""
    result = spring_festival(FestivalWorld(stores=4, skus=2), SMALL)
    assert result["ratio"] <= 0.8
    assert result["ratio_flagged"] <= 0.9
    assert result["wape"]["truth"] < result["wape"]["lunar"] < result["wape"]["flagged"]
    assert (result["festival"], result["days"]) == ("2024-02-10", 36)


@pytest.mark.benchmark
def test_the_full_comparison_holds_through_the_command():
    run = CliRunner().invoke(app, ["bench", "forecast", "--spring-festival", "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["ratio"] <= 0.8


def test_the_factor_of_each_category_and_day_is_found_again(small):
    """Two earlier festivals in six stores, whose days scatter by 16 % as a whole."""
    known = small.until(small.shape[1] - 60, 30)
    found = festival_factors(known, weekday_profile(known, 8.0))
    off = []
    for number, name in enumerate(CATEGORIES):
        row = int(np.argmax(known.group == number))
        for step in (-14, -7, -3, -2, 1, 6, 10):
            day = int(np.flatnonzero(known.festival == step)[0])
            true = float(uplift(name, np.array([step]))[0])
            off.append(abs(np.log(found[row, day] / true)))
    assert np.mean(off) < 0.1
    assert max(off) < 0.35


def test_days_after_the_last_known_one_teach_nothing(small):
    origin = int(np.flatnonzero(small.festival == -5)[-1])
    changed = dataclasses.replace(small, sold=small.sold.copy())
    changed.sold[:, origin:] *= 9
    a, b = (
        festival_factors(p, np.ones((len(p.sold), 7)))
        for p in (small.until(origin, 14), changed.until(origin, 14))
    )
    assert (a == b).all()


def test_without_a_festival_all_factors_are_one(small):
    far = dataclasses.replace(small, festival=np.full_like(small.festival, NO_FESTIVAL))
    for panel in (far, dataclasses.replace(small, festival=None)):
        assert (festival_factors(panel, np.ones((len(panel.sold), 7))) == 1).all()


@pytest.mark.parametrize("model", [SmoothedWeekday(), SMALL], ids=lambda m: type(m).__name__)
def test_a_store_that_will_be_closed_sells_nothing(small, model):
    origin = int(np.flatnonzero(small.festival == -5)[-1])
    known = small.until(origin, 14)
    told = model.fit(known, 14).forecast(known).mean
    closed = small.closed[:, origin : origin + 14]
    assert closed.any()
    assert told[closed].max() == 0
    assert told[~closed].min() > 0


def test_chinas_calendar_knows_festivals_and_worked_weekends():
    plan = day_plan("CN", dt.date(2024, 2, 1), 30)
    assert plan.festival[9] == 0  # 10 February
    assert plan.festival[:9].tolist() == list(range(-9, 0))
    assert plan.weekday[3] == 0  # Sunday the 4th was worked
    assert plan.weekday[10] == 6  # Sunday the 11th was not
    assert plan.holiday[8:16].all()


@pytest.mark.parametrize("country", ["US", "ZZ", ""])
def test_a_country_without_a_movable_festival_has_its_weekdays_alone(country):
    plan = day_plan(country, dt.date(2024, 2, 1), 30)
    assert (plan.festival == NO_FESTIVAL).all()
    assert plan.weekday.tolist() == [(3 + day) % 7 for day in range(30)]


@pytest.mark.parametrize(
    ("name", "value"), [("stores", 0), ("skus", 0), ("horizon", 0), ("festival_year", 1999)]
)
def test_a_world_that_can_not_be_made_is_named(name, value):
    with pytest.raises(InvalidInput) as caught:
        FestivalWorld(**{name: value})
    assert caught.value.field == name
    assert caught.value.remedy


def test_a_plan_of_another_length_is_named(small):
    with pytest.raises(InvalidInput) as caught:
        dataclasses.replace(small, festival=small.festival[:-1])
    assert caught.value.field == "panel.festival"
