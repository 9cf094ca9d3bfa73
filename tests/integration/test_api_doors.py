"""Who may come in, and what is turned away at the door."""

from __future__ import annotations

import uuid

import pytest
from openapi_spec_validator import validate

from ops_api.people.roles import ANYONE, PERMISSIONS, PUBLIC
from tests.integration.api_service import PEOPLE, make_rig


@pytest.fixture(scope="module")
def rig(tmp_path_factory, database):
    """One service for all: nothing here may change anything."""
    made = make_rig(tmp_path_factory.mktemp("doors"))
    yield made
    made.engine.dispose()


def test_the_contract_is_valid_openapi(rig):
    """And names every endpoint."""
    described = rig.client.get("/api/v1/openapi.json").json
    validate(described)
    operations = {op["operationId"] for path in described["paths"].values() for op in path.values()}
    assert operations == set(rig.app.extensions["storetwin"].registry.endpoints)


def test_every_endpoint_answers_each_role_as_its_permission_says(rig):
    """The matrix endpoint × role, from the registry; without log-in always 401."""
    registry = rig.app.extensions["storetwin"].registry
    checked = 0
    for endpoint in registry:
        path = endpoint.rule.replace("/api/v1", "").replace("<id>", "none")
        if endpoint.permission in (PUBLIC, ANYONE):
            continue
        stranger = rig.client.open(endpoint.rule.replace("<id>", "none"), method=endpoint.method)
        assert stranger.status_code == 401, endpoint.name
        for who, grant in PEOPLE.items():
            answer = rig.send(who, endpoint.method, path, {} if endpoint.body else None)
            allowed = grant.role in PERMISSIONS[endpoint.permission]
            code = (answer.json or {}).get("code")
            assert (code == "ROLE_DENIED") == (not allowed), (endpoint.name, who, answer.json)
            checked += 1
    assert checked >= 300


HOSTILE = [
    b"",
    b"[[[[" * 50_000,
    b'{"lines": [',
    b"\xef\xbb\xbf{}",
    '{"lines": []}'.encode("utf-16"),
    b'{"lines": NaN}',
    b'{"lines": [{"quantity": 1e30}]}',
    b'{"lines": [{"quantity": true}]}',
    b'{"lines": [], "lines": []}',
    b'{"lines": "\\u0000"}',
    b'{"lines": [' + b"{}," * 1_001 + b"{}]}",
    b"a" * 3_000_000,
    b'{"lines": [{"event_id": "1; DROP TABLE movements"}]}',
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_bodies_are_refused_as_problems_and_write_nothing(rig, body):
    """Never a 500, never a row."""
    before = len(rig.get("auditor", "/movements?limit=1000").json["movements"])
    answer = rig.client.post(
        "/api/v1/sales:batch",
        data=body,
        headers={
            "Authorization": f"Bearer {rig.tokens['till']}",
            "Content-Type": "application/json",
        },
    )
    if answer.status_code == 200:
        assert set(answer.json["counts"]) == {"refused"}
    else:
        assert 400 <= answer.status_code < 500
        assert answer.mimetype == "application/problem+json"
        assert answer.json["remedy"] is not None or answer.json["detail"]
    assert len(rig.get("auditor", "/movements?limit=1000").json["movements"]) == before


def test_a_browser_write_needs_our_own_header(rig):
    """A form on another site can't spend a cookie."""
    client = rig.app.test_client()
    home = {"base_url": "https://localhost"}
    body = {"login": "manager1", "password": "correct horse battery"}
    assert client.post("/api/v1/session", json=body, **home).status_code == 200
    key = {"Idempotency-Key": str(uuid.uuid4())}
    new = {"location": "S0001"}
    bare = client.post("/api/v1/counts", json=new, headers=key, **home)
    assert bare.json["code"] == "CROSS_SITE"
    ours = key | {"X-Requested-With": "storetwin"}
    assert client.post("/api/v1/counts", json=new, headers=ours, **home).status_code == 201
    evil = ours | {"Origin": "https://evil.example"}
    assert (
        client.post("/api/v1/counts", json=new, headers=evil, **home).json["code"] == "CROSS_SITE"
    )


def test_a_wrong_password_says_no_more_than_that(rig):
    """The same for an unknown log-in."""
    answers = [
        rig.client.post("/api/v1/session", json={"login": who, "password": "wrong"}).json["detail"]
        for who in ("manager1", "nobody")
    ]
    assert answers[0] == answers[1]


def test_a_withdrawn_device_is_told_so(rig):
    """410, not 401: the phone asks to be registered again."""
    made = rig.post("boss", "/devices", {"person": "clerk1", "device": "lost phone"}).json
    head = {"Authorization": f"Bearer {made['token']}"}
    assert rig.client.get("/api/v1/me", headers=head).status_code == 200
    rig.post("boss", f"/devices/{made['id']}:revoke")
    answer = rig.client.get("/api/v1/me", headers=head)
    assert (answer.status_code, answer.json["code"]) == (410, "DEVICE_REVOKED")


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/../etc/passwd", "/%00"])
def test_unknown_addresses_are_problems_too(rig, path):
    """404 as problem+json."""
    answer = rig.client.get(path)
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize("kind", ["proposals", "routes", "transfers", "counts"])
@pytest.mark.parametrize("name", ["none", "%00", "%00%0a", "..%2f..%2fetc%2fpasswd", "x" * 300])
def test_a_document_nobody_made_is_unknown_to_whoever_sees_all(rig, kind, name):
    """Whatever its name holds; PostgreSQL can't even be asked for a NUL."""
    answer = rig.get("auditor", f"/{kind}/{name}")
    assert answer.status_code == 404, answer.json
    assert answer.mimetype == "application/problem+json"
