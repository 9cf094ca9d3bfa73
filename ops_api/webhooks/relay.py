"""From the outbox to the receivers: at least once, in order for each location.

First every outbox row is fanned out into one delivery per webhook that wants it, and
marked in the same transaction: a row that commits late is simply found later, which a
reader that remembers a highest number would skip. Then the first waiting delivery of
each (webhook, location) is sent; the next one waits for it.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests
from sqlalchemy import Connection, Engine, func, insert, select, update

from ops_api.clock import Clock, epoch, iso
from ops_api.database import reading, write_with_retry
from ops_api.ledger.schema import OUTBOX
from ops_api.webhooks.signature import secret_of, sign
from ops_api.webhooks.tables import DELIVERIES, WEBHOOKS

LOOK_S = 1.0
WAITS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Until the next attempt after each failure, as the specification proposes."""
_BATCH = 500
_TIMEOUT_S = 15
_GONE = 410

Send = Callable[[str, bytes, dict[str, str]], int]
"""(address, body, headers) to HTTP status; 0 where nobody answered."""


def post_over_http(url: str, body: bytes, headers: dict[str, str]) -> int:
    """Send for real; a redirect is not followed."""
    try:
        answer = requests.post(
            url, data=body, headers=headers, timeout=_TIMEOUT_S, allow_redirects=False
        )
    except requests.RequestException:
        return 0
    return int(answer.status_code)


@dataclass(frozen=True)
class _Message:
    webhook: Any
    seq: int
    attempts: int
    body: bytes


class Relay:
    """Delivers what the outbox holds.

    Parameters
    ----------
    engine : Engine
    clock : Clock, the service's own
    service_key : the setting ``SECRET_KEY``, which the webhooks' keys are derived from
    send : function, optional, that posts a message
    """

    def __init__(
        self, engine: Engine, clock: Clock, service_key: str, send: Send = post_over_http
    ) -> None:
        self.engine, self.clock, self.send = engine, clock, send
        self._key = service_key
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="webhooks")

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the message under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_TIMEOUT_S + 5)

    def look(self) -> int:
        """Fan out and send what is due; how many messages were sent."""
        now = epoch(self.clock())
        with reading(self.engine) as connection:
            waits = connection.execute(
                select(OUTBOX.c.seq).where(OUTBOX.c.delivered_at.is_(None)).limit(1)
            ).first()
        if waits is not None:
            write_with_retry(self.engine, lambda connection: fan_out(connection, now))
        with reading(self.engine) as connection:
            messages = _due(connection, now)
        for message in messages:
            if self._stop.is_set():
                break
            self._deliver(message, now)
        return len(messages)

    def _deliver(self, message: _Message, now: int) -> None:
        name = f"msg_{message.webhook.id}_{message.seq}"
        secret = secret_of(message.webhook.secret, message.webhook.id, self._key)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(secret, name, now, message.body),
        }
        status = self.send(message.webhook.url, message.body, headers)
        write_with_retry(self.engine, lambda connection: _note(connection, message, status, now))

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            try:
                while self.look() and not self._stop.is_set():
                    continue
            except Exception:
                # What was not noted as delivered is sent again: nothing is lost.
                logging.getLogger("storetwin.webhooks").exception("messages were not delivered")


def fan_out(connection: Connection, now: int) -> int:
    """One delivery per webhook for each new outbox row, in one transaction; rows done."""
    rows = connection.execute(
        select(OUTBOX.c.seq, OUTBOX.c.topic, OUTBOX.c.location)
        .where(OUTBOX.c.delivered_at.is_(None))
        .order_by(OUTBOX.c.seq)
        .limit(_BATCH)
        .with_for_update()
    ).all()
    hooks = connection.execute(select(WEBHOOKS).where(WEBHOOKS.c.is_active.is_(True))).all()
    wanted = [
        {
            "webhook_id": hook.id,
            "seq": row.seq,
            "location": row.location,
            "state": "waiting",
            "attempts": 0,
            "next_at": now,
            "last_status": 0,
            "done_at": None,
        }
        for hook in hooks
        for row in rows
        if wants(hook, row.topic, row.location)
    ]
    if wanted:
        connection.execute(insert(DELIVERIES), wanted)
    if rows:
        connection.execute(
            update(OUTBOX)
            .where(OUTBOX.c.seq.in_([row.seq for row in rows]))
            .values(delivered_at=now)
        )
    return len(rows)


def wants(hook: Any, topic: str, location: str) -> bool:
    """Whether a webhook asked for a topic at a location; ``sales.*`` asks for a family."""
    if hook.location and hook.location != location:
        return False
    topics = json.loads(hook.topics)
    family = topic.partition(".")[0] + ".*"
    return not topics or topic in topics or family in topics


def _due(connection: Connection, now: int) -> list[_Message]:
    """The first waiting message of each (webhook, location), where its time has come."""
    d, w, o = DELIVERIES.c, WEBHOOKS.c, OUTBOX.c
    first = (
        select(d.webhook_id, func.min(d.seq).label("seq"))
        .where(d.state == "waiting")
        .group_by(d.webhook_id, d.location)
        .subquery()
    )
    rows = connection.execute(
        select(
            w.id, w.url, w.secret, d.seq, d.attempts, o.topic, o.location, o.recorded_at, o.payload
        )
        .join_from(DELIVERIES, first, (first.c.webhook_id == d.webhook_id) & (first.c.seq == d.seq))
        .join(WEBHOOKS, WEBHOOKS.c.id == d.webhook_id)
        .join(OUTBOX, OUTBOX.c.seq == d.seq)
        .where(d.next_at <= now, WEBHOOKS.c.is_active.is_(True))
        .order_by(d.seq)
        .limit(_BATCH)
    ).all()
    return [
        _Message(
            row,
            row.seq,
            row.attempts,
            _body(row.topic, row.location, row.recorded_at, row.payload),
        )
        for row in rows
    ]


def _body(topic: str, location: str, recorded_at: int, payload: str) -> bytes:
    content = {
        "type": topic,
        "timestamp": iso(recorded_at),
        "data": json.loads(payload) | ({"location": location} if location else {}),
    }
    return json.dumps(content, ensure_ascii=False, sort_keys=True).encode()


def _note(connection: Connection, message: _Message, status: int, now: int) -> None:
    d = DELIVERIES.c
    values: dict[str, Any] = {"attempts": message.attempts + 1, "last_status": status}
    if 200 <= status < 300:
        values |= {"state": "delivered", "done_at": now}
    elif message.attempts >= len(WAITS_S):
        values |= {"state": "dead", "done_at": now}
    else:
        values["next_at"] = now + WAITS_S[message.attempts]
    connection.execute(
        update(DELIVERIES)
        .where(d.webhook_id == message.webhook.id, d.seq == message.seq)
        .values(**values)
    )
    if status == _GONE:
        # The receiver says that it wants no more.
        connection.execute(
            update(WEBHOOKS).where(WEBHOOKS.c.id == message.webhook.id).values(is_active=False)
        )
