"""Promises of a transfer: which lots of the origin are kept for it, and set free again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from ops_api.errors import InsufficientStock
from ops_api.ledger.schema import BALANCES, RESERVATIONS
from ops_api.ledger.write import Key
from ops_api.lots.picking import first_out, stacks

Part = tuple[int, str, str, int]
"""(line, SKU, lot, units)."""


def reserve_lines(
    connection: Connection,
    head: Any,
    lines: list[Any],
    wanted: dict[int, int],
    at: int,
    *,
    takes_what_is_there: bool,
) -> dict[int, int]:
    """Units granted by line, reserved by lot: the first to expire first, in sorted key order."""
    heaps = stacks(connection, head.origin, [line.sku for line in lines], at)
    granted: dict[int, int] = {}
    parts: list[Part] = []
    for line in lines:
        taken = first_out(
            head.origin,
            line.sku,
            wanted[line.line],
            heaps.get(line.sku, []),
            at_most=takes_what_is_there,
        )
        granted[line.line] = sum(units for _, units in taken)
        parts += [(line.line, line.sku, lot, units) for lot, units in taken]
    hold(connection, head.id, head.origin, parts)
    return granted


def hold(connection: Connection, document: str, place: str, parts: list[Part]) -> None:
    """Reserve parts for a document.

    Raises
    ------
    InsufficientStock
        Another took them in between.
    """
    if not parts:
        return
    parts = sorted(parts, key=lambda part: (part[1], part[2], part[0]))
    done = connection.execute(
        update(BALANCES)
        .where(
            BALANCES.c.location == place,
            BALANCES.c.sku == bindparam("k"),
            BALANCES.c.lot == bindparam("l"),
            BALANCES.c.condition == "good",
            BALANCES.c.on_hand - BALANCES.c.reserved >= bindparam("q"),
        )
        .values(reserved=BALANCES.c.reserved + bindparam("q")),
        [{"k": sku, "l": lot, "q": units} for _, sku, lot, units in parts],
    )
    if done.rowcount != len(parts):
        raise InsufficientStock(
            "stock went meanwhile", field="quantity", row=document, remedy="look at it again"
        )
    connection.execute(
        insert(RESERVATIONS),
        [
            {
                "document_id": document,
                "line": line,
                "location": place,
                "sku": sku,
                "lot": lot,
                "quantity": units,
            }
            for line, sku, lot, units in parts
        ],
    )


def held_rows(connection: Connection, document: str) -> list[Any]:
    """Open reservation rows of a document."""
    r = RESERVATIONS.c
    return list(
        connection.execute(
            select(RESERVATIONS)
            .where(r.document_id == document, r.quantity > 0)
            .order_by(r.sku, r.lot, r.line)
        )
    )


def held_keys(rows: list[Any]) -> dict[Key, int]:
    """Reserved units per balance row."""
    out: dict[Key, int] = {}
    for row in rows:
        key = (row.location, row.sku, row.lot, "good")
        out[key] = out.get(key, 0) + row.quantity
    return out


def forget(connection: Connection, document: str) -> None:
    """The document holds nothing any more."""
    connection.execute(delete(RESERVATIONS).where(RESERVATIONS.c.document_id == document))
