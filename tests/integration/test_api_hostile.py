"""Bodies, addresses and tokens that mean harm: the right code, and not one row."""

from __future__ import annotations

import base64
import gzip
import json
import time
import uuid
from typing import Any

import pytest
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import func, select

from ops_api.ledger.schema import (
    BALANCES,
    IDEMPOTENCY,
    MOVEMENTS,
    OUTBOX,
    RESERVATIONS,
    SALE_VALUES,
)
from ops_api.tasks.tables import TASKS
from ops_api.writeoffs.tables import WRITE_OFFS
from tests.integration.api_service import Rig, make_rig

STORE, OTHER, SKU = "S0001", "S0002", "K00001"
SQL = "'; DROP TABLE movements; --"
TABLES = (
    BALANCES, IDEMPOTENCY, MOVEMENTS, OUTBOX, RESERVATIONS, SALE_VALUES, TASKS, WRITE_OFFS,
)  # fmt: skip


@pytest.fixture(scope="module")
def rig(tmp_path_factory, database):
    made = make_rig(tmp_path_factory.mktemp("hostile"))
    yield made
    made.engine.dispose()


def rows(rig: Rig) -> dict[str, int]:
    """Rows of every table that a write may touch."""
    with rig.engine.connect() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table))
            for table in TABLES
        }


def post(rig: Rig, who: str, path: str, data: Any, **headers: str) -> Any:
    """Bytes as they are."""
    wanted = {
        "Authorization": f"Bearer {rig.tokens[who]}",
        "Content-Type": "application/json",
        "Idempotency-Key": str(uuid.uuid4()),
        **headers,
    }
    return rig.client.post(f"/api/v1{path}", data=data, headers=wanted)


def sale(rig: Rig, **changed: Any) -> dict[str, Any]:
    return rig.sale(STORE, SKU, **changed)


def event(rig: Rig, **changed: Any) -> dict[str, Any]:
    return {
        "event_id": str(uuid.uuid4()),
        "kind": "write_off",
        "location": STORE,
        "sku": SKU,
        "quantity": 1,
        "reason": "damaged",
        "occurred_at": rig.clock.now.isoformat(),
    } | changed


