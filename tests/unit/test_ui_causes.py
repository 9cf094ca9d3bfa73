"""The causes of a gap, from day facts."""

import datetime as dt

import numpy as np
import pytest

from policies.domain.facts import LOCATION_FACTS, SKU_FACTS, DayFacts
from ui.causes import CAUSES, causes
from ui.i18n import LANGUAGES, words
from ui.judgement import Verdict
from ui.pages.why import sentence, why_html

START = dt.date(2026, 1, 5)
ALL_PLACES = np.arange(2)


def facts(first_day=0, days=7, **totals):
    """Each named fact the same on every day at both locations."""
    sku = np.zeros((days, 2, 1, len(SKU_FACTS)), dtype=np.int64)
    place = np.zeros((days, 2, len(LOCATION_FACTS)), dtype=np.int64)
    for name, value in totals.items():
        if name in LOCATION_FACTS:
            place[..., LOCATION_FACTS.index(name)] = value
        else:
            sku[..., SKU_FACTS.index(name)] = value
    return DayFacts(first_day, ("A", "B"), ("all",), sku, place, False, 0)


def promise(**others):
    return [facts(units_sold=100 + run, order_units=100 + run, **others) for run in range(-4, 5)]


def found(actual, runs, window=(0, 6), where=ALL_PLACES):
    return {one.name: one for one in causes(actual, runs, window, where)}


def test_demand_above_the_promise_pulls_down_and_says_by_how_much():
    one = found(facts(units_sold=125, order_units=125), promise())["demand"]
    assert one.verdict is Verdict.WORSE
    assert one.over == pytest.approx(0.25)
    assert "Demand was 25.0 % above what the promise assumed" in sentence(one, words("en"), START)
    assert "需求比承诺的假设高 25.0%" in sentence(one, words("zh"), START)


def test_a_day_far_above_the_promise_is_named_although_the_total_is_below():
    actual = facts(units_sold=80, order_units=80)
    actual.sku_facts[3, :, 0, SKU_FACTS.index("units_sold")] = 120
    said = found(actual, promise())
    assert said["demand"].verdict is Verdict.BETTER
    assert said["peak"].verdict is Verdict.WORSE
    assert "On 2026-01-08 demand was 20.0 % above" in sentence(said["peak"], words("en"), START)


def test_a_day_inside_the_runs_own_peaks_does_not_stand_out():
    said = found(facts(units_sold=101), promise())["peak"]
    assert said.verdict is Verdict.INSIDE
    assert "No day stood out" in sentence(said, words("en"), START)


def test_demand_inside_the_runs_explains_nothing():
    one = found(facts(units_sold=101, order_units=101), promise())["demand"]
    assert one.verdict is Verdict.INSIDE
    assert "as the promise assumed" in sentence(one, words("en"), START)


def test_late_trucks_and_wrong_records_pull_down():
    runs = promise(stops=10, stops_on_time=9, count_lines=20, count_lines_right=19)
    actual = facts(
        units_sold=100, order_units=80, stops=10, stops_on_time=6, count_lines=20,
        count_lines_right=15,
    )  # fmt: skip
    said = found(actual, runs)
    assert {name for name, one in said.items() if one.verdict is Verdict.WORSE} == {
        "trucks",
        "phantom",
        "policy",
    }
    assert "60.0 % of stops" in sentence(said["trucks"], words("en"), START)
    assert "0.80 units ordered" in sentence(said["policy"], words("en"), START)


def test_the_strongest_cause_that_hurts_stands_first():
    runs = promise(replenishment_lines=10, replenishment_seconds=864_000)
    actual = facts(
        units_sold=110, order_units=110, replenishment_lines=10, replenishment_seconds=1_728_000
    )
    assert [one.name for one in causes(actual, runs, (0, 6), ALL_PLACES)][:2] == ["lead", "demand"]


def test_what_was_not_recorded_is_called_unknown_and_not_zero():
    said = found(facts(units_sold=100), promise(stops=10))
    for name in ("lead", "trucks", "phantom"):
        assert said[name].verdict is Verdict.UNJUDGED


def test_a_store_that_orders_nothing_or_gets_every_truck_late_is_named():
    said = found(facts(units_sold=100, stops=10), promise(stops=10, stops_on_time=9))
    assert said["policy"].verdict is Verdict.WORSE
    assert said["trucks"].verdict is Verdict.WORSE


def test_four_runs_are_too_few_to_name_a_cause():
    said = found(facts(units_sold=200), promise()[:4])
    assert {one.verdict for one in said.values()} == {Verdict.UNJUDGED}


def test_only_the_days_of_the_window_and_the_asked_store_count():
    actual = facts(units_sold=100, order_units=100)
    actual.sku_facts[6, 0, 0, SKU_FACTS.index("units_sold")] = 10_000
    assert found(actual, promise(), (0, 5))["demand"].verdict is Verdict.INSIDE
    assert found(actual, promise(), (0, 6), np.array([1]))["demand"].verdict is Verdict.INSIDE
    assert found(actual, promise(), (0, 6), np.array([0]))["demand"].verdict is Verdict.WORSE


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_cause_has_its_sentences(language):
    say = words(language)
    assert [name for name in CAUSES if not say.has(f"why.{name}_unknown")] == []
    text = why_html(causes(facts(units_sold=125), promise(), (0, 6), ALL_PLACES), say, START)
    assert text.count("<li") == len(CAUSES)
    assert say("why.no_promise") in why_html([], say, START)
