"""Goods that leave without a plan: a store's return to its warehouse, shipped as it is."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, update

from ops_api.ledger.rows import Row, derived_id, row, transit
from ops_api.ledger.shelf import rebases
from ops_api.ledger.write import announce, post
from ops_api.transfers.documents import (
    Act,
    Draft,
    create_transfers,
    note_events,
    set_units,
)
from ops_api.transfers.tables import SHIPMENT_LOTS, TRANSFERS
from policies.domain.ledger import MovementKind

GoodsPart = tuple[str, str, str, int]
"""(SKU, lot, condition, units)."""


def send_back(
    connection: Connection,
    document: str,
    origin: str,
    destination: str,
    parts: Sequence[GoodsPart],
    act: Act,
) -> None:
    """A transfer of kind ``return`` that is on the road at once.

    Goods on the road have one condition; the warehouse says at the receipt which they are in.

    Raises
    ------
    InsufficientStock
    """
    units: dict[str, int] = {}
    for sku, _, _, quantity in parts:
        units[sku] = units.get(sku, 0) + quantity
    lines = tuple((sku, quantity, 0) for sku, quantity in sorted(units.items()))
    draft = Draft(document, origin, destination, lines, kind="return", source="return")
    create_transfers(connection, [draft], act)
    number = {sku: i for i, (sku, _, _) in enumerate(lines)}
    rows: list[Row] = [
        row(
            MovementKind.RETURN_TO_WAREHOUSE,
            act.stamp(document),
            derived_id(document, "return", i),
            sku,
            origin,
            transit(origin, destination),
            quantity,
            lot=lot,
            condition=condition,
        )
        for i, (sku, lot, condition, quantity) in enumerate(parts)
    ]
    post(connection, [*rows, *rebases(connection, rows)], listeners=act.listeners)
    by_lot: dict[tuple[int, str], int] = {}
    for sku, lot, _, quantity in parts:
        cell = (number[sku], lot)
        by_lot[cell] = by_lot.get(cell, 0) + quantity
    connection.execute(
        insert(SHIPMENT_LOTS),
        [
            {"transfer_id": document, "line": n, "lot": lot, "shipped": q, "settled": 0}
            for (n, lot), q in by_lot.items()
        ],
    )
    amounts = {number[sku]: quantity for sku, quantity in units.items()}
    for column in ("approved", "picked", "shipped"):
        set_units(connection, document, column, amounts)
    connection.execute(
        update(TRANSFERS)
        .where(TRANSFERS.c.id == document)
        .values(
            state="shipped",
            approved_at=act.recorded_at,
            approved_by=act.actor,
            shipped_at=act.occurred_at,
            version=TRANSFERS.c.version + 1,
        )
    )
    note_events(connection, [document], "shipped", act)
    announce(
        connection,
        "transfer.shipped",
        {"transfer": document},
        recorded_at=act.recorded_at,
        location=destination,
    )
