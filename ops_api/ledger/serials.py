"""A serial item is in at most one place: where it is now, kept beside the ledger's rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from ops_api.errors import SerialElsewhere
from ops_api.ledger.rows import ACTUAL, Row, has_balance
from ops_api.ledger.schema import SERIALS

OUTSIDE = ""
"""With a supplier, a customer, or lost."""


def place_serials(connection: Connection, rows: Sequence[Row]) -> None:
    """Move the serials of `rows`, in their order.

    Raises
    ------
    SerialElsewhere
        A serial is not where its row takes it from; the transaction must end.
    """
    for row in rows:
        if not row["serial"] or row["run_id"] != ACTUAL or row["visibility"] != 0:
            continue
        origin = row["from_location"] if has_balance(row["from_location"]) else OUTSIDE
        goal = row["to_location"] if has_balance(row["to_location"]) else OUTSIDE
        found = serial_of(connection, row["sku"], row["serial"])
        at = found.location if found is not None else OUTSIDE
        if at != origin:
            raise elsewhere(row["sku"], row["serial"], at)
        values = {"location": goal, "movement_id": row["movement_id"]}
        s = SERIALS.c
        if found is None:
            connection.execute(
                insert(SERIALS).values(sku=row["sku"], serial=row["serial"], **values)
            )
        else:
            connection.execute(
                update(SERIALS)
                .where(s.sku == row["sku"], s.serial == row["serial"])
                .values(**values)
            )


def serial_of(connection: Connection, sku: str, serial: str) -> Any:
    """Where a serial is, locked for the transaction; None if it was never seen."""
    s = SERIALS.c
    return connection.execute(
        select(SERIALS).where(s.sku == sku, s.serial == serial).with_for_update()
    ).first()


def elsewhere(sku: str, serial: str, at: str) -> SerialElsewhere:
    """The refusal, with the place the book knows."""
    return SerialElsewhere(
        f"serial {serial} of SKU {sku} is recorded {'at ' + at if at else 'outside of the chain'}",
        field="serial",
        row=serial,
        remedy="check the serial; if it is right, correct the document it was moved by",
        facts={"sku": sku, "serial": serial, "location": at},
    )
