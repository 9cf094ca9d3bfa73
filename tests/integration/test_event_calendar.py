"""A planner's calendar: read, laid over a panel, and its overrides scored and ended."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json

import numpy as np
import pytest

from policies.domain.errors import InvalidInput
from policies.forecasting.series import NO_FESTIVAL
from scenarios.backtest import Backtest, backtest
from scenarios.backtest_series import labels_of, series_of
from scenarios.event_calendar import Event, laid_over, overrides, read_events
from tests.integration.test_backtest import DAYS, made

START = dt.date(2024, 1, 1)
CSV = """kind,first,last,store,category,factor,expires,name
festival,2024-02-10,,,,,,Spring Festival
holiday,2024-02-09,2024-02-12,,,,,days off
working,2024-02-04,,,,,,a worked Sunday
closed,2024-02-10,2024-02-11,S1,,,,rest
override,2024-02-20,2024-02-22,,b,1.5,2024-02-20,guess
"""
TOML = """
[[event]]
kind = "override"
first = 2024-02-20
last = 2024-02-22
category = "b"
factor = 1.5
expires = 2024-02-20
name = "guess"
"""


def read(tmp_path, text, name="events.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_events(path)


def panel_of(history):
    panel = series_of(history, level="store-sku", series=99, until_day=DAYS, first_origin=60)
    return panel, labels_of(history, panel)


def test_each_kind_reaches_the_days_and_series_it_names(tmp_path):
    panel, labels = panel_of(made())
    out = laid_over(panel, read(tmp_path, CSV), START, labels)
    assert out.festival[40] == 0
    assert out.festival[30:40].tolist() == list(range(-10, 0))
    assert out.festival[0] == NO_FESTIVAL
    assert np.flatnonzero(out.holiday).tolist() == sorted(
        {39, 40, 41, 42} | set(np.flatnonzero(panel.holiday).tolist())
    )
    assert out.weekday[34] == 0  # a Sunday
    mine = np.array([store == "S1" for store in labels[0]])
    assert out.closed[mine][:, 40:42].all()
    assert out.closed.sum() == 2 * mine.sum()
    assert (out.in_stock[out.closed[:, :DAYS]] == 0).all()


def test_csv_and_toml_say_the_same(tmp_path):
    assert read(tmp_path, TOML, "events.toml") == read(tmp_path, CSV)[-1:]


def test_an_override_ends_by_itself(tmp_path):
    """Issued on the 20th it holds for its three days and category, on the 21st no more."""
    _, labels = panel_of(made())
    events = read(tmp_path, CSV)
    held = overrides(events, dt.date(2024, 2, 20), 7, labels)
    mine = np.array([category == "b" for category in labels[1]])
    assert (held[mine][:, :3] == 1.5).all()
    assert (held[mine][:, 3:] == 1).all()
    assert (held[~mine] == 1).all()
    assert (overrides(events, dt.date(2024, 2, 21), 7, labels) == 1).all()


def test_an_override_is_scored_beside_the_forecast_without_it():
    """The made-up sales are even: to double them is worse, and the figures say so."""
    day = START + dt.timedelta(DAYS - 14)
    guess = Event("override", day, day + dt.timedelta(6), factor=2.0, expires=day)
    ask = Backtest(horizon=14, origins=1, models=("ses",), events=(guess,))
    figures = backtest(made(), ask)["models"]["ses"]
    assert figures["override"]["wape_with"] > 1.5 * figures["override"]["wape_without"]
    plain = backtest(made(), dataclasses.replace(ask, events=()))["models"]["ses"]
    assert plain["override"] == {}
    assert plain["wape"] == figures["wape"]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("party,2024-02-10,,,,,,", "kind"),
        ("holiday,,,,,,,", "first"),
        ("holiday,soon,,,,,,", "first"),
        ("holiday,2024-02-10,2024-02-09,,,,,", "last"),
        ("override,2024-02-10,,,,much,2024-02-10,", "factor"),
        ("override,2024-02-10,,,,-1,2024-02-10,", "factor"),
        ("override,2024-02-10,,,,nan,2024-02-10,", "factor"),
        ("override,2024-02-10,,,,1.2,,", "expires"),
    ],
)
def test_a_line_that_can_not_be_read_names_its_row_and_field(tmp_path, line, field):
    good = "holiday,2024-02-09,,,,,,\n"
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, CSV.splitlines()[0] + "\n" + good + line + "\n")
    assert (caught.value.field, caught.value.row) == (field, 2)
    assert caught.value.remedy


def test_a_toml_file_that_is_none_is_named(tmp_path):
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, "[[event", "events.toml")
    assert caught.value.field == "events"
    assert json.dumps(str(caught.value))
