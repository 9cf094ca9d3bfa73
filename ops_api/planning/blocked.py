"""Units that lie in stock and may not leave it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, and_, or_, select

from ops_api.bulk import among
from ops_api.ledger.schema import BALANCES
from ops_api.lots.rules import business_day, day_in, rules, sale_days
from ops_api.masterdata.tables import LOTS, SKUS
from ops_api.planning.axis import Axis, Moment
from policies.domain.network import Network

Ints = npt.NDArray[np.int64]


def blocked_units(connection: Connection, network: Network, axis: Axis, moment: Moment) -> Ints:
    """(L, K) units that lie there and may not leave: held, or too old to be sold.

    Of lots as they stand in the book now: a hold has no history.
    """
    rows = _blocked(connection, day_in(network.tz, moment.as_of))
    if not rows:
        return np.zeros(axis.shape, dtype=np.int64)
    places, skus, units = map(tuple, zip(*rows, strict=True))
    return axis.sum(axis.places(places), axis.skus(skus), np.array(units, dtype=np.int64))


def blocked_here(connection: Connection, place: str, skus: list[str], at: int) -> dict[str, int]:
    """Units of each SKU that lie at one place and may not leave it, as they stand now."""
    b = BALANCES.c
    here = b.location == place, among(connection, b.sku, skus)
    out: dict[str, int] = {}
    for _, sku, units in _blocked(connection, business_day(connection, at), *here):
        out[sku] = out.get(sku, 0) + units
    return out


def _blocked(
    connection: Connection, today: int, *where: ColumnElement[bool]
) -> list[tuple[str, str, int]]:
    """(location, SKU, units) of each lot that is held, or has fewer days left than a sale asks."""
    b, lot = BALANCES.c, LOTS.c
    rows = connection.execute(
        select(
            b.location, b.sku, b.on_hand - b.reserved, lot.expires_on, lot.on_hold, SKUS.c.category
        )
        .select_from(BALANCES.join(LOTS, and_(lot.sku == b.sku, lot.lot == b.lot)))
        .join(SKUS, SKUS.c.id == b.sku)
        .where(b.condition == "good", b.on_hand > b.reserved, b.lot != "", *where)
        .where(or_(lot.on_hold, lot.expires_on.is_not(None)))
    ).fetchall()
    known = rules(connection) if rows else {}
    first_day = {name: today + sale_days(known, name) for name in {row.category for row in rows}}
    return [
        (place, sku, int(units))
        for place, sku, units, expires_on, on_hold, category in rows
        if on_hold or (expires_on is not None and expires_on < first_day[category])
    ]
