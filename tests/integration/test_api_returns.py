"""Returns of every kind, reservations with an end, cartons, and what tills take back."""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from typing import Any

import pytest

from ops_api.database import reading, write_with_retry
from ops_api.ledger.health import check_ledger
from ops_api.planning.facts import day_facts_from_sql
from ops_api.reservations.service import expire_due
from tests.integration.api_service import Rig, make_rig

DEPOT, STORE, OTHER = "W01", "S0001", "S0002"
SKU, SECOND = "K00001", "K00002"
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 64).decode()


@pytest.fixture
def rig(tmp_path):
    """Sound at the end."""
    made = make_rig(tmp_path)
    yield made
    assert not any(check_ledger(made.engine)["violations"].values())
    made.engine.dispose()


def returned(rig: Rig, kind: str, units: int, who: str = "clerk1", **more: Any) -> dict[str, Any]:
    line = {"sku": SKU, "quantity": units, "condition": more.pop("condition", "good")}
    body = {"kind": kind, "location": STORE, "reason": "other", "lines": [line], **more}
    done = rig.post(who, "/returns", body)
    assert done.status_code == 201, done.json
    return dict(done.json)


def shelf(rig: Rig, place: str = STORE, sku: str = SKU) -> dict[str, int]:
    rows = rig.get("boss", f"/stock?location={place}&sku={sku}").json["rows"]
    return {row["condition"]: row["on_hand"] for row in rows if row["on_hand"]}


def test_what_a_customer_brings_is_resold_or_set_apart_and_can_be_taken_back(rig):
    good = returned(rig, "customer", 2)
    assert rig.post("clerk1", f"/returns/{good['id']}:post").json["code"] == "ROLE_DENIED"
    assert rig.post("manager1", f"/returns/{good['id']}:post").json["state"] == "posted"
    bad = returned(rig, "customer", 1, condition="damaged")
    rig.post("manager1", f"/returns/{bad['id']}:post")
    assert shelf(rig) == {"good": 12, "damaged": 1}
    assert rig.post("manager1", f"/returns/{good['id']}:post").json["code"] == "STATE_INVALID"
    assert rig.post("manager1", f"/returns/{good['id']}:reverse").json["state"] == "reversed"
    assert shelf(rig) == {"good": 10, "damaged": 1}
    assert rig.get("clerk1", f"/returns/{good['id']}").json["state"] == "reversed"
    whim = {"kind": "customer", "location": STORE, "reason": "whim", "lines": []}
    whim["lines"] = [{"sku": SKU, "quantity": 1}]
    assert rig.post("clerk1", "/returns", whim).json["code"] == "REASON_REQUIRED"


def test_a_stores_return_travels_to_the_warehouse_and_is_received_by_condition(rig):
    """Damaged goods go along and arrive as what they are."""
    bad = returned(rig, "customer", 2, condition="damaged")
    rig.post("manager1", f"/returns/{bad['id']}:post")
    body = {
        "kind": "warehouse",
        "location": STORE,
        "counterpart": DEPOT,
        "reason": "overstock",
        "lines": [
            {"sku": SKU, "quantity": 4},
            {"sku": SKU, "quantity": 2, "condition": "damaged"},
        ],
    }
    name = rig.post("clerk1", "/returns", body).json["id"]
    done = rig.post("manager1", f"/returns/{name}:post").json
    assert shelf(rig) == {"good": 6}
    assert rig.road(DEPOT, SKU) == 6
    assert rig.post("manager1", f"/returns/{name}:reverse").json["code"] == "STATE_INVALID"
    line = {"event_id": str(uuid.uuid4()), "sku": SKU, "good": 4, "damaged": 2}
    got = rig.post("keeper", f"/transfers/{done['transfer_id']}:receive", {"lines": [line]})
    assert got.json["state"] == "received"
    assert shelf(rig, DEPOT) == {"good": 54, "damaged": 2}


def test_a_return_to_the_supplier_leaves_the_chain_by_four_eyes_and_with_a_picture(tmp_path):
    rig = make_rig(tmp_path, WRITE_OFF_LIMIT_CENTS=1, WRITE_OFF_PHOTO_CENTS=1)
    body = {"kind": "supplier", "location": STORE, "reason": "quality"}
    line = {"sku": SKU, "quantity": 3}
    bare = rig.post("clerk1", "/returns", body | {"lines": [line]})
    assert bare.json["field"] == "counterpart"
    name = returned(rig, "supplier", 3, counterpart="ACME")["id"]
    path = f"/returns/{name}"
    assert rig.post("manager1", f"{path}:post").json["code"] == "APPROVAL_REQUIRED"
    assert rig.post("boss", f"{path}:post").json["code"] == "PHOTO_REQUIRED"
    assert rig.post("clerk1", f"{path}:attach", {"content": PICTURE}).status_code == 200
    assert rig.post("boss", f"{path}:post").json["state"] == "posted"
    assert shelf(rig) == {"good": 7}
    drop = returned(rig, "supplier", 30, counterpart="ACME")["id"]
    rig.post("clerk1", f"/returns/{drop}:attach", {"content": PICTURE})
    assert rig.post("boss", f"/returns/{drop}:post").json["code"] == "INSUFFICIENT_STOCK"
    assert rig.post("clerk1", f"/returns/{drop}:cancel").json["state"] == "cancelled"
    assert not any(check_ledger(rig.engine)["violations"].values())


