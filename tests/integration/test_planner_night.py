"""The nightly planner over the service's own ledger."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import threading

import numpy as np
import pytest
from sqlalchemy import func, insert, select, update

from ops_api.database import reading, writing
from ops_api.errors import Busy
from ops_api.ledger.health import check_ledger
from ops_api.planning import locks
from ops_api.planning.planner import LOCK, PlanRules, plan
from ops_api.planning.tables import PLANS, PROPOSALS, RELEASES, ROUTES
from policies.domain.decision import LineKind
from policies.domain.errors import ReleaseRefused
from tests.integration.api_service import make_rig
from tests.integration.planner_service import (
    activate,
    open_proposals,
    planning_rig,
    release,
    sell,
)


@pytest.fixture
def rig(tmp_path):
    return planning_rig(tmp_path)


def tonight(rig, **more):
    rig.clock.now = rig.clock.now.replace(hour=22, minute=30)
    return plan(rig.engine, rig.clock.now, **more)


def count(rig, table):
    with reading(rig.engine) as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_night_writes_proposals_with_numbers_and_routes_with_stops(rig):
    """What a manager needs to say yes or no stands beside each line."""
    done = tonight(rig)
    assert done["proposals"] > 0
    assert done["routes"] > 0
    lines = [line for one in open_proposals(rig, kind=LineKind.REPLENISH) for line in one["lines"]]
    assert lines
    for line in lines:
        assert line["quantity"] > 0
        assert line["demand_per_day"] > 0
        assert line["cover_after_days"] > line["cover_before_days"]
        assert 0 <= line["risk_after"] <= line["risk_before"] <= 1
        assert line["value_cents"] > 0
        assert f"{line['quantity']} units" in line["sentence"]["en"]
        assert f"补 {line['quantity']} 件" in line["sentence"]["zh"]
        assert line["reason"] in {"below_base_stock", "below_reorder_point", "shared_shortage"}
    routes = rig.get("boss", "/routes").json["routes"]
    stops = {stop["location"] for route in routes for stop in route["stops"]}
    assert stops == {one["destination"] for one in open_proposals(rig, kind=LineKind.REPLENISH)}
    assert all(stop["kg"] > 0 for route in routes for stop in route["stops"])


def test_planning_a_night_twice_changes_nothing(rig):
    """One plan for a release and business day."""
    first = tonight(rig)
    before = (count(rig, PROPOSALS), count(rig, ROUTES))
    again = tonight(rig)
    assert again["plans"][0]["kept"]
    assert again["proposals"] == first["proposals"]
    assert (count(rig, PROPOSALS), count(rig, ROUTES)) == before


def test_a_plan_that_died_half_way_is_made_again(rig, monkeypatch):
    """Its log entry says what happened; nothing else was left."""
    import ops_api.planning.planner as module

    def dies(*_: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr(module, "_finish", dies)
    with pytest.raises(RuntimeError, match="the power went"):
        tonight(rig)
    assert count(rig, PROPOSALS) == 0
    log = rig.get("planner", "/plans").json["plans"][0]
    assert (log["state"], log["error"]) == ("failed", "RuntimeError: the power went")
    monkeypatch.undo()
    assert tonight(rig)["proposals"] > 0
    log = rig.get("planner", "/plans").json["plans"][0]
    assert (log["state"], log["attempts"]) == ("done", 2)


def test_only_one_planner_works_at_a_time(rig):
    """The second is told to wait; nothing is planned twice."""
    rig.clock.now = rig.clock.now.replace(hour=22, minute=30)
    with locks.held(rig.engine, LOCK, int(rig.clock.now.timestamp())), pytest.raises(Busy):
        tonight(rig)
    assert count(rig, PLANS) == 0
    assert tonight(rig)["proposals"] > 0


def test_two_planners_at_once_leave_one_plan(rig):
    """Threads race for the lock; the loser is refused or finds the night planned."""
    rig.clock.now = rig.clock.now.replace(hour=22, minute=30)
    answers: list[object] = []

    def work() -> None:
        try:
            answers.append(plan(rig.engine, rig.clock.now))
        except Busy as error:
            answers.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(rig, PLANS) == 1
    made = [one for one in answers if isinstance(one, dict)]
    assert made
    assert count(rig, PROPOSALS) == made[0]["proposals"]


def test_a_lock_of_a_dead_process_is_taken_over(rig):
    """A planner that was killed blocks nobody."""
    import socket

    from ops_api.planning.tables import PLANNER_LOCK

    with writing(rig.engine) as connection:
        connection.execute(
            insert(PLANNER_LOCK).values(
                name=LOCK,
                holder=f"{socket.gethostname()}:999999999:x",
                taken_at=int(rig.clock.now.timestamp()),
            )
        )
    assert tonight(rig)["proposals"] > 0


def test_a_scheduler_may_ask_for_the_plan_over_http(rig):
    """Once for a business day however often it asks, and never for a day to come."""
    rig.clock.now = rig.clock.now.replace(hour=22, minute=30)
    first = rig.post("planner", "/plans:run").json
    again = rig.post("planner", "/plans:run", {"as_of": rig.clock.now.isoformat()}).json
    assert first["proposals"] == again["proposals"] > 0
    assert [one["kept"] for one in first["plans"] + again["plans"]] == [False, True]
    tomorrow = (rig.clock.now + dt.timedelta(days=1)).isoformat()
    early = rig.post("planner", "/plans:run", {"as_of": tomorrow})
    assert (early.status_code, early.json["code"]) == (422, "CLOCK_SKEW")
    assert rig.post("manager1", "/plans:run").status_code == 403


def test_an_accepted_proposal_becomes_a_reserved_transfer(rig):
    """Cut to what is free, on the route that carries it."""
    tonight(rig)
    one = open_proposals(rig, "manager1", LineKind.REPLENISH)[0]
    done = rig.post("manager1", f"/proposals/{one['id']}:accept").json
    made = rig.get("manager1", f"/transfers/{done['document_id']}").json
    assert made["state"] == "reserved"
    assert made["route_id"] == one["route_id"] != ""
    assert {line["sku"]: line["approved"] for line in made["lines"]} == {
        line["sku"]: line["quantity"] for line in one["lines"]
    }
    again = rig.post("manager1", f"/proposals/{one['id']}:accept")
    assert (again.status_code, again.json["code"]) == (409, "STATE_INVALID")
    assert not any(check_ledger(rig.engine)["violations"].values())


def test_an_edit_orders_what_the_manager_wants_and_says_so(rig):
    """The line keeps both numbers; 0 strikes a line."""
    tonight(rig)
    one = max(open_proposals(rig, kind=LineKind.REPLENISH), key=lambda row: len(row["lines"]))
    wanted, struck = one["lines"][0], one["lines"][1]
    changes = {wanted["sku"]: wanted["quantity"] + 1, struck["sku"]: 0}
    done = rig.post("boss", f"/proposals/{one['id']}:edit", {"quantities": changes}).json
    assert done["state"] == "edited"
    kept = rig.get("boss", f"/proposals/{one['id']}").json["lines"]
    assert [line["decided_quantity"] for line in kept[:2]] == [wanted["quantity"] + 1, 0]
    lines = rig.get("boss", f"/transfers/{done['document_id']}").json["lines"]
    assert struck["sku"] not in {line["sku"] for line in lines}
    assert {line["sku"]: line["approved"] for line in lines}[wanted["sku"]] == changes[
        wanted["sku"]
    ]


def test_a_refusal_needs_a_reason_that_we_know(rig):
    """And makes no order."""
    tonight(rig)
    one = open_proposals(rig, kind=LineKind.REPLENISH)[0]
    odd = rig.post("boss", f"/proposals/{one['id']}:refuse", {"reason": "no mood"})
    assert (odd.status_code, odd.json["field"]) == (400, "reason")
    done = rig.post("boss", f"/proposals/{one['id']}:refuse", {"reason": "no_space"})
    assert done.json["state"] == "refused"
    assert rig.get("boss", "/transfers").json["transfers"] == []


def test_a_manager_decides_for_the_own_store_only(rig):
    """Another store's proposal is unknown to them."""
    tonight(rig)
    foreign = next(
        one for one in open_proposals(rig, kind=LineKind.REPLENISH) if one["destination"] == "S0002"
    )
    answer = rig.post("manager1", f"/proposals/{foreign['id']}:accept")
    assert (answer.status_code, answer.json["code"]) == (404, "DOCUMENT_UNKNOWN")
    assert {row["destination"] for row in open_proposals(rig, "manager1")} == {"S0001"}


