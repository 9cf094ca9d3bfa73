"""Opening stock by hand: where the book of a shelf begins."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection, select

from ops_api.errors import AlreadyExists
from ops_api.ledger.rows import Stamp, derived_id, open_stock
from ops_api.ledger.schema import MOVEMENTS
from ops_api.ledger.write import post, record_audit
from ops_api.masterdata.service import require_location, require_skus
from ops_api.web.body import Strict
from ops_api.web.fields import Identifier, Units
from policies.domain.ledger import MovementKind


class OpeningLine(Strict):
    """Units of a SKU at a location."""

    location: Identifier
    sku: Identifier
    quantity: Units


class Opening(Strict):
    """Opening stock; each location and SKU once."""

    lines: Annotated[list[OpeningLine], Field(min_length=1, max_length=5_000)]


def open_shelves(
    connection: Connection, lines: list[tuple[str, str, int]], now: int, actor: str
) -> int:
    """Post opening stock of (location, sku, units); returns the number of rows.

    Raises
    ------
    AlreadyExists
        If a cell has its opening stock: a count corrects it.
    """
    require_skus(connection, [sku for _, sku, _ in lines])
    places = sorted({place for place, _, _ in lines})
    for place in places:
        require_location(connection, place)
    m = MOVEMENTS.c
    opened = connection.execute(
        select(m.to_location, m.sku).where(
            m.kind == int(MovementKind.OPENING), m.to_location.in_(places), m.run_id == "actual"
        )
    )
    taken = {(row.to_location, row.sku) for row in opened}
    for row, (place, sku, _) in enumerate(lines):
        if (place, sku) in taken:
            raise AlreadyExists(
                f"SKU {sku} at {place} has its opening stock",
                field="lines",
                row=row,
                remedy="count the shelf to correct it",
            )
        taken.add((place, sku))
    stamp = Stamp(now, now, actor)
    post(
        connection,
        [
            open_stock(stamp, derived_id("opening", place, sku), sku, place, units)
            for place, sku, units in lines
        ],
    )
    record_audit(
        connection, "opening.post", recorded_at=now, actor=actor, detail={"rows": len(lines)}
    )
    return len(lines)
