"""The whole loop on the smallest chain: twin, gate, service, emulated reality, ledger."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from rich.console import Console

from scenarios.emulation.clock import DemoClock
from scenarios.emulation.wire import stable_id
from ui.demo.plan import demo_plan
from ui.demo.run import run_demo


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    """One run of the tiny demo."""
    home = tmp_path_factory.mktemp("demo")
    summary = run_demo(demo_plan("tiny"), home, Console(quiet=True))
    return home, summary


def test_every_event_that_was_posted_took_effect_exactly_once(loop):
    """Late ones, repeated ones and those whose first answer was ignored included."""
    emulation = loop[1]["emulation"]
    assert emulation["posted"] == emulation["effective"] > 500
    assert emulation["twice_created"] == 0
    assert emulation["duplicates"] > 0
    assert emulation["late"] > 0


def test_the_ledger_is_whole_afterwards(loop):
    """I1 to I11."""
    ledger = loop[1]["ledger"]
    assert not any(ledger["violations"].values())
    assert ledger["movements"] > 500


def test_every_night_was_planned_and_goods_moved(loop):
    """The loop is closed: what the service planned arrived in its own books."""
    home, summary = loop
    assert summary["emulation"]["nights"] == 7
    assert summary["service"]["release_state"] == "active"
    from ops_api.database import make_engine

    engine = make_engine(f"sqlite:///{home}/tiny/live/storetwin.db")
    with engine.connect() as connection:
        states = dict(
            connection.exec_driver_sql("SELECT state, count(*) FROM transfers GROUP BY state").all()
        )
    engine.dispose()
    assert states.get("received", 0) > 0


def test_the_summary_says_what_was_read_judged_and_why(loop):
    """Keys that other programs read."""
    home, summary = loop
    written = json.loads((home / "summary.json").read_text())
    assert written["import"]["read"] == written["import"]["kept"] > 0
    assert written["gate"]["reasons"]
    assert not written["gate"]["null_pair"]["promoted"]
    assert not written["gate"]["planted_bad"]["promoted"]
    names = {row["name"] for row in written["kpis"]}
    assert {"cost_per_unit_demanded", "true_fill_rate", "truck_km"} <= names
    assert [step["name"] for step in written["steps"]] == [
        "chain",
        "replay",
        "tune",
        "gate",
        "promise",
        "service",
        "live",
    ]
    assert summary["lines_replayed"] > 1_000


def test_a_second_run_keeps_everything(loop):
    """Resumes from what is there, with the same ledger."""
    home, summary = loop
    again = run_demo(demo_plan("tiny"), home, Console(quiet=True))
    assert again["ledger"] == summary["ledger"]


def test_the_demo_clock_never_goes_back_and_runs_on():
    """Service, planner and emulator read the same one."""
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    real = [0.0]
    clock = DemoClock(start, lambda: real[0])
    clock.set(start + dt.timedelta(hours=2))
    clock.set(start)
    assert clock() == start + dt.timedelta(hours=2)
    clock.run_on(speed=60)
    real[0] = 10.0
    assert clock() == start + dt.timedelta(hours=2, minutes=10)


def test_event_ids_follow_from_what_happened():
    """A retry in another process has the same id."""
    assert stable_id(1, "sale", 2) == stable_id(1, "sale", 2)
    assert stable_id(1, "sale", 2) != stable_id(2, "sale", 2)
