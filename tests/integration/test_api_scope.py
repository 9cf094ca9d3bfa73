"""Endpoint × role × scope, generated from the registry that serves."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from ops_api.people.roles import PERMISSIONS, PUBLIC
from ops_api.people.service import GrantSpec, issue_token, replace_grants
from ops_api.people.tables import PEOPLE
from ops_api.web.registry import Document, Site
from tests.integration.api_service import Rig, make_rig

HERE, THERE, SKU = "S0001", "S0002", "K00001"


def _event() -> str:
    return str(uuid.uuid4())


# What each endpoint that names a location is asked; a new one without a row fails below.
SITE_BODIES: dict[str, Any] = {
    "count_create": lambda place: {"location": place},
    "export_count_sheet": lambda place: f"?location={place}",
    "export_stock": lambda place: f"?location={place}",
    "import_count_sheet": None,  # takes a file: its own tests stand with the workbooks'
    "lot_assign": lambda place: {
        "event_id": _event(),
        "location": place,
        "sku": SKU,
        "quantity": 1,
        "lot": "L1",
    },
    "purchase_order_create": lambda place: {
        "supplier": "supplier",
        "destination": place,
        "lines": [{"sku": SKU, "quantity": 1}],
    },
    "receipt_create": lambda place: {
        "location": place,
        "lines": [{"event_id": _event(), "sku": SKU, "good": 1}],
    },
    "reservation_create": lambda place: {
        "location": place,
        "lines": [{"sku": SKU, "quantity": 1}],
        "expires_at": "2024-01-12T00:00:00+00:00",
    },
    "return_create": lambda place: {
        "kind": "customer",
        "location": place,
        "reason": "other",
        "lines": [{"sku": SKU, "quantity": 1}],
    },
    "route_create": None,  # its own tests stand with the planner's
    "scan_resolve": lambda place: {"code": SKU, "location": place},
    "stock": lambda place: f"?location={place}",
    "tag_reads": lambda place: {"session": place, "location": place, "reads": [{"epc": "00"}]},
    "writeoff_create": lambda place: {
        "location": place,
        "sku": SKU,
        "quantity": 1,
        "reason": "damaged",
    },
}
# Which of the documents below stands for each endpoint that takes an id.
DOCUMENTS = {
    "count_": "count",
    "movement_": "movement",
    "purchase_order_": "order",
    "reservation": "reservation",
    "return": "return",
    "task_": "task",
    "transfer": "transfer",
    "writeoff": "writeoff",
}
STEP_BODIES: dict[str, Any] = {
    "count_submit": lambda: {"lines": [{"event_id": _event(), "sku": SKU, "counted": 10}]},
    "count_approve": lambda: {"sku": SKU},
    "count_use_reads": lambda: {"session": "s", "also": [SKU]},
    "purchase_order_receive": lambda: {"lines": []},
    "transfer_receive": lambda: {"lines": []},
    "return_attach": lambda: {"content": "A" * 16},
    "transfer_pack": lambda: {"cartons": [{"lines": [{"sku": SKU, "quantity": 1}]}]},
    "writeoff_attach": lambda: {"content": "A" * 16},
}
ELSEWHERE = ("proposal", "route", "release")


@pytest.fixture(scope="module")
def rig(tmp_path_factory, database):
    """Everybody's double: each role once at each of two stores."""
    made = make_rig(tmp_path_factory.mktemp("scope"))
    roles = sorted({role for roles in PERMISSIONS.values() for role in roles})
    for role in roles:
        for place in (HERE, THERE):
            name = f"{role}@{place}"
            with made.engine.begin() as connection:
                # Copied with its hash: hashing forty passwords would take most of the time.
                clerk = connection.execute(PEOPLE.select().where(PEOPLE.c.id == "clerk1")).one()
                double = dict(clerk._mapping) | {"id": name, "name": name, "login": name}
                connection.execute(PEOPLE.insert().values(double))
                spec = GrantSpec(role, "location", place)
                replace_grants(connection, name, [spec], at=0, actor="setup")
            made.tokens[name] = issue_token(made.engine, name, device="phone")
        name = f"{role}@everywhere"
        with made.engine.begin() as connection:
            clerk = connection.execute(PEOPLE.select().where(PEOPLE.c.id == "clerk1")).one()
            double = dict(clerk._mapping) | {"id": name, "name": name, "login": name}
            connection.execute(PEOPLE.insert().values(double))
            replace_grants(connection, name, [GrantSpec(role)], at=0, actor="setup")
        made.tokens[name] = issue_token(made.engine, name, device="phone")
    yield made
    made.engine.dispose()


