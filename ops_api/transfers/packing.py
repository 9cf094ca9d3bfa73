"""Packing: what is reserved goes into cartons, each under its own SSCC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from ops_api.errors import InsufficientStock, StateInvalid
from ops_api.ledger.rows import derived_id
from ops_api.ledger.write import record_audit
from ops_api.lots.rules import Dated
from ops_api.transfers.arrivals import Arrival
from ops_api.transfers.documents import Act, move_to, require_state, transfer_head, transfer_lines
from ops_api.transfers.reserving import held_rows
from ops_api.transfers.tables import CARTON_LINES, CARTONS
from ops_api.web.registry import unknown_document
from policies.domain.errors import UnknownSku
from policies.domain.identifiers import make_sscc

Content = Sequence[tuple[str, str, int]]
"""(SKU, lot or "", units) of one carton."""


def pack(
    connection: Connection, document: str, cartons: Sequence[Content], act: Act, prefix: str
) -> list[str]:
    """Pack reserved goods; returns the cartons' numbers. What is not packed stays back.

    Parameters
    ----------
    prefix : GS1 company prefix of the chain

    Raises
    ------
    StateInvalid, UnknownSku
    InsufficientStock
        More is packed than is reserved.
    """
    head = transfer_head(connection, document)
    require_state(head, ("reserved", "picking"))
    number = {line.sku: line.line for line in transfer_lines(connection, document)}
    free = {(row.sku, row.lot): row.quantity for row in held_rows(connection, document)}
    last = connection.execute(select(func.max(CARTONS.c.serial))).scalar() or 0
    names: list[str] = []
    lines: list[dict[str, Any]] = []
    for i, content in enumerate(cartons):
        sscc = make_sscc(0, prefix, last + 1 + i)
        names.append(sscc)
        inside: dict[tuple[str, str], int] = {}
        for sku, lot, units in content:
            if sku not in number:
                raise UnknownSku(f"transfer {document} has no SKU {sku!r}", field="sku", row=sku)
            for name, part in _take(free, sku, lot, units, head.origin):
                inside[sku, name] = inside.get((sku, name), 0) + part
        lines += [
            {"sscc": sscc, "line": number[sku], "lot": lot, "sku": sku, "quantity": units}
            for (sku, lot), units in inside.items()
        ]
    connection.execute(
        insert(CARTONS),
        [
            {"sscc": sscc, "serial": last + 1 + i, "transfer_id": document, "received_at": None}
            for i, sscc in enumerate(names)
        ],
    )
    connection.execute(insert(CARTON_LINES), lines)
    move_to(connection, head, "packed", act)
    record_audit(
        connection,
        "transfer.pack",
        recorded_at=act.recorded_at,
        actor=act.actor,
        device=act.device,
        location=head.origin,
        subject=document,
        detail={"cartons": names[:100]},
    )
    return names


def packed_lines(connection: Connection, document: str) -> list[Any]:
    """Rows (sscc, line, lot, sku, quantity) of a transfer's cartons."""
    return list(
        connection.execute(
            select(CARTON_LINES)
            .join_from(CARTON_LINES, CARTONS, CARTONS.c.sscc == CARTON_LINES.c.sscc)
            .where(CARTONS.c.transfer_id == document)
            .order_by(CARTON_LINES.c.sscc, CARTON_LINES.c.line, CARTON_LINES.c.lot)
        )
    )


def open_cartons(
    connection: Connection, document: str, names: Sequence[str], act: Act
) -> list[Arrival]:
    """What came in whole cartons; each is received once.

    Raises
    ------
    UnknownDocument, StateInvalid
    """
    c = CARTONS.c
    found = {
        row.sscc: row
        for row in connection.execute(
            select(CARTONS).where(c.transfer_id == document, c.sscc.in_(list(names)))
        )
    }
    for name in names:
        if name not in found:
            raise unknown_document(name)
        if found[name].received_at is not None:
            raise StateInvalid(
                f"carton {name} is received already",
                field="cartons",
                row=name,
                remedy="look for the other cartons of the transfer",
                facts={"document": name, "state": "received"},
            )
    connection.execute(
        update(CARTONS).where(c.sscc.in_(list(names))).values(received_at=act.occurred_at)
    )
    return [
        Arrival(derived_id(row.sscc, row.line, row.lot), row.sku, row.quantity, 0, Dated(row.lot))
        for row in packed_lines(connection, document)
        if row.sscc in found
    ]


def carton_of(connection: Connection, sscc: str) -> dict[str, Any] | None:
    """A carton's transfer, content and whether it came; None where it is not ours."""
    head = connection.execute(select(CARTONS).where(CARTONS.c.sscc == sscc)).first()
    if head is None:
        return None
    rows = connection.execute(select(CARTON_LINES).where(CARTON_LINES.c.sscc == sscc))
    return {
        "document": head.transfer_id,
        "received": head.received_at is not None,
        "content": [{"sku": row.sku, "lot": row.lot, "quantity": row.quantity} for row in rows],
    }


def _take(
    free: dict[tuple[str, str], int], sku: str, lot: str, units: int, place: str
) -> list[tuple[str, int]]:
    """Lots that fill `units` out of what is reserved, which then is less."""
    out, left = [], units
    for (name, reserved_lot), there in free.items():
        part = min(left, there) if name == sku and lot in ("", reserved_lot) else 0
        if part > 0:
            free[name, reserved_lot] = there - part
            out.append((reserved_lot, part))
            left -= part
    if left:
        raise InsufficientStock(
            f"{units} of SKU {sku} are packed, {units - left} are reserved",
            field="quantity",
            row=sku,
            remedy="approve more, or pack less",
            facts={"location": place, "sku": sku, "free": units - left, "wanted": units},
        )
    return out
