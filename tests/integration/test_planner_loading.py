"""The nightly planner obeys a release's delivery, loading and routing parameters."""

from __future__ import annotations

import datetime as dt

import pytest

from ops_api.database import reading
from ops_api.planning.planner import plan
from ops_api.planning.recent import recent_tours
from tests.integration.api_service import make_rig
from tests.integration.planner_service import activate, open_proposals, release, sell


@pytest.fixture
def rig(tmp_path):
    return make_rig(tmp_path)


def tonight(rig):
    rig.clock.now = rig.clock.now.replace(hour=22, minute=30)
    return plan(rig.engine, rig.clock.now)


def recent(rig):
    day = rig.network.seconds(rig.clock.now) // 86_400
    with reading(rig.engine) as connection:
        return recent_tours(connection, rig.network, day)


def test_a_night_is_planned_with_the_tours_of_the_nights_before(rig):
    """A policy that minds changed tours is shown those that left in the last seven days."""
    activate(rig, release(stability_metres=5_000))
    sell(rig)
    assert recent(rig) == ()
    assert tonight(rig)["routes"] > 0
    index = rig.network.location_index
    routes = rig.get("boss", "/routes").json["routes"]
    planned = sorted(tuple(index(stop["location"]) for stop in one["stops"]) for one in routes)
    # They leave tomorrow: tonight nobody has driven them.
    assert recent(rig) == ()
    rig.clock.now += dt.timedelta(days=1)
    assert recent(rig) == tuple(planned)
    assert tonight(rig)["plans"]
    rig.clock.now += dt.timedelta(days=8)
    assert recent(rig) == ()


def test_a_store_that_is_put_off_gets_no_proposal(rig):
    """Nothing that a store would miss is worth a truck at a penalty of nothing."""
    activate(rig, release(drop_penalty=0.0))
    sell(rig)
    done = tonight(rig)
    assert done["routes"] == 0
    assert not [one for one in open_proposals(rig) if one["origin"].startswith("W")]


def test_a_store_is_proposed_for_on_its_own_weekdays_only(rig):
    """The release's pattern, not the planner's habit."""
    names = [rig.network.locations.ids[i] for i in rig.network.stores]
    weekday = rig.clock.now.weekday()
    days = "".join("0" if day == weekday else "1" for day in range(7))
    activate(rig, release(delivery_patterns={names[0]: days}))
    sell(rig)
    tonight(rig)
    served = {one["destination"] for one in open_proposals(rig)}
    assert names[0] not in served
    assert names[1] in served
