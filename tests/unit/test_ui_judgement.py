"""Figures are judged against the band, in the KPI's own direction, or not at all."""

import numpy as np
import pytest

from policies.domain.kpis import KPIS
from tests.ui_fixture import FixtureSource
from ui.comparison import Comparison, parts
from ui.i18n import words
from ui.judgement import Verdict, band, judge, verdict
from ui.numerals import difference, figure, telling_digits
from ui.pages.figures import TILE_KPIS
from ui.tiles import Tile, sparkline, tiles_html, verdict_words

AVAILABILITY, STOCKOUT = KPIS["on_shelf_availability"], KPIS["stockout_rate"]
SLOW = KPIS["slow_mover_share"]
RUNS = np.linspace(0.95, 0.99, 11)


@pytest.mark.parametrize(
    ("value", "direction", "expected"),
    [
        (0.94, 1, Verdict.WORSE),
        (0.94, -1, Verdict.BETTER),
        (0.97, 1, Verdict.INSIDE),
        (0.97, -1, Verdict.INSIDE),
        (0.995, 1, Verdict.BETTER),
        (0.995, -1, Verdict.WORSE),
        (float("nan"), 1, Verdict.UNJUDGED),
    ],
)
def test_a_figure_is_read_in_the_direction_of_its_kpi(value, direction, expected):
    low, _, high = band(RUNS)
    assert verdict(value, low, high, direction) is expected


def test_a_figure_off_the_median_but_inside_the_band_is_not_called_worse():
    found = judge(AVAILABILITY, 0.958, RUNS, have_days=30, need_days=7)
    assert found.value < found.median
    assert found.verdict is Verdict.INSIDE


def test_too_few_runs_judge_nothing():
    found = judge(AVAILABILITY, 0.5, RUNS[:4], have_days=30, need_days=7)
    assert found.verdict is Verdict.UNJUDGED
    assert "4" in verdict_words(found, words("en"))


def test_an_unfilled_window_says_so_and_shows_no_figure():
    found = judge(SLOW, 0.118, RUNS, have_days=14, need_days=60)
    tile = Tile(SLOW, found, np.full(14, 0.118), np.full((3, 14), np.nan))
    html = tiles_html([tile], words("en"))
    assert "not enough history: 14 of 60 days" in html
    assert "11.8" not in html
    assert found.verdict is Verdict.UNJUDGED


def test_a_verdict_never_speaks_by_colour_alone():
    found = judge(AVAILABILITY, 0.5, RUNS, have_days=30, need_days=7)
    html = tiles_html(
        [Tile(AVAILABILITY, found, np.full(9, 0.5), np.full((3, 9), 0.6))], words("zh")
    )
    assert "▼" in html
    assert "差于孪生" in html


def test_a_difference_of_shares_is_percentage_points():
    say = words("en")
    assert difference(-0.011, "share", say) == "−1.1 pp"
    assert figure(0.954, "share", say) == "95.4 %"
    assert difference(float("nan"), "share", say) == "–"


def test_digits_tell_a_verdict_from_its_edge():
    assert telling_digits(15.44, (15.45, 15.47), "days") == 2
    assert telling_digits(1.0, (3.0,), "days") == 1


def test_a_sparkline_breaks_where_nothing_was_recorded():
    line = np.array([1.0, 2.0, np.nan, 4.0, 5.0])
    drawn = sparkline(line, np.full((3, 5), np.nan))
    assert drawn.count("M") == 2
    assert "h0.01" in sparkline(np.array([1.0, np.nan, 2.0, 3.0]), np.full((3, 4), np.nan))
    assert sparkline(np.full(5, np.nan), np.full((3, 5), np.nan)) == ""


def test_ratios_roll_up_as_sums_never_as_means():
    source = FixtureSource(stores=5, days=30, promised_days=10, runs=6)
    actual, stores = source.actual(), source.places().stores
    mine = parts(AVAILABILITY, [actual], source.costs(), stores)
    top = AVAILABILITY.numerator(actual, source.costs())[:, stores].sum()
    below = AVAILABILITY.denominator(actual, source.costs())[:, stores].sum()
    assert mine.over(0, 29)[0] == pytest.approx(top / below, rel=1e-6)
    assert mine.daily().shape == (1, 30)
    assert mine.by_step(2, 4, 7).shape == (1, 4, 5)


def test_only_days_with_both_a_promise_and_records_are_compared():
    source = FixtureSource(stores=5, days=30, promised_days=10, runs=6)
    stores, costs = source.places().stores, source.costs()
    found = Comparison(
        AVAILABILITY,
        parts(AVAILABILITY, [source.actual()], costs, stores),
        parts(AVAILABILITY, source.promise(), costs, stores),
    )
    assert found.common == (20, 29)
    start, step, gaps = found.gaps_over_time()
    assert (start, step, gaps.shape) == (20, 1, (10, 5))
    worst = np.argmin(found.store_gaps()[0])
    assert worst == 0


def test_the_page_shows_observable_kpis_only():
    assert all(KPIS[name].observable for name in TILE_KPIS)


def test_a_long_promise_is_told_by_week_and_a_short_one_by_day():
    source = FixtureSource(stores=5, days=90, promised_days=40, runs=6)
    stores, costs = source.places().stores, source.costs()
    found = Comparison(
        AVAILABILITY,
        parts(AVAILABILITY, [source.actual()], costs, stores),
        parts(AVAILABILITY, source.promise(), costs, stores),
    )
    start, step, gaps = found.gaps_over_time()
    assert (start, step, gaps.shape) == (55, 7, (5, 5))
    assert gaps[-1, 0] < -0.02
    assert abs(gaps[0, 0]) < 0.02
