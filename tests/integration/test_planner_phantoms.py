"""The night asks for counts of shelves that should have sold and did not."""

from __future__ import annotations

import numpy as np
import pytest

from ops_api.database import writing
from ops_api.planning.planner import PlanRules, plan
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


def test_availability_is_told_by_the_book_and_without_likely_phantoms(rig):
    plan(rig.engine, rig.clock.now)
    told = rig.get("boss", "/availability").json
    by_store = {one["location"]: one for one in told["stores"]}
    network = rig.network
    row = network.location_index(STORE)
    assert by_store[STORE]["listed"] == int(network.listed[row].sum())
    # Both silent shelves are in the book; hardly anything else is missed.
    assert 1.0 < by_store[STORE]["phantoms"] <= 2.5
    others = [one["phantoms"] for name, one in by_store.items() if name != STORE]
    assert max(others) < 0.5
    missing, listed = (sum(one[key] for one in told["stores"]) for key in ("phantoms", "listed"))
    assert told["book"] - told["corrected"] == pytest.approx(missing / listed, abs=1e-3)


def test_a_manager_sees_the_estimate_of_her_store_alone(rig):
    assert rig.get("boss", "/availability").json["stores"] == []
    plan(rig.engine, rig.clock.now)
    seen = rig.get("manager1", "/availability").json["stores"]
    assert [one["location"] for one in seen] == [STORE]
    assert rig.get("clerk1", "/availability").status_code == 403
