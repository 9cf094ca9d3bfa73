"""Addresses of write-offs."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import StringConstraints
from sqlalchemy import Connection, select

from ops_api.clock import iso
from ops_api.ledger.periods import require_open
from ops_api.ledger.reversal import reverse_movement
from ops_api.ledger.rows import derived_id
from ops_api.masterdata.service import require_location, require_sku
from ops_api.stock.routes import leads_at
from ops_api.transfers.routes import act_of
from ops_api.web.body import Strict
from ops_api.web.fields import Condition, Identifier, Lot, Moment, Units
from ops_api.web.registry import Call, Document, Endpoint, Registry, Rows, Site
from ops_api.web.schemas import DocumentQuery, Empty, JsonObject
from ops_api.writeoffs.photos import attach, photos_of
from ops_api.writeoffs.service import (
    Disposal,
    cancel_write_off,
    draft,
    limits_of,
    movements_of,
    post_write_off,
    write_off_of,
)
from ops_api.writeoffs.tables import WRITE_OFFS


class NewWriteOff(Strict):
    """Goods to dispose of, with the reason."""

    location: Identifier
    sku: Identifier
    quantity: Units
    reason: Identifier
    lot: Lot = ""
    condition: Condition = "good"
    occurred_at: Moment | None = None


class Photo(Strict):
    """A picture in Base64: JPEG, PNG or WebP, at most 1 MB."""

    content: Annotated[str, StringConstraints(min_length=16, max_length=1_400_000)]


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
            name="writeoffs",
            method="GET",
            path="/writeoffs",
            permission="writeoff.read",
            scope=Rows(),
            handler=list_write_offs,
            statuses=(200,),
            answer=JsonObject,
            query=DocumentQuery,
        )
    )
    registry.add(
        Endpoint(
            name="writeoff",
            method="GET",
            path="/writeoffs/{id}",
            permission="writeoff.read",
            scope=Document(place_of),
            handler=read_write_off,
            statuses=(200,),
            answer=JsonObject,
        )
    )
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
    for step, permission, handler, body in (
        ("attach", "writeoff.draft", do_attach, Photo),
        ("post", "writeoff.post", do_post, Empty),
        ("cancel", "writeoff.draft", do_cancel, Empty),
        ("reverse", "writeoff.post", do_reverse, Empty),
    ):
        registry.add(
            Endpoint(
                name=f"writeoff_{step}",
                method="POST",
                path=f"/writeoffs/{{id}}:{step}",
                permission=permission,
                scope=Document(place_of),
                handler=handler,
                statuses=(200, 409, 403, 422),
                answer=JsonObject,
                body=body,
                writes=True,
                keyed=True,
            )
        )


def list_write_offs(call: Call) -> dict[str, Any]:
    """Write-offs within reach, newest first."""
    query: DocumentQuery = call.query
    w = WRITE_OFFS.c
    found = select(WRITE_OFFS)
    for column, value in ((w.location, query.location), (w.state, query.state)):
        if value:
            found = found.where(column == value)
    if call.reach is not None:
        found = found.where(w.location.in_(sorted(call.reach)))
    rows = call.connection.execute(found.order_by(w.created_at.desc(), w.id).limit(query.limit))
    return {"writeoffs": [_whole(row) for row in rows]}


def read_write_off(call: Call) -> dict[str, Any]:
    """One write-off with its pictures."""
    found = write_off_of(call.connection, call.path["id"])
    return _whole(found) | {"photos": photos_of(call.connection, found.id)}


def create(call: Call) -> dict[str, Any]:
    """Draft a write-off."""
    body: NewWriteOff = call.body
    require_location(call.connection, body.location)
    sku = require_sku(call.connection, body.sku)
    document = "WO-" + derived_id(call.key)[:13]
    act = act_of(call, body.occurred_at)
    require_open(call.connection, act.occurred_at, call.now)
    goods = Disposal(body.location, sku.id, body.quantity, body.reason, body.lot, body.condition)
    worth = draft(call.connection, document, goods, act)
    limits = limits_of(call.settings)
    return {
        "id": document,
        "state": "draft",
        "value_cents": worth,
        "needs_photo": worth >= limits.photo_cents,
        "needs_management": worth > limits.approval_cents,
    }


def do_attach(call: Call) -> dict[str, Any]:
    """Add a picture to a draft."""
    document = call.path["id"]
    write_off_of(call.connection, document)
    sha = attach(
        call.connection,
        document,
        call.body.content,
        at=call.now,
        actor=call.principal.person,
    )
    return {"id": document, "sha256": sha}


def do_post(call: Call) -> dict[str, Any]:
    """Post a draft; above the limit the management does, and dear ones need a picture."""
    place = write_off_of(call.connection, call.path["id"]).location
    post_write_off(
        call.connection,
        call.path["id"],
        act_of(call),
        limits=limits_of(call.settings),
        may_exceed=call.principal.can("writeoff.post_above_limit", place),
    )
    return {"id": call.path["id"], "state": "posted"}


def do_cancel(call: Call) -> dict[str, Any]:
    """Drop a draft."""
    cancel_write_off(call.connection, call.path["id"], act_of(call))
    return {"id": call.path["id"], "state": "cancelled"}


def do_reverse(call: Call) -> dict[str, Any]:
    """Take back a posted write-off by the exact opposite of each of its movements."""
    document = call.path["id"]
    place = write_off_of(call.connection, document).location
    done = [
        reverse_movement(
            call.connection,
            movement,
            actor=call.principal.person,
            now=call.now,
            undo_s=call.settings.undo_s,
            is_manager=leads_at(call.principal, (place,)),
            listeners=call.settings.stock_listeners,
        )
        for movement in movements_of(call.connection, document)
    ]
    return {"id": document, "state": "reversed", "movements": done}


def _whole(row: Any) -> dict[str, Any]:
    return {k: iso(v) if k.endswith("_at") else v for k, v in row._mapping.items()}
