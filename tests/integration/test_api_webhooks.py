"""Signed messages out of the outbox: at least once, in order for each location."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import random
from collections import defaultdict
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from ops_api.ledger.schema import OUTBOX
from ops_api.webhooks.relay import Relay, fan_out
from ops_api.webhooks.signature import secret_of, sign
from ops_api.webhooks.tables import WEBHOOKS
from tests.integration.api_service import Rig, make_rig

KEY = "a test key of good length"
STORE, OTHER, SKU = "S0001", "S0002", "K00001"


class Receiver:
    """Another system: checks signatures, and answers what a test wants."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.status = 200
        self.secret = ""

    def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        right = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{right}"
        if 200 <= self.status < 300:
            self.got.append(json.loads(body) | {"id": headers["webhook-id"]})
        return self.status


@pytest.fixture
def rig(tmp_path):
    made = make_rig(tmp_path)
    yield made
    made.engine.dispose()


def hook(rig: Rig, receiver: Receiver, **more: Any) -> str:
    body = {"url": "https://erp.example/hook", **more}
    made = rig.post("admin", "/webhooks", body)
    assert made.status_code == 201, made.json
    receiver.secret = made.json["secret"]
    return str(made.json["id"])


def sell(rig: Rig, place: str = STORE) -> None:
    rig.post("till", "/sales:batch", {"lines": [rig.sale(place, SKU)]})


def drain(relay: Relay) -> int:
    total = 0
    while sent := relay.look():
        total += sent
    return total


def test_the_signature_is_that_of_the_specification():
    """Its own worked example."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    made = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_was_asked_for_arrives_signed_and_nothing_else(rig):
    receiver = Receiver()
    relay = Relay(rig.engine, rig.clock, KEY, receiver)
    sell(rig)
    drain(relay)
    hook(rig, receiver, topics=["sales.*"], location=STORE)
    sell(rig)
    sell(rig, OTHER)
    rig.post("clerk1", "/counts", {"location": STORE})
    assert drain(relay) == 1
    assert receiver.got[0]["type"] == "sales.posted"
    assert receiver.got[0]["data"] == {"lines": 1, "location": STORE}
    assert drain(relay) == 0
    assert "secret" not in rig.get("admin", "/webhooks").json["webhooks"][0]


def test_a_receiver_that_fails_gets_everything_later_in_order(rig):
    """500s, silence, then a restart of the relay in the middle of it."""
    receiver = Receiver()
    name = hook(rig, receiver)
    for place in (STORE, OTHER, STORE, STORE, OTHER):
        sell(rig, place)
    receiver.status = 500
    assert Relay(rig.engine, rig.clock, KEY, receiver).look() == 2
    assert Relay(rig.engine, rig.clock, KEY, receiver).look() == 0
    rig.clock.forward(seconds=5)
    receiver.status = 0
    assert Relay(rig.engine, rig.clock, KEY, receiver).look() == 2
    receiver.status = 200
    rig.clock.forward(minutes=5)
    relay = Relay(rig.engine, rig.clock, KEY, receiver)
    assert drain(relay) == 5
    by_place: dict[str, list[int]] = defaultdict(list)
    for one in receiver.got:
        by_place[one["data"]["location"]].append(int(one["id"].rpartition("_")[2]))
    assert {place: len(numbers) for place, numbers in by_place.items()} == {STORE: 3, OTHER: 2}
    assert all(numbers == sorted(numbers) for numbers in by_place.values())
    rows = rig.get("auditor", f"/webhooks/{name}/deliveries").json["deliveries"]
    assert {row["state"] for row in rows} == {"delivered"}
    assert max(row["attempts"] for row in rows) == 3


def test_a_row_that_commits_late_is_not_skipped(rig):
    """Its number is lower than one that was delivered before it."""
    receiver = Receiver()
    hook(rig, receiver, topics=["test.late"])
    relay = Relay(rig.engine, rig.clock, KEY, receiver)
    row = {"topic": "test.late", "location": "", "recorded_at": 1, "payload": "{}"}
    with rig.engine.begin() as connection:
        connection.execute(insert(OUTBOX).values(seq=5_000, **row))
    assert drain(relay) == 1
    with rig.engine.begin() as connection:
        connection.execute(insert(OUTBOX).values(seq=4_000, **row))
    assert drain(relay) == 1
    assert [one["id"].rpartition("_")[2] for one in receiver.got] == ["5000", "4000"]


def test_a_killed_relay_sends_again_rather_than_never(rig):
    """It died between the answer and the note of it: the same message id, so the
    receiver knows it.
    """
    receiver = Receiver()
    hook(rig, receiver)
    sell(rig)

    def dies(url: str, body: bytes, headers: dict[str, str]) -> int:
        receiver(url, body, headers)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Relay(rig.engine, rig.clock, KEY, dies).look()
    assert drain(Relay(rig.engine, rig.clock, KEY, receiver)) == 1
    assert len({one["id"] for one in receiver.got}) == 1
    assert len(receiver.got) == 2


def test_after_the_last_attempt_a_message_is_given_up_and_can_be_sent_anew(rig):
    receiver = Receiver()
    name = hook(rig, receiver)
    sell(rig)
    receiver.status = 500
    relay = Relay(rig.engine, rig.clock, KEY, receiver)
    sent = 0
    for _ in range(12):
        sent += relay.look()
        rig.clock.forward(days=1, seconds=1)
    assert sent == 10
    assert rig.post("admin", f"/webhooks/{name}:redeliver").json["messages"] == 1
    receiver.status = 200
    assert drain(relay) == 1
    receiver.status = 410
    sell(rig)
    assert relay.look() == 1
    assert rig.get("admin", "/webhooks").json["webhooks"][0]["is_active"] is False
    assert rig.post("admin", f"/webhooks/{name}:enable").json["is_active"]


@pytest.mark.parametrize(
    "url",
    [
        "http://erp.example/",
        "ftp://erp.example/",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://169.254.169.254/latest/meta-data",
        "https://user:pw@erp.example/",
        "https:///nothing",
        "https://[::1",
    ],
)
def test_addresses_that_are_no_receivers_are_refused(rig, url):
    answer = rig.post("admin", "/webhooks", {"url": url})
    assert (answer.status_code, answer.json["field"]) == (400, "url")


def test_two_relays_fan_out_each_row_once(rig):
    receiver = Receiver()
    hook(rig, receiver)
    sell(rig)
    now = int((rig.clock.now + dt.timedelta(seconds=1)).timestamp())
    with rig.engine.begin() as connection:
        assert fan_out(connection, now) > 0
    with rig.engine.begin() as connection:
        assert fan_out(connection, now) == 0


def test_the_database_holds_no_key_that_signs(rig):
    """What is kept derives to nothing without the service's key; a new one ends the old."""
    receiver = Receiver()
    name = hook(rig, receiver)
    with rig.engine.connect() as connection:
        kept = connection.execute(select(WEBHOOKS.c.secret)).scalar_one()
    assert receiver.secret not in kept
    assert secret_of(kept, name, KEY) == receiver.secret
    assert secret_of(kept, name, KEY + "x") != receiver.secret
    assert secret_of(kept, "WH-other", KEY) != receiver.secret
    old = receiver.secret
    renewed = rig.post("admin", f"/webhooks/{name}:rotate")
    assert renewed.status_code == 200
    receiver.secret = renewed.json["secret"]
    assert receiver.secret != old
    sell(rig)
    assert drain(Relay(rig.engine, rig.clock, KEY, receiver)) > 0
    assert receiver.got


