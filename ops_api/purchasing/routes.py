"""Addresses of purchase orders."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from ops_api.clock import epoch, iso
from ops_api.errors import ApprovalRequired
from ops_api.ledger.rows import derived_id
from ops_api.masterdata.service import require_location, require_skus
from ops_api.purchasing.orders import approve_order, close_order, send_order, value_order
from ops_api.purchasing.schemas import Delivery, NewOrder, OrderArrived, OrderEnd
from ops_api.purchasing.service import (
    OrderDraft,
    create_orders,
    order_head,
    order_lines,
    post_delivery,
    receive_order,
)
from ops_api.purchasing.tables import PURCHASE_ORDERS
from ops_api.transfers.routes import act_of, arrival_of, base_lines, refuse_twice
from ops_api.web.registry import Call, Document, Endpoint, Registry, Rows, Site
from ops_api.web.schemas import DocumentQuery, Empty, JsonObject


def end_of(connection: Connection, document: str) -> tuple[str, ...]:
    """Where an order's goods go."""
    found = connection.execute(
        select(PURCHASE_ORDERS.c.destination).where(PURCHASE_ORDERS.c.id == document)
    ).first()
    return (found.destination,) if found else ()


def register(registry: Registry) -> None:
    """Add the endpoints of purchase orders."""
    registry.add(
        Endpoint(
            name="purchase_orders",
            method="GET",
            path="/purchase-orders",
            permission="purchase.read",
            scope=Rows(),
            handler=list_orders,
            statuses=(200,),
            answer=JsonObject,
            query=DocumentQuery,
        )
    )
    registry.add(
        Endpoint(
            name="purchase_order_receive",
            method="POST",
            path="/purchase-orders/{id}:receive",
            permission="receipt.post",
            scope=Document(end_of),
            handler=receive,
            statuses=(200, 409, 422),
            answer=JsonObject,
            body=OrderArrived,
            writes=True,
            keyed=True,
        )
    )

    registry.add(
        Endpoint(
            name="purchase_order_create",
            method="POST",
            path="/purchase-orders",
            permission="purchase.draft",
            scope=Site(lambda body: [body.destination]),
            handler=create,
            statuses=(201,),
            answer=JsonObject,
            body=NewOrder,
            writes=True,
            keyed=True,
        )
    )
    registry.add(
        Endpoint(
            name="receipt_create",
            method="POST",
            path="/receipts",
            permission="receipt.post",
            scope=Site(lambda body: [body.location]),
            handler=receive_unordered,
            statuses=(201, 409, 422),
            answer=JsonObject,
            body=Delivery,
            writes=True,
            keyed=True,
        )
    )
    for step, permission, handler, body in (
        ("approve", "purchase.approve", do_approve, Empty),
        ("send", "purchase.send", do_send, Empty),
        ("close", "purchase.close", do_close, OrderEnd),
    ):
        registry.add(
            Endpoint(
                name=f"purchase_order_{step}",
                method="POST",
                path=f"/purchase-orders/{{id}}:{step}",
                permission=permission,
                scope=Document(end_of),
                handler=handler,
                statuses=(200, 403, 409, 422),
                answer=JsonObject,
                body=body,
                writes=True,
                keyed=True,
            )
        )


def create(call: Call) -> dict[str, Any]:
    """Draft a purchase order."""
    body: NewOrder = call.body
    require_location(call.connection, body.destination)
    refuse_twice([line.sku for line in body.lines])
    document = "PO-" + derived_id(call.key)[:13]
    draft = OrderDraft(
        document,
        body.supplier,
        body.destination,
        base_lines(call.connection, body.lines),
        source="manual",
        due_at=epoch(body.due_at) if body.due_at else None,
    )
    create_orders(call.connection, [draft], act_of(call))
    worth = value_order(call.connection, document)
    return {"id": document, "state": "draft", "value_cents": worth}


def do_approve(call: Call) -> dict[str, Any]:
    """Approve a draft; never one's own."""
    approve_order(call.connection, call.path["id"], act_of(call))
    return {"id": call.path["id"], "state": "approved"}


def do_send(call: Call) -> dict[str, Any]:
    """Send it to the supplier."""
    send_order(call.connection, call.path["id"], act_of(call))
    return {"id": call.path["id"], "state": "sent"}


def do_close(call: Call) -> dict[str, Any]:
    """End an order; a rest is closed short with a reason."""
    short = close_order(call.connection, call.path["id"], act_of(call), call.body.reason)
    return {"id": call.path["id"], "state": "closed", "short": short}


def receive_unordered(call: Call) -> dict[str, Any]:
    """Record a supplier's delivery without an order."""
    body: Delivery = call.body
    require_location(call.connection, body.location)
    require_skus(call.connection, [line.sku for line in body.lines])
    refuse_twice([line.event_id for line in body.lines])
    receipt = "RC-" + derived_id(call.key)[:13]
    arrivals = [arrival_of(one) for one in body.lines]
    may_accept(call, body.location, accepts=body.accepts_short)
    act = act_of(call, body.occurred_at)
    post_delivery(
        call.connection, body.location, receipt, arrivals, act, accepts_short=body.accepts_short
    )
    return {"id": receipt, "units": sum(one.good + one.damaged for one in arrivals)}


def list_orders(call: Call) -> dict[str, Any]:
    """Purchase orders by destination and state, newest first, with their lines."""
    query: DocumentQuery = call.query
    p = PURCHASE_ORDERS.c
    found = select(PURCHASE_ORDERS)
    if query.destination:
        found = found.where(p.destination == query.destination)
    if query.state:
        found = found.where(p.state == query.state)
    if call.reach is not None:
        found = found.where(p.destination.in_(sorted(call.reach)))
    rows = call.connection.execute(found.order_by(p.created_at.desc(), p.id).limit(query.limit))
    out = []
    for head in rows.all():
        item = {k: iso(v) if k.endswith("_at") else v for k, v in head._mapping.items()}
        item["lines"] = [dict(line._mapping) for line in order_lines(call.connection, head.id)]
        out.append(item)
    return {"purchase_orders": out}


def receive(call: Call) -> dict[str, Any]:
    """Record a supplier's delivery against the order."""
    body: OrderArrived = call.body
    document = call.path["id"]
    head = order_head(call.connection, document)
    may_accept(call, head.destination, accepts=body.accepts_short)
    arrivals = [arrival_of(one) for one in body.lines]
    act = act_of(call, body.occurred_at)
    return receive_order(
        call.connection,
        document,
        call.key,
        arrivals,
        act,
        ends=body.ends,
        accepts_short=body.accepts_short,
    )


def may_accept(call: Call, place: str, *, accepts: bool) -> None:
    """Goods with too few days left are accepted by a manager, never by a clerk."""
    if accepts and not call.principal.can("receipt.accept_short", place):
        raise ApprovalRequired(
            "goods with a short shelf life are accepted by a manager",
            field="accepts_short",
            row=place,
            remedy="refuse them, or call the manager",
        )
