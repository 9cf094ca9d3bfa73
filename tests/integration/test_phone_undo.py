"""A scan of a delivery is taken back: stock, road and line are as before it."""

import uuid

import pytest

from ops_api.ledger.health import check_ledger
from tests.integration.api_service import Rig, make_rig
from tests.service_server import SHIPPED, ship


@pytest.fixture
def rig(tmp_path):
    return make_rig(tmp_path)


def send(rig: Rig, who: str = "clerk1", **event: object) -> dict:
    given = {
        "event_id": str(uuid.uuid4()),
        "location": "S0001",
        "occurred_at": rig.clock.now.isoformat(),
        **event,
    }
    body = {"events": [given], "sent_at": rig.clock.now.isoformat()}
    answer = rig.post(who, "/events:batch", body).json
    return {"event_id": given["event_id"], "status": "created", **(answer["lines"] or [{}])[0]}


def healthy(rig: Rig) -> bool:
    return not any(check_ledger(rig.engine)["violations"].values())


@pytest.mark.parametrize("units", [1, SHIPPED[1], SHIPPED[1] + 2])
def test_a_receipt_taken_back_leaves_no_trace_in_the_stock(rig, units):
    document, sku = ship(rig), rig.network.skus.ids[1]
    before = rig.on_hand("S0001", sku), rig.road("S0001", sku)
    scan = send(rig, kind="receive", transfer_id=document, sku=sku, quantity=units)
    assert rig.on_hand("S0001", sku) == before[0] + units
    assert send(rig, kind="undo", of=scan["event_id"])["status"] == "created"
    assert (rig.on_hand("S0001", sku), rig.road("S0001", sku)) == before
    line = rig.get("boss", f"/transfers/{document}").json["lines"][1]
    assert (line["received_good"], line["received_over"]) == (0, 0)
    assert healthy(rig)


def test_a_completed_delivery_opens_again(rig):
    document = ship(rig)
    scans = [
        send(rig, kind="receive", transfer_id=document, sku=rig.network.skus.ids[i], quantity=n)
        for i, n in SHIPPED.items()
    ]
    assert rig.get("boss", f"/transfers/{document}").json["state"] == "received"
    send(rig, kind="undo", of=scans[-1]["event_id"])
    assert rig.get("boss", f"/transfers/{document}").json["state"] == "partially_received"
    again = send(
        rig, kind="receive", transfer_id=document, sku=rig.network.skus.ids[1], quantity=SHIPPED[1]
    )
    assert again["status"] == "created"
    assert rig.get("boss", f"/transfers/{document}").json["state"] == "received"
    assert healthy(rig)


def test_a_receipt_is_taken_back_once_and_by_who_scanned_it_soon(rig):
    document, sku = ship(rig), rig.network.skus.ids[0]
    scan = send(rig, kind="receive", transfer_id=document, sku=sku, quantity=2)
    assert send(rig, "manager1", kind="undo", of=scan["event_id"])["code"] == "APPROVAL_REQUIRED"
    assert send(rig, kind="undo", of=scan["event_id"])["status"] == "created"
    assert send(rig, kind="undo", of=scan["event_id"])["code"] == "ALREADY_REVERSED"
    later = send(rig, kind="receive", transfer_id=document, sku=sku, quantity=2)
    rig.clock.forward(minutes=11)
    assert send(rig, kind="undo", of=later["event_id"])["code"] == "APPROVAL_REQUIRED"
    assert healthy(rig)
