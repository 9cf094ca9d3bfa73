"""Units that lie in stock and may not leave it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, and_, or_, select

from ops_api.ledger.schema import BALANCES
from ops_api.lots.rules import day_in, rules, sale_days
from ops_api.masterdata.tables import LOTS
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
