"""At the door: what a supplier brings is checked before it is received."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from ops_api.errors import ShelfLifeTooShort
from ops_api.lots.rules import (
    Dated,
    business_day,
    check_lot,
    dated_of,
    lot_of,
    note_lot,
    receipt_days,
    rules,
)
from ops_api.masterdata.service import require_skus
from policies.domain.errors import InvalidInput

if TYPE_CHECKING:
    from ops_api.transfers.arrivals import Arrival
    from ops_api.transfers.documents import Act


def admit(
    connection: Connection, arrivals: Sequence[Arrival], act: Act, *, accepts_short: bool
) -> list[Dated]:
    """The lot of each arrival, noted the first time it is seen.

    Parameters
    ----------
    accepts_short : a manager takes goods with fewer days left than the rule asks

    Raises
    ------
    LotRequired, LotOnHold, LotExpired, ShelfLifeTooShort, InvalidInput
    """
    skus = require_skus(connection, [arrival.sku for arrival in arrivals])
    known = rules(connection)
    today = business_day(connection, act.occurred_at)
    out = []
    for arrival in arrivals:
        sku = skus[arrival.sku]
        if sku.serial_tracked or arrival.serial:
            _check_serial(arrival, is_tracked=bool(sku.serial_tracked))
        dated = dated_of(connection, sku, arrival.dated)
        if arrival.good:
            row = lot_of(connection, sku.id, dated.lot) if dated.lot else None
            days = receipt_days(known, sku.category, sku.shelf_life_days)
            try:
                check_lot(sku.id, dated, today, days, on_hold=row is not None and bool(row.on_hold))
            except ShelfLifeTooShort:
                if not accepts_short:
                    raise
        note_lot(connection, sku.id, dated)
        out.append(dated)
    return out


def _check_serial(arrival: Arrival, *, is_tracked: bool) -> None:
    units = arrival.good + arrival.damaged
    if is_tracked and not arrival.serial:
        raise InvalidInput(
            f"SKU {arrival.sku} is followed by serial",
            field="serial",
            row=arrival.sku,
            remedy="scan the serial of each item, one line per item",
        )
    if units != 1:
        raise InvalidInput(
            f"a serial is one item, the line has {units}",
            field="good",
            row=arrival.sku,
            remedy="send one line per serial",
        )
