"""Addresses of webhooks."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints
from sqlalchemy import insert, select, update

from ops_api.clock import iso
from ops_api.ledger.rows import derived_id
from ops_api.ledger.write import record_audit
from ops_api.masterdata.service import require_location
from ops_api.web.body import Strict
from ops_api.web.fields import Cursor, Limit, OptionalId
from ops_api.web.registry import Call, Chain, Endpoint, Registry, unknown_document
from ops_api.web.schemas import Empty, JsonObject
from ops_api.webhooks.signature import DERIVED, new_nonce, secret_of
from ops_api.webhooks.tables import DELIVERIES, WEBHOOKS
from policies.domain.errors import InvalidInput

Topic = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}\.([a-z_]{1,40}|\*)$")]


class NewWebhook(Strict):
    """Who hears what: topics like ``transfer.shipped`` or ``sales.*``, none means all."""

    url: Annotated[str, StringConstraints(min_length=8, max_length=400)]
    topics: Annotated[list[Topic], Field(max_length=50, default_factory=list)]
    location: OptionalId = ""


class DeliveryQuery(Strict):
    """Deliveries of a webhook, after a number."""

    after: Cursor = 0
    limit: Limit = 200


def register(registry: Registry) -> None:
    """Add the endpoints of webhooks."""
    for name, path, handler, query in (
        ("webhooks", "/webhooks", webhooks, None),
        ("webhook_deliveries", "/webhooks/{id}/deliveries", deliveries, DeliveryQuery),
    ):
        registry.add(
            Endpoint(
                name=name,
                method="GET",
                path=path,
                permission="webhook.read",
                scope=Chain(),
                handler=handler,
                statuses=(200, 404),
                answer=JsonObject,
                query=query,
            )
        )
    for name, path, handler, body, success in (
        ("webhook_create", "/webhooks", create, NewWebhook, 201),
        ("webhook_disable", "/webhooks/{id}:disable", disable, Empty, 200),
        ("webhook_enable", "/webhooks/{id}:enable", enable, Empty, 200),
        ("webhook_rotate", "/webhooks/{id}:rotate", rotate, Empty, 200),
        ("webhook_redeliver", "/webhooks/{id}:redeliver", redeliver, Empty, 200),
    ):
        registry.add(
            Endpoint(
                name=name,
                method="POST",
                path=path,
                permission="webhook.write",
                scope=Chain(),
                handler=handler,
                statuses=(success, 404),
                answer=JsonObject,
                body=body,
                writes=True,
                keyed=True,
            )
        )


def webhooks(call: Call) -> dict[str, Any]:
    """Webhooks, without their secrets."""
    rows = call.connection.execute(select(WEBHOOKS).order_by(WEBHOOKS.c.created_at, WEBHOOKS.c.id))
    return {"webhooks": [_shown(row) for row in rows]}


def deliveries(call: Call) -> dict[str, Any]:
    """What was sent, waits or was given up."""
    query: DeliveryQuery = call.query
    d = DELIVERIES.c
    _require(call)
    rows = call.connection.execute(
        select(DELIVERIES)
        .where(d.webhook_id == call.path["id"], d.seq > query.after)
        .order_by(d.seq)
        .limit(query.limit)
    ).all()
    return {
        "deliveries": [
            {k: iso(v) if k.endswith("_at") else v for k, v in row._mapping.items()} for row in rows
        ],
        "next": rows[-1].seq if len(rows) == query.limit else None,
    }


def create(call: Call) -> dict[str, Any]:
    """Add a webhook; its secret is shown now and never again."""
    body: NewWebhook = call.body
    _check_url(body.url, plain_too=call.settings.webhooks_over_http)
    if body.location:
        require_location(call.connection, body.location)
    name = "WH-" + derived_id(call.key)[:13]
    kept = new_nonce()
    call.connection.execute(
        insert(WEBHOOKS).values(
            id=name,
            url=body.url,
            secret=kept,
            topics=json.dumps(body.topics),
            location=body.location,
            is_active=True,
            created_at=call.now,
            created_by=call.principal.person,
        )
    )
    _audit(call, name, "webhook.create")
    secret = secret_of(kept, name, call.settings.secret_key)
    return {"id": name, "url": body.url, "secret": secret}


def rotate(call: Call) -> dict[str, Any]:
    """Give a webhook a new secret; it is shown now and never again, the old one ends."""
    _require(call)
    name, kept = call.path["id"], new_nonce()
    call.connection.execute(update(WEBHOOKS).where(WEBHOOKS.c.id == name).values(secret=kept))
    _audit(call, name, "webhook.rotate")
    return {"id": name, "secret": secret_of(kept, name, call.settings.secret_key)}


def disable(call: Call) -> dict[str, Any]:
    """Send nothing more; what waits stays."""
    return _switch(call, is_active=False)


def enable(call: Call) -> dict[str, Any]:
    """Send again, what waited first."""
    return _switch(call, is_active=True)


def redeliver(call: Call) -> dict[str, Any]:
    """Try given-up messages anew."""
    _require(call)
    d = DELIVERIES.c
    done = call.connection.execute(
        update(DELIVERIES)
        .where(d.webhook_id == call.path["id"], d.state == "dead")
        .values(state="waiting", attempts=0, next_at=call.now, done_at=None)
    )
    _audit(call, call.path["id"], "webhook.redeliver")
    return {"id": call.path["id"], "messages": done.rowcount}


def _switch(call: Call, *, is_active: bool) -> dict[str, Any]:
    _require(call)
    call.connection.execute(
        update(WEBHOOKS).where(WEBHOOKS.c.id == call.path["id"]).values(is_active=is_active)
    )
    _audit(call, call.path["id"], "webhook.enable" if is_active else "webhook.disable")
    return {"id": call.path["id"], "is_active": is_active}


def _require(call: Call) -> None:
    query = select(WEBHOOKS.c.id).where(WEBHOOKS.c.id == call.path["id"])
    if call.connection.execute(query).first() is None:
        raise unknown_document(call.path["id"])


def _audit(call: Call, name: str, action: str) -> None:
    record_audit(
        call.connection,
        action,
        recorded_at=call.now,
        actor=call.principal.person,
        subject=name,
    )


def _check_url(url: str, *, plain_too: bool) -> None:
    """Encrypted, a host, no log-in in the address, and never the machine's own metadata."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    schemes = {"https", "http"} if plain_too else {"https"}
    own = host.startswith(("169.254.", "127.")) or host in {"localhost", "::1"}
    if parts.scheme not in schemes or not host or parts.username or port == 0:
        raise InvalidInput(
            "the address is not an https address of a host",
            field="url",
            remedy="give https://host/path",
        )
    if own and not plain_too:
        raise InvalidInput("the address is this machine's own", field="url")


def _shown(row: Any) -> dict[str, Any]:
    out = {k: iso(v) if k.endswith("_at") else v for k, v in row._mapping.items() if k != "secret"}
    derived = row.secret.startswith(DERIVED)
    return out | {"topics": json.loads(row.topics), "is_secret_derived": derived}
