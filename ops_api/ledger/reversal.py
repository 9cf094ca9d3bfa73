"""Taking back a movement: one new row that is its exact opposite."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select, update

from ops_api.errors import AlreadyReversed, ApprovalRequired, StateInvalid
from ops_api.ledger.periods import require_open
from ops_api.ledger.rows import Row, Stamp, derived_id, is_real, is_transit, reverse
from ops_api.ledger.schema import MOVEMENTS, SALE_VALUES
from ops_api.ledger.shelf import rebases
from ops_api.ledger.write import StockListener, post, record_audit
from ops_api.purchasing.tables import PURCHASE_LINES, PURCHASE_ORDERS
from ops_api.returns.tables import RETURNS
from ops_api.web.registry import unknown_document
from ops_api.writeoffs.tables import WRITE_OFFS
from policies.domain.ledger import MovementKind

# Steps of a document are undone by the document (receive again, close short), since a
# bare row would leave it saying something else.
_BY_DOCUMENT = frozenset(
    {
        int(MovementKind.SHIP),
        int(MovementKind.RETURN_TO_WAREHOUSE),
        int(MovementKind.RECEIVE_TRANSFER),
        int(MovementKind.CLOSE_SHORT),
        int(MovementKind.REVERSE),
        int(MovementKind.COUNT_REBASE),
        # A posted count is a baseline that later facts already lean on.
        int(MovementKind.ADJUST),
        int(MovementKind.AUTO_FOUND),
        int(MovementKind.OPENING),
    }
)


def movement(connection: Connection, movement_id: str) -> Any:
    """The movement's row; unknown ones raise."""
    found = connection.execute(
        select(MOVEMENTS).where(MOVEMENTS.c.movement_id == movement_id)
    ).first()
    if found is None:
        raise unknown_document(movement_id)
    return found


def ends_of(connection: Connection, movement_id: str) -> tuple[str, ...]:
    """Locations a movement touches."""
    found = movement(connection, movement_id)
    return tuple(p for p in (found.from_location, found.to_location) if not is_transit(p))


def reverse_movement(
    connection: Connection,
    movement_id: str,
    *,
    actor: str,
    now: int,
    undo_s: int,
    is_manager: bool,
    listeners: tuple[StockListener, ...] = (),
) -> str:
    """Undo a movement; returns the new row's id.

    Raises
    ------
    ApprovalRequired
        After `undo_s`, or for another's movement, unless a manager asks.
    AlreadyReversed, StateInvalid, InsufficientStock
    PeriodClosed
        It happened in a month whose books are closed: count the shelf instead.
    """
    found = movement(connection, movement_id)
    if found.kind in _BY_DOCUMENT:
        raise StateInvalid(
            "this movement belongs to a document's step",
            field="kind",
            row=movement_id,
            remedy="correct the document, or count the shelf",
            facts={"document": found.document_id, "state": "posted"},
        )
    own = found.actor == actor and now - found.recorded_at <= undo_s
    if not own and not is_manager:
        raise ApprovalRequired(
            "only your own movements of the last ten minutes can be undone",
            field="movement_id",
            row=movement_id,
            remedy="ask a manager",
        )
    twice = select(MOVEMENTS.c.movement_id).where(MOVEMENTS.c.reverses == movement_id)
    if connection.execute(twice).first() is not None:
        raise AlreadyReversed("this movement is reversed already", row=movement_id)
    require_open(connection, found.occurred_at, now)
    new_id = derived_id(movement_id, "reverse")
    stamp = Stamp(found.occurred_at, now, actor, "", found.document_id)
    of: Row = dict(found._mapping)
    row = reverse(stamp, new_id, of)
    post(connection, [row, *rebases(connection, [row])], listeners=listeners)
    _take_value_back(connection, movement_id, new_id)
    _tell_document(connection, of)
    record_audit(
        connection,
        "movement.reverse",
        recorded_at=now,
        actor=actor,
        location=next((p for p in (row["to_location"], row["from_location"]) if is_real(p)), ""),
        subject=movement_id,
    )
    return new_id


def _take_value_back(connection: Connection, movement_id: str, new_id: str) -> None:
    """The reversal of a till's row has its price: what was taken is given back."""
    v = SALE_VALUES.c
    value = connection.execute(select(SALE_VALUES).where(v.movement_id == movement_id)).first()
    if value is not None:
        connection.execute(insert(SALE_VALUES), [{**value._mapping, "movement_id": new_id}])


def _tell_document(connection: Connection, of: Row) -> None:
    """The document behind a reversed row says the same as the ledger."""
    document = of["document_id"]
    if of["kind"] == MovementKind.WRITE_OFF:
        connection.execute(
            update(WRITE_OFFS).where(WRITE_OFFS.c.id == document).values(state="reversed")
        )
    elif of["kind"] in (MovementKind.CUSTOMER_RETURN, MovementKind.RETURN_TO_SUPPLIER):
        connection.execute(update(RETURNS).where(RETURNS.c.id == document).values(state="reversed"))
    elif of["kind"] == MovementKind.RECEIVE:
        p = PURCHASE_LINES.c
        changed = connection.execute(
            update(PURCHASE_LINES)
            .where(p.purchase_order_id == document, p.sku == of["sku"])
            .values(received=p.received - of["quantity"])
        )
        if changed.rowcount:
            connection.execute(
                update(PURCHASE_ORDERS)
                .where(PURCHASE_ORDERS.c.id == document, PURCHASE_ORDERS.c.state == "received")
                .values(state="partially_received", received_at=None)
            )
