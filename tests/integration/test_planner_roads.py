"""Trucks on the road, the key figures they make, and facts kept beside the ledger."""

from __future__ import annotations

import datetime as dt
import uuid

import numpy as np
import pytest
from sqlalchemy import select

from ops_api.database import reading, writing
from ops_api.planning.facts import (
    HISTORY,
    PROMISE,
    day_facts_from_sql,
    keep_facts,
    kept_facts,
    pack_facts,
    unpack_facts,
)
from ops_api.planning.ledger_columns import LedgerReader
from ops_api.planning.live import joined, live_of, observable
from ops_api.planning.planner import plan
from ops_api.planning.tables import ROUTE_STOPS, ROUTES
from policies.domain.decision import LineKind
from policies.domain.errors import InvalidInput
from policies.domain.facts import LOCATION_FACTS, SKU_FACTS, DayFacts
from policies.domain.network import DAY_SECONDS
from tests.integration.planner_service import open_proposals, planning_rig


@pytest.fixture
def rig(tmp_path):
    return planning_rig(tmp_path)


def planned_route(rig):
    """A night's first route with its transfers reserved."""
    rig.clock.now = rig.clock.now.replace(hour=22, minute=30)
    plan(rig.engine, rig.clock.now)
    for one in open_proposals(rig, kind=LineKind.REPLENISH):
        rig.post("boss", f"/proposals/{one['id']}:accept")
    return rig.get("keeper", "/routes?state=planned").json["routes"][0]


def step(rig, route, what, at, **body):
    rig.clock.now = max(rig.clock.now, at)
    body |= {"occurred_at": at.isoformat()}
    return rig.post("keeper", f"/routes/{route}:{what}", body)


def drive(rig, route, *, odometer=(120_000, 163_000), slow=dt.timedelta()):
    """Out, around all stops, back."""
    at = dt.datetime.fromisoformat(route["planned_departs_at"])
    assert step(rig, route["id"], "depart", at, odometer_m=odometer[0]).status_code == 200
    for stop in route["stops"]:
        at = dt.datetime.fromisoformat(stop["planned_at"]) + slow
        place = stop["location"]
        assert step(rig, route["id"], "arrive", at, location=place).status_code == 200
        at += dt.timedelta(minutes=20)
        assert step(rig, route["id"], "unload", at, location=place).status_code == 200
    at += dt.timedelta(hours=1)
    assert step(rig, route["id"], "return", at, odometer_m=odometer[1]).status_code == 200


def facts_of(rig, day):
    known = rig.network.seconds(rig.clock.now)
    with reading(rig.engine) as connection:
        return day_facts_from_sql(connection, rig.network, day, day, known)


def today(rig):
    return rig.network.seconds(rig.clock.now) // DAY_SECONDS


def test_a_truck_that_drove_leaves_its_kilometres_and_its_stops(rig):
    """From the odometer, shared among the stops by what was loaded for them."""
    route = planned_route(rig)
    drive(rig, route)
    facts = facts_of(rig, today(rig))
    assert facts.get("route_metres").sum() == 43_000
    last = rig.network.location_index(route["stops"][-1]["location"])
    home = rig.network.location_index(route["warehouse"])
    assert facts.get("empty_metres").sum() == min(rig.network.distance_m[last, home], 43_000)
    assert facts.get("route_starts_micro").sum() == 1_000_000
    assert facts.get("stops").sum() == len(route["stops"])
    assert facts.get("stops_on_time").sum() == len(route["stops"])
    done = rig.get("boss", f"/routes/{route['id']}").json
    assert (done["state"], done["actual_metres"]) == ("returned", 43_000)


def test_a_truck_after_the_window_is_late(rig):
    """On time is inside the store's receiving window, by the chain's own clock."""
    route = planned_route(rig)
    drive(rig, route, slow=dt.timedelta(hours=14))
    with reading(rig.engine) as connection:
        on_time = connection.execute(
            select(ROUTE_STOPS.c.is_on_time).where(ROUTE_STOPS.c.route_id == route["id"])
        ).scalars()
        assert not any(on_time)


