"""Stock now, and stock as of one time as known at another."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine, case, func, select

from ops_api.database import writing
from ops_api.ledger.rows import ACTUAL, Stamp, derived_id, is_transit, open_stock
from ops_api.ledger.schema import BALANCES, MOVEMENTS
from ops_api.ledger.write import post, record_audit
from policies.domain.network import Network


def stock_now(
    connection: Connection, location: str, sku: str | None, limit: int
) -> list[dict[str, Any]]:
    """Balance rows of a location."""
    b = BALANCES.c
    query = select(b.location, b.sku, b.lot, b.condition, b.on_hand, b.reserved).where(
        b.location == location
    )
    if sku:
        query = query.where(b.sku == sku)
    rows = connection.execute(query.order_by(b.sku, b.lot, b.condition).limit(limit))
    return [dict(row._mapping) | {"available": row.on_hand - row.reserved} for row in rows]


def stock_as_of(
    connection: Connection, location: str, sku: str | None, as_of: int, known_at: int, limit: int
) -> list[dict[str, Any]]:
    """Stock at `as_of` from rows recorded until `known_at`, from the ledger itself."""
    m = MOVEMENTS.c
    signed = case((m.to_location == location, m.quantity), else_=-m.quantity)
    query = (
        select(m.sku, m.lot, m.condition, func.sum(signed).label("on_hand"))
        .where(
            (m.from_location == location) | (m.to_location == location),
            m.run_id == ACTUAL,
            m.visibility == 0,
            m.occurred_at <= as_of,
            m.recorded_at <= known_at,
        )
        .group_by(m.sku, m.lot, m.condition)
        .order_by(m.sku, m.lot, m.condition)
        .limit(limit)
    )
    if sku:
        query = query.where(m.sku == sku)
    return [
        {"location": location, **row._mapping, "reserved": 0, "available": row.on_hand}
        for row in connection.execute(query)
    ]


def in_transit_to(connection: Connection, location: str, sku: str | None) -> int:
    """Units on the road to a location."""
    b = BALANCES.c
    query = select(b.location, b.on_hand).where(b.location.like(f"IN_TRANSIT:%>{location}"))
    if sku:
        query = query.where(b.sku == sku)
    found = connection.execute(query)
    return sum(row.on_hand for row in found if is_transit(row.location))


def open_all(
    engine: Engine,
    network: Network,
    on_hand: npt.NDArray[np.integer],
    at: int,
    actor: str = "setup",
) -> int:
    """Opening stock of a whole network; returns the number of rows.

    Parameters
    ----------
    on_hand : (L, K) integer
    at : whole seconds of UTC since 1970
    """
    stamp = Stamp(at, at, actor)
    rows = [
        open_stock(
            stamp,
            derived_id("opening", at, place, sku),
            network.skus.ids[sku],
            network.locations.ids[place],
            int(on_hand[place, sku]),
        )
        for place, sku in zip(*np.nonzero(on_hand), strict=True)
    ]
    with writing(engine) as connection:
        post(connection, rows)
        record_audit(
            connection, "opening.post", recorded_at=at, actor=actor, detail={"rows": len(rows)}
        )
    return len(rows)
