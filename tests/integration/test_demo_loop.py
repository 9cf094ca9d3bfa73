"""The whole loop on the smallest chain: twin, gate, service, emulated reality, ledger."""

from __future__ import annotations

import datetime as dt
import json

import pytest
import requests
from rich.console import Console

from ops_api import create_app
from ops_api.ledger.health import check_ledger
from policies.domain.errors import InvalidInput
from scenarios.emulation.clock import DemoClock
from scenarios.emulation.wire import stable_id
from ui.demo.live import Running
from ui.demo.plan import demo_plan
from ui.demo.remote import emulate_weeks, obey_demo_time
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


@pytest.fixture
def remote(loop, tmp_path):
    """The service as it was opened, on a demo clock of its own; (address, engine, clock)."""
    home = loop[0] / "tiny"
    database = tmp_path / "storetwin.db"
    database.write_bytes((home / "service" / "storetwin.db").read_bytes())
    clock = DemoClock(dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
    app = create_app(
        {
            "DATABASE_URL": f"sqlite:///{database}",
            "SECRET_KEY": "a test key of good length",
            "CLOCK": clock,
            "AUTO_APPROVE_CENTS": 10**9,
        }
    )
    obey_demo_time(app, clock)
    with Running(app) as running:
        yield running.url, app.extensions["storetwin"].engine, clock


def test_an_emulator_of_another_process_lives_the_weeks_over_http(loop, remote):
    """Its requests carry the time, the service plans when it is asked, replies get lost."""
    url, engine, clock = remote
    done = emulate_weeks(url, 4, 4, seed=7, faults=True, home=loop[0] / "tiny")
    assert done["posted"] == done["effective"] + sum(done["refused"].values()) > 500
    assert done["twice_created"] == 0
    assert done["duplicates"] > 0
    assert done["late"] > 0
    assert not any(check_ledger(engine)["violations"].values())
    assert clock() > dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
    with engine.connect() as connection:
        nights = connection.exec_driver_sql("SELECT count(*) FROM plans WHERE state = 'done'")
        assert nights.scalar() == 7


def test_promise_and_reality_are_read_at_one_address(loop, remote):
    """The promise was kept with the service before the first live day."""
    url, _, _ = remote
    tokens = json.loads((loop[0] / "tiny" / "service" / "tokens.json").read_text())
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {tokens['boss']}"
    session.headers["X-Demo-Time"] = "2030-01-01T00:00:00+00:00"
    promise = session.get(f"{url}/api/v1/kpis?source=twin", timeout=30).json()
    actual = session.get(f"{url}/api/v1/kpis?source=actual", timeout=30).json()
    session.close()
    assert promise["replications"] == demo_plan("tiny").promise_replications
    names = {one["name"] for one in promise["kpis"]}
    assert {one["name"] for one in actual["kpis"]} < names
    assert actual["first_day"] < promise["first_day"]


def test_weeks_that_were_not_opened_are_refused(loop, tmp_path):
    """With the option and what to write."""
    with pytest.raises(InvalidInput, match="not opened") as caught:
        emulate_weeks("http://127.0.0.1:1", 3, 4, seed=1, faults=False, home=loop[0] / "tiny")
    assert caught.value.field == "--weeks"
    with pytest.raises(InvalidInput) as caught:
        emulate_weeks("http://127.0.0.1:1", 4, 4, seed=1, faults=False, home=tmp_path)
    assert caught.value.field == "--home"


def test_a_time_that_is_none_is_a_problem_and_moves_nothing(remote):
    """400 with the header's name."""
    url, _, clock = remote
    before = clock()
    for text in ("tomorrow", "2030-01-01T00:00:00"):
        answer = requests.get(
            f"{url}/api/v1/health/live", headers={"X-Demo-Time": text}, timeout=10
        )
        assert (answer.status_code, answer.json()["field"]) == (400, "X-Demo-Time")
        answer.close()
    assert clock() == before
