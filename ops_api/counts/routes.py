"""Addresses of counts."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection, select

from ops_api.counts.service import Counted, approve_line, count_head, create_count, submit
from ops_api.counts.tables import COUNT_LINES, COUNTS
from ops_api.ledger.rows import derived_id
from ops_api.masterdata.service import require_location, require_skus
from ops_api.transfers.routes import act_of
from ops_api.web.body import Strict
from ops_api.web.fields import EventId, Identifier, Moment, UnitsOrNone
from ops_api.web.registry import Call, Document, Endpoint, Registry, Rows, Site
from ops_api.web.schemas import DocumentQuery, JsonObject


class NewCount(Strict):
    """A count of a location; `random` marks a random sample."""

    location: Identifier
    purpose: Annotated[str, Field(pattern=r"^(random|risk|shelf)$")] = "shelf"


class CountedLine(Strict):
    """What was seen of one SKU."""

    event_id: EventId
    sku: Identifier
    counted: UnitsOrNone


class CountedLines(Strict):
    """Lines of a count, blind."""

    lines: Annotated[list[CountedLine], Field(min_length=1, max_length=1_000)]
    occurred_at: Moment | None = None


class CountApproval(Strict):
    """A difference to post."""

    sku: Identifier


def place_of(connection: Connection, document: str) -> tuple[str, ...]:
    """Where a count is."""
    found = connection.execute(select(COUNTS.c.location).where(COUNTS.c.id == document)).first()
    return (found.location,) if found else ()


def register(registry: Registry) -> None:
    """Add the endpoints of counts."""
    registry.add(
        Endpoint(
            name="counts",
            method="GET",
            path="/counts",
            permission="count.read",
            scope=Rows(),
            handler=list_counts,
            statuses=(200,),
            answer=JsonObject,
            query=DocumentQuery,
        )
    )
    registry.add(
        Endpoint(
            name="count_create",
            method="POST",
            path="/counts",
            permission="count.create",
            scope=Site(lambda body: [body.location]),
            handler=create,
            statuses=(201,),
            answer=JsonObject,
            body=NewCount,
            writes=True,
            keyed=True,
        )
    )
    for step, permission, handler, body in (
        ("submit", "count.create", do_submit, CountedLines),
        ("approve", "count.approve", do_approve, CountApproval),
    ):
        registry.add(
            Endpoint(
                name=f"count_{step}",
                method="POST",
                path=f"/counts/{{id}}:{step}",
                permission=permission,
                scope=Document(place_of),
                handler=handler,
                statuses=(200, 409, 403, 404),
                answer=JsonObject,
                body=body,
                writes=True,
                keyed=True,
            )
        )


def list_counts(call: Call) -> dict[str, Any]:
    """Counts within reach, newest first; a blind count shows no expected number."""
    query: DocumentQuery = call.query
    found = select(COUNTS)
    if query.location:
        found = found.where(COUNTS.c.location == query.location)
    if call.reach is not None:
        found = found.where(COUNTS.c.location.in_(sorted(call.reach)))
    rows = call.connection.execute(found.order_by(COUNTS.c.created_at.desc()).limit(query.limit))
    out = []
    for head in rows.all():
        lines = call.connection.execute(
            select(COUNT_LINES.c.sku, COUNT_LINES.c.counted, COUNT_LINES.c.state).where(
                COUNT_LINES.c.count_id == head.id
            )
        )
        out.append(dict(head._mapping) | {"lines": [dict(line._mapping) for line in lines]})
    return {"counts": out}


def create(call: Call) -> dict[str, Any]:
    """Open a count."""
    body: NewCount = call.body
    require_location(call.connection, body.location)
    document = "CT-" + derived_id(call.key)[:13]
    create_count(call.connection, document, body.location, body.purpose, act_of(call))
    return {"id": document, "state": "counting"}


def do_submit(call: Call) -> dict[str, Any]:
    """Hand in counted lines; larger differences ask for another person's recount."""
    body: CountedLines = call.body
    require_skus(call.connection, [line.sku for line in body.lines])
    count_head(call.connection, call.path["id"])
    lines = [Counted(line.event_id, line.sku, line.counted) for line in body.lines]
    return submit(call.connection, call.path["id"], lines, act_of(call, body.occurred_at))


def do_approve(call: Call) -> dict[str, Any]:
    """Post a difference outside the tolerance; not one's own count."""
    body: CountApproval = call.body
    approve_line(call.connection, call.path["id"], body.sku, act_of(call))
    return {"id": call.path["id"], "sku": body.sku, "state": "posted"}