@pytest.fixture(scope="module")
def documents(rig) -> dict[str, str]:
    """One document of each kind at HERE."""
    out = {}
    body = {"origin": HERE, "destination": "W01", "lines": [{"sku": SKU, "quantity": 1}]}
    out["transfer"] = rig.post(f"clerk@{HERE}", "/transfers", body).json["id"]
    out["count"] = rig.post(f"clerk@{HERE}", "/counts", {"location": HERE}).json["id"]
    made = rig.post(f"clerk@{HERE}", "/writeoffs", SITE_BODIES["writeoff_create"](HERE))
    out["writeoff"] = made.json["id"]
    for name, path in (("return", "/returns"), ("reservation", "/reservations")):
        body = SITE_BODIES[f"{name}_create"](HERE)
        out[name] = rig.post(f"clerk@{HERE}", path, body).json["id"]
    order = rig.post(
        f"buyer@{HERE}", "/purchase-orders", SITE_BODIES["purchase_order_create"](HERE)
    )
    out["order"] = order.json["id"]
    sale = rig.sale(HERE, SKU, 99)
    rig.post("till", "/sales:batch", {"lines": [sale]})
    out["movement"] = sale["event_id"]
    out["task"] = rig.get(f"manager@{HERE}", "/tasks").json["tasks"][0]["id"]
    return out


def endpoints(rig: Rig, kind: type) -> list[Any]:
    registry = rig.app.extensions["storetwin"].registry
    return [
        endpoint
        for endpoint in registry
        if isinstance(endpoint.scope, kind) and endpoint.permission != PUBLIC
    ]


def test_a_named_location_must_be_in_reach(rig):
    """SITE_DENIED there, and never here."""
    checked = 0
    for endpoint in endpoints(rig, Site):
        assert endpoint.name in SITE_BODIES, f"{endpoint.name} has no row in the matrix"
        make = SITE_BODIES[endpoint.name]
        if make is None:
            continue
        for role in sorted(PERMISSIONS[endpoint.permission]):
            for place, denied in ((THERE, True), (HERE, False)):
                asked = make(place)
                path = endpoint.path + (asked if isinstance(asked, str) else "")
                body = None if isinstance(asked, str) else asked
                answer = rig.send(f"{role}@{HERE}", endpoint.method, path, body)
                code = (answer.json or {}).get("code")
                assert (code == "SITE_DENIED") == denied, (endpoint.name, role, place, answer.json)
                assert (answer.status_code == 403) == denied
                checked += 1
    assert checked >= 40


def test_a_document_out_of_reach_is_unknown_and_one_in_reach_is_not(rig, documents):
    """The same 404 as for a document that does not exist, for each role that has the right."""
    checked = 0
    for endpoint in endpoints(rig, Document):
        if endpoint.name.startswith(ELSEWHERE):
            continue
        kinds = [kind for prefix, kind in DOCUMENTS.items() if endpoint.name.startswith(prefix)]
        assert kinds, f"{endpoint.name} has no row in the matrix"
        make = STEP_BODIES.get(endpoint.name, dict)
        body = make() if endpoint.body else None
        for role in sorted(PERMISSIONS[endpoint.permission]):
            where = endpoint.path.replace("{id}", documents[kinds[0]])
            far = rig.send(f"{role}@{THERE}", endpoint.method, where, body)
            assert (far.status_code, far.json["code"]) == (404, "DOCUMENT_UNKNOWN"), endpoint.name
            gone = endpoint.path.replace("{id}", "none")
            missing = rig.send(f"{role}@{THERE}", endpoint.method, gone, body)
            assert missing.json["code"] == "DOCUMENT_UNKNOWN", endpoint.name
            checked += 1
        near = rig.send(f"{role}@{HERE}", endpoint.method, where, body)
        # A step at the other end is refused as such: the document itself is known here.
        assert near.json.get("code") != "DOCUMENT_UNKNOWN", (endpoint.name, near.json)
    assert checked >= 40