def till(rig: Rig, *lines: dict[str, Any]) -> Any:
    return rig.post("till", "/till-returns:batch", {"lines": list(lines)}).json


def took_back(rig: Rig, kind: str, **more: Any) -> dict[str, Any]:
    at = rig.clock.now.isoformat()
    event = {"event_id": str(uuid.uuid4()), "kind": kind, "location": STORE, "occurred_at": at}
    return event | more


def test_tills_return_and_void_once_whatever_is_sent_again(rig):
    """A void is the exact opposite of the sale line, also where it was sold from the air."""
    sale = rig.sale(STORE, SKU, 12)
    rig.post("till", "/sales:batch", {"lines": [sale]})
    assert shelf(rig) == {}
    void = took_back(rig, "void", of=sale["event_id"])
    assert till(rig, void)["counts"] == {"created": 1}
    assert till(rig, void)["counts"] == {"duplicate": 1}
    assert shelf(rig) == {"good": 12}
    twice = took_back(rig, "void", of=sale["event_id"])
    assert till(rig, twice)["lines"][0]["code"] == "ALREADY_REVERSED"
    back = took_back(rig, "return", sku=SKU, quantity=1, condition="damaged")
    assert till(rig, back, back | {"quantity": 2})["counts"] == {"created": 1, "conflict": 1}
    assert shelf(rig) == {"good": 12, "damaged": 1}


def test_a_tills_return_that_the_books_can_not_take_yet_waits_as_a_task(rig):
    """The sale it voids is still on its way; once it is there the task posts the void."""
    sale = rig.sale(STORE, SKU, 2)
    void = took_back(rig, "void", of=sale["event_id"])
    assert till(rig, void)["counts"] == {"parked": 1}
    rig.post("till", "/sales:batch", {"lines": [sale]})
    assert shelf(rig) == {"good": 8}
    task = rig.get("manager1", "/tasks").json["tasks"][0]
    done = rig.post("manager1", f"/tasks/{task['id']}:resolve")
    assert done.status_code == 200, done.json
    assert shelf(rig) == {"good": 10}
    assert till(rig, void)["counts"] == {"duplicate": 1}


def reserve(rig: Rig, units: int, hours: float = 2, **more: Any) -> Any:
    until = (rig.clock.now + dt.timedelta(hours=hours)).isoformat()
    lines = [{"sku": SKU, "quantity": units}]
    body = {"location": STORE, "lines": lines, "expires_at": until, **more}
    return rig.post("clerk1", "/reservations", body)


def available(rig: Rig) -> int:
    rows = rig.get("boss", f"/stock?location={STORE}&sku={SKU}").json["rows"]
    return sum(row["available"] for row in rows)


def test_reserved_goods_are_free_again_by_word_by_sale_and_by_the_clock(rig):
    """All lines or none; a till's sale goes before a promise, and says so."""
    first = reserve(rig, 6).json
    assert (first["state"], available(rig)) == ("open", 4)
    assert reserve(rig, 5).json["code"] == "INSUFFICIENT_STOCK"
    second = reserve(rig, 4, hours=1).json
    assert rig.post("clerk1", f"/reservations/{first['id']}:release").json["state"] == "released"
    assert available(rig) == 6
    again = rig.post("clerk1", f"/reservations/{first['id']}:release")
    assert again.json["code"] == "STATE_INVALID"
    rig.post("till", "/sales:batch", {"lines": [rig.sale(STORE, SKU, 8)]})
    held = rig.get("clerk1", f"/reservations/{second['id']}").json["holds"]
    assert [one["quantity"] for one in held] == [2]
    kinds = {task["kind"] for task in rig.get("clerk1", "/tasks").json["tasks"]}
    assert kinds == {"reservation_short"}
    rig.clock.forward(hours=1)
    now = int(rig.clock.now.timestamp())
    assert write_with_retry(rig.engine, lambda connection: expire_due(connection, now)) == 1
    assert rig.get("clerk1", f"/reservations/{second['id']}").json["state"] == "expired"
    assert available(rig) == 2
    third = reserve(rig, 2).json
    assert rig.post("clerk1", f"/reservations/{third['id']}:fulfil").json["state"] == "fulfilled"
    assert reserve(rig, 1, hours=-1).json["field"] == "expires_at"