def test_small_proposals_need_no_person_and_large_ones_do(rig):
    """The rule's limit is a value at cost."""
    tonight(rig)
    limit = 1 + int(np.median([one["value_cents"] for one in open_proposals(rig)]))
    rig.clock.now += dt.timedelta(days=1)
    done = tonight(rig, rules=PlanRules(auto_approve_cents=limit))
    left = open_proposals(rig)
    assert done["accepted"] > 0
    assert left
    assert all(one["value_cents"] >= limit for one in left)
    assert not any(check_ledger(rig.engine)["violations"].values())


def test_a_purchase_goes_out_when_it_is_accepted(rig):
    """The keeper's yes sends the order to the category's supplier."""
    sell(rig, each=3)
    rig.post("boss", "/releases", {"release": release().text()})
    done = tonight(rig)
    bought = open_proposals(rig, kind=LineKind.PURCHASE)
    if not bought:
        pytest.skip("this night buys nothing")
    one = bought[0]
    made = rig.post("keeper", f"/proposals/{one['id']}:accept").json
    orders = rig.get("keeper", "/purchase-orders?state=sent").json["purchase_orders"]
    assert [order["id"] for order in orders] == [made["document_id"]]
    assert orders[0]["supplier"] == one["origin"]
    assert done["proposals"] >= len(bought)


