"""A day as data: every truck and every unit where the ledger says it was."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from policies.domain.errors import InvalidInput
from policies.domain.network import DAY_SECONDS
from policies.domain.stock import project
from scenarios.film import FRAME_SECONDS, film_of_run
from tests.unit.twin_worlds import HOUR, up_to, world
from twin.result import Trace
from twin.run import simulate
from ui.cli import app
from ui.film_page import write_page

FILMED = Trace(movements=True, tours=True)
FRAMES = DAY_SECONDS // FRAME_SECONDS + 1


@pytest.fixture(scope="module")
def small():
    """Sales empty K0 in the first store by noon; the night's tour fills it up again."""
    lines = [(0, 12 * HOUR, 0, 10), (1, 9 * HOUR, 1, 3)]
    scenario = world(*lines, days=3)
    return scenario, simulate(scenario, up_to(), seed=1, trace=FILMED)


def test_stock_frames_follow_the_ledger_to_the_frame(small):
    scenario, run = small
    film = film_of_run(scenario.network, run, 0)
    stock = film.stock.set_index(["location", "at_s"])
    assert len(film.stock) == FRAMES * 3
    assert stock.loc[("S0", 12 * HOUR - FRAME_SECONDS), "units"] == 30
    assert stock.loc[("S0", 12 * HOUR), "units"] == 20
    assert stock.loc[("S0", 12 * HOUR - FRAME_SECONDS), "skus_out"] == 0
    assert stock.loc[("S0", 12 * HOUR), "skus_out"] == 1
    for day in range(3):
        end = film_of_run(scenario.network, run, day).stock
        told = end[end.at_s == DAY_SECONDS].units.to_numpy()
        held = project(run.movements, 3, 3, (day + 1) * DAY_SECONDS - 1).on_hand
        assert (told == held.sum(axis=1)).all()


def test_each_leg_begins_where_the_last_one_ended_and_the_truck_comes_home(small):
    scenario, run = small
    legs = film_of_run(scenario.network, run, 1).trucks
    assert len(legs) > 0
    for _, tour in legs.groupby("truck"):
        assert (tour.origin.iloc[0], tour.destination.iloc[-1]) == ("W0", "W0")
        assert (tour.origin.iloc[1:].to_numpy() == tour.destination.iloc[:-1].to_numpy()).all()
        assert (tour.departs_s.iloc[1:].to_numpy() == tour.unloaded_s.iloc[:-1].to_numpy()).all()
        assert (tour.departs_s <= tour.arrives_s).all()
        assert (tour.arrives_s <= tour.begins_s).all()
        assert tour.kg.iloc[-1] == 0
    shipped = run.documents.transfers
    assert legs.units.sum() == shipped.shipped[shipped.shipped_s // DAY_SECONDS == 1].sum()
    assert film_of_run(scenario.network, run, 0).trucks.empty


def test_events_of_the_day_are_its_rows_and_name_their_ends(small):
    scenario, run = small
    events = film_of_run(scenario.network, run, 0).events
    mine = run.movements.occurred_at_s < DAY_SECONDS
    assert len(events) == mine.sum()
    sold = events[events.kind == "sell"]
    assert sold[["at_s", "sku", "origin", "destination", "quantity"]].values.tolist() == [
        [9 * HOUR, "K1", "S1", "CUSTOMER", 3],
        [12 * HOUR, "K0", "S0", "CUSTOMER", 10],
    ]
    assert not events.is_latent.any()


def test_tours_and_rows_cost_nothing_where_nobody_asks():
    run = simulate(world(days=2), up_to(), seed=1)
    assert run.tours == ()
    with pytest.raises(InvalidInput, match="kept no rows"):
        film_of_run(world().network, run, 0)


def test_the_command_writes_what_a_page_needs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    args = ["film", "tiny", "--day", "10", "--out", "film", "--json"]
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["day"], told["frames"]) == (10, FRAMES)
    day = json.loads((tmp_path / "film/day.json").read_text())
    assert {place["kind"] for place in day["places"]} == {"warehouse", "store"}
    assert all(len(one["units"]) == FRAMES for one in day["stock"].values())
    assert len(day["trucks"]) == told["trucks"] > 0
    stock = pd.read_parquet(tmp_path / "film/stock.parquet")
    for name, one in day["stock"].items():
        assert one["units"] == stock[stock.location == name].sort_values("at_s").units.tolist()
    events = pd.read_parquet(tmp_path / "film/events.parquet")
    assert len(events) == told["events"]
    assert np.diff(events.at_s).min() >= 0
    page = (tmp_path / "film/day.html").read_text()
    inside = page.split('type="application/json">')[1].split("</script>")[0]
    assert json.loads(inside) == day
    assert "{{" not in page
    late = CliRunner().invoke(app, ["film", "tiny", "--day", "99", "--out", "film"])
    assert late.exit_code == 2


def test_a_name_can_not_end_the_pages_data(tmp_path):
    day = {"places": [{"id": "</script><script>alert(1)</script>"}]}
    (tmp_path / "day.json").write_text(json.dumps(day))
    page = write_page(tmp_path).read_text()
    inside = page.split('type="application/json">')[1].split("</script>")[0]
    assert json.loads(inside) == day