def test_without_an_odometer_the_plan_says_how_far_it_was(rig):
    """Better than nothing, and it is said so in the docs."""
    route = planned_route(rig)
    drive(rig, route, odometer=(None, None))
    assert (
        rig.get("boss", f"/routes/{route['id']}").json["actual_metres"] == (route["planned_metres"])
    )


def test_steps_out_of_turn_are_refused_with_a_remedy(rig):
    """Return before departure, a stop twice, an odometer that ran backwards."""
    route = planned_route(rig)
    at = dt.datetime.fromisoformat(route["planned_departs_at"])
    early = step(rig, route["id"], "return", at, odometer_m=1)
    assert (early.status_code, early.json["code"]) == (409, "STATE_INVALID")
    step(rig, route["id"], "depart", at, odometer_m=500)
    place = route["stops"][0]["location"]
    unreached = step(rig, route["id"], "unload", at, location=place)
    assert (unreached.status_code, unreached.json["code"]) == (404, "LOCATION_UNKNOWN")
    assert step(rig, route["id"], "arrive", at, location=place).status_code == 200
    assert step(rig, route["id"], "arrive", at, location=place).status_code == 404
    back = step(rig, route["id"], "return", at, odometer_m=400)
    assert (back.status_code, back.json["field"]) == (400, "odometer_m")


def test_a_repeated_route_event_counts_once(rig):
    """The same key, the same answer."""
    route = planned_route(rig)
    at = dt.datetime.fromisoformat(route["planned_departs_at"])
    rig.clock.now = at
    key = str(uuid.uuid4())
    body = {"occurred_at": at.isoformat(), "odometer_m": 7}
    first = rig.post("keeper", f"/routes/{route['id']}:depart", body, key=key)
    again = rig.post("keeper", f"/routes/{route['id']}:depart", body, key=key)
    assert first.json == again.json
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_van_that_no_plan_foresaw_is_recorded_too(rig):
    """Opened, driven, counted."""
    at = rig.clock.now
    body = {
        "origin": "W01",
        "stops": [{"location": "S0002", "planned_at": at.isoformat(), "kg": 12.5}],
        "metres": 9_000,
        "departs_at": at.isoformat(),
    }
    name = rig.post("keeper", "/routes", body).json["id"]
    drive(rig, rig.get("boss", f"/routes/{name}").json, odometer=(0, 9_500))
    assert facts_of(rig, today(rig)).get("route_metres").sum() == 9_500
    with reading(rig.engine) as connection:
        assert (
            connection.execute(select(ROUTES.c.plan_id).where(ROUTES.c.id == name)).scalar() == ""
        )


def test_a_reader_that_grows_sees_what_a_new_one_sees(rig):
    """Rows are never changed, so only new ones are read."""
    grown = LedgerReader(rig.network)
    with reading(rig.engine) as connection:
        grown.refresh(connection)
    size = len(grown.columns())
    rig.post("till", "/sales:batch", {"lines": [rig.sale("S0001", rig.network.skus.ids[0], 2)]})
    fresh = LedgerReader(rig.network)
    with reading(rig.engine) as connection:
        grown.refresh(connection)
        fresh.refresh(connection)
    a, b = grown.columns(), fresh.columns()
    assert len(a) == len(b) == size + 1
    for name in ("kind", "sku", "from_location", "to_location", "quantity", "occurred_at_s"):
        assert (getattr(a, name) == getattr(b, name)).all()
    assert (grown.price_cents() == fresh.price_cents()).all()


def some_facts(network, first=0, days=3, latent=False, seed=1):
    rng = np.random.default_rng(seed)
    shape = (days, network.shape[0], len(network.skus.categories))
    return DayFacts(
        first,
        network.locations.ids,
        network.skus.categories,
        rng.integers(1, 50, (*shape, len(SKU_FACTS))),
        rng.integers(1, 50, (*shape[:2], len(LOCATION_FACTS))),
        latent,
        first,
    )


