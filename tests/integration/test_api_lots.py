"""Lots from the supplier's truck to the shelf: order of picking, holds, recalls, traces."""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from typing import Any

import pytest
from sqlalchemy import select

from ops_api.database import reading, writing
from ops_api.ledger.health import check_ledger
from ops_api.ledger.schema import LATE_POSTINGS
from ops_api.migrations.run import current, downgrade, upgrade
from ops_api.planning.safety import store_line
from ops_api.planning.tables import SAFETY_LINES
from ops_api.planning.view import view_from_sql
from tests.integration.api_service import Rig, make_rig

DEPOT, STORE, SKU = "W01", "S0001", "K00001"
TODAY = dt.date(2024, 1, 10)
PICTURE = base64.b64encode(b"\xff\xd8\xff" + b"0" * 64).decode()


@pytest.fixture
def rig(tmp_path):
    """A service whose SKU is followed by lot, with two lots at the depot; sound at the end."""
    made = make_rig(tmp_path, WRITE_OFF_PHOTO_CENTS=1)
    made.post("boss", f"/skus/{SKU}:change", {"version": 1, "lot_tracked": True})
    receive(made, "LATE", 60, 20)
    receive(made, "SOON", 20, 10)
    yield made
    assert not any(check_ledger(made.engine)["violations"].values())
    made.engine.dispose()


def receive(rig: Rig, lot: str, days: int, good: int, **more: Any) -> Any:
    last = (TODAY + dt.timedelta(days=days)).isoformat()
    line = {"event_id": str(uuid.uuid4()), "sku": SKU, "good": good, "lot": lot, "expires_on": last}
    return rig.post("keeper", "/receipts", {"location": DEPOT, "lines": [line], **more})


def transfer(rig: Rig, units: int, *steps: str) -> str:
    body = {
        "origin": DEPOT,
        "destination": STORE,
        "lines": [{"sku": SKU, "quantity": units}],
    }
    name = rig.post("clerk1", "/transfers", body).json["id"]
    for step in steps:
        done = rig.post("keeper", f"/transfers/{name}:{step}")
        assert done.status_code == 200, done.json
    return str(name)


def lots_at(rig: Rig, place: str) -> dict[str, int]:
    rows = rig.get("boss", f"/stock?location={place}&sku={SKU}").json["rows"]
    return {row["lot"]: row["on_hand"] for row in rows if row["on_hand"]}


def arrive(rig: Rig, name: str, good: int, **more: Any) -> Any:
    line = {"event_id": str(uuid.uuid4()), "sku": SKU, "good": good, **more}
    return rig.post("clerk1", f"/transfers/{name}:receive", {"lines": [line]})


def test_the_first_to_expire_leaves_first(rig):
    """Of three days' lots and goods without a lot, which staff may not move."""
    name = transfer(rig, 15, "approve", "ship")
    assert lots_at(rig, DEPOT) == {"": 50, "LATE": 15}
    assert arrive(rig, name, 15).json["code"] == "LOT_REQUIRED"
    assert arrive(rig, name, 10, lot="SOON").status_code == 200
    assert arrive(rig, name, 1, lot="NEVER SENT").json["field"] == "lot"
    assert arrive(rig, name, 5).json["state"] == "received"
    assert lots_at(rig, STORE) == {"": 10, "LATE": 5, "SOON": 10}


def test_a_picker_names_the_lots_that_really_left(rig):
    name = transfer(rig, 12, "approve")
    body = {"lots": [{"sku": SKU, "lot": "LATE", "quantity": 12}]}
    assert rig.post("keeper", f"/transfers/{name}:ship", body).json["state"] == "shipped"
    assert lots_at(rig, DEPOT) == {"": 50, "LATE": 8, "SOON": 10}
    assert rig.post("manager1", f"/transfers/{name}:close").json["state"] == "closed"


def test_a_phone_that_names_no_lot_receives_the_first_to_expire_and_may_take_it_back(rig):
    """Several lots in one scan are one event."""
    name = transfer(rig, 15, "approve", "ship")
    event = {
        "event_id": str(uuid.uuid4()),
        "kind": "receive",
        "occurred_at": rig.clock.now.isoformat(),
        "location": STORE,
        "sku": SKU,
        "quantity": 12,
        "transfer_id": name,
    }
    done = rig.post("clerk1", "/events:batch", {"events": [event]}).json
    assert done["counts"] == {"created": 1}, done
    assert lots_at(rig, STORE) == {"": 10, "LATE": 2, "SOON": 10}
    undo = event | {"event_id": str(uuid.uuid4()), "kind": "undo", "of": event["event_id"]}
    assert rig.post("clerk1", "/events:batch", {"events": [undo]}).json["counts"] == {"created": 1}
    assert lots_at(rig, STORE) == {"": 10}
    assert arrive(rig, name, 10, lot="SOON").json["left"] == {SKU: 5}


