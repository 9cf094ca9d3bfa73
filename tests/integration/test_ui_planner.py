"""A planner tries a scenario, watches it, stops it, and reads whether it is really better."""

import pytest

from policies.domain.errors import InvalidInput
from tests.ui_fixture import PEOPLE, FixtureSource
from tests.whatif_fixture import BASE, FixtureLaboratory
from ui.access import Person
from ui.i18n import LANGUAGES, words
from ui.laboratory import WhatIf
from ui.pages.planner import _Bench, compared_html, planner
from ui.plots import load_backend
from ui.shell import Visit
from ui.theme import THEMES, tokens

MANAGER = Person("manager", "Manager", "manager", ("S001",))


@pytest.fixture(scope="module", autouse=True)
def backend():
    load_backend()


def visit(language="en", theme="light", person=PEOPLE["planner"]) -> Visit:
    return Visit(person, words(language), tokens(theme), "/whatif")


def bench(laboratory=None, **options) -> _Bench:
    return _Bench(FixtureSource(stores=3), laboratory or FixtureLaboratory(), visit(**options))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_builds_in_every_language_and_theme(language, theme):
    made = planner(FixtureSource(stores=3), FixtureLaboratory(), visit(language, theme))
    assert made.title.endswith(words(language)("whatif.title"))


def test_the_form_starts_from_what_it_is_compared_with_and_lists_only_differences():
    form = bench()
    assert "Nothing yet" in form.inputs.object
    form.widgets["trucks"].value = 10
    form.widgets["demand_factor"].value = 110
    assert "trucks at each warehouse: 12 → 10" in form.inputs.object
    assert "demand vs history: 100 % → 110 %" in form.inputs.object
    assert "policy" not in form.inputs.object
    assert "trucks = 10" in form.file.object
    assert not form.widgets["service_target"].disabled
    form.widgets["base"].value = "s-S-weekly"
    assert "Nothing yet" in form.inputs.object
    assert form.widgets["service_target"].disabled


def test_a_run_is_queued_watched_and_compared_in_words():
    laboratory = FixtureLaboratory()
    form = bench(laboratory)
    assert "unknown until the first run" in form.run.label
    form.widgets["replications"].value = 3
    form.start()
    assert not form.halt.disabled
    assert "Run 1 of 3" in form.now.object
    form.poll()
    form.poll()
    assert form.halt.disabled
    assert "no clear difference" in form.table.object
    assert "3 paired runs" in form.table.object
    assert "about 12 s" in form.run.label


def test_a_running_estimate_carries_its_half_width():
    form = bench()
    form.start()
    assert "True fill rate (twin only) so far: +0.9 pp ± 0.6 pp" in form.now.object


def test_a_stopped_run_stops():
    laboratory = FixtureLaboratory()
    form = bench(laboratory)
    form.start()
    form.stop()
    assert laboratory.progress("J1").state == "stopped"
    assert form.halt.disabled


def test_a_closed_page_loses_nothing():
    laboratory = FixtureLaboratory()
    bench(laboratory).start()
    again = bench(laboratory)
    assert again.job == "J1"
    assert "Run 2 of 10" in again.now.object


def test_a_manager_may_look_but_not_run():
    laboratory = FixtureLaboratory()
    form = bench(laboratory, person=MANAGER)
    form.start()
    assert form.run.disabled
    assert laboratory.queue == {}


def test_what_cannot_be_run_is_said_and_not_started():
    form = bench(FixtureLaboratory(refuse=True))
    assert "cannot be run: no such fleet" in form.inputs.object
    assert form.run.disabled
    with pytest.raises(InvalidInput):
        WhatIf("x", "b", "p", 1.5, 3)
    with pytest.raises(InvalidInput):
        WhatIf(" ", "b", "p", 0.9, 3)


def test_the_unit_is_said_once_and_money_has_enough_digits():
    laboratory = FixtureLaboratory()
    job = laboratory.submit(BASE, "planner")
    laboratory.stop(job)
    html = compared_html(laboratory.result(job), visit(), "USD")
    assert "+0.4 … +1.4 pp" in html
    assert "USD −0.011 … +0.001" in html