def test_a_document_that_does_not_exist_is_unknown_to_those_who_may_see_all(rig):
    """Nobody's reach stops them, so each step itself must find that there is none."""
    checked = 0
    for endpoint in endpoints(rig, Document):
        make = STEP_BODIES.get(endpoint.name, dict)
        body = make() if endpoint.body else None
        for role in sorted(PERMISSIONS[endpoint.permission]):
            gone = endpoint.path.replace("{id}", "none")
            missing = rig.send(f"{role}@everywhere", endpoint.method, gone, body)
            assert missing.status_code in (400, 404, 422), (endpoint.name, role, missing.json)
            if missing.status_code == 404:
                assert missing.json["code"] == "DOCUMENT_UNKNOWN", endpoint.name
                checked += 1
    assert checked >= 40


def test_lists_show_what_is_in_reach_only(rig, documents):
    """A clerk of the other store sees none of these."""
    for path, key in (
        ("/transfers", "transfers"),
        ("/counts", "counts"),
        ("/purchase-orders", "purchase_orders"),
    ):
        near = rig.get(f"manager@{HERE}", path).json[key]
        far = rig.get(f"manager@{THERE}", path).json[key]
        known = {row["id"] for row in near}
        assert known & set(documents.values()), path
        assert not {row["id"] for row in far} & set(documents.values()), path
    for who, seen in ((f"manager@{HERE}", 1), (f"manager@{THERE}", 0)):
        rows = [
            row
            for state in ("open", "done")
            for row in rig.get(who, f"/tasks?state={state}").json["tasks"]
            if row["id"] == documents["task"]
        ]
        assert len(rows) == seen
    moves = rig.get(f"clerk@{THERE}", "/movements?limit=1000").json["movements"]
    assert moves
    for row in moves:
        assert THERE in (row["from_location"], row["to_location"])
    asked = rig.get(f"clerk@{THERE}", f"/movements?location={HERE}").json["movements"]
    assert asked == []


def test_a_clerk_can_neither_ask_nor_offer_for_others(rig):
    body = {"origin": "W01", "destination": THERE, "lines": [{"sku": SKU, "quantity": 1}]}
    answer = rig.post(f"clerk@{HERE}", "/transfers", body)
    assert (answer.status_code, answer.json["code"]) == (403, "SITE_DENIED")
    line = {"kind": "count", "event_id": _event(), "location": THERE, "sku": SKU, "quantity": 1}
    event = line | {"occurred_at": rig.clock.now.isoformat()}
    got = rig.post(f"clerk@{HERE}", "/events:batch", {"events": [event]}).json["lines"][0]
    assert got["status"] == "refused"


def test_the_it_can_not_lend_itself_the_rights_of_management(rig):
    """It registers tills and phones of the floor, not of the executive."""
    borrowed = rig.post("admin", "/devices", {"person": "boss", "device": "mine"})
    assert (borrowed.status_code, borrowed.json["code"]) == (403, "ROLE_DENIED")
    assert rig.post("admin", "/devices", {"person": "till", "device": "till 1"}).status_code == 201
    assert rig.post("boss", "/devices", {"person": "boss", "device": "tablet"}).status_code == 201


def test_refusals_are_audited(rig):
    before = rig.get("auditor", "/audit?limit=1000").json["audit"]
    rig.get(f"clerk@{HERE}", f"/stock?location={THERE}")
    after = rig.get("auditor", "/audit?limit=1000").json["audit"]
    new = after[len(before) :]
    assert [(row["action"], row["actor"]) for row in new] == [("refused", f"clerk@{HERE}")]
