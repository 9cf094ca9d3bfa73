"""Addresses of purchase orders."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from ops_api.clock import iso
from ops_api.purchasing.service import order_head, order_lines, receive_order
from ops_api.purchasing.tables import PURCHASE_ORDERS
from ops_api.transfers.arrivals import Arrival
from ops_api.transfers.routes import act_of
from ops_api.transfers.schemas import Arrived
from ops_api.web.registry import Call, Document, Endpoint, Registry, Rows
from ops_api.web.schemas import DocumentQuery, JsonObject


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
            body=Arrived,
            writes=True,
            keyed=True,
        )
    )


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
    body: Arrived = call.body
    document = call.path["id"]
    order_head(call.connection, document)
    arrivals = [Arrival(one.event_id, one.sku, one.good, one.damaged) for one in body.lines]
    act = act_of(call, body.occurred_at)
    return receive_order(call.connection, document, call.key, arrivals, act, ends=body.ends)
