"""The life of a purchase order before the goods: draft → approved → sent, and its end."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from ops_api.errors import ReasonRequired, SelfApproval, StateInvalid
from ops_api.ledger.write import announce, record_audit
from ops_api.masterdata.tables import SKUS
from ops_api.purchasing.service import order_head, order_lines
from ops_api.purchasing.tables import PURCHASE_LINES, PURCHASE_ORDERS
from ops_api.transfers.documents import Act


def value_order(connection: Connection, document: str) -> int:
    """Set and return the order's value at cost, in cents."""
    p = PURCHASE_LINES.c
    worth = connection.execute(
        select(func.coalesce(func.sum(p.ordered * SKUS.c.unit_cost_cents), 0))
        .join_from(PURCHASE_LINES, SKUS, SKUS.c.id == p.sku)
        .where(p.purchase_order_id == document)
    ).scalar_one()
    connection.execute(
        update(PURCHASE_ORDERS)
        .where(PURCHASE_ORDERS.c.id == document)
        .values(value_cents=int(worth))
    )
    return int(worth)


def approve_order(connection: Connection, document: str, act: Act) -> None:
    """Approve a draft; never one's own."""
    head = _require(connection, document, ("draft",))
    if head.created_by == act.actor:
        raise SelfApproval(
            "nobody approves an order of their own",
            field="approved_by",
            row=document,
            remedy="ask a colleague",
        )
    _move(connection, head, "approved", act, approved_at=act.recorded_at, approved_by=act.actor)


def send_order(connection: Connection, document: str, act: Act) -> None:
    """The order goes to the supplier; from here on it counts as on order."""
    head = _require(connection, document, ("approved",))
    _move(connection, head, "sent", act, sent_at=act.recorded_at)
    announce(
        connection,
        "purchase_order.sent",
        {"id": document, "supplier": head.supplier},
        recorded_at=act.recorded_at,
        location=head.destination,
    )


def close_order(connection: Connection, document: str, act: Act, reason: str) -> dict[str, int]:
    """End an order; what never came is closed short, with a reason.

    Returns
    -------
    dict of str to int
        Units closed short by SKU.
    """
    head = _require(
        connection, document, ("draft", "approved", "sent", "partially_received", "received")
    )
    rest = {
        line.line: (line.sku, line.ordered - line.received - line.closed_short)
        for line in order_lines(connection, document)
    }
    short = {line: units for line, (_, units) in rest.items() if units > 0}
    if short and not reason:
        raise ReasonRequired(
            "units are missing and no reason is given",
            field="reason",
            row=document,
            remedy="say why the rest will not come",
        )
    if short:
        p = PURCHASE_LINES.c
        connection.execute(
            update(PURCHASE_LINES)
            .where(p.purchase_order_id == document, p.line == bindparam("b"))
            .values(closed_short=p.closed_short + bindparam("q")),
            [{"b": line, "q": units} for line, units in short.items()],
        )
    _move(connection, head, "closed", act, reason=reason, closed_at=act.recorded_at)
    return {rest[line][0]: units for line, units in short.items()}


def _require(connection: Connection, document: str, states: tuple[str, ...]) -> Any:
    head = order_head(connection, document)
    if head.state not in states:
        raise StateInvalid(
            f"purchase order {document} is {head.state}",
            field="state",
            row=document,
            remedy=f"this step needs {' or '.join(states)}",
            facts={"document": document, "state": head.state},
        )
    return head


def _move(
    connection: Connection, head: Any, state: str, act: Act, *, reason: str = "", **columns: Any
) -> None:
    connection.execute(
        update(PURCHASE_ORDERS)
        .where(PURCHASE_ORDERS.c.id == head.id)
        .values(state=state, version=PURCHASE_ORDERS.c.version + 1, **columns)
    )
    record_audit(
        connection,
        f"purchase_order.{state}",
        recorded_at=act.recorded_at,
        actor=act.actor,
        device=act.device,
        location=head.destination,
        subject=head.id,
        detail={"reason": reason} if reason else None,
    )
