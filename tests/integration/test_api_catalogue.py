"""Every code of the error catalogue, provoked through the public API, in Chinese and English."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from ops_api.errors import STATUS
from ops_api.planning import locks
from ops_api.planning.planner import LOCK
from ops_api.web.catalogue import codes
from policies.domain.errors import StoretwinError
from tests.integration.api_service import Rig, make_rig
from tests.integration.planner_service import release

DEPOT, STORE, OTHER = "W01", "S0001", "S0002"
SKU = "K00001"
Provoked = Callable[[str], Any]
"""Sends the refused request in a language."""


def event() -> str:
    return str(uuid.uuid4())


def ask(rig: Rig, who: str, method: str, path: str, body: Any = None, **more: str) -> Provoked:
    """The same request, each time under a fresh key."""

    def send(tongue: str) -> Any:
        return rig.send(who, method, path, body, **{"Accept-Language": tongue, **more})

    return send


def raw(rig: Rig, path: str, **request: Any) -> Provoked:
    """A request without our own JSON around it."""

    def send(tongue: str) -> Any:
        head = request.get("headers", {}) | {"Accept-Language": tongue}
        return rig.client.post(f"/api/v1{path}", **(request | {"headers": head}))

    return send


def bearer(rig: Rig, who: str = "clerk1") -> dict[str, str]:
    return {"Authorization": f"Bearer {rig.tokens[who]}"}


def writeoff(units: int = 1, **more: Any) -> dict[str, Any]:
    return {"location": STORE, "sku": SKU, "quantity": units, "reason": "damaged", **more}


def transfer(rig: Rig, units: int = 2, step: str = "", sku: str = SKU) -> str:
    """A transfer from the depot, taken as far as `step`."""
    line = {"sku": sku, "quantity": units}
    body = {"origin": DEPOT, "destination": STORE, "lines": [line]}
    name = rig.post("clerk1", "/transfers", body).json["id"]
    for each in ("approve", "ship"):
        if each <= step:
            done = rig.post("keeper", f"/transfers/{name}:{each}")
            assert done.status_code == 200, done.json
    return str(name)


def delivery(lot: str, days: int, good: int = 5, **more: Any) -> dict[str, Any]:
    """A supplier's delivery of a lot that lasts so many days from the rig's start."""
    last = (dt.date(2024, 1, 10) + dt.timedelta(days=days)).isoformat()
    line = {"event_id": event(), "sku": SKU, "good": good, "lot": lot, "expires_on": last}
    return {"location": DEPOT, "lines": [line | more]}


def receive(rig: Rig, lot: str, days: int, **more: Any) -> None:
    done = rig.post("keeper", "/receipts", delivery(lot, days, **more))
    assert done.status_code == 201, done.json


def tracked(rig: Rig) -> None:
    done = rig.post("boss", f"/skus/{SKU}:change", {"version": 1, "lot_tracked": True})
    assert done.status_code == 200, done.json


def validation(rig: Rig) -> Provoked:
    return ask(rig, "clerk1", "POST", "/counts", {"location": 5})


def bad_barcode(rig: Rig) -> Provoked:
    return ask(rig, "clerk1", "POST", "/scans/resolve", {"code": "???"})


def gtin_checksum(rig: Rig) -> Provoked:
    return ask(rig, "clerk1", "POST", "/scans/resolve", {"code": "4006381333932"})


def uom_unknown(rig: Rig) -> Provoked:
    line = {"sku": SKU, "quantity": 1, "unit": "barrel"}
    body = {"supplier": "any", "destination": DEPOT, "lines": [line]}
    return ask(rig, "buyer", "POST", "/purchase-orders", body)


def auth(rig: Rig) -> Provoked:
    return raw(rig, "/counts", json={})


def role_denied(rig: Rig) -> Provoked:
    return ask(rig, "clerk1", "GET", "/audit")


def site_denied(rig: Rig) -> Provoked:
    return ask(rig, "clerk1", "POST", "/counts", {"location": OTHER})


def approval_required(rig: Rig) -> Provoked:
    name = rig.post("clerk1", "/writeoffs", writeoff()).json["id"]
    return ask(rig, "manager1", "POST", f"/writeoffs/{name}:post", {})


def self_approval(rig: Rig) -> Provoked:
    line = {"sku": SKU, "quantity": 1}
    body = {"supplier": "any", "destination": DEPOT, "lines": [line]}
    name = rig.post("buyer", "/purchase-orders", body).json["id"]
    return ask(rig, "buyer", "POST", f"/purchase-orders/{name}:approve", {})


def cross_site(rig: Rig) -> Provoked:
    head = {"Origin": "https://evil.example"}
    body = {"login": "clerk1", "password": "correct horse battery"}
    return raw(rig, "/session", json=body, headers=head)


def not_found(rig: Rig) -> Provoked:
    return ask(rig, "clerk1", "GET", "/nothing")


def sku_unknown(rig: Rig) -> Provoked:
    return ask(rig, "clerk1", "GET", "/skus/NONE")


def location_unknown(rig: Rig) -> Provoked:
    return ask(rig, "boss", "GET", "/stock?location=NOWHERE")


def document_unknown(rig: Rig) -> Provoked:
    return ask(rig, "clerk1", "GET", "/transfers/none")


def method_not_allowed(rig: Rig) -> Provoked:
    return ask(rig, "clerk1", "DELETE", "/counts")


def insufficient_stock(rig: Rig) -> Provoked:
    name = transfer(rig, 51)
    return ask(rig, "keeper", "POST", f"/transfers/{name}:approve", {})


def version_conflict(rig: Rig) -> Provoked:
    tracked(rig)
    return ask(rig, "boss", "POST", f"/skus/{SKU}:change", {"version": 1, "name": "Tea"})


def state_invalid(rig: Rig) -> Provoked:
    return ask(rig, "keeper", "POST", f"/transfers/{transfer(rig)}:ship", {})


def idempotency_mismatch(rig: Rig) -> Provoked:
    key = event()
    rig.post("clerk1", "/counts", {"location": STORE}, key=key)
    other = {"location": STORE, "purpose": "random"}
    return ask(rig, "clerk1", "POST", "/counts", other, key=key)


def serial_elsewhere(rig: Rig) -> Provoked:
    line = {"event_id": event(), "sku": SKU, "good": 1, "serial": "SN-1"}
    done = rig.post("keeper", "/receipts", {"location": DEPOT, "lines": [line]})
    assert done.status_code == 201, done.json
    again = line | {"event_id": event()}
    return ask(rig, "keeper", "POST", "/receipts", {"location": DEPOT, "lines": [again]})


def already_reversed(rig: Rig) -> Provoked:
    sale = rig.sale(STORE, SKU)
    rig.post("till", "/sales:batch", {"lines": [sale]})
    path = f"/movements/{sale['event_id']}:reverse"
    assert rig.post("boss", path).status_code == 201
    return ask(rig, "boss", "POST", path, {})


def lot_on_hold(rig: Rig) -> Provoked:
    receive(rig, "L1", 90)
    held = rig.post("boss", "/lots:hold", {"sku": SKU, "lot": "L1", "reason": "smells"})
    assert held.status_code == 200, held.json
    return ask(rig, "keeper", "POST", "/receipts", delivery("L1", 90))


def count_outdated(rig: Rig) -> Provoked:
    """A difference that waits for approval while a newer count is posted."""
    names = []
    for found, who in ((3, "clerk1"), (10, "manager1")):
        rig.clock.forward(minutes=1)
        name = rig.post(who, "/counts", {"location": STORE}).json["id"]
        line = {"event_id": event(), "sku": SKU, "counted": found}
        rig.post(who, f"/counts/{name}:submit", {"lines": [line]})
        names.append(name)
    return ask(rig, "manager1", "POST", f"/counts/{names[0]}:approve", {"sku": SKU})


def already_exists(rig: Rig) -> Provoked:
    body = {
        "id": SKU,
        "name": "x",
        "category": "c",
        "unit_cost_cents": 1,
        "unit_price_cents": 2,
    }
    return ask(rig, "boss", "POST", "/skus", body)


def release_refused(rig: Rig) -> Provoked:
    text = json.loads(release().text()) | {"source_sha256": "f" * 64}
    return ask(rig, "planner", "POST", "/releases", {"release": json.dumps(text)})


def device_revoked(rig: Rig) -> Provoked:
    made = rig.post("boss", "/devices", {"person": "clerk1", "device": "lost phone"}).json
    rig.post("boss", f"/devices/{made['id']}:revoke")
    rig.tokens["lost"] = made["token"]
    return ask(rig, "lost", "GET", "/me")


def batch_too_large(rig: Rig) -> Provoked:
    head = {**bearer(rig, "till"), "Content-Type": "application/json"}
    return raw(rig, "/sales:batch", data=b" " * 2_100_000, headers=head)


def unsupported_media(rig: Rig) -> Provoked:
    return raw(rig, "/counts", data=b"<a/>", headers={**bearer(rig), "Content-Type": "text/xml"})


def lot_required(rig: Rig) -> Provoked:
    tracked(rig)
    line = {"event_id": event(), "sku": SKU, "good": 1}
    return ask(rig, "keeper", "POST", "/receipts", {"location": DEPOT, "lines": [line]})


def lot_expired(rig: Rig) -> Provoked:
    return ask(rig, "keeper", "POST", "/receipts", delivery("OLD", -1))


def shelf_life_too_short(rig: Rig) -> Provoked:
    rule = {"receipt_days": 10, "version": 0}
    assert rig.post("boss", "/expiry-rules", rule).status_code == 200
    return ask(rig, "keeper", "POST", "/receipts", delivery("SHORT", 9))


def over_receipt(rig: Rig) -> Provoked:
    name = transfer(rig, 2, "ship")
    line = {"event_id": event(), "sku": SKU, "good": 3}
    return ask(rig, "clerk1", "POST", f"/transfers/{name}:receive", {"lines": [line]})


def reason_required(rig: Rig) -> Provoked:
    return ask(rig, "clerk1", "POST", "/writeoffs", writeoff() | {"reason": "whim"})


def photo_required(rig: Rig) -> Provoked:
    name = rig.post("clerk1", "/writeoffs", writeoff()).json["id"]
    return ask(rig, "boss", "POST", f"/writeoffs/{name}:post", {})


def clock_skew(rig: Rig) -> Provoked:
    ahead = (rig.clock.now + dt.timedelta(hours=1)).isoformat()
    return ask(rig, "clerk1", "POST", "/writeoffs", writeoff(occurred_at=ahead))


def period_closed(rig: Rig) -> Provoked:
    before = (rig.clock.now - dt.timedelta(days=30)).isoformat()
    assert rig.post("boss", "/periods/2023-12:close").status_code == 200
    return ask(rig, "clerk1", "POST", "/writeoffs", writeoff(occurred_at=before))


def rate_limit(rig: Rig) -> Provoked:
    wrong = raw(rig, "/session", json={"login": "clerk1", "password": "wrong"})
    wrong("en")
    return wrong


def internal(rig: Rig) -> Provoked:
    with rig.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE tasks")
    return ask(rig, "clerk1", "GET", "/tasks")


def busy(rig: Rig) -> Provoked:
    def send(tongue: str) -> Any:
        with locks.held(rig.engine, LOCK, int(rig.clock.now.timestamp())):
            return rig.post("planner", "/plans:run", {}, **{"Accept-Language": tongue})

    return send


ROWS = {
    name.upper(): function
    for name, function in list(globals().items())
    if name.upper() in STATUS and callable(function)
}
CONFIG: dict[str, dict[str, Any]] = {
    "APPROVAL_REQUIRED": {"WRITE_OFF_LIMIT_CENTS": 0},
    "PHOTO_REQUIRED": {"WRITE_OFF_PHOTO_CENTS": 1},
    "RATE_LIMIT": {"TESTING": False, "LOG_IN_LIMIT": "1 per minute"},
}


def test_every_code_of_the_catalogue_has_a_row():
    assert set(STATUS) == set(ROWS)


NO_ANSWERS = {"OLD", "TOOL_FAILED"}
"""Why a line waits for a person, and a program of the backup: no request is refused so."""


def test_every_error_of_the_service_stands_in_the_catalogue(tmp_path):
    """Whatever class is added is found here, not in a list that somebody keeps."""
    make_rig(tmp_path)
    kinds = list(StoretwinError.__subclasses__())
    for kind in kinds:
        kinds += kind.__subclasses__()
    raised = {kind.code for kind in kinds if kind.__module__.startswith("ops_api")}
    assert raised - {"ERROR"} <= set(STATUS) | NO_ANSWERS
    assert codes() == set(STATUS)


@pytest.mark.parametrize("code", sorted(STATUS))
def test_a_code_is_provoked_and_speaks_both_languages(code, tmp_path):
    """Status, code, a sentence and a remedy; Chinese ones in Chinese, none with a hole."""
    rig = make_rig(tmp_path, **CONFIG.get(code, {}))
    provoke = ROWS[code](rig)
    told = {}
    for tongue in ("en", "zh"):
        answer = provoke(tongue)
        assert (answer.status_code, answer.json["code"]) == (STATUS[code], code), answer.json
        assert answer.mimetype == "application/problem+json"
        told[tongue] = answer.json
        assert answer.json["title"]
        assert answer.json["detail"]
    for name in ("title", "detail", "remedy"):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in told["zh"][name]), told["zh"]
        assert told["zh"][name] != told["en"][name]
    assert "–" not in told["zh"]["detail"], told["zh"]
