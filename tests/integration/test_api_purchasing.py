"""Purchase orders, deliveries, opening stock and new SKUs over HTTP."""

from __future__ import annotations

import uuid

import pytest

from ops_api.ledger.health import check_ledger
from tests.integration.api_service import Rig, make_rig

SKU = "K00001"


@pytest.fixture
def rig(tmp_path):
    made = make_rig(tmp_path)
    yield made
    assert not any(check_ledger(made.engine)["violations"].values())
    made.engine.dispose()


def order(rig: Rig, units: int = 5) -> str:
    body = {
        "supplier": "supplier",
        "destination": "W01",
        "lines": [{"sku": SKU, "quantity": units}],
    }
    made = rig.post("buyer", "/purchase-orders", body)
    assert made.status_code == 201, made.json
    assert made.json["value_cents"] == units * int(rig.network.skus.unit_cost_cents[0])
    return str(made.json["id"])


def arrived(good: int, damaged: int = 0) -> dict:
    line = {"event_id": str(uuid.uuid4()), "sku": SKU, "good": good, "damaged": damaged}
    return {"lines": [line]}


def test_an_order_is_approved_by_another_sent_and_received(rig):
    name = order(rig)
    early = rig.post("keeper", f"/purchase-orders/{name}:receive", arrived(5))
    assert (early.status_code, early.json["code"]) == (409, "STATE_INVALID")
    own = rig.post("buyer", f"/purchase-orders/{name}:approve")
    assert (own.status_code, own.json["code"]) == (403, "SELF_APPROVAL")
    assert rig.post("keeper", f"/purchase-orders/{name}:approve").json["state"] == "approved"
    assert rig.post("buyer", f"/purchase-orders/{name}:send").json["state"] == "sent"
    part = rig.post("keeper", f"/purchase-orders/{name}:receive", arrived(3, damaged=1)).json
    assert (part["state"], part["left"]) == ("partially_received", {SKU: 1})
    assert rig.on_hand("W01", SKU) == 54
    bare = rig.post("buyer", f"/purchase-orders/{name}:close")
    assert (bare.status_code, bare.json["code"]) == (422, "REASON_REQUIRED")
    done = rig.post("buyer", f"/purchase-orders/{name}:close", {"reason": "sold out"})
    assert (done.json["state"], done.json["short"]) == ("closed", {SKU: 1})


def test_goods_without_an_order_are_received_once(rig):
    body = {"location": "W01", **arrived(7)}
    key = str(uuid.uuid4())
    assert rig.post("keeper", "/receipts", body, key=key).status_code == 201
    again = rig.post("keeper", "/receipts", body, key=key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert rig.on_hand("W01", SKU) == 57


def test_a_new_sku_is_found_by_its_barcode_and_its_parked_sale_is_posted(rig):
    sale = rig.sale("S0001", "4006381333931", 2)
    parked = rig.post("till", "/sales:batch", {"lines": [sale]}).json
    assert parked["counts"] == {"parked": 1}
    new = {
        "id": "K-new",
        "name": "Pencil 铅笔",
        "category": "stationery",
        "unit_cost_cents": 40,
        "unit_price_cents": 99,
        "gtin": "4006381333931",
    }
    assert rig.post("clerk1", "/skus", new).json["code"] == "ROLE_DENIED"
    wrong = rig.post("buyer", "/skus", new | {"gtin": "4006381333932"})
    assert (wrong.status_code, wrong.json["code"]) == (400, "GTIN_CHECKSUM")
    made = rig.post("buyer", "/skus", new)
    assert (made.status_code, made.json["gtins"]) == (201, ["04006381333931"])
    assert rig.post("buyer", "/skus", new).json["code"] == "ALREADY_EXISTS"
    task = rig.get("manager1", "/tasks").json["tasks"][0]
    assert rig.post("manager1", f"/tasks/{task['id']}:resolve").status_code == 200
    # Nothing was in the book: found, sold, and someone counts.
    assert rig.on_hand("S0001", "K-new") == 0
    assert [t["kind"] for t in rig.get("manager1", "/tasks").json["tasks"]] == ["count"]


def test_opening_stock_is_posted_once_per_shelf(rig):
    new = {
        "id": "K-new",
        "name": "new",
        "category": "c",
        "unit_cost_cents": 1,
        "unit_price_cents": 2,
    }
    rig.post("buyer", "/skus", new)
    body = {"lines": [{"location": "S0001", "sku": "K-new", "quantity": 4}]}
    assert rig.post("boss", "/opening-stock", body).status_code == 201
    again = rig.post("boss", "/opening-stock", body)
    assert (again.status_code, again.json["code"]) == (409, "ALREADY_EXISTS")
    assert rig.on_hand("S0001", "K-new") == 4


def test_lanes_tell_how_far_the_warehouse_is(rig):
    lanes = rig.get("clerk1", "/lanes?destination=S0001").json["lanes"]
    assert [lane["origin"] for lane in lanes] == ["W01"]
    assert lanes[0]["distance_m"] == int(rig.network.distance_m[0, 1])


def test_a_document_with_the_same_sku_twice_is_refused(rig):
    body = {
        "supplier": "supplier",
        "destination": "W01",
        "lines": [{"sku": SKU, "quantity": 1}, {"sku": SKU, "quantity": 2}],
    }
    answer = rig.post("buyer", "/purchase-orders", body)
    assert (answer.status_code, answer.json["row"]) == (400, 1)
