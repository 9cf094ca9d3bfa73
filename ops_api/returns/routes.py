"""Addresses of returns."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from ops_api.clock import iso
from ops_api.ledger.periods import require_open
from ops_api.ledger.reversal import reverse_movement
from ops_api.ledger.rows import derived_id
from ops_api.masterdata.service import require_location
from ops_api.returns.schemas import NewReturn, TillReturns
from ops_api.returns.service import (
    WAREHOUSE,
    ReturnDraft,
    ReturnLine,
    cancel_return,
    draft_return,
    movements_of,
    post_return,
    return_head,
    return_lines,
)
from ops_api.returns.tables import RETURNS
from ops_api.returns.tills import record_batch
from ops_api.sales.schemas import BatchAnswer
from ops_api.stock.routes import leads_at
from ops_api.transfers.routes import act_of
from ops_api.web.registry import Call, Document, Endpoint, Registry, Rows, Site
from ops_api.web.schemas import DocumentQuery, Empty, JsonObject
from ops_api.writeoffs.photos import attach, photos_of
from ops_api.writeoffs.routes import Photo
from ops_api.writeoffs.service import limits_of
from policies.domain.errors import InvalidInput


def place_of(connection: Connection, document: str) -> tuple[str, ...]:
    """Where a return is made."""
    found = connection.execute(select(RETURNS.c.location).where(RETURNS.c.id == document)).first()
    return (found.location,) if found else ()


_DOCUMENT = Document(place_of)


def register(registry: Registry) -> None:
    """Add the endpoints of returns."""
    for name, path, scope, handler, query in (
        ("returns", "/returns", Rows(), list_returns, DocumentQuery),
        ("return", "/returns/{id}", _DOCUMENT, read_return, None),
    ):
        registry.add(
            Endpoint(
                name=name,
                method="GET",
                path=path,
                permission="return.read",
                scope=scope,
                handler=handler,
                statuses=(200,),
                answer=JsonObject,
                query=query,
            )
        )
    registry.add(
        Endpoint(
            name="return_create",
            method="POST",
            path="/returns",
            permission="return.draft",
            scope=Site(lambda body: [body.location]),
            handler=create,
            statuses=(201, 422),
            answer=JsonObject,
            body=NewReturn,
            writes=True,
            keyed=True,
        )
    )
    for step, permission, handler, body in (
        ("attach", "return.draft", do_attach, Photo),
        ("post", "return.post", do_post, Empty),
        ("cancel", "return.draft", do_cancel, Empty),
        ("reverse", "return.post", do_reverse, Empty),
    ):
        registry.add(
            Endpoint(
                name=f"return_{step}",
                method="POST",
                path=f"/returns/{{id}}:{step}",
                permission=permission,
                scope=_DOCUMENT,
                handler=handler,
                statuses=(200, 403, 409, 422),
                answer=JsonObject,
                body=body,
                writes=True,
                keyed=True,
            )
        )
    registry.add(
        Endpoint(
            name="till_returns_batch",
            method="POST",
            path="/till-returns:batch",
            permission="sales.post",
            scope=Rows(),
            handler=tills,
            statuses=(200,),
            answer=BatchAnswer,
            body=TillReturns,
            writes=True,
        )
    )


def tills(call: Call) -> dict[str, Any]:
    """Record what tills took back and voided; each line is answered."""
    return record_batch(call)


def list_returns(call: Call) -> dict[str, Any]:
    """Returns within reach, newest first."""
    query: DocumentQuery = call.query
    r = RETURNS.c
    found = select(RETURNS)
    for column, value in ((r.location, query.location), (r.state, query.state)):
        if value:
            found = found.where(column == value)
    if call.reach is not None:
        found = found.where(r.location.in_(sorted(call.reach)))
    rows = call.connection.execute(found.order_by(r.created_at.desc(), r.id).limit(query.limit))
    return {"returns": [_whole(call.connection, row) for row in rows.all()]}


def read_return(call: Call) -> dict[str, Any]:
    """One return with its lines and pictures."""
    head = return_head(call.connection, call.path["id"])
    return _whole(call.connection, head) | {"photos": photos_of(call.connection, head.id)}


def create(call: Call) -> dict[str, Any]:
    """Draft a return."""
    body: NewReturn = call.body
    require_location(call.connection, body.location)
    if body.kind == WAREHOUSE:
        require_location(call.connection, body.counterpart)
    if body.kind != "customer" and not body.counterpart:
        raise InvalidInput(
            "say who gets the goods", field="counterpart", remedy="name warehouse or supplier"
        )
    if body.counterpart == body.location:
        raise InvalidInput("goods can't go where they are", field="counterpart")
    act = act_of(call, body.occurred_at)
    require_open(call.connection, act.occurred_at, call.now)
    draft = ReturnDraft(
        "RT-" + derived_id(call.key)[:13],
        body.kind,
        body.location,
        body.counterpart,
        body.reason,
        tuple(
            ReturnLine(one.sku, one.quantity, one.lot, one.serial, one.condition)
            for one in body.lines
        ),
        body.basket,
    )
    worth = draft_return(call.connection, draft, act)
    limits = limits_of(call.settings)
    dear = body.kind != WAREHOUSE
    return {
        "id": draft.id,
        "state": "draft",
        "value_cents": worth,
        "needs_photo": dear and worth >= limits.photo_cents,
        "needs_management": dear and worth > limits.approval_cents,
    }


def do_attach(call: Call) -> dict[str, Any]:
    """Add a picture to a draft."""
    document = call.path["id"]
    return_head(call.connection, document)
    person = call.principal.person
    sha = attach(call.connection, document, call.body.content, at=call.now, actor=person)
    return {"id": document, "sha256": sha}


def do_post(call: Call) -> dict[str, Any]:
    """Post a draft; goods for a warehouse are on the road from here on."""
    document = call.path["id"]
    place = return_head(call.connection, document).location
    transfer = post_return(
        call.connection,
        document,
        act_of(call),
        limits=limits_of(call.settings),
        may_exceed=call.principal.can("return.post_above_limit", place),
    )
    return {"id": document, "state": "posted", "transfer_id": transfer}


def do_cancel(call: Call) -> dict[str, Any]:
    """Drop a draft."""
    cancel_return(call.connection, call.path["id"], act_of(call))
    return {"id": call.path["id"], "state": "cancelled"}


def do_reverse(call: Call) -> dict[str, Any]:
    """Take back a posted return by the exact opposite of each of its movements."""
    document = call.path["id"]
    place = return_head(call.connection, document).location
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


def _whole(connection: Connection, head: Any) -> dict[str, Any]:
    out = {k: iso(v) if k.endswith("_at") else v for k, v in head._mapping.items()}
    lines = return_lines(connection, head.id)
    return out | {"lines": [dict(line._mapping) for line in lines]}