WRITES = {
    "/sales:batch": ("till", lambda rig: {"lines": [sale(rig)]}),
    "/events:batch": ("manager1", lambda rig: {"events": [event(rig)]}),
    "/receipts": (
        "manager1",
        lambda rig: {
            "location": STORE,
            "lines": [{"event_id": str(uuid.uuid4()), "sku": SKU, "good": 1}],
        },
    ),
    "/writeoffs": (
        "manager1",
        lambda rig: {"location": STORE, "sku": SKU, "quantity": 1, "reason": "damaged"},
    ),
}
SPOILED = {
    "truncated": (lambda raw: raw[: len(raw) // 2], 400),
    "empty": (lambda raw: b"", 400),
    "not an object": (lambda raw: b"[" + raw + b"]", 400),
    "two values": (lambda raw: raw + raw, 400),
    "a byte order mark": (lambda raw: b"\xef\xbb\xbf" + raw, 400),
    "UTF-16": (lambda raw: raw.decode().encode("utf-16"), 400),
    "broken UTF-8": (lambda raw: raw.replace(b"K00001", b"K\xff"), 400),
    "half a surrogate": (lambda raw: raw.replace(b"K00001", b"\\ud800"), 400),
    "deep": (lambda raw: b'{"x":' * 500_000 + b"1" + b"}" * 500_000, 413),
    "deep but short": (lambda raw: b'{"x":' * 50_000 + b"1" + b"}" * 50_000, 400),
    "an unknown key": (lambda raw: raw[:-1] + b', "admin": true}', 400),
    "a key twice": (lambda raw: raw[:-1] + b', "x": 1, "x": 2}', 400),
    "NUL": (lambda raw: raw.replace(b"K00001", b"K\\u0000"), 400),
    "not a number": (lambda raw: raw[:-1] + b', "x": NaN}', 400),
    "infinity": (lambda raw: raw[:-1] + b', "x": -Infinity}', 400),
    "10 MB": (lambda raw: b" " * 10_000_000 + raw, 413),
}


@pytest.mark.parametrize("path", sorted(WRITES))
@pytest.mark.parametrize("how", sorted(SPOILED))
def test_a_spoiled_body_is_a_problem_and_writes_nothing(rig, path, how):
    who, make = WRITES[path]
    spoil, status = SPOILED[how]
    before = rows(rig)
    answer = post(rig, who, path, spoil(json.dumps(make(rig)).encode()))
    if answer.status_code == 200:
        # One line of a batch is at fault: it alone is refused.
        assert {line["status"] for line in answer.json["lines"]} == {"refused"}, answer.json
    else:
        assert answer.status_code == status, answer.json
        assert answer.mimetype == "application/problem+json"
    assert rows(rig) == before


@pytest.mark.parametrize("value", [True, "1", 1.5, 10**30, 1e30, -1, 0, None, [1], {}])
def test_a_number_of_units_is_a_whole_number_within_bounds(rig, value):
    before = rows(rig)
    for path, body in (
        ("/sales:batch", {"lines": [sale(rig, quantity=value)]}),
        ("/receipts", {"location": STORE, "lines": [
            {"event_id": str(uuid.uuid4()), "sku": SKU, "good": value, "damaged": 0}]}),
    ):  # fmt: skip
        who = WRITES[path][0]
        answer = post(rig, who, path, json.dumps(body))
        if path == "/sales:batch":
            assert answer.json["counts"] == {"refused": 1}
            assert answer.json["lines"][0]["code"] == "VALIDATION"
        elif value != 0:
            # None of a SKU may arrive: the truck came without it.
            assert (answer.status_code, answer.json["code"]) == (400, "VALIDATION"), answer.json
        else:
            continue
        assert rows(rig) == before


def test_a_compressed_body_is_not_unpacked(rig):
    """A hundred megabytes of zeros in a hundred kilobytes."""
    before = rows(rig)
    answer = post(
        rig,
        "till",
        "/sales:batch",
        gzip.compress(bytes(100_000_000)),
        **{"Content-Encoding": "gzip"},
    )
    assert (answer.status_code, answer.json["code"]) == (415, "UNSUPPORTED_MEDIA")
    assert rows(rig) == before


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_type_of_content_is_refused(rig, media):
    raw = json.dumps({"lines": [sale(rig)]})
    answer = post(rig, "till", "/sales:batch", raw, **{"Content-Type": media})
    assert (answer.status_code, answer.json["code"]) == (415, "UNSUPPORTED_MEDIA")


@pytest.mark.parametrize(
    ("path", "key", "most"), [("/sales:batch", "lines", 1_000), ("/events:batch", "events", 500)]
)
def test_one_line_too_many_refuses_the_batch(rig, path, key, most):
    before = rows(rig)
    who, _ = WRITES[path]
    make = sale if key == "lines" else event
    lines = [make(rig) for _ in range(most + 1)]
    answer = post(rig, who, path, json.dumps({key: lines}))
    assert answer.status_code in (400, 413), answer.json
    assert rows(rig) == before


def test_the_same_id_twice_in_a_batch_has_one_effect(rig):
    before = rows(rig)
    line, deed = sale(rig), event(rig)
    sold = post(rig, "till", "/sales:batch", json.dumps({"lines": [line, line]}))
    assert sold.json["counts"] == {"created": 1, "duplicate": 1}
    done = post(rig, "manager1", "/events:batch", json.dumps({"events": [deed, deed]}))
    assert done.json["counts"] == {"created": 1, "duplicate": 1}
    after = rows(rig)
    assert after["movements"] - before["movements"] == 2
    assert after["write_offs"] - before["write_offs"] == 1


def test_another_stores_event_under_a_known_id_tells_nothing_and_does_nothing(rig):
    """A clerk elsewhere sends it again: for their own store, and for the one it was of."""
    deed = event(rig)
    post(rig, "manager1", "/events:batch", json.dumps({"events": [deed]}))
    before = rows(rig)
    same = post(rig, "manager2", "/events:batch", json.dumps({"events": [deed]}))
    assert same.json["counts"] == {"refused": 1}
    assert "answer" not in {k for k, v in same.json["lines"][0].items() if v is not None}
    moved = post(
        rig, "manager2", "/events:batch", json.dumps({"events": [deed | {"location": OTHER}]})
    )
    assert moved.json["counts"] == {"conflict": 1}
    assert rows(rig) == before


def test_a_key_of_another_person_gives_nothing_away(rig):
    key = {"Idempotency-Key": str(uuid.uuid4())}
    body = json.dumps({"location": STORE, "sku": SKU, "quantity": 1, "reason": "damaged"})
    assert post(rig, "manager1", "/writeoffs", body, **key).status_code == 201
    stolen = post(rig, "clerk1", "/writeoffs", body, **key)
    assert (stolen.status_code, stolen.json["code"]) == (409, "IDEMPOTENCY_MISMATCH")


def test_a_wrong_check_digit_is_named(rig):
    gtin = rig.network.skus.gtin[0]
    wrong = gtin[:-1] + str((int(gtin[-1]) + 1) % 10)
    answer = rig.post("clerk1", "/scans/resolve", {"code": wrong, "location": STORE})
    assert (answer.status_code, answer.json["code"]) == (400, "GTIN_CHECKSUM")


@pytest.mark.parametrize("field", ["location", "sku", "basket", "device", "lot", "event_id"])
def test_sql_in_a_text_is_a_text(rig, field):
    """A fact of an unknown SKU or place waits for a person; no other is more than its text."""
    before = rows(rig)
    line = sale(rig) | {field: SQL[:20] if field == "lot" else SQL}
    answer = post(rig, "till", "/sales:batch", json.dumps({"lines": [line]}))
    assert answer.status_code == 200
    ends = {"location": "parked", "sku": "parked", "event_id": "refused"}.get(field, "created")
    assert answer.json["counts"] == {ends: 1}
    assert rows(rig)["movements"] == before["movements"] + (ends == "created")


@pytest.mark.parametrize("path", ["/stock", "/movements", "/transfers", "/skus", "/tasks"])
def test_sql_in_a_query_finds_nothing(rig, path):
    name = {"/skus": "text", "/tasks": "location", "/transfers": "state"}.get(path, "location")
    before = rows(rig)
    answer = rig.client.get(
        f"/api/v1{path}",
        query_string={name: "x' OR '1'='1"},
        headers={"Authorization": f"Bearer {rig.tokens['boss']}"},
    )
    assert answer.status_code in (200, 400, 404), answer.json
    if answer.status_code == 200:
        assert not any(value for value in answer.json.values() if isinstance(value, list))
    assert rows(rig) == before


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def forged(algorithm: str, signature: str = "") -> str:
    claims = {"sub": "boss", "aud": "storetwin", "exp": int(time.time()) + 3_600}
    return f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims)}.{signature}"


