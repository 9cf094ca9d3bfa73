"""Taking a scan back: a receipt of the last minutes goes back on the road."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from ops_api.errors import AlreadyReversed, ApprovalRequired
from ops_api.ledger.rows import Row, derived_id, reverse
from ops_api.ledger.schema import MOVEMENTS
from ops_api.ledger.shelf import rebases
from ops_api.ledger.write import post, record_audit
from ops_api.transfers.arrivals import lot_part_id
from ops_api.transfers.documents import (
    Act,
    add_units,
    move_to,
    require_state,
    settle,
    transfer_head,
    transfer_lines,
)
from ops_api.transfers.tables import SHIPMENT_LOTS
from policies.domain.ledger import MovementKind

_COLUMNS = {"": "received_good", "damaged": "received_damaged", "over": "received_over"}


def is_receipt(connection: Connection, event_id: str) -> bool:
    """Whether the event received units of a transfer, surplus alone included."""
    return bool(_parts(connection, event_id))


def take_back(connection: Connection, event_id: str, act: Act, undo_s: int) -> dict[str, Any]:
    """Undo one's own receipt: stock, road and the transfer's line as before the scan.

    Raises
    ------
    ApprovalRequired
        Another's receipt, or one older than `undo_s`.
    AlreadyReversed, StateInvalid, InsufficientStock
    """
    parts = _parts(connection, event_id)
    first = parts[0][1]
    if first.actor != act.actor or act.recorded_at - first.recorded_at > undo_s:
        raise ApprovalRequired(
            "only your own receipts of the last ten minutes can be taken back",
            field="of",
            row=event_id,
            remedy="ask a manager to correct the delivery",
        )
    ids = [part.movement_id for _, part in parts]
    twice = select(MOVEMENTS.c.movement_id).where(MOVEMENTS.c.reverses.in_(ids))
    if connection.execute(twice).first() is not None:
        raise AlreadyReversed("this receipt is taken back already", row=event_id)
    document = str(first.document_id)
    head = transfer_head(connection, document)
    require_state(head, ("partially_received", "received"))
    stamp = act.stamp(document)
    rows: list[Row] = [
        reverse(stamp, derived_id(part.movement_id, "reverse"), dict(part._mapping))
        for _, part in parts
    ]
    post(connection, [*rows, *rebases(connection, rows)], listeners=act.listeners)
    lines = {line.sku: line.line for line in transfer_lines(connection, document)}
    for name, part in parts:
        line = lines[part.sku]
        add_units(connection, document, _COLUMNS[name], {line: -part.quantity})
        if name != "over":
            settle(connection, document, {(line, part.lot): -part.quantity})
    move_to(connection, head, "partially_received", act, received_at=None)
    record_audit(
        connection,
        "transfer.take_back",
        recorded_at=act.recorded_at,
        actor=act.actor,
        device=act.device,
        location=head.destination,
        subject=document,
    )
    return {"id": document, "state": "partially_received", "reverses": event_id}


def _parts(connection: Connection, event_id: str) -> list[tuple[str, Any]]:
    """The receipt's movements, each with its condition; a scan may be of several lots."""
    names = {derived_id(event_id, name) if name else event_id: name for name in _COLUMNS}
    out = _rows_of(connection, names)
    if not out:
        return []
    lots = connection.execute(
        select(SHIPMENT_LOTS.c.lot).where(SHIPMENT_LOTS.c.transfer_id == out[0][1].document_id)
    )
    further = {lot_part_id(base, row.lot): name for row in lots for base, name in names.items()}
    return out + _rows_of(connection, further)


def _rows_of(connection: Connection, names: dict[str, str]) -> list[tuple[str, Any]]:
    found = connection.execute(select(MOVEMENTS).where(MOVEMENTS.c.movement_id.in_(list(names))))
    kinds = {"over": MovementKind.ADJUST}
    return [
        (names[row.movement_id], row)
        for row in found
        if row.kind == kinds.get(names[row.movement_id], MovementKind.RECEIVE_TRANSFER)
    ]
