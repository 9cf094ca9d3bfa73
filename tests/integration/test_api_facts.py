"""Facts that come late, twice, or about shelves that were counted meanwhile."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from sqlalchemy import select

from ops_api.ledger.health import check_ledger
from ops_api.ledger.schema import MOVEMENTS
from ops_api.people.service import GrantSpec, replace_grants
from ops_api.purchasing.service import OrderDraft, create_orders
from ops_api.purchasing.tables import PURCHASE_LINES
from ops_api.transfers.documents import Act
from tests.integration.api_service import Rig, make_rig

STORE, SKU = "S0001", "K00001"


@pytest.fixture
def rig(tmp_path):
    made = make_rig(tmp_path)
    yield made
    assert not any(check_ledger(made.engine)["violations"].values())
    made.engine.dispose()


def sell(rig: Rig, *lines: dict) -> dict:
    return rig.post("till", "/sales:batch", {"lines": list(lines)}).json


def phone(rig: Rig, who: str = "clerk1", **event: object) -> dict:
    given = {
        "event_id": str(uuid.uuid4()),
        "location": STORE,
        "sku": SKU,
        "occurred_at": rig.clock.now.isoformat(),
        **event,
    }
    answer = rig.post(who, "/events:batch", {"events": [given]}).json
    return answer["lines"][0] | {"sent": given}


def count(rig: Rig, units: int, at: dt.datetime | None = None) -> dict:
    """A count by the clerk, posted by the manager's recount of the same number."""
    moment = (at or rig.clock.now).isoformat()
    name = rig.post("clerk1", "/counts", {"location": STORE}).json["id"]
    answer = {}
    for who in ("clerk1", "manager1"):
        line = {"event_id": str(uuid.uuid4()), "sku": SKU, "counted": units}
        body = {"lines": [line], "occurred_at": moment}
        answer = rig.post(who, f"/counts/{name}:submit", body).json
        if answer.get("posted"):
            return answer
    return answer


def stock_at(rig: Rig, moment: dt.datetime) -> int:
    at = moment.isoformat().replace("+", "%2B")
    rows = rig.get("boss", f"/stock?location={STORE}&sku={SKU}&as_of={at}").json["rows"]
    return sum(row["on_hand"] for row in rows)


def tasks(rig: Rig, kind: str) -> list[dict]:
    return [task for task in rig.get("boss", "/tasks").json["tasks"] if task["kind"] == kind]


def transfer(rig: Rig, units: int, origin: str = "W01", destination: str = STORE) -> str:
    """Approved: reserved at its origin."""
    body = {
        "origin": origin,
        "destination": destination,
        "lines": [{"sku": SKU, "quantity": units}],
    }
    name = rig.post("boss", "/transfers", body).json["id"]
    approver = "keeper" if origin == "W01" else "manager1"
    assert rig.post(approver, f"/transfers/{name}:approve").status_code == 200
    return str(name)


def test_a_late_count_is_true_at_its_own_time_even_if_the_book_sold_more_since(rig):
    """5 were counted at ten o'clock, 8 of the book's 10 were sold at eleven."""
    ten = rig.clock.now
    rig.clock.forward(hours=1)
    sell(rig, rig.sale(STORE, SKU, 8))
    rig.clock.forward(hours=1)
    count(rig, 5, at=ten)
    assert stock_at(rig, ten) == 5
    assert rig.on_hand(STORE, SKU) == 0


def test_a_count_below_what_is_promised_shortens_the_promise(rig):
    """And the truck leaves with what is still promised."""
    name = transfer(rig, 8, origin=STORE, destination="S0002")
    count(rig, 5)
    assert rig.on_hand(STORE, SKU) == 5
    assert [task["document_id"] for task in tasks(rig, "reservation_short")] == [name]
    assert rig.post("manager1", f"/transfers/{name}:ship").json["state"] == "shipped"
    assert (rig.on_hand(STORE, SKU), rig.road("S0002", SKU)) == (0, 5)


