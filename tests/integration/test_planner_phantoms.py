"""The night asks for counts of shelves that should have sold and did not."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import select

from ops_api.database import reading, writing
from ops_api.planning.planner import PlanRules, plan
from ops_api.planning.tables import AVAILABILITY
from ops_api.planning.view import keep_sales_history
from tests.integration.api_service import make_rig
from tests.integration.planner_service import activate, release

STORE, SILENT = "S0001", ("K00001", "K00002")


@pytest.fixture
def rig(tmp_path):
    """Eight weeks in which every store sold two of everything a day, but two SKUs of one."""
    made = make_rig(tmp_path)
    activate(made, release())
    network = made.network
    sold = np.random.default_rng(1).poisson(2.0, (56, *network.shape))
    sold[:, network.locations.source < 0] = 0
    for sku in SILENT:
        sold[10:, network.location_index(STORE), network.sku_index(sku)] = 0
    day = network.seconds(made.clock.now) // 86_400
    with writing(made.engine) as connection:
        keep_sales_history(connection, network, sold.astype(np.int32), day - 1, 0)
    made.clock.now = made.clock.now.replace(hour=22, minute=30)
    return made


def counts(rig):
    tasks = rig.get("boss", "/tasks").json["tasks"]
    return {(one["location"], one["sku"]): one for one in tasks if one["kind"] == "count"}


def test_silent_shelves_get_a_count_task_that_says_why(rig):
    plan(rig.engine, rig.clock.now)
    found = counts(rig)
    assert set(found) == {(STORE, sku) for sku in SILENT}
    for one in found.values():
        assert one["payload"]["cause"] == "silent"
        assert one["payload"]["chance"] > 0.25
        assert one["payload"]["days_silent"] >= 46
        assert one["payload"]["book"] == 10


def test_a_count_closes_the_task_and_the_next_night_does_not_ask_again_at_once(rig):
    """Nothing was there: the book says so now, and an empty book is no phantom."""
    plan(rig.engine, rig.clock.now)
    made = rig.post("clerk1", "/counts", {"location": STORE}).json["id"]
    lines = [
        {"event_id": f"00000000-0000-4000-8000-00000000000{i}", "sku": sku, "counted": 0}
        for i, sku in enumerate(SILENT)
    ]
    done = rig.post("clerk1", f"/counts/{made}:submit", {"lines": lines})
    assert done.status_code == 200, done.json
    if done.json.get("recount"):
        again = [line | {"event_id": line["event_id"].replace("-8", "-9")} for line in lines]
        done = rig.post("manager1", f"/counts/{made}:submit", {"lines": again})
        assert done.status_code == 200, done.json
    assert counts(rig) == {}
    rig.clock.forward(days=8)
    plan(rig.engine, rig.clock.now)
    assert not {(STORE, sku) for sku in SILENT} & set(counts(rig))


def test_a_store_is_asked_for_no_more_than_the_rule_says(rig):
    plan(rig.engine, rig.clock.now, rules=PlanRules(silent_counts=1))
    assert len(counts(rig)) == 1


def test_no_counts_are_asked_for_where_the_rule_is_0(rig):
    plan(rig.engine, rig.clock.now, rules=PlanRules(silent_counts=0))
    assert counts(rig) == {}


def test_what_silence_says_of_each_store_is_kept(rig):
    plan(rig.engine, rig.clock.now)
    with reading(rig.engine) as connection:
        rows = connection.execute(select(AVAILABILITY)).all()
    by_store = {one.location: one for one in rows}
    network = rig.network
    assert set(by_store) == {network.locations.ids[i] for i in network.stores}
    row = network.location_index(STORE)
    assert by_store[STORE].listed == int(network.listed[row].sum())
    # Both silent shelves are in the book; hardly anything else is missed.
    assert 1.0 < by_store[STORE].phantoms <= 2.5
    others = [one.phantoms for name, one in by_store.items() if name != STORE]
    assert max(others) < 0.5


def test_nobody_is_told_an_availability_that_no_count_has_confirmed(rig):
    """It was 9 points off on a recorded chain."""
    plan(rig.engine, rig.clock.now)
    assert rig.get("boss", "/availability").status_code == 404