def test_a_key_kept_as_it_was_still_signs_and_the_list_says_so(rig):
    receiver = Receiver()
    name = hook(rig, receiver)
    receiver.secret = "whsec_" + base64.b64encode(b"x" * 32).decode()
    with rig.engine.begin() as connection:
        connection.execute(update(WEBHOOKS).values(secret=receiver.secret))
    shown = rig.get("admin", "/webhooks")
    assert [row["is_secret_derived"] for row in shown.json["webhooks"]] == [False]
    assert receiver.secret not in shown.text
    sell(rig)
    assert drain(Relay(rig.engine, rig.clock, KEY, receiver)) > 0
    rig.post("admin", f"/webhooks/{name}:rotate")
    assert rig.get("admin", "/webhooks").json["webhooks"][0]["is_secret_derived"]


def test_a_stalled_transaction_holds_back_nobody_and_is_not_skipped(rig):
    """It took its number first and commits last, after a relay was there twice and was killed."""
    if rig.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer")
    receiver = Receiver()
    hook(rig, receiver, topics=["test.stall"])
    row = {"topic": "test.stall", "recorded_at": 1, "payload": "{}"}
    with rig.engine.connect() as stalled:
        stalled.execute(insert(OUTBOX).values(location=STORE, **row))
        for _ in range(2):
            with rig.engine.begin() as quick:
                quick.execute(insert(OUTBOX).values(location=OTHER, **row))
            assert drain(Relay(rig.engine, rig.clock, KEY, receiver)) == 1
        stalled.commit()
    assert drain(Relay(rig.engine, rig.clock, KEY, receiver)) == 1
    assert [one["data"]["location"] for one in receiver.got] == [OTHER, OTHER, STORE]
    numbers = [int(one["id"].rpartition("_")[2]) for one in receiver.got]
    assert numbers[2] < min(numbers[:2])


def test_a_receiver_on_and_off_gets_every_message_in_order_for_each_store(rig):
    """Forty sales; 500s, silence and relays that die, at random: none skipped, none out of turn."""
    receiver = Receiver()
    hook(rig, receiver, topics=["sales.*"])
    draws = random.Random(7)
    for _ in range(40):
        sell(rig, draws.choice((STORE, OTHER)))

    def moody(url: str, body: bytes, headers: dict[str, str]) -> int:
        receiver.status = draws.choice((200, 200, 200, 500, 0))
        status = receiver(url, body, headers)
        if draws.random() < 0.1:
            raise KeyboardInterrupt
        return status

    for _ in range(400):
        try:
            Relay(rig.engine, rig.clock, KEY, moody).look()
        except KeyboardInterrupt:
            continue
        finally:
            rig.clock.forward(days=2)
    by_place: dict[str, list[int]] = defaultdict(list)
    for one in receiver.got:
        number = int(one["id"].rpartition("_")[2])
        seen = by_place[one["data"]["location"]]
        # Sent again is allowed, at once; going back is not.
        assert not seen or number >= seen[-1]
        seen.append(number)
    assert len({number for seen in by_place.values() for number in seen}) == 40
    assert len(receiver.got) > 40
