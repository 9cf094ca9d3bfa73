"""Addresses of tasks."""

from __future__ import annotations

import json
from typing import Any, Literal

from sqlalchemy import Connection, select

from ops_api.clock import iso
from ops_api.errors import ReasonRequired, StateInvalid
from ops_api.events.routes import post_parked
from ops_api.ledger.write import record_audit
from ops_api.masterdata.queries import known_skus
from ops_api.returns.tills import EVENT, post_parked_return
from ops_api.sales.lines import payload_sale
from ops_api.sales.routes import poster_of
from ops_api.sales.service import post_sales
from ops_api.tasks.service import COUNT, PARKED, TaskDraft, close_tasks, open_tasks
from ops_api.tasks.tables import TASKS
from ops_api.web.body import Strict
from ops_api.web.fields import Words
from ops_api.web.registry import Call, Document, Endpoint, Registry, Rows, unknown_document
from ops_api.web.schemas import DocumentQuery, JsonObject


class Resolution(Strict):
    """What to do with a task; a parked event is posted or, with a reason, left out."""

    action: Literal["post", "leave"] = "post"
    reason: Words = ""


def place_of(connection: Connection, task: str) -> tuple[str, ...]:
    """Where a task is."""
    found = connection.execute(select(TASKS.c.location).where(TASKS.c.id == task)).first()
    return (found.location,) if found else ()


def register(registry: Registry) -> None:
    """Add the endpoints of tasks."""
    registry.add(
        Endpoint(
            name="tasks",
            method="GET",
            path="/tasks",
            permission="task.read",
            scope=Rows(),
            handler=list_tasks,
            statuses=(200,),
            answer=JsonObject,
            query=DocumentQuery,
        )
    )
    registry.add(
        Endpoint(
            name="task_resolve",
            method="POST",
            path="/tasks/{id}:resolve",
            permission="task.resolve",
            scope=Document(place_of),
            handler=resolve,
            statuses=(200, 403, 404, 409, 422),
            answer=JsonObject,
            body=Resolution,
            writes=True,
            keyed=True,
        )
    )


def list_tasks(call: Call) -> dict[str, Any]:
    """Open tasks within reach, oldest first (or those of `state`)."""
    query: DocumentQuery = call.query
    found = select(TASKS).where(TASKS.c.state == (query.state or "open"))
    if query.location:
        found = found.where(TASKS.c.location == query.location)
    if call.reach is not None:
        found = found.where(TASKS.c.location.in_(sorted(call.reach)))
    rows = call.connection.execute(
        found.order_by(TASKS.c.created_at, TASKS.c.id).limit(query.limit)
    )
    return {
        "tasks": [
            dict(row._mapping)
            | {
                "created_at": iso(row.created_at),
                "closed_at": iso(row.closed_at),
                "payload": json.loads(row.payload),
            }
            for row in rows
        ]
    }


def resolve(call: Call) -> dict[str, Any]:
    """Close a task; a parked old sale is posted, because a person has looked at it."""
    found = call.connection.execute(
        select(TASKS).where(TASKS.c.id == call.path["id"]).with_for_update()
    ).first()
    if found is None:
        raise unknown_document(call.path["id"])
    if found.state != "open":
        raise StateInvalid(
            f"task {found.id} is {found.state}",
            field="state",
            row=found.id,
            facts={"document": found.id, "state": found.state},
        )
    body: Resolution = call.body
    posted: list[dict[str, Any]] = []
    if found.kind == PARKED and body.action == "post":
        posted = _post(call, found.payload)
    elif found.kind == PARKED:
        _leave(call, found, body)
    draft = TaskDraft(found.kind, found.location, found.sku, found.document_id)
    close_tasks(call.connection, [draft], at=call.now, actor=call.principal.person)
    record_audit(
        call.connection,
        f"task.{body.action}",
        recorded_at=call.now,
        actor=call.principal.person,
        device=call.principal.device,
        location=found.location,
        subject=found.id,
        detail={"reason": body.reason},
    )
    return {"id": found.id, "state": "done", "posted": posted}


def _post(call: Call, text: str) -> list[dict[str, Any]]:
    payload = json.loads(text)
    if payload["event"] == EVENT:
        return [post_parked_return(call, payload)]
    if payload["event"] != "sale":
        return [post_parked(call, payload)]
    return post_sales(call.connection, [payload_sale(text)], poster_of(call), force=True)


def _leave(call: Call, task: Any, body: Resolution) -> None:
    """Not posted: the shelf is counted instead, so that the book finds the truth."""
    if not body.reason:
        raise ReasonRequired(
            "what happened is left out of the book and no reason is given",
            field="reason",
            row=task.id,
            remedy="say why",
        )
    payload = json.loads(task.payload)
    sku = payload.get("body", payload.get("sale", {})).get("sku", "")
    if task.location and sku in known_skus(call.connection, {sku}):
        open_tasks(
            call.connection, [TaskDraft(COUNT, task.location, sku)], at=call.now, cause=task.id
        )
