"""The life of a transfer: proposed → reserved → picking → shipped → received → closed.

A transfer asks and may be refused; what was received has happened and is always
recorded. Goods on the road are a place of the ledger, so at each step both books and
what is in transit agree.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from ops_api.errors import InsufficientStock, SelfApproval
from ops_api.ledger import rows as made
from ops_api.ledger.rows import derived_id
from ops_api.ledger.schema import BALANCES, RESERVATIONS
from ops_api.ledger.shelf import rebases
from ops_api.ledger.write import (
    Key,
    announce,
    balance,
    move_balances,
    post,
    record_audit,
)
from ops_api.transfers.documents import (
    PLANNER,
    Act,
    add_units,
    move_to,
    require_state,
    set_units,
    transfer_head,
    transfer_lines,
)
from ops_api.transfers.tables import SHIPMENT_LOTS, TRANSFER_LINES
from policies.domain.errors import UnknownSku


def approve(
    connection: Connection,
    document: str,
    act: Act,
    *,
    quantities: dict[int, int] | None = None,
    takes_what_is_there: bool = False,
) -> None:
    """Approve and reserve at the origin.

    Parameters
    ----------
    quantities : units by line where they differ from what was proposed
    takes_what_is_there : cut lines to what is free instead of refusing (nightly plan)

    Raises
    ------
    SelfApproval, StateInvalid, InsufficientStock
    """
    head = transfer_head(connection, document)
    require_state(head, ("proposed",))
    if head.created_by == act.actor and head.created_by != PLANNER:
        raise SelfApproval(
            "nobody approves a transfer of their own",
            field="approved_by",
            row=document,
            remedy="ask a colleague",
        )
    lines = transfer_lines(connection, document)
    wanted = {line.line: (quantities or {}).get(line.line, line.proposed) for line in lines}
    granted = _reserve(connection, head, lines, wanted, takes_what_is_there=takes_what_is_there)
    connection.execute(
        update(TRANSFER_LINES)
        .where(TRANSFER_LINES.c.transfer_id == document, TRANSFER_LINES.c.line == bindparam("b"))
        .values(approved=bindparam("q")),
        [{"b": line, "q": units} for line, units in granted.items()],
    )
    move_to(connection, head, "reserved", act, approved_at=act.recorded_at, approved_by=act.actor)
    announce(
        connection,
        "transfer.approved",
        {"transfer": document},
        recorded_at=act.recorded_at,
        location=head.origin,
    )


def pick(connection: Connection, document: str, act: Act) -> None:
    """Picking has begun."""
    head = transfer_head(connection, document)
    require_state(head, ("reserved",))
    move_to(connection, head, "picking", act)


def cancel(connection: Connection, document: str, act: Act) -> None:
    """Cancel before shipping; reservations are released."""
    head = transfer_head(connection, document)
    require_state(head, ("proposed", "reserved", "picking"))
    release = _held(connection, document)
    if release:
        move_balances(connection, {}, release)
    connection.execute(delete(RESERVATIONS).where(RESERVATIONS.c.document_id == document))
    move_to(connection, head, "cancelled", act, closed_at=act.recorded_at)


def ship(
    connection: Connection, document: str, act: Act, shipped: dict[str, int] | None = None
) -> None:
    """Goods leave the origin.

    Parameters
    ----------
    shipped : units by SKU; default what is still reserved, which a sale of promised
        goods or a count may have made less than what was approved

    Raises
    ------
    StateInvalid, InsufficientStock, UnknownSku
    """
    head = transfer_head(connection, document)
    require_state(head, ("reserved", "picking"))
    lines = transfer_lines(connection, document)
    held = dict.fromkeys((line.line for line in lines), 0)
    for row in connection.execute(
        select(RESERVATIONS.c.line, RESERVATIONS.c.quantity).where(
            RESERVATIONS.c.document_id == document
        )
    ):
        held[row.line] += row.quantity
    amounts = held
    if shipped is not None:
        by_sku = {line.sku: line.line for line in lines}
        for sku in shipped:
            if sku not in by_sku:
                raise UnknownSku(f"transfer {document} has no SKU {sku!r}", field="sku", row=sku)
        amounts = {line.line: shipped.get(line.sku, 0) for line in lines}
    release = _held(connection, document)
    stamp = act.stamp(document)
    rows = [
        made.ship(
            stamp,
            derived_id(document, "ship", line.line),
            line.sku,
            head.origin,
            head.destination,
            amounts[line.line],
        )
        for line in lines
        if amounts[line.line] > 0
    ]
    moved = [*rows, *rebases(connection, rows)]
    if moved:
        post(connection, moved, release=release, listeners=act.listeners)
    else:
        move_balances(connection, {}, release)
    connection.execute(delete(RESERVATIONS).where(RESERVATIONS.c.document_id == document))
    set_units(connection, document, "shipped", amounts)
    set_units(connection, document, "picked", amounts)
    if rows:
        connection.execute(
            insert(SHIPMENT_LOTS),
            [
                {"transfer_id": document, "line": n, "lot": "", "shipped": q, "settled": 0}
                for n, q in amounts.items()
                if q > 0
            ],
        )
    state = "shipped" if rows else "closed"
    move_to(connection, head, state, act, shipped_at=act.occurred_at)
    record_audit(
        connection,
        "transfer.ship",
        recorded_at=act.recorded_at,
        actor=act.actor,
        device=act.device,
        location=head.origin,
        subject=document,
    )
    announce(
        connection,
        "transfer.shipped",
        {"transfer": document},
        recorded_at=act.recorded_at,
        location=head.destination,
    )


def close(connection: Connection, document: str, act: Act) -> None:
    """Close a received transfer; what never came is closed short into LOSS."""
    head = transfer_head(connection, document)
    require_state(head, ("shipped", "partially_received", "received"))
    lines = transfer_lines(connection, document)
    stamp = act.stamp(document)
    short = {
        line.line: line.shipped - line.received_good - line.received_damaged - line.closed_short
        for line in lines
    }
    rows = [
        made.close_short(
            stamp,
            derived_id(document, "close_short", line.line),
            line.sku,
            head.origin,
            head.destination,
            short[line.line],
        )
        for line in lines
        if short[line.line] > 0
    ]
    post(connection, rows, listeners=act.listeners)
    add_units(connection, document, "closed_short", {n: q for n, q in short.items() if q > 0})
    move_to(connection, head, "closed", act, closed_at=act.recorded_at)


def _reserve(
    connection: Connection,
    head: Any,
    lines: list[Any],
    wanted: dict[int, int],
    *,
    takes_what_is_there: bool,
) -> dict[int, int]:
    """Units granted by line, reserved in sorted key order."""
    granted: dict[int, int] = {}
    held = []
    for line in sorted(lines, key=lambda one: one.sku):
        units = wanted[line.line]
        on_hand, reserved = balance(connection, (head.origin, line.sku, "", "good"))
        free = on_hand - reserved
        if free < units:
            if not takes_what_is_there:
                raise InsufficientStock(
                    f"{head.origin} has {free} free of SKU {line.sku}, {units} were asked",
                    field="quantity",
                    row=line.sku,
                    remedy=f"approve at most {free}",
                    facts={
                        "location": head.origin,
                        "sku": line.sku,
                        "free": free,
                        "wanted": units,
                    },
                )
            units = max(free, 0)
        granted[line.line] = units
        if units:
            held.append({"k": line.sku, "q": units, "n": line.line})
    if held:
        done = connection.execute(
            update(BALANCES)
            .where(
                BALANCES.c.location == head.origin,
                BALANCES.c.sku == bindparam("k"),
                BALANCES.c.lot == "",
                BALANCES.c.condition == "good",
                BALANCES.c.on_hand - BALANCES.c.reserved >= bindparam("q"),
            )
            .values(reserved=BALANCES.c.reserved + bindparam("q")),
            [{"k": one["k"], "q": one["q"]} for one in held],
        )
        if done.rowcount != len(held):
            raise InsufficientStock("stock went meanwhile", field="quantity", row=head.id)
        connection.execute(
            insert(RESERVATIONS),
            [
                {
                    "document_id": head.id,
                    "line": one["n"],
                    "location": head.origin,
                    "sku": one["k"],
                    "lot": "",
                    "quantity": one["q"],
                }
                for one in held
            ],
        )
    return granted


def _held(connection: Connection, document: str) -> dict[Key, int]:
    """Reserved units per balance row of a document."""
    r = RESERVATIONS.c
    found = connection.execute(
        select(r.location, r.sku, r.lot, r.quantity).where(
            r.document_id == document, r.quantity > 0
        )
    )
    return {(place, sku, lot, "good"): quantity for place, sku, lot, quantity in found}
