"""Addresses of write-offs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from ops_api.ledger.rows import derived_id
from ops_api.masterdata.service import require_location, require_sku
from ops_api.transfers.routes import act_of
from ops_api.web.body import Strict
from ops_api.web.fields import Identifier, Moment, Units
from ops_api.web.registry import Call, Document, Endpoint, Registry, Site
from ops_api.web.schemas import Empty, JsonObject
from ops_api.writeoffs.service import draft, post_write_off, write_off_of
from ops_api.writeoffs.tables import WRITE_OFFS


class NewWriteOff(Strict):
    """Goods to dispose of, with the reason."""

    location: Identifier
    sku: Identifier
    quantity: Units
    reason: Identifier
    occurred_at: Moment | None = None


def place_of(connection: Connection, document: str) -> tuple[str, ...]:
    """Where a write-off is."""
    found = connection.execute(
        select(WRITE_OFFS.c.location).where(WRITE_OFFS.c.id == document)
    ).first()
    return (found.location,) if found else ()


def register(registry: Registry) -> None:
    """Add the endpoints of write-offs."""
    registry.add(
        Endpoint(
            name="writeoff_create",
            method="POST",
            path="/writeoffs",
            permission="writeoff.draft",
            scope=Site(lambda body: [body.location]),
            handler=create,
            statuses=(201, 422),
            answer=JsonObject,
            body=NewWriteOff,
            writes=True,
            keyed=True,
        )
    )
    registry.add(
        Endpoint(
            name="writeoff_post",
            method="POST",
            path="/writeoffs/{id}:post",
            permission="writeoff.post",
            scope=Document(place_of),
            handler=do_post,
            statuses=(200, 409, 403),
            answer=JsonObject,
            body=Empty,
            writes=True,
            keyed=True,
        )
    )


def create(call: Call) -> dict[str, Any]:
    """Draft a write-off."""
    body: NewWriteOff = call.body
    require_location(call.connection, body.location)
    sku = require_sku(call.connection, body.sku)
    document = "WO-" + derived_id(call.key)[:13]
    act = act_of(call, body.occurred_at)
    worth = draft(call.connection, document, body.location, sku.id, body.quantity, body.reason, act)
    return {"id": document, "state": "draft", "value_cents": worth}


def do_post(call: Call) -> dict[str, Any]:
    """Post a draft; above the limit the management does."""
    place = write_off_of(call.connection, call.path["id"]).location
    post_write_off(
        call.connection,
        call.path["id"],
        act_of(call),
        limit_cents=call.settings.write_off_limit_cents,
        may_exceed=call.principal.can("writeoff.post_above_limit", place),
    )
    return {"id": call.path["id"], "state": "posted"}
