"""What is kept for a while is removed, facts stay, and a person can be shown and forgotten."""

from __future__ import annotations

import json
import uuid

import pytest
from sqlalchemy import func, insert, select, update
from typer.testing import CliRunner

from ops_api import retention
from ops_api.clock import epoch
from ops_api.database import writing
from ops_api.ledger.health import check_ledger
from ops_api.ledger.schema import AUDIT, IDEMPOTENCY, MOVEMENTS, OUTBOX
from ops_api.people.tables import PEOPLE, TOKENS
from ops_api.retention import Retention, prune
from ops_api.webhooks.tables import DELIVERIES
from policies.domain.errors import InvalidInput
from tests.integration.api_service import make_rig
from ui.cli import app

DAY = 86_400
STORE, SKU = "S0001", "K00001"


@pytest.fixture
def rig(tmp_path):
    return make_rig(tmp_path)


def rows(rig, table):
    with rig.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar()


def now(rig):
    return epoch(rig.clock.now)


def sell(rig, units=1):
    done = rig.post("till", "/sales:batch", {"lines": [rig.sale(STORE, SKU, units)]})
    assert done.status_code == 200, done.json


def deliver(rig, state, done_at):
    """Every outbox row handed over, with one delivery in a state."""
    with writing(rig.engine) as connection:
        connection.execute(update(OUTBOX).values(delivered_at=now(rig)))
        for seq in connection.execute(select(OUTBOX.c.seq)).scalars().all():
            values = {"webhook_id": "WH-1", "seq": seq, "location": STORE, "state": state}
            values |= {"attempts": 1, "next_at": 0, "last_status": 200, "done_at": done_at}
            connection.execute(insert(DELIVERIES).values(values))


def test_sent_messages_and_old_keys_go_and_facts_stay(rig, monkeypatch):
    monkeypatch.setattr(retention, "_STEP", 2)
    for _ in range(5):
        sell(rig)
        rig.post("clerk1", "/counts", {"location": STORE})
    deliver(rig, "delivered", now(rig))
    before = [rows(rig, table) for table in (MOVEMENTS, AUDIT)]
    sent, keys = rows(rig, OUTBOX), rows(rig, IDEMPOTENCY)
    assert sent >= 5
    assert keys >= 5
    assert not any(prune(rig.engine, Retention(), now(rig) + 30 * DAY).values())
    found = prune(rig.engine, Retention(), now(rig) + 30 * DAY + 1)
    assert found == {"webhook_deliveries": sent, "outbox": sent, "idempotency": 0, "imports": 0}
    found = prune(rig.engine, Retention(), now(rig) + 90 * DAY + 1)
    assert found["idempotency"] == keys
    assert [rows(rig, table) for table in (MOVEMENTS, AUDIT)] == before
    assert not any(check_ledger(rig.engine)["violations"].values())


def test_what_waits_for_a_receiver_stays(rig):
    sell(rig)
    deliver(rig, "waiting", None)
    sell(rig, 2)
    waiting = rows(rig, OUTBOX)
    prune(rig.engine, Retention(), now(rig) + 400 * DAY)
    assert rows(rig, OUTBOX) == waiting


def test_the_service_numbers_on_after_everything_was_removed(rig):
    sell(rig)
    deliver(rig, "dead", now(rig))
    with rig.engine.connect() as connection:
        last = connection.execute(select(func.max(OUTBOX.c.seq))).scalar()
    prune(rig.engine, Retention(), now(rig) + 400 * DAY)
    assert rows(rig, OUTBOX) == 0
    sell(rig)
    with rig.engine.connect() as connection:
        assert connection.execute(select(func.min(OUTBOX.c.seq))).scalar() > last


@pytest.mark.parametrize("days", [{"messages": 0}, {"keys": 29}, {"files": -1}])
def test_too_short_a_time_is_refused(days):
    with pytest.raises(InvalidInput):
        Retention(**days)


def test_the_command_says_what_it_removed(rig):
    rig.post("clerk1", "/counts", {"location": STORE})
    keys = rows(rig, IDEMPOTENCY)
    arguments = ["db", "prune", "--db", rig.url, "--as-of", "2025-01-01T00:00:00+00:00", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["removed"]["idempotency"] == keys


def test_a_person_sees_everything_that_is_kept_of_them(rig):
    rig.get("clerk1", "/audit")
    mine = rig.get("clerk1", "/me/data").json
    assert (mine["name"], mine["login"]) == ("clerk1", "clerk1")
    assert mine["grants"] == [{"role": "clerk", "scope_kind": "location", "scope_value": STORE}]
    assert [device["device"] for device in mine["devices"]] == ["phone of clerk1"]
    assert (mine["acts_recorded"], mine["acts"][0]["action"]) == (1, "refused")
    assert "argon2" not in json.dumps(mine)
    assert rig.get("boss", "/people/clerk1/data").json == mine
    assert rig.get("clerk2", "/people/clerk1/data").status_code == 403
    assert rig.get("boss", "/people/none/data").status_code == 404


def test_a_forgotten_person_leaves_an_id_and_whole_books(rig):
    rig.get("clerk1", "/audit")
    refused = rig.post("boss", "/people/clerk1:erase")
    assert (refused.status_code, refused.json["code"]) == (409, "STATE_INVALID")
    assert rig.post("manager1", "/people/clerk1:erase").status_code == 403
    rig.post("boss", "/people/clerk1:deactivate")
    acts = rig.get("boss", "/people/clerk1/data").json["acts_recorded"]
    assert rig.post("boss", "/people/clerk1:erase").json == {"id": "clerk1", "is_erased": True}
    left = rig.get("boss", "/people/clerk1/data").json
    assert (left["name"], left["login"], left["grants"], left["devices"]) == (
        "erased",
        "erased-clerk1",
        [],
        [],
    )
    assert left["acts_recorded"] == acts
    body = {"login": "clerk1", "password": "correct horse battery"}
    assert rig.client.post("/api/v1/session", json=body).status_code == 401
    with rig.engine.connect() as connection:
        hashes = connection.execute(
            select(PEOPLE.c.password_hash).where(PEOPLE.c.id == "clerk1")
        ).scalar()
        tokens = connection.execute(select(TOKENS).where(TOKENS.c.person == "clerk1")).all()
    assert (hashes, tokens) == ("erased", [])
    assert rig.get("clerk1", "/me").status_code == 401
    assert not any(check_ledger(rig.engine)["violations"].values())
    assert rig.post("boss", f"/people/{uuid.uuid4()}:erase").status_code == 404