def test_forged_tokens_are_nobodys(rig):
    """No algorithm, a made-up signature, a hash of a token, half of one, two of them."""
    from ops_api.people.authenticate import token_digest

    good = rig.tokens["boss"]
    before = rows(rig)
    for token in (
        forged("none"), forged("HS256", "c2ln"), forged("EdDSA", "c2ln"), token_digest(good),
        good[:-1], good + "x", f"{good} {good}", good.swapcase(), "", "null", "boss", SQL,
    ):  # fmt: skip
        answer = rig.client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json["code"]) == (401, "AUTH"), token
    for scheme in ("Basic", "bearer ", "Token"):
        answer = rig.client.get("/api/v1/me", headers={"Authorization": f"{scheme}x {good}"})
        assert answer.status_code == 401, scheme
    assert rows(rig) == before


def test_a_session_signed_with_another_key_is_nobodys(rig):
    """Nor one whose person was changed under the old signature."""
    other = URLSafeTimedSerializer("another key of good length", salt="cookie-session")
    for value in (other.dumps({"person": "boss", "epoch": 0}), "x.y.z", ""):
        client = rig.app.test_client()
        client.set_cookie("session", value)
        assert client.get("/api/v1/me").status_code == 401


def test_an_expired_token_is_nobodys(rig):
    from ops_api.people.tables import TOKENS

    made = rig.post("boss", "/devices", {"person": "clerk1", "device": "old phone"}).json
    head = {"Authorization": f"Bearer {made['token']}"}
    assert rig.client.get("/api/v1/me", headers=head).status_code == 200
    now = int(rig.clock.now.timestamp())
    with rig.engine.begin() as connection:
        connection.execute(
            TOKENS.update().where(TOKENS.c.device == "old phone").values(expires_at=now)
        )
    answer = rig.client.get("/api/v1/me", headers=head)
    assert (answer.status_code, answer.json["code"]) == (401, "AUTH")