def test_what_nobody_decided_expires_with_the_next_plan(rig):
    """A manager never sees two proposals for the same need."""
    tonight(rig)
    old = {one["id"] for one in open_proposals(rig)}
    rig.clock.forward(days=1)
    plan(rig.engine, rig.clock.now)
    assert old.isdisjoint(one["id"] for one in open_proposals(rig))
    stale = rig.post("boss", f"/proposals/{min(old)}:accept")
    assert stale.json["code"] == "STATE_INVALID"


def test_an_order_on_its_way_is_not_proposed_again(rig):
    """Accepted lines count as on order in the next night's view."""
    tonight(rig)
    asked = {}
    for one in open_proposals(rig, kind=LineKind.REPLENISH):
        rig.post("boss", f"/proposals/{one['id']}:accept")
        asked |= {(one["destination"], line["sku"]) for line in one["lines"]} and {
            (one["destination"], line["sku"]): line["quantity"] for line in one["lines"]
        }
    rig.clock.forward(days=1)
    plan(rig.engine, rig.clock.now)
    again = {
        (one["destination"], line["sku"]): line["on_order"]
        for one in open_proposals(rig, kind=LineKind.REPLENISH)
        for line in one["lines"]
    }
    assert all(units == asked[cell] for cell, units in again.items() if cell in asked)


def test_a_sale_that_was_not_known_at_the_cut_off_changes_no_plan(tmp_path):
    """No look-ahead: the same decision whether or not the late sale was recorded since."""
    digests = []
    for late in (False, True):
        folder = tmp_path / str(late)
        folder.mkdir()
        rig = planning_rig(folder)
        cut = rig.clock.now.replace(hour=22, minute=30)
        if late:
            rig.clock.now = cut + dt.timedelta(hours=1)
            # It happened before the cut-off, and was heard of after it.
            sale = rig.sale("S0001", rig.network.skus.ids[0], 2)
            sale["occurred_at"] = (cut - dt.timedelta(hours=2)).isoformat()
            rig.post("till", "/sales:batch", {"lines": [sale]})
        plan(rig.engine, cut)
        digests.append(rig.get("planner", "/plans").json["plans"][0]["decision_sha256"])
    assert digests[0] == digests[1]


def test_a_shadow_release_is_computed_and_never_executed(rig):
    """Its proposals are logged; nobody can accept them and no truck is planned."""
    shadow = activate(rig, release("generous", fractile_0=0.99), "shadow")
    tonight(rig)
    with reading(rig.engine) as connection:
        rows = connection.execute(select(PROPOSALS).where(PROPOSALS.c.release_id == shadow)).all()
    assert rows
    assert {row.state for row in rows} == {"shadow"}
    assert {row.route_id for row in rows} == {""}
    answer = rig.post("boss", f"/proposals/{rows[0].id}:accept")
    assert answer.json["code"] == "STATE_INVALID"