def packed(rig: Rig) -> tuple[str, list[str]]:
    """Two SKUs in two cartons, one unit left unpacked, shipped."""
    lines = [{"sku": SKU, "quantity": 6}, {"sku": SECOND, "quantity": 4}]
    body = {"origin": DEPOT, "destination": STORE, "lines": lines}
    name = rig.post("clerk1", "/transfers", body).json["id"]
    rig.post("keeper", f"/transfers/{name}:approve")
    rig.post("keeper", f"/transfers/{name}:pick")
    cartons = [
        {"lines": [{"sku": SKU, "quantity": 5}, {"sku": SECOND, "quantity": 1}]},
        {"lines": [{"sku": SECOND, "quantity": 3}]},
    ]
    too_much = [{"lines": [{"sku": SKU, "quantity": 7}]}]
    refused = rig.post("keeper", f"/transfers/{name}:pack", {"cartons": too_much})
    assert refused.json["code"] == "INSUFFICIENT_STOCK"
    done = rig.post("keeper", f"/transfers/{name}:pack", {"cartons": cartons}).json
    assert done["state"] == "packed"
    assert rig.post("keeper", f"/transfers/{name}:ship").json["state"] == "shipped"
    return str(name), done["cartons"]


def test_cartons_are_packed_shipped_scanned_and_received_whole(rig):
    """What was not packed stays and is free; each carton comes once."""
    name, cartons = packed(rig)
    assert shelf(rig, DEPOT) == {"good": 45}
    seen = rig.post("clerk1", "/scans/resolve", {"code": f"(00){cartons[0]}"}).json
    assert (seen["document"], seen["received"]) == (name, False)
    assert {one["sku"]: one["quantity"] for one in seen["content"]} == {SKU: 5, SECOND: 1}
    part = rig.post("clerk1", f"/transfers/{name}:receive", {"cartons": cartons[:1]}).json
    assert (part["state"], part["left"]) == ("partially_received", {SECOND: 3})
    again = rig.post("clerk1", f"/transfers/{name}:receive", {"cartons": cartons})
    assert again.json["code"] == "STATE_INVALID"
    rest = rig.post("clerk1", f"/transfers/{name}:receive", {"cartons": cartons[1:]}).json
    assert rest["state"] == "received"
    assert (shelf(rig), shelf(rig, sku=SECOND)) == ({"good": 15}, {"good": 14})
    strange = rig.post("clerk1", f"/transfers/{name}:receive", {"cartons": ["0" * 18]})
    assert strange.json["code"] in {"DOCUMENT_UNKNOWN", "STATE_INVALID"}


def test_a_transfer_closed_short_opens_a_task_at_both_ends(rig):
    name, cartons = packed(rig)
    rig.post("clerk1", f"/transfers/{name}:receive", {"cartons": cartons[:1]})
    assert rig.post("manager1", f"/transfers/{name}:close").json["state"] == "closed"
    tasks = rig.get("boss", "/tasks").json["tasks"]
    found = {(task["kind"], task["location"], task["sku"]) for task in tasks}
    assert found == {("difference", DEPOT, SECOND), ("difference", STORE, SECOND)}


def test_a_rule_approves_what_is_worth_little_and_a_person_the_rest(tmp_path):
    rig = make_rig(tmp_path, AUTO_APPROVE_CENTS=1_000)
    cost = int(rig.network.skus.unit_cost_cents[0])

    def ask(units: int) -> dict[str, Any]:
        lines = [{"sku": SKU, "quantity": units}]
        body = {"origin": DEPOT, "destination": STORE, "lines": lines}
        return dict(rig.post("clerk1", "/transfers", body).json)

    few = max(1_000 // cost, 1)
    small, large = ask(few), ask(few + 1)
    assert (small["state"], small["value_cents"]) == ("reserved", few * cost)
    assert large["state"] == "proposed"
    stale = {"version": 9}
    refused = rig.post("keeper", f"/transfers/{large['id']}:approve", stale)
    assert refused.json["code"] == "VERSION_CONFLICT"
    assert rig.post("keeper", f"/transfers/{large['id']}:approve").json["state"] == "reserved"


def test_net_sales_are_what_tills_took_less_what_they_gave_back(rig):
    """A void takes its sale away, units and all; a return lowers net sales and no demand."""
    sold = [rig.sale(STORE, SKU, units, unit_price_cents=250) for units in (4, 2, 1)]
    rig.post("till", "/sales:batch", {"lines": sold})

    def figures() -> tuple[int, int]:
        with reading(rig.engine) as connection:
            day = rig.network.seconds(rig.clock.now) // 86_400
            end = (day + 1) * 86_400
            facts = day_facts_from_sql(connection, rig.network, day, day, end)
        return int(facts.get("revenue_cents").sum()), int(facts.get("units_sold").sum())

    assert figures() == (7 * 250, 7)
    till(rig, took_back(rig, "void", of=sold[1]["event_id"]))
    assert figures() == (5 * 250, 5)
    till(rig, took_back(rig, "return", sku=SKU, quantity=1, unit_price_cents=200))
    assert figures() == (5 * 250 - 200, 5)
    till(rig, took_back(rig, "return", sku=SKU, quantity=1))
    assert figures() == (5 * 250 - 200, 5)