def test_a_sale_of_promised_goods_shortens_the_promise(rig):
    name = transfer(rig, 8, origin=STORE, destination="S0002")
    sell(rig, rig.sale(STORE, SKU, 4))
    assert rig.on_hand(STORE, SKU) == 6
    rig.post("manager1", f"/transfers/{name}:ship")
    assert rig.road("S0002", SKU) == 6


def test_a_write_off_that_comes_after_the_count_which_saw_it_changes_history_only(rig):
    at = rig.clock.now
    rig.clock.forward(hours=1)
    count(rig, 7)
    rig.clock.forward(hours=1)
    event = phone(
        rig, "manager1", kind="write_off", quantity=3, reason="damaged", occurred_at=at.isoformat()
    )
    assert event["answer"]["state"] == "posted", event
    assert rig.on_hand(STORE, SKU) == 7
    assert stock_at(rig, at + dt.timedelta(minutes=1)) == 7


def test_a_reversal_of_something_a_count_has_seen_leaves_todays_stock(rig):
    line = rig.sale(STORE, SKU, 3)
    sell(rig, line)
    rig.clock.forward(hours=1)
    count(rig, 6)
    assert rig.post("manager1", f"/movements/{line['event_id']}:reverse").status_code == 201
    assert rig.on_hand(STORE, SKU) == 6


def test_a_shipment_said_to_have_left_before_the_count_is_not_taken_twice(rig):
    at = rig.clock.now
    name = transfer(rig, 4, origin=STORE, destination="S0002")
    rig.clock.forward(hours=1)
    count(rig, 6)
    rig.clock.forward(hours=1)
    gone = rig.post("manager1", f"/transfers/{name}:ship", {"occurred_at": at.isoformat()})
    assert gone.json["state"] == "shipped", gone.json
    assert rig.on_hand(STORE, SKU) == 6


def test_a_manager_elsewhere_who_is_a_clerk_here_has_a_clerks_rights_here(rig):
    grants = [GrantSpec("manager", "location", "S0002"), GrantSpec("clerk", "location", STORE)]
    with rig.engine.begin() as connection:
        replace_grants(connection, "manager2", grants, at=0, actor="boss")
    line = rig.sale(STORE, SKU)
    sell(rig, line)
    refused = rig.post("manager2", f"/movements/{line['event_id']}:reverse")
    assert refused.json["code"] == "APPROVAL_REQUIRED"


def test_a_counts_difference_can_not_be_reversed(rig):
    """A newer count corrects it."""
    count(rig, 7)
    with rig.engine.connect() as connection:
        row = connection.execute(select(MOVEMENTS).where(MOVEMENTS.c.kind == 9)).one()
    answer = rig.post("boss", f"/movements/{row.movement_id}:reverse")
    assert (answer.status_code, answer.json["code"]) == (409, "STATE_INVALID")


def test_a_reversed_delivery_is_open_on_its_order_again(rig):
    now = int(rig.clock.now.timestamp())
    with rig.engine.begin() as connection:
        draft = OrderDraft("PO-1", "supplier", "W01", ((SKU, 5, 0),))
        create_orders(connection, [draft], Act("buyer", now, now), state="sent")
    event = str(uuid.uuid4())
    body = {"lines": [{"event_id": event, "sku": SKU, "good": 5}]}
    assert rig.post("keeper", "/purchase-orders/PO-1:receive", body).json["state"] == "received"
    assert rig.post("keeper", f"/movements/{event}:reverse").status_code == 201
    with rig.engine.connect() as connection:
        assert connection.execute(select(PURCHASE_LINES.c.received)).scalar_one() == 0
    order = rig.get("keeper", "/purchase-orders").json["purchase_orders"][0]
    assert order["state"] == "partially_received"


def test_a_lot_that_the_book_does_not_know_is_taken_from_what_it_has(rig):
    sell(rig, rig.sale(STORE, SKU, 2, lot="L77"))
    assert rig.on_hand(STORE, SKU) == 8
    assert tasks(rig, "count") == []