def test_a_hold_frees_what_was_promised_and_nothing_of_it_leaves(rig):
    """The document that loses its goods gets a task; a till's sale is recorded with one."""
    name = transfer(rig, 10, "approve")
    held = rig.post("keeper", "/lots:hold", {"sku": SKU, "lot": "SOON", "reason": "smells"})
    assert held.json["documents_short"] == [name]
    kinds = {task["kind"] for task in rig.get("keeper", "/tasks").json["tasks"]}
    assert kinds == {"reservation_short"}
    body = {"lots": [{"sku": SKU, "lot": "SOON", "quantity": 10}]}
    assert rig.post("keeper", f"/transfers/{name}:ship", body).json["code"] == "LOT_ON_HOLD"
    assert rig.post("keeper", f"/transfers/{name}:ship").json["state"] == "closed"
    denied = rig.post("keeper", "/lots:release", {"sku": SKU, "lot": "SOON"})
    assert denied.json["code"] == "ROLE_DENIED"
    sale = rig.sale(DEPOT, SKU, 1, lot="SOON")
    assert rig.post("till", "/sales:batch", {"lines": [sale]}).json["counts"] == {"created": 1}
    tasks = {task["kind"]: task for task in rig.get("keeper", "/tasks").json["tasks"]}
    assert tasks["lot_sold"]["document_id"] == "SOON"
    assert rig.post("boss", "/lots:release", {"sku": SKU, "lot": "SOON"}).json["on_hold"] is False
    transfer(rig, 9, "approve", "ship")
    assert lots_at(rig, DEPOT) == {"": 50, "LATE": 20}


def test_a_recall_finds_every_place_and_the_trace_both_ends(rig):
    name = transfer(rig, 10, "approve", "ship")
    arrive(rig, name, 6)
    rig.post("till", "/sales:batch", {"lines": [rig.sale(STORE, SKU, 2, lot="SOON")]})
    done = rig.post("boss", "/lots:recall", {"sku": SKU, "lot": "SOON", "reason": "glass"}).json
    assert done["places"] == {STORE: 4, f"IN_TRANSIT:{DEPOT}>{STORE}": 4}
    tasks = rig.get("clerk1", "/tasks").json["tasks"]
    assert [(task["kind"], task["document_id"]) for task in tasks] == [("recall", "SOON")]
    told = rig.get("boss", f"/lots/trace?sku={SKU}&lot=SOON").json
    assert [(one["location"], one["units"]) for one in told["upstream"]] == [(DEPOT, 10)]
    assert told["downstream"]["here"] == done["places"]
    assert told["downstream"]["left"] == {STORE: {"customer": 2}}
    again = rig.post("boss", "/lots:recall", {"sku": SKU, "lot": "SOON", "reason": "glass"})
    assert again.json["code"] == "STATE_INVALID"