def test_kept_facts_come_back_as_they_were(rig):
    """Bytes and back; replications keep their order; storing again replaces."""
    runs = [some_facts(rig.network, seed=seed, latent=True) for seed in range(3)]
    again = unpack_facts(pack_facts(runs[0]))
    assert (again.sku_facts == runs[0].sku_facts).all()
    for _ in range(2):
        with writing(rig.engine) as connection:
            keep_facts(connection, PROMISE, "release", runs, is_simulated=True, at=0)
    with reading(rig.engine) as connection:
        kept = kept_facts(connection, PROMISE)
    assert [one.sku_facts.sum() for one in kept] == [one.sku_facts.sum() for one in runs]


def test_the_line_of_days_is_history_then_ledger(rig):
    """Where both know a day the ledger stands; nothing latent comes through."""
    live = facts_of(rig, today(rig))
    history = some_facts(rig.network, first=live.first_day - 2, days=3, latent=True)
    line = joined(history, live)
    assert line is not None
    assert (line.first_day, line.days) == (live.first_day - 2, 3)
    assert (line.sku_facts[-1] == live.sku_facts[0]).all()
    assert (line.get("units_sold")[0] == history.get("units_sold")[0]).all()
    with pytest.raises(InvalidInput, match="latent"):
        line.get("units_lost")
    assert observable(history).sku_facts[..., SKU_FACTS.index("units_lost")].sum() == 0
    assert joined(None, live) is live


def test_key_figures_of_reality_and_of_the_promise_come_from_the_same_functions(rig):
    """Windows, splits, bands, and what a manager may see."""
    day = today(rig)
    whole = rig.get("boss", f"/kpis?first_day={day}&last_day={day}").json
    assert (whole["first_day"], whole["last_day"]) == (day, day)
    names = {one["name"]: one for one in whole["kpis"]}
    assert "true_fill_rate" not in names
    assert 0 < names["on_shelf_availability"]["value"] <= 1
    by_place = rig.get("boss", "/kpis?by=location&kpi=on_shelf_availability").json
    assert by_place["keys"] == list(rig.network.locations.ids)
    own = rig.get("manager1", "/kpis?by=location&kpi=stock_value").json
    assert own["keys"] == ["S0001"]
    empty = rig.get("boss", "/kpis?source=twin").json
    assert empty["kpis"] == []
    runs = [some_facts(rig.network, first=day, days=1, latent=True, seed=s) for s in range(20)]
    with writing(rig.engine) as connection:
        keep_facts(connection, PROMISE, "release", runs, is_simulated=True, at=0)
    band = rig.get("boss", "/kpis?source=twin&kpi=truck_km").json
    assert band["replications"] == 20
    (one,) = band["kpis"]
    assert one["p10"] < one["value"] < one["p90"]


def test_days_that_nobody_recorded_have_no_figures(rig):
    """The answer names the days there are."""
    answer = rig.get("boss", "/kpis?first_day=-90&last_day=-80")
    assert (answer.status_code, answer.json["field"]) == (400, "first_day")
    odd = rig.get("boss", "/kpis?kpi=happiness")
    assert (odd.status_code, odd.json["field"]) == (400, "kpi")


def test_history_fills_the_window_before_the_ledger(rig):
    """Simulated days are kept, marked, and read through the same address."""
    with reading(rig.engine) as connection:
        live = live_of(connection).facts(connection, rig.network.seconds(rig.clock.now))
    before = some_facts(rig.network, first=live.first_day - 4, days=4, latent=True)
    with writing(rig.engine) as connection:
        keep_facts(connection, HISTORY, "replay", [before], is_simulated=True, at=0)
    answer = rig.get("boss", "/kpis?by=day&kpi=stock_value").json
    assert answer["first_day"] == live.first_day - 4
    assert answer["kpis"][0]["value"][0] == before.get("closing_stock_cents")[0].sum()