def test_a_shadow_does_not_see_what_the_acting_release_orders_tonight(rig):
    """Both decide on the same book, also where a rule accepts every proposal at once."""
    twin = activate(rig, release("the same parameters"), "shadow")
    tonight(rig, rules=PlanRules(auto_approve_cents=10**12))
    plans = {one["release_id"]: one for one in rig.get("planner", "/plans").json["plans"]}
    acting = next(one for name, one in plans.items() if name != twin)
    assert plans[twin]["view_sha256"] == acting["view_sha256"] != ""
    assert plans[twin]["lines"] == acting["lines"] > 0


def test_a_pilot_decides_for_its_stores_and_for_no_other(rig):
    """The acting release keeps the rest."""
    pilot = activate(rig, release("pilot", fractile_0=0.99), "pilot", locations=["S0002"])
    tonight(rig)
    with reading(rig.engine) as connection:
        rows = connection.execute(select(PROPOSALS)).all()
    mine = {row.destination for row in rows if row.release_id == pilot}
    theirs = {row.destination for row in rows if row.release_id != pilot}
    assert mine == {"S0002"}
    assert "S0002" not in theirs


def test_a_release_of_other_code_is_refused(tmp_path):
    """By its source hash, with the field and what to do."""
    rig = make_rig(tmp_path)
    text = dataclasses.replace(release(), source_sha256="f" * 64).text()
    answer = rig.post("planner", "/releases", {"release": text})
    assert (answer.status_code, answer.json["code"]) == (409, "RELEASE_REFUSED")
    assert answer.json["field"] == "source_sha256"
    assert answer.json["remedy"]
    assert rig.get("planner", "/releases").json["releases"] == []


def test_a_release_whose_code_changed_since_is_not_planned_with(rig):
    """The check is made again every night; the log says why nothing was planned."""
    with writing(rig.engine) as connection:
        row = connection.execute(select(RELEASES)).one()
        content = json.loads(row.content) | {"source_sha256": "f" * 64}
        connection.execute(update(RELEASES).values(content=json.dumps(content)))
    with pytest.raises(ReleaseRefused):
        tonight(rig)
    log = rig.get("planner", "/plans").json["plans"][0]
    assert log["state"] == "failed"
    assert "ReleaseRefused" in log["error"]
    assert count(rig, PROPOSALS) == 0


def test_an_altered_release_is_refused(tmp_path):
    """A parameter edited by hand shows."""
    rig = make_rig(tmp_path)
    raw = json.loads(release().text())
    raw["params"]["safety_share"] = 0.5
    answer = rig.post("planner", "/releases", {"release": json.dumps(raw)})
    assert answer.json["code"] == "RELEASE_REFUSED"


def test_nobody_takes_a_release_of_their_own_live(tmp_path):
    """Another person decides, whatever roles the first has."""
    from ops_api.people.service import GrantSpec, replace_grants

    rig = make_rig(tmp_path)
    with writing(rig.engine) as connection:
        both = [GrantSpec("planner"), GrantSpec("executive")]
        replace_grants(connection, "planner", both, at=0, actor="setup")
    name = rig.post("planner", "/releases", {"release": release().text()}).json["id"]
    answer = rig.post("planner", f"/releases/{name}:activate")
    assert (answer.status_code, answer.json["code"]) == (403, "SELF_APPROVAL")
    assert rig.post("boss", f"/releases/{name}:activate").json["state"] == "active"


def test_a_roll_back_brings_the_release_before_back(tmp_path):
    """One click; both steps are in the record."""
    rig = make_rig(tmp_path)
    first = activate(rig, release("first"))
    second = activate(rig, release("second", fractile_0=0.95))
    states = {one["id"]: one["state"] for one in rig.get("boss", "/releases").json["releases"]}
    assert states == {first: "retired", second: "active"}
    assert rig.post("boss", f"/releases/{second}:rollback").json["active"] == first
    states = {one["id"]: one["state"] for one in rig.get("boss", "/releases").json["releases"]}
    assert states == {first: "active", second: "retired"}
    assert rig.post("boss", f"/releases/{second}:rollback").json["code"] == "STATE_INVALID"


def test_a_warehouse_line_shows_what_its_stores_sell(rig):
    """Its own forecast is empty: cover without sales would explain nothing."""
    tonight(rig)
    lines = [line for one in open_proposals(rig, kind=LineKind.PURCHASE) for line in one["lines"]]
    assert lines
    assert all(line["demand_per_day"] > 0 for line in lines)
    assert all("no sales" not in line["sentence"]["en"] for line in lines)
