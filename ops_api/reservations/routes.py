"""Addresses of reservations."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, select

from ops_api.clock import epoch, iso
from ops_api.ledger.rows import derived_id
from ops_api.masterdata.service import require_location, require_skus
from ops_api.reservations.service import end_reservation, reservation_head, reserve_goods
from ops_api.reservations.tables import RESERVATION_HEADS
from ops_api.transfers.reserving import held_rows
from ops_api.transfers.routes import act_of, refuse_twice
from ops_api.web.body import Strict
from ops_api.web.fields import Identifier, Lot, Moment, Units, Words
from ops_api.web.registry import Call, Document, Endpoint, Registry, Rows, Site
from ops_api.web.schemas import DocumentQuery, Empty, JsonObject
from policies.domain.errors import InvalidInput

_LONGEST_S = 90 * 86_400


class ReservedLine(Strict):
    """Units of one SKU, of any lot or of a named one."""

    sku: Identifier
    quantity: Units
    lot: Lot = ""


class NewReservation(Strict):
    """Goods promised until a time, at most 90 days ahead."""

    location: Identifier
    lines: Annotated[list[ReservedLine], Field(min_length=1, max_length=200)]
    expires_at: Moment
    purpose: Words = ""


def place_of(connection: Connection, document: str) -> tuple[str, ...]:
    """Where goods are reserved."""
    found = connection.execute(
        select(RESERVATION_HEADS.c.location).where(RESERVATION_HEADS.c.id == document)
    ).first()
    return (found.location,) if found else ()


_DOCUMENT = Document(place_of)


def register(registry: Registry) -> None:
    """Add the endpoints of reservations."""
    for name, path, scope, handler, query in (
        ("reservations", "/reservations", Rows(), list_reservations, DocumentQuery),
        ("reservation", "/reservations/{id}", _DOCUMENT, read_reservation, None),
    ):
        registry.add(
            Endpoint(
                name=name,
                method="GET",
                path=path,
                permission="reservation.read",
                scope=scope,
                handler=handler,
                statuses=(200,),
                answer=JsonObject,
                query=query,
            )
        )
    registry.add(
        Endpoint(
            name="reservation_create",
            method="POST",
            path="/reservations",
            permission="reservation.write",
            scope=Site(lambda body: [body.location]),
            handler=create,
            statuses=(201, 409, 422),
            answer=JsonObject,
            body=NewReservation,
            writes=True,
            keyed=True,
        )
    )
    for step, handler in (("release", do_release), ("fulfil", do_fulfil)):
        registry.add(
            Endpoint(
                name=f"reservation_{step}",
                method="POST",
                path=f"/reservations/{{id}}:{step}",
                permission="reservation.write",
                scope=_DOCUMENT,
                handler=handler,
                statuses=(200, 409),
                answer=JsonObject,
                body=Empty,
                writes=True,
                keyed=True,
            )
        )


def list_reservations(call: Call) -> dict[str, Any]:
    """Reservations within reach, the first to end first."""
    query: DocumentQuery = call.query
    h = RESERVATION_HEADS.c
    found = select(RESERVATION_HEADS)
    for column, value in ((h.location, query.location), (h.state, query.state)):
        if value:
            found = found.where(column == value)
    if call.reach is not None:
        found = found.where(h.location.in_(sorted(call.reach)))
    rows = call.connection.execute(found.order_by(h.expires_at, h.id).limit(query.limit))
    return {"reservations": [_whole(call.connection, row) for row in rows.all()]}


def read_reservation(call: Call) -> dict[str, Any]:
    """One reservation with what it holds."""
    return _whole(call.connection, reservation_head(call.connection, call.path["id"]))


def create(call: Call) -> dict[str, Any]:
    """Reserve goods: all lines, or none."""
    body: NewReservation = call.body
    require_location(call.connection, body.location)
    require_skus(call.connection, [line.sku for line in body.lines])
    refuse_twice([f"{line.sku} {line.lot}" for line in body.lines])
    until = epoch(body.expires_at)
    if not call.now < until <= call.now + _LONGEST_S:
        raise InvalidInput(
            "the end lies in the past or more than 90 days ahead",
            field="expires_at",
            remedy="give a time within 90 days",
        )
    document = "RV-" + derived_id(call.key)[:13]
    reserve_goods(
        call.connection,
        document,
        body.location,
        [(line.sku, line.quantity, line.lot) for line in body.lines],
        purpose=body.purpose[:200],
        expires_at=until,
        act=act_of(call),
    )
    return _whole(call.connection, reservation_head(call.connection, document))


def do_release(call: Call) -> dict[str, Any]:
    """The goods are free again."""
    end_reservation(call.connection, call.path["id"], "released", act_of(call))
    return {"id": call.path["id"], "state": "released"}


def do_fulfil(call: Call) -> dict[str, Any]:
    """The goods are handed over: the till's sale takes them."""
    end_reservation(call.connection, call.path["id"], "fulfilled", act_of(call))
    return {"id": call.path["id"], "state": "fulfilled"}


def _whole(connection: Connection, head: Any) -> dict[str, Any]:
    out = {k: iso(v) if k.endswith("_at") else v for k, v in head._mapping.items()}
    held = [
        {"sku": row.sku, "lot": row.lot, "quantity": row.quantity}
        for row in held_rows(connection, head.id)
    ]
    return out | {"holds": held}
