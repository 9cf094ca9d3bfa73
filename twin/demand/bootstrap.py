"""Basket bootstrap: demand for days whose own sales must not be seen.

What was promised before the days came can only rest on the weeks before. Whole baskets
of those weeks are drawn by store and weekday, at the level of those weeks; the days'
own receipts are never read, so they may be held out or not yet happened.
"""

from __future__ import annotations

import numpy as np

from policies.domain.errors import InvalidInput
from policies.domain.network import FloatArray, IntArray
from policies.domain.receipts import ReceiptColumns
from twin.demand.baskets import ungroup
from twin.demand.calendar import WEEKDAY_GROUP
from twin.demand.expansion import Plan, check_window, draw_plan, own_or_mates
from twin.demand.pools import Pools, Shelf


def bootstrap(
    pools: Pools,
    k: float,
    seed: int,
    replication: int,
    *,
    source_first: int,
    source_last: int,
    first_day: int,
    last_day: int,
) -> ReceiptColumns:
    """Demand of `first_day` … `last_day` from the baskets of the source days.

    The level of a store's weekday is the store's mean week of the source times the
    weekday's share in its cluster. Weeks with a holiday lend nothing unless the source
    has no other: a coming holiday is therefore not foreseen, and the record says so.

    Parameters
    ----------
    k : float > 0, expansion factor
    source_first, source_last : day numbers, inclusive, all before `first_day`
    """
    check_window(k, source_first, source_last, pools.kinds.days)
    if not source_last < first_day <= last_day:
        raise InvalidInput(
            f"source days reach {source_last}, drawn days are {first_day}–{last_day}",
            field="source_last",
            remedy="draw from days before the first drawn day only",
        )
    if source_last - source_first < 6:
        raise InvalidInput(
            "the source days are less than a week",
            field="source_first",
            remedy="give at least 7 days to draw from",
        )
    days = np.arange(first_day, last_day + 1, dtype=np.int32)
    source = np.arange(source_first, source_last + 1, dtype=np.int32)
    plain: IntArray = source[~pools.kinds.holiday_week[source]]
    source = plain if len(np.unique(plain % 7)) == 7 else source
    share = _weekday_share(pools, source)
    drawn = []
    for i, name in enumerate(pools.store_ids):
        own, mates = (
            _by_group(pools, pools.own[i], source),
            _by_group(pools, pools.mates[i], source),
        )
        plan = _weekday_plan(pools, i, k, days, source, share[i], own, mates)
        key = (seed, replication, "bootstrap", name)
        drawn.append(draw_plan(plan, own.rows, mates.rows, key))
    return ungroup(pools.baskets, drawn, pools.listed, pools.store_ids, pools.sku_ids)


def _group(day: IntArray, pools: Pools) -> IntArray:
    """Weekday group of day numbers, whatever the calendar says of holidays."""
    out: IntArray = WEEKDAY_GROUP[(pools.kinds.start_weekday + day) % 7]
    return out


def _by_group(pools: Pools, shelf: Shelf, source: IntArray) -> Shelf:
    """The baskets of the source days, sorted by weekday group."""
    at = np.flatnonzero(np.isin(pools.baskets.day[shelf.rows], source))
    group = _group(pools.baskets.day[shelf.rows[at]], pools)
    order = np.argsort(group, kind="stable")
    units = np.diff(shelf.units)[at][order]
    running = np.concatenate([[0], np.cumsum(units)])
    return Shelf(shelf.rows[at][order], group[order].astype(np.int64), running)


def _weekday_share(pools: Pools, source: IntArray) -> FloatArray:
    """(S, 7) float64: share of a week's units on each day number modulo 7."""
    units = np.stack([pools.day_weight[:, source[source % 7 == r]].mean(axis=1) for r in range(7)])
    total = units.sum(axis=0)
    out: FloatArray = np.divide(units, total, out=np.zeros(units.shape), where=total > 0).T
    return out


def _weekday_plan(
    pools: Pools,
    store: int,
    k: float,
    days: IntArray,
    source: IntArray,
    share: FloatArray,
    own: Shelf,
    mates: Shelf,
) -> Plan:
    code = _group(days, pools).astype(np.int64)
    own_from, own_until, own_mean = own.cut(code, code)
    mates_from, mates_until, mates_mean = mates.cut(code, code)
    own_share = own_or_mates(pools.own_share, own_until - own_from, mates_until - mates_from)
    mean = own_share * own_mean + (1 - own_share) * mates_mean
    week_units = pools.panel_units[store, source].sum() * 7 / len(source)
    level = k * week_units * share[days % 7]
    rate = np.divide(level, mean, out=np.zeros(len(days)), where=mean > 0)
    return Plan(days, days // 7, rate, own_share, own_from, own_until, mates_from, mates_until)
