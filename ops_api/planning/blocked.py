"""Units that lie in stock and may not leave it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, and_, or_, select

from ops_api.bulk import among
from ops_api.ledger.schema import BALANCES
from ops_api.lots.rules import business_day, day_in, rules, sale_days
from ops_api.masterdata.tables import LOTS, SKUS
from ops_api.planning.axis import Axis, Moment
from policies.domain.network import Network

Ints = npt.NDArray[np.int64]
_NEVER = 2**31


def blocked_units(connection: Connection, network: Network, axis: Axis, moment: Moment) -> Ints:
    """(L, K) units that lie there and may not leave: held, or too old to be sold.

    Of lots as they stand in the book now: a hold has no history.
    """
    b, lot = BALANCES.c, LOTS.c
    rows = connection.execute(
        select(b.location, b.sku, b.on_hand - b.reserved, lot.expires_on, lot.on_hold)
        .select_from(BALANCES.join(LOTS, and_(lot.sku == b.sku, lot.lot == b.lot)))
        .where(b.condition == "good", b.on_hand > b.reserved, b.lot != "")
        .where(or_(lot.on_hold, lot.expires_on.is_not(None)))
    ).fetchall()
    if not rows:
        return np.zeros(axis.shape, dtype=np.int64)
    names, sku, free, expires_on, on_hold = map(tuple, zip(*rows, strict=True))
    goods = axis.skus(sku)
    known = rules(connection)
    days = np.array([sale_days(known, name) for name in network.skus.categories])
    keeps = np.where(goods >= 0, days[network.skus.category[goods]], 0)
    last = np.array([_NEVER if day is None else day for day in expires_on])
    today = day_in(network.tz, moment.as_of)
    bad = np.array([bool(held) for held in on_hold]) | (last < today + keeps)
    place = np.where(bad, axis.places(names), -1)
    return axis.sum(place, goods, np.array(free, dtype=np.int64))


def blocked_here(connection: Connection, place: str, skus: list[str], at: int) -> dict[str, int]:
    """Units of each SKU that lie at one place and may not leave it, as they stand now."""
    b, lot, sku = BALANCES.c, LOTS.c, SKUS.c
    rows = connection.execute(
        select(b.sku, b.on_hand - b.reserved, lot.expires_on, lot.on_hold, sku.category)
        .select_from(BALANCES.join(LOTS, and_(lot.sku == b.sku, lot.lot == b.lot)))
        .join(SKUS, sku.id == b.sku)
        .where(b.location == place, among(connection, b.sku, skus), b.condition == "good")
        .where(b.on_hand > b.reserved, b.lot != "")
        .where(or_(lot.on_hold, lot.expires_on.is_not(None)))
    ).fetchall()
    out: dict[str, int] = {}
    if rows:
        known, today = rules(connection), business_day(connection, at)
        for name, free, expires_on, on_hold, category in rows:
            too_old = expires_on is not None and expires_on < today + sale_days(known, category)
            if on_hold or too_old:
                out[name] = out.get(name, 0) + int(free)
    return out
