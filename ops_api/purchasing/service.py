"""Purchase orders and what suppliers deliver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from ops_api.errors import StateInvalid
from ops_api.ledger import rows as made
from ops_api.ledger.rows import derived_id
from ops_api.ledger.shelf import Shelves
from ops_api.ledger.write import announce, post, record_audit
from ops_api.lots.admission import admit
from ops_api.purchasing.tables import PURCHASE_LINES, PURCHASE_ORDERS, RECEIPTS
from ops_api.tasks.service import OVER_SHORT, TaskDraft, open_tasks
from ops_api.transfers.arrivals import Arrival
from ops_api.transfers.documents import Act
from ops_api.web.registry import unknown_document


@dataclass(frozen=True)
class OrderDraft:
    """A purchase order to create; `lines` are (sku, units, reason code)."""

    id: str
    supplier: str
    destination: str
    lines: tuple[tuple[str, int, int], ...]
    source: str = ""
    need_detected_at: int = 0
    due_at: int | None = None


def create_orders(
    connection: Connection, drafts: Sequence[OrderDraft], act: Act, *, state: str = "draft"
) -> None:
    """Add purchase orders; the planner's rule creates them as ``sent``."""
    if not drafts:
        return
    sent = state == "sent"
    connection.execute(
        insert(PURCHASE_ORDERS),
        [
            {
                "id": draft.id,
                "state": state,
                "supplier": draft.supplier,
                "destination": draft.destination,
                "source": draft.source,
                "value_cents": 0,
                "need_detected_at": draft.need_detected_at or act.occurred_at,
                "due_at": draft.due_at,
                "created_at": act.recorded_at,
                "created_by": act.actor,
                "approved_at": act.recorded_at if sent else None,
                "approved_by": act.actor if sent else "",
                "sent_at": act.occurred_at if sent else None,
                "received_at": None,
                "closed_at": None,
                "version": 1,
            }
            for draft in drafts
        ],
    )
    connection.execute(
        insert(PURCHASE_LINES),
        [
            {
                "purchase_order_id": draft.id,
                "line": i,
                "sku": sku,
                "ordered": units,
                "received": 0,
                "closed_short": 0,
                "reason": reason,
            }
            for draft in drafts
            for i, (sku, units, reason) in enumerate(draft.lines)
        ],
    )


def order_head(connection: Connection, document: str) -> Any:
    """The order's row; unknown ones raise."""
    found = connection.execute(
        select(PURCHASE_ORDERS).where(PURCHASE_ORDERS.c.id == document).with_for_update()
    ).first()
    if found is None:
        raise unknown_document(document)
    return found


def order_lines(connection: Connection, document: str) -> list[Any]:
    """The order's lines."""
    query = select(PURCHASE_LINES).where(PURCHASE_LINES.c.purchase_order_id == document)
    return list(connection.execute(query.order_by(PURCHASE_LINES.c.line)))


def receive_order(
    connection: Connection,
    document: str,
    receipt: str,
    arrivals: Sequence[Arrival],
    act: Act,
    *,
    ends: bool = False,
    accepts_short: bool = False,
) -> dict[str, Any]:
    """Record a supplier's delivery against an order.

    A delivery has happened: SKUs that were not ordered and surplus are recorded too and
    open a task.
    """
    head = order_head(connection, document)
    if head.state not in ("sent", "partially_received"):
        raise StateInvalid(
            f"purchase order {document} is {head.state}",
            field="state",
            row=document,
            remedy="send it first, or receive without an order",
            facts={"document": document, "state": head.state},
        )
    lines = {line.sku: line for line in order_lines(connection, document)}
    came: dict[str, int] = {}
    for arrival in arrivals:
        came[arrival.sku] = came.get(arrival.sku, 0) + arrival.good + arrival.damaged
    post_delivery(
        connection,
        head.destination,
        receipt,
        arrivals,
        act,
        document=document,
        accepts_short=accepts_short,
    )
    known = [{"b": lines[sku].line, "q": units} for sku, units in came.items() if sku in lines]
    if known:
        connection.execute(
            update(PURCHASE_LINES)
            .where(
                PURCHASE_LINES.c.purchase_order_id == document,
                PURCHASE_LINES.c.line == bindparam("b"),
            )
            .values(received=PURCHASE_LINES.c.received + bindparam("q")),
            known,
        )
    left = {sku: line.ordered - line.received - came.get(sku, 0) for sku, line in lines.items()}
    complete = ends or all(units <= 0 for units in left.values())
    odd = [sku for sku in came if sku not in lines or left[sku] < 0]
    odd += [sku for sku, units in left.items() if complete and units > 0]
    open_tasks(
        connection,
        [TaskDraft(OVER_SHORT, head.destination, sku, document) for sku in odd],
        at=act.recorded_at,
        cause=receipt,
    )
    state = "received" if complete else "partially_received"
    connection.execute(
        update(PURCHASE_ORDERS)
        .where(PURCHASE_ORDERS.c.id == document)
        .values(
            state=state,
            version=PURCHASE_ORDERS.c.version + 1,
            received_at=act.occurred_at if complete else None,
        )
    )
    return {"id": document, "state": state, "left": {k: v for k, v in left.items() if v > 0}}


def post_delivery(
    connection: Connection,
    location: str,
    receipt: str,
    arrivals: Sequence[Arrival],
    act: Act,
    *,
    document: str = "",
    accepts_short: bool = False,
) -> None:
    """Movements, receipt row and audit of goods from a supplier.

    Raises
    ------
    LotRequired, LotOnHold, LotExpired, ShelfLifeTooShort
        At the door goods can still be refused; damaged ones are recorded as they are.
    SerialElsewhere
    """
    stamp = act.stamp(document or receipt)
    admitted = admit(connection, arrivals, act, accepts_short=accepts_short)
    cells = [(location, arrival.sku) for arrival in arrivals]
    shelves = Shelves.read(connection, cells, since=act.occurred_at)
    for arrival, dated in zip(arrivals, admitted, strict=True):
        for units, condition in ((arrival.good, "good"), (arrival.damaged, "damaged")):
            if units:
                name = (
                    arrival.event_id
                    if condition == "good"
                    else derived_id(arrival.event_id, "damaged")
                )
                shelves.put(
                    made.receive(
                        stamp,
                        name,
                        arrival.sku,
                        location,
                        units,
                        condition=condition,
                        lot=dated.lot,
                        serial=arrival.serial,
                    ),
                    arrival.event_id,
                )
    post(connection, shelves.rows, listeners=act.listeners)
    connection.execute(
        insert(RECEIPTS).values(
            id=receipt,
            location=location,
            purchase_order_id=document,
            occurred_at=act.occurred_at,
            recorded_at=act.recorded_at,
            actor=act.actor,
            units=sum(arrival.good + arrival.damaged for arrival in arrivals),
        )
    )
    record_audit(
        connection,
        "receipt.post",
        recorded_at=act.recorded_at,
        actor=act.actor,
        device=act.device,
        location=location,
        subject=receipt,
    )
    announce(
        connection,
        "receipt.posted",
        {"receipt": receipt},
        recorded_at=act.recorded_at,
        location=location,
    )