def test_goods_with_few_days_left_are_accepted_by_a_manager_only(rig):
    """Days or a share of the shelf life, whichever is more; and never shipped below the rule."""
    life = int(rig.network.skus.shelf_life_days[0])
    rule = {"receipt_days": 30, "receipt_share": 0.5, "sale_days": 25, "version": 0}
    assert rig.post("boss", "/expiry-rules", rule).json["version"] == 1
    asked = max(30, -(-life // 2))
    short = receive(rig, "NEAR", asked - 1, 5)
    assert (short.status_code, short.json["code"]) == (422, "SHELF_LIFE_TOO_SHORT")
    assert receive(rig, "NEAR", asked - 1, 5, accepts_short=True).status_code == 201
    last = (TODAY + dt.timedelta(days=asked - 1)).isoformat()
    line = {"event_id": str(uuid.uuid4()), "sku": SKU, "good": 1, "lot": "NEAR", "expires_on": last}
    body = {"location": STORE, "lines": [line], "accepts_short": True}
    assert rig.post("clerk1", "/receipts", body).json["code"] == "APPROVAL_REQUIRED"
    name = transfer(rig, 450)
    blocked = rig.post("keeper", f"/transfers/{name}:approve")
    assert blocked.json["code"] == "INSUFFICIENT_STOCK"
    alone = transfer(rig, 30)
    assert rig.post("keeper", f"/transfers/{alone}:approve").json["code"] == "SHELF_LIFE_TOO_SHORT"


def test_expiry_follows_from_the_day_of_production(rig):
    rig.post("boss", f"/skus/{SKU}:change", {"version": 2, "shelf_life_days": 40})
    line = {"event_id": str(uuid.uuid4()), "sku": SKU, "good": 1, "lot": "P"}
    bare = rig.post("keeper", "/receipts", {"location": DEPOT, "lines": [line]})
    assert (bare.json["code"], bare.json["field"]) == ("LOT_REQUIRED", "expires_on")
    line |= {"produced_on": TODAY.isoformat()}
    assert rig.post("keeper", "/receipts", {"location": DEPOT, "lines": [line]}).status_code == 201
    rows = rig.get("boss", "/lots?expires_before=2024-03-01").json["lots"]
    assert {(row["lot"], row["expires_on"]) for row in rows} == {
        ("P", "2024-02-19"),
        ("SOON", "2024-01-30"),
    }
    other = receive(rig, "P", 50, 1)
    assert (other.status_code, other.json["field"]) == (400, "expires_on")


def test_goods_without_a_lot_get_the_one_on_their_packs(rig):
    """Found by a count or opened without: named before they may leave."""
    body = {
        "event_id": str(uuid.uuid4()),
        "location": DEPOT,
        "sku": SKU,
        "quantity": 50,
        "lot": "LATE",
    }
    assert rig.post("keeper", "/lots:assign", body).status_code == 200
    assert lots_at(rig, DEPOT) == {"LATE": 70, "SOON": 10}
    more = body | {"event_id": str(uuid.uuid4()), "quantity": 1}
    assert rig.post("keeper", "/lots:assign", more).json["code"] == "INSUFFICIENT_STOCK"


def test_a_serial_is_in_one_place_from_the_door_to_the_customer(rig):
    """A till that sells one which is elsewhere is recorded, and someone has to look."""
    other = "K00002"
    line = {"event_id": str(uuid.uuid4()), "sku": other, "good": 1, "serial": "SN-7"}
    assert rig.post("keeper", "/receipts", {"location": DEPOT, "lines": [line]}).status_code == 201
    far = rig.sale(STORE, other, 1, serial="SN-7")
    assert rig.post("till", "/sales:batch", {"lines": [far]}).json["counts"] == {"created": 1}
    tasks = rig.get("clerk1", "/tasks").json["tasks"]
    assert [(task["kind"], task["document_id"]) for task in tasks] == [("serial_elsewhere", "SN-7")]
    near = rig.sale(DEPOT, other, 1, serial="SN-7")
    assert rig.post("till", "/sales:batch", {"lines": [near]}).json["counts"] == {"created": 1}
    again = line | {"event_id": str(uuid.uuid4())}
    assert rig.post("keeper", "/receipts", {"location": DEPOT, "lines": [again]}).status_code == 201
    back = rig.post("boss", f"/movements/{near['event_id']}:reverse")
    assert (back.status_code, back.json["code"]) == (409, "SERIAL_ELSEWHERE")


def test_a_dear_write_off_needs_a_picture_and_is_taken_back_whole(rig):
    """Of two lots, the first to expire first."""
    body = {"location": DEPOT, "sku": SKU, "quantity": 15, "reason": "damaged"}
    made = rig.post("keeper", "/writeoffs", body).json
    assert made["needs_photo"]
    path = f"/writeoffs/{made['id']}"
    assert rig.post("boss", f"{path}:post").json["code"] == "PHOTO_REQUIRED"
    text = base64.b64encode(b"no picture at all").decode()
    assert rig.post("keeper", f"{path}:attach", {"content": text}).json["field"] == "content"
    assert rig.post("keeper", f"{path}:attach", {"content": PICTURE}).status_code == 200
    assert rig.get("keeper", path).json["photos"][0]["content"] == PICTURE
    assert rig.post("boss", f"{path}:post").json["state"] == "posted"
    assert lots_at(rig, DEPOT) == {"": 50, "LATE": 15}
    assert rig.post("boss", f"{path}:reverse").json["state"] == "reversed"
    assert lots_at(rig, DEPOT) == {"": 50, "LATE": 20, "SOON": 10}
    assert rig.get("keeper", path).json["state"] == "reversed"
    drop = rig.post("keeper", "/writeoffs", body).json["id"]
    assert rig.post("keeper", f"/writeoffs/{drop}:cancel").json["state"] == "cancelled"
    assert rig.post("boss", f"/writeoffs/{drop}:post").json["code"] == "STATE_INVALID"


def test_a_fact_of_a_closed_month_is_accepted_and_counts_in_the_open_one(rig):
    """Its time stays true; the closed month's figures stay as they were."""
    rig.clock.now = dt.datetime(2024, 2, 1, 12, tzinfo=dt.UTC)
    early = rig.post("boss", "/periods/2024-01:close")
    assert early.json["code"] == "STATE_INVALID"
    rig.clock.forward(days=2)
    before = rig.get("boss", "/periods/2024-01").json["units"]
    assert rig.post("boss", "/periods/2024-01:close").status_code == 200
    sale = rig.sale(STORE, SKU, 3, occurred_at="2024-01-31T08:00:00+00:00")
    assert rig.post("till", "/sales:batch", {"lines": [sale]}).json["counts"] == {"created": 1}
    with reading(rig.engine) as connection:
        marked = connection.execute(select(LATE_POSTINGS)).one()
    assert tuple(marked) == (sale["event_id"], "2024-01", "2024-02")
    assert rig.get("boss", "/periods/2024-01").json["units"] == before
    assert rig.get("boss", "/periods/2024-02").json["late_units"] == {"sell": 3}
    assert rig.get("boss", "/periods").json["periods"][0]["late_rows"] == 1
    undo = rig.post("boss", f"/movements/{sale['event_id']}:reverse")
    assert (undo.status_code, undo.json["code"]) == (422, "PERIOD_CLOSED")
    gap = rig.post("boss", "/periods/2024-03:close")
    assert gap.json["code"] == "STATE_INVALID"


def test_each_version_of_a_sku_is_kept_and_the_network_follows(rig):
    rig.post("boss", f"/skus/{SKU}:change", {"version": 2, "name": "Tea", "pack_size": 7})
    seen = rig.get("boss", f"/skus/{SKU}").json
    assert (seen["version"], seen["name"], seen["pack_size"]) == (3, "Tea", 7)
    old = rig.get("boss", f"/skus/{SKU}/versions").json["versions"]
    assert [(row["version"], row["lot_tracked"]) for row in old] == [(1, False), (2, True)]
    from ops_api.masterdata.service import read_network

    assert (read_network(rig.engine).skus.names[0], read_network(rig.engine).skus.pack_size[0]) == (
        "Tea",
        7,
    )
    strange = rig.post("boss", f"/skus/{SKU}:change", {"version": 3, "category": "none such"})
    assert (strange.status_code, strange.json["field"]) == (400, "category")


def test_the_migration_goes_down_and_up_with_data(rig):
    rig.engine.dispose()
    downgrade(rig.url, "0002")
    assert current(rig.url) == "0002"
    upgrade(rig.url)
    assert check_ledger(rig.engine)["movements"] > 0


def test_the_planner_counts_neither_held_nor_expired_lots_as_available(rig):
    """Both lie there; what may leave is what is left, and time takes more of it."""

    def seen() -> tuple[int, int, int]:
        with reading(rig.engine) as connection:
            view = view_from_sql(connection, rig.network, rig.network.seconds(rig.clock.now))
        cell = rig.network.location_index(DEPOT), rig.network.sku_index(SKU)
        others = view.on_hand.sum() - view.on_hand[cell]
        assert view.available.sum() - view.available[cell] == others
        position = view.inventory_position - view.on_order
        return int(view.on_hand[cell]), int(view.available[cell]), int(position[cell])

    assert rig.network.locations.ids[0] == DEPOT
    whole = seen()
    assert whole[0] == whole[1] == whole[2]
    rig.post("keeper", "/lots:hold", {"sku": SKU, "lot": "LATE", "reason": "smells"})
    assert seen() == (whole[0], whole[0] - 20, whole[0] - 20)
    rig.clock.forward(days=21)
    assert seen() == (whole[0], whole[0] - 30, whole[0] - 30)
    rig.post("boss", "/lots:release", {"sku": SKU, "lot": "LATE"})
    assert seen() == (whole[0], whole[0] - 10, whole[0] - 10)
    transfer(rig, 5, "approve")
    assert seen()[1] == whole[0] - 15


def needs_of(rig: Rig) -> list[dict[str, Any]]:
    rows = rig.get("boss", "/needs").json["needs"]
    return [row for row in rows if (row["location"], row["sku"]) == (STORE, SKU)]


def test_goods_that_may_not_be_sold_do_not_keep_a_safety_line_quiet(rig):
    """Twelve lie in the store, two above the line's number, but three of them are held."""
    arrive(rig, transfer(rig, 10, "approve", "ship"), 10, lot="SOON")
    rig.post("till", "/sales:batch", {"lines": [rig.sale(STORE, SKU, 6)]})
    with writing(rig.engine) as connection:
        store_line(connection, STORE, SKU, 10)
    rig.post("till", "/sales:batch", {"lines": [rig.sale(STORE, SKU, 1)]})
    assert sum(lots_at(rig, STORE).values()) == 13
    assert needs_of(rig) == []
    rig.post("keeper", "/lots:hold", {"sku": SKU, "lot": "SOON", "reason": "smells"})
    assert needs_of(rig) == [], "ten are left for sale, as many as the line asks"
    rig.post("till", "/sales:batch", {"lines": [rig.sale(STORE, SKU, 1)]})
    left = lots_at(rig, STORE)
    assert sum(left.values()) == 12
    (need,) = needs_of(rig)
    assert (need["state"], need["level"], need["line"]) == ("open", left[""], 10)


@pytest.mark.parametrize("step", ["hold", "recall"])
def test_a_hold_alone_fires_the_safety_line_of_every_place_once(rig, step):
    """No sale follows it: the shop is as empty as after one. A release arms the line again."""
    arrive(rig, transfer(rig, 10, "approve", "ship"), 10, lot="SOON")
    free = sum(lots_at(rig, STORE).values()) - lots_at(rig, STORE)["SOON"]
    with writing(rig.engine) as connection:
        store_line(connection, STORE, SKU, free)
    lot = {"sku": SKU, "lot": "SOON", "reason": "smells"}
    rig.post("keeper", "/lots:hold", lot)
    assert needs_of(rig) == [], "what is left is as much as the line asks"
    rig.post("boss", "/lots:release", lot)
    with writing(rig.engine) as connection:
        store_line(connection, STORE, SKU, free + 1)
    who = {"hold": "keeper", "recall": "boss"}[step]
    assert rig.post(who, f"/lots:{step}", lot).status_code == 200
    (need,) = needs_of(rig)
    assert (need["state"], need["level"], need["line"]) == ("open", free, free + 1)
    assert not armed(rig)
    assert rig.post("boss", "/lots:release", lot).status_code == 200
    assert armed(rig)
    rig.post("keeper", "/lots:hold", lot)
    assert len(needs_of(rig)) == 1, "one open need per shelf, however often it is crossed"


def armed(rig: Rig) -> bool:
    s = SAFETY_LINES.c
    with reading(rig.engine) as connection:
        query = select(s.is_armed).where(s.location == STORE, s.sku == SKU)
        return bool(connection.execute(query).scalar_one())


def test_a_planner_does_not_give_away_what_is_kept_for_a_customer(rig):
    """Until it is handed over, or its time is over."""
    other = "K00002"
    place, sku = rig.network.location_index(STORE), rig.network.sku_index(other)

    def kept(hours: float = 0.0) -> tuple[int, int]:
        at = rig.clock.now + dt.timedelta(hours=hours)
        with reading(rig.engine) as connection:
            view = view_from_sql(connection, rig.network, rig.network.seconds(at))
        return int(view.reserved[place, sku]), int(view.inventory_position[place, sku])

    assert kept() == (0, 10)
    end = rig.clock.now + dt.timedelta(hours=5)
    body = {
        "location": STORE,
        "lines": [{"sku": other, "quantity": 3}],
        "expires_at": end.isoformat(),
    }
    made = rig.post("clerk1", "/reservations", body)
    assert made.status_code in (200, 201), made.json
    assert kept() == (3, 7)
    assert kept(hours=-1) == (0, 10)
    assert kept(hours=6) == (0, 10)