def test_a_week_old_scan_waits_and_is_posted_as_the_deed_of_whoever_did_it(rig):
    name = transfer(rig, 4)
    rig.post("keeper", f"/transfers/{name}:ship")
    scanned = rig.clock.now
    rig.clock.forward(days=9)
    event = phone(
        rig, kind="receive", transfer_id=name, quantity=4, occurred_at=scanned.isoformat()
    )
    assert event["status"] == "parked"
    assert rig.on_hand(STORE, SKU) == 10
    (task,) = tasks(rig, "parked")
    assert rig.post("manager1", f"/tasks/{task['id']}:resolve").status_code == 200
    assert rig.on_hand(STORE, SKU) == 14
    assert rig.get("boss", f"/transfers/{name}").json["state"] == "received"
    with rig.engine.connect() as connection:
        row = connection.execute(
            select(MOVEMENTS).where(MOVEMENTS.c.movement_id == event["sent"]["event_id"])
        ).one()
    assert row.actor == "clerk1"
    again = rig.post("clerk1", "/events:batch", {"events": [event["sent"]]}).json
    assert again["counts"] == {"duplicate": 1}


def test_a_scan_of_a_closed_delivery_waits_and_may_be_left_with_a_reason(rig):
    """The way forward is a count of the shelf."""
    name = transfer(rig, 4)
    rig.post("keeper", f"/transfers/{name}:ship")
    rig.post("manager1", f"/transfers/{name}:close")
    event = phone(rig, kind="receive", transfer_id=name, quantity=4)
    assert event["status"] == "parked"
    (task,) = tasks(rig, "parked")
    assert rig.post("manager1", f"/tasks/{task['id']}:resolve").json["code"] == "STATE_INVALID"
    assert len(tasks(rig, "parked")) == 1
    bare = rig.post("manager1", f"/tasks/{task['id']}:resolve", {"action": "leave"})
    assert (bare.status_code, bare.json["code"]) == (422, "REASON_REQUIRED")
    left = {"action": "leave", "reason": "came with another truck"}
    assert rig.post("manager1", f"/tasks/{task['id']}:resolve", left).status_code == 200
    assert tasks(rig, "parked") == []
    assert [task["sku"] for task in tasks(rig, "count")] == [SKU]


def test_a_parked_sale_of_an_unknown_sku_says_so_until_the_sku_is_there(rig):
    assert sell(rig, rig.sale(STORE, "K-new"))["counts"] == {"parked": 1}
    (task,) = tasks(rig, "parked")
    answer = rig.post("manager1", f"/tasks/{task['id']}:resolve")
    assert (answer.status_code, answer.json["code"]) == (404, "SKU_UNKNOWN")
    assert answer.json["remedy"]


def test_a_day_of_events_in_any_order_ends_with_the_same_stock(rig):
    """Sales, deliveries and counts, posted late and mixed."""
    start = rig.clock.now
    rig.clock.forward(hours=8)

    def at(hours: float) -> str:
        return (start + dt.timedelta(hours=hours)).isoformat()

    lines = [rig.sale(STORE, SKU, 1, occurred_at=at(h)) for h in (0.5, 1.5, 2.5, 3.5)]
    sell(rig, lines[3])
    count(rig, 6, at=start + dt.timedelta(hours=3))
    sell(rig, lines[2], lines[0])
    sell(rig, lines[1])
    # Counted 6 at three o'clock, one sold after.
    assert rig.on_hand(STORE, SKU) == 5
    assert stock_at(rig, start + dt.timedelta(hours=3)) == 6


def test_a_refused_sale_twice_in_a_batch_is_refused_twice(rig):
    """A duplicate would say that it was recorded, and the till would forget it."""
    line = rig.sale(STORE, SKU, occurred_at=(rig.clock.now + dt.timedelta(hours=1)).isoformat())
    answer = rig.post("till", "/sales:batch", {"lines": [line, line]}).json
    assert answer["counts"] == {"refused": 2}
    assert {one["code"] for one in answer["lines"]} == {"CLOCK_SKEW"}
    assert [one["row"] for one in answer["lines"]] == [0, 1]
