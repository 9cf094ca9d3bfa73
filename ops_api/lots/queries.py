"""Lots by expiry, and where a lot came from and went."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from ops_api.clock import iso
from ops_api.ledger.rows import ACTUAL, is_real, is_transit
from ops_api.ledger.schema import BALANCES, MOVEMENTS
from ops_api.lots.rules import date_of
from ops_api.masterdata.tables import LOTS
from ops_api.purchasing.tables import PURCHASE_ORDERS
from policies.domain.ledger import MovementKind


def list_lots(
    connection: Connection,
    *,
    sku: str,
    place: str,
    expires_before: int | None,
    on_hold: bool | None,
    reach: frozenset[str] | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Lots that lie somewhere within reach, the first to expire first, with units by place."""
    b, l = BALANCES.c, LOTS.c  # noqa: E741
    query = (
        select(LOTS, b.location, func.sum(b.on_hand).label("units"))
        .join_from(LOTS, BALANCES, (b.sku == l.sku) & (b.lot == l.lot))
        .where(b.on_hand > 0)
        .group_by(*LOTS.c, b.location)
        .order_by(l.expires_on, l.sku, l.lot, b.location)
        .limit(limit)
    )
    if sku:
        query = query.where(l.sku == sku)
    if place:
        query = query.where(b.location == place)
    if expires_before is not None:
        query = query.where(l.expires_on < expires_before)
    if on_hold is not None:
        query = query.where(l.on_hold.is_(on_hold))
    if reach is not None:
        query = query.where(b.location.in_(sorted(reach)))
    return [
        {
            "sku": row.sku,
            "lot": row.lot,
            "location": row.location,
            "units": int(row.units),
            "expires_on": date_of(row.expires_on),
            "produced_on": date_of(row.produced_on),
            "on_hold": bool(row.on_hold),
            "hold_reason": row.hold_reason,
            "recalled_at": iso(row.recalled_at),
            "version": row.version,
        }
        for row in connection.execute(query)
        if not is_transit(row.location) or place
    ]


def trace(connection: Connection, sku: str, lot: str) -> dict[str, Any]:
    """Upstream: receipts of the lot with their suppliers. Downstream: where each unit is.

    Returns
    -------
    dict
        ``upstream`` receipts, ``downstream`` units by place and by how they left,
        ``movements`` each step in the order it happened.
    """
    m = MOVEMENTS.c
    rows = connection.execute(
        select(MOVEMENTS)
        .where(m.sku == sku, m.lot == lot, m.run_id == ACTUAL, m.visibility == 0)
        .order_by(m.occurred_at, m.seq)
    ).all()
    receipts = [row for row in rows if row.kind == MovementKind.RECEIVE]
    suppliers = {
        row.id: row.supplier
        for row in connection.execute(
            select(PURCHASE_ORDERS.c.id, PURCHASE_ORDERS.c.supplier).where(
                PURCHASE_ORDERS.c.id.in_([row.document_id for row in receipts])
            )
        )
    }
    now: dict[str, int] = {}
    left: dict[str, dict[str, int]] = {}
    for row in rows:
        for place, sign in ((row.from_location, -1), (row.to_location, 1)):
            if is_real(place) or is_transit(place):
                now[place] = now.get(place, 0) + sign * row.quantity
        if is_real(row.from_location) and not is_real(row.to_location):
            if is_transit(row.to_location):
                continue
            kinds = left.setdefault(row.from_location, {})
            name = row.to_location.lower()
            kinds[name] = kinds.get(name, 0) + row.quantity
    return {
        "upstream": [
            {
                "location": row.to_location,
                "supplier": suppliers.get(row.document_id, ""),
                "document": row.document_id,
                "units": row.quantity,
                "occurred_at": iso(row.occurred_at),
            }
            for row in receipts
        ],
        "downstream": {
            "here": {place: units for place, units in sorted(now.items()) if units},
            "left": left,
        },
        "movements": [
            {
                "movement_id": row.movement_id,
                "kind": MovementKind(row.kind).name.lower(),
                "from": row.from_location,
                "to": row.to_location,
                "units": row.quantity,
                "document": row.document_id,
                "occurred_at": iso(row.occurred_at),
            }
            for row in rows
        ],
    }
