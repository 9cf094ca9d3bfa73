"""The life of a transfer: proposed → reserved → picking → shipped → received → closed.

A transfer asks and may be refused; what was received has happened and is always
recorded. Goods on the road are a place of the ledger, so at each step both books and
what is in transit agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, insert, update

from ops_api.errors import SelfApproval
from ops_api.ledger import rows as made
from ops_api.ledger.rows import derived_id
from ops_api.ledger.shelf import rebases
from ops_api.ledger.write import announce, move_balances, post, record_audit
from ops_api.lots.picking import first_out, named_lot, stacks
from ops_api.tasks.service import OVER_SHORT, TaskDraft, open_tasks
from ops_api.transfers.documents import (
    PLANNER,
    Act,
    add_units,
    move_to,
    open_lots,
    require_state,
    set_units,
    settle,
    transfer_head,
    transfer_lines,
)
from ops_api.transfers.packing import packed_lines
from ops_api.transfers.reserving import (
    Part,
    forget,
    held_keys,
    held_rows,
    reserve_lines,
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
    granted = reserve_lines(
        connection, head, lines, wanted, act.occurred_at, takes_what_is_there=takes_what_is_there
    )
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
    require_state(head, ("proposed", "reserved", "picking", "packed"))
    release = held_keys(held_rows(connection, document))
    if release:
        move_balances(connection, {}, release)
    forget(connection, document)
    move_to(connection, head, "cancelled", act, closed_at=act.recorded_at)


def ship(
    connection: Connection,
    document: str,
    act: Act,
    shipped: dict[str, int] | None = None,
    *,
    lots: Sequence[tuple[str, str, int]] | None = None,
) -> None:
    """Goods leave the origin.

    Parameters
    ----------
    shipped : units by SKU; default what is still reserved, which a sale of promised
        goods or a count may have made less than what was approved
    lots : (SKU, lot, units) as the picker scanned them, instead of `shipped`

    Raises
    ------
    StateInvalid, InsufficientStock, UnknownSku, LotOnHold, LotExpired, ShelfLifeTooShort
    """
    head = transfer_head(connection, document)
    require_state(head, ("reserved", "picking", "packed"))
    lines = transfer_lines(connection, document)
    held = held_rows(connection, document)
    cartons = packed_lines(connection, document) if head.state == "packed" else []
    if cartons and shipped is None and lots is None:
        boxes = [(row.line, row.sku, row.lot, row.quantity, row.sscc) for row in cartons]
    else:
        parts = _parts_to_ship(connection, head, lines, held, act, shipped, lots)
        boxes = [(*part, "") for part in parts]
    stamp = act.stamp(document)
    rows = [
        made.ship(
            stamp,
            derived_id(document, "ship", line, *([lot] if lot or sscc else []), *_some(sscc)),
            sku,
            head.origin,
            head.destination,
            units,
            lot=lot,
            sscc=sscc,
        )
        for line, sku, lot, units, sscc in boxes
    ]
    release = held_keys(held)
    moved = [*rows, *rebases(connection, rows)]
    if moved:
        post(connection, moved, release=release, listeners=act.listeners)
    else:
        move_balances(connection, {}, release)
    forget(connection, document)
    amounts = dict.fromkeys((line.line for line in lines), 0)
    by_lot: dict[tuple[int, str], int] = {}
    for line, _, lot, units, _ in boxes:
        amounts[line] += units
        by_lot[line, lot] = by_lot.get((line, lot), 0) + units
    set_units(connection, document, "shipped", amounts)
    set_units(connection, document, "picked", amounts)
    if by_lot:
        connection.execute(
            insert(SHIPMENT_LOTS),
            [
                {"transfer_id": document, "line": n, "lot": lot, "shipped": q, "settled": 0}
                for (n, lot), q in by_lot.items()
            ],
        )
    move_to(connection, head, "shipped" if rows else "closed", act, shipped_at=act.occurred_at)
    _tell_shipped(connection, head, act)


def _some(text: str) -> list[str]:
    return [text] if text else []


def _tell_shipped(connection: Connection, head: Any, act: Act) -> None:
    record_audit(
        connection,
        "transfer.ship",
        recorded_at=act.recorded_at,
        actor=act.actor,
        device=act.device,
        location=head.origin,
        subject=head.id,
    )
    announce(
        connection,
        "transfer.shipped",
        {"transfer": head.id},
        recorded_at=act.recorded_at,
        location=head.destination,
    )


def _parts_to_ship(
    connection: Connection,
    head: Any,
    lines: list[Any],
    held: list[Any],
    act: Act,
    shipped: dict[str, int] | None,
    lots: Sequence[tuple[str, str, int]] | None,
) -> list[Part]:
    """Which lots leave: as scanned, else the reserved ones, else the first to expire."""
    by_sku = {line.sku: line.line for line in lines}
    if lots is None and shipped is None:
        merged: dict[tuple[int, str, str], int] = {}
        for row in held:
            cell = (row.line, row.sku, row.lot)
            merged[cell] = merged.get(cell, 0) + row.quantity
        return [(*cell, units) for cell, units in merged.items()]
    asked = [sku for sku, _, _ in lots] if lots is not None else list(shipped or {})
    for sku in asked:
        if sku not in by_sku:
            raise UnknownSku(f"transfer {head.id} has no SKU {sku!r}", field="sku", row=sku)
    heaps = stacks(connection, head.origin, asked, act.occurred_at)
    if lots is not None:
        for sku, lot, _ in lots:
            named_lot(sku, lot, heaps.get(sku, []))
        return [(by_sku[sku], sku, lot, units) for sku, lot, units in lots if units > 0]
    # What is promised to this very transfer is free for it.
    own = {(row.sku, row.lot): row.quantity for row in held}
    out: list[Part] = []
    for sku, units in (shipped or {}).items():
        heap = [
            replace(stack, free=stack.free + own.get((sku, stack.lot), 0))
            for stack in heaps.get(sku, [])
        ]
        taken = first_out(head.origin, sku, units, heap)
        out += [(by_sku[sku], sku, lot, part) for lot, part in taken]
    return out


def close(connection: Connection, document: str, act: Act) -> None:
    """Close a received transfer; what never came is closed short into LOSS."""
    head = transfer_head(connection, document)
    require_state(head, ("shipped", "partially_received", "received"))
    skus = {line.line: line.sku for line in transfer_lines(connection, document)}
    stamp = act.stamp(document)
    missing = open_lots(connection, document)
    rows = [
        made.close_short(
            stamp,
            derived_id(document, "close_short", line, *([lot] if lot else [])),
            skus[line],
            head.origin,
            head.destination,
            units,
            lot=lot,
        )
        for (line, lot), units in missing.items()
    ]
    post(connection, rows, listeners=act.listeners)
    settle(connection, document, missing)
    short: dict[int, int] = {}
    for (line, _), units in missing.items():
        short[line] = short.get(line, 0) + units
    add_units(connection, document, "closed_short", short)
    drafts = [
        TaskDraft(OVER_SHORT, place, skus[line], document)
        for line in short
        for place in (head.origin, head.destination)
    ]
    open_tasks(connection, drafts, at=act.recorded_at, cause=f"{document}:close")
    move_to(connection, head, "closed", act, closed_at=act.recorded_at)
