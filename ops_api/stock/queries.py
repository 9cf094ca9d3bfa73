"""Stock now, and stock as of one time as known at another."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, Engine, Select, case, func, select, union_all

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
    connection: Connection,
    location: str,
    sku: str | None,
    as_of: int,
    known_at: int,
    limit: int,
    *,
    now: int | None = None,
) -> list[dict[str, Any]]:
    """Stock at `as_of` from rows recorded until `known_at`, from the ledger itself.

    Parameters
    ----------
    now : int or None, the time of asking. With all that is known by then, a time nearer to
        now than to the ledger's first row is today's stock less what happened since: the
        same answer from fewer rows.
    """
    if now is not None and known_at >= now and _is_late(connection, as_of, now):
        parts = _undone(connection, location, sku, as_of, known_at)
    else:
        parts = _summed(location, sku, as_of, known_at)
    query = (
        select(parts.c.sku, parts.c.lot, parts.c.condition, func.sum(parts.c.units).label("n"))
        .group_by(parts.c.sku, parts.c.lot, parts.c.condition)
        .order_by(parts.c.sku, parts.c.lot, parts.c.condition)
        .limit(limit)
    )
    return [
        {
            "location": location,
            "sku": row.sku,
            "lot": row.lot,
            "condition": row.condition,
            "on_hand": int(row.n),
            "reserved": 0,
            "available": int(row.n),
        }
        for row in connection.execute(query)
    ]


def _is_late(connection: Connection, as_of: int, now: int) -> bool:
    """Whether less has happened since `as_of` than before, by the clock."""
    m = MOVEMENTS.c
    first = connection.scalar(select(m.occurred_at).order_by(m.seq).limit(1))
    return first is not None and now - as_of < as_of - first


def _rows(
    location: str, sku: str | None, sign: int, *also: ColumnElement[bool]
) -> list[Select[tuple[Any, ...]]]:
    """Movements out of a location and into it, the latter positive times `sign`.

    One query a side: each is answered from its index alone, a row of the table costs a page.
    """
    m = MOVEMENTS.c
    out: list[Select[tuple[Any, ...]]] = []
    for end, side in ((m.from_location, -sign), (m.to_location, sign)):
        query = select(m.sku, m.lot, m.condition, (side * m.quantity).label("units")).where(
            end == location, m.run_id == ACTUAL, m.visibility == 0, *also
        )
        out.append(query.where(m.sku == sku) if sku else query)
    return out


def _summed(location: str, sku: str | None, as_of: int, known_at: int) -> Any:
    m = MOVEMENTS.c
    rows = _rows(location, sku, 1, m.occurred_at <= as_of, m.recorded_at <= known_at)
    return union_all(*rows).subquery()


def _undone(
    connection: Connection, location: str, sku: str | None, as_of: int, known_at: int
) -> Any:
    """Balances, and what happened since with its sign turned: one statement, one snapshot."""
    b, m = BALANCES.c, MOVEMENTS.c
    today = select(b.sku, b.lot, b.condition, b.on_hand.label("units")).where(
        b.location == location
    )
    if sku:
        today = today.where(b.sku == sku)
    since = _rows(location, sku, -1, m.occurred_at > as_of)
    # Recorded by others while this was asked: among the last rows, if there are any.
    newest = connection.scalar(select(func.max(m.seq))) or 0
    signed = case((m.to_location == location, -m.quantity), else_=m.quantity)
    just_now = select(m.sku, m.lot, m.condition, signed.label("units")).where(
        m.seq > newest - _TAIL,
        (m.from_location == location) | (m.to_location == location),
        m.run_id == ACTUAL,
        m.visibility == 0,
        m.occurred_at <= as_of,
        m.recorded_at > known_at,
    )
    if sku:
        just_now = just_now.where(m.sku == sku)
    return union_all(today, *since, just_now).subquery()


_TAIL = 10_000


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
