"""The executive page builds from a source, in both languages and themes."""

import datetime as dt
import threading
from dataclasses import replace

import holoviews as hv
import pytest

from tests.ui_browser import wait_until
from tests.ui_fixture import PEOPLE, FixtureSource
from ui.i18n import LANGUAGES, words
from ui.pages.charts import Charts
from ui.pages.executive import _Board, executive
from ui.pages.figures import TILE_KPIS, Figures, keep_fresh
from ui.plots import load_backend
from ui.shell import Visit, age_words
from ui.theme import THEMES, tokens


@pytest.fixture(scope="module", autouse=True)
def backend():
    load_backend()


def visit(language="zh", theme="light") -> Visit:
    return Visit(PEOPLE["executive"], words(language), tokens(theme), "/twin")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_builds_in_every_language_and_theme(language, theme):
    made = executive(FixtureSource(stores=6), visit(language, theme))
    assert made.title.endswith(words(language)("executive.title"))


def test_stores_that_fell_behind_are_called_worse_and_come_first():
    source = FixtureSource(stores=12)
    figures = Figures.of(source)
    frame = Charts(figures, visit("en")).stores(figures.comparison("on_shelf_availability"))
    assert set(frame["store"][:2]) == {"S001", "S002"}
    assert [v.value for v in frame["verdict"][:2]] == ["worse", "worse"]
    assert frame["gap"].is_monotonic_increasing


def test_for_a_kpi_where_less_is_better_the_worst_store_still_comes_first():
    figures = Figures.of(FixtureSource(stores=12))
    frame = Charts(figures, visit("en")).stores(figures.comparison("stockout_rate"))
    assert set(frame["store"][:2]) == {"S001", "S002"}
    assert frame["difference"].iloc[0] > 0


def test_opening_a_store_shows_its_own_days():
    board = _Board(Figures.of(FixtureSource(stores=12)), visit("en"))
    assert board.one.objects == []
    board._show_store(1)
    assert "S002" in board.one.objects[0].object


def test_the_map_asks_nobody_for_tiles():
    figures = Figures.of(FixtureSource(stores=12))
    charts = Charts(figures, visit())
    drawn = hv.render(charts.map(charts.stores(figures.comparison(TILE_KPIS[0]))))
    kinds = {renderer.__class__.__name__ for renderer in drawn.renderers}
    assert kinds == {"GlyphRenderer"}


def test_emulated_reality_is_labelled_and_its_frictions_listed():
    board = _Board(Figures.of(FixtureSource(stores=6)), visit("en"))
    assert "Emulated reality" in board.labels.object
    assert "simulated or assigned" in board.labels.object
    assert "truck speed against plan: ×0.85 (twin assumed ×1.00)" in board.told.object


def test_recorded_reality_carries_no_label_of_emulation():
    source = FixtureSource(stores=6)
    source.state = replace(source.state, is_emulated=False, not_told=(), panel_expansion=1.0)
    board = _Board(Figures.of(source), visit("en"))
    assert "Emulated" not in board.labels.object
    assert board.told.object == ""


def test_new_figures_replace_the_old_ones_and_the_clock_alone_does_not():
    source = FixtureSource(stores=6)
    first = Figures.of(source)
    source.tick(5)
    assert Figures.of(source) is first
    source.state = replace(source.state, version="2")
    assert Figures.of(source) is not first


def test_before_the_first_record_the_page_says_so():
    source = FixtureSource(stores=6)
    source.actual = lambda: None
    board = _Board(Figures.of(source), visit("en"))
    assert "No figures yet" in board.tiles.object


def test_without_a_promise_nothing_is_judged():
    source = FixtureSource(stores=6)
    source.promise = list
    board = _Board(Figures.of(source), visit("en"))
    assert "no twin run covers these days" in board.tiles.object
    assert "worse" not in board.tiles.object


@pytest.mark.parametrize(
    ("minutes", "expected"), [(4, "4 min"), (150, "2 h"), (60 * 24 * 3, "3 days")]
)
def test_the_header_says_how_old_the_data_is(minutes, expected):
    source = FixtureSource(stores=6)
    now = source.situation().now
    state = replace(source.situation(), known_at=now - dt.timedelta(minutes=minutes))
    assert expected in age_words(state, words("en"))


def test_pages_take_the_last_figures_while_newer_ones_are_made():
    source = FixtureSource(stores=4)
    stop = keep_fresh(source, every_s=0.05)
    wait_until(lambda: Figures.of(source).is_whole, 20, "figures made")
    first = Figures.of(source)
    gate = threading.Event()
    slow = source.actual

    def held() -> object:
        assert gate.wait(20)
        return slow()

    source.actual = held
    source.state = replace(source.state, version="2")
    assert Figures.of(source) is first
    gate.set()
    wait_until(lambda: Figures.of(source) is not first, 20, "newer figures")
    assert Figures.of(source).situation.version == "2"
    stop.set()
