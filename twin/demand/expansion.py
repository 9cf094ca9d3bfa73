"""Panel expansion: k times a household panel's baskets, drawn and not copied.

For each store and hour, Poisson(k × the panel's local basket rate) whole baskets are
drawn from the store's and its cluster's baskets within ± 2 weeks on the same kind of
day, each with its real minute. Copies instead of draws would let one household's odd
basket appear k times on one day and inflate the variance of rare SKUs.

How the rate is set. The sum of independent Poisson numbers over the hours of a day is
Poisson, and given the sum the hours are multinomial. So one number is drawn for the
store-day and each drawn basket brings its own hour and minute: the same law as drawing
hour by hour with the pool's hourly profile, without estimating a rate for hours in
which a small panel saw nobody.

How totals are kept. The pool's baskets may be larger or smaller than the store's own.
With U units recorded for the store in the week, weight g(d) of the day inside the week
and u(d) mean units of a basket drawn for day d, the rate is
``k · U · g(d) / Σ g / u(d)``: expected units of each store and week are k · U exactly.
What that costs in variability is measured in docs/adr/0008-panel-expansion.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.errors import InvalidInput
from policies.domain.network import FloatArray, IntArray
from policies.domain.receipts import ReceiptColumns
from twin.demand.baskets import ungroup
from twin.demand.calendar import OUTSIDE
from twin.demand.pools import Pools
from twin.streams import stream


@dataclass(frozen=True)
class ExpansionRecord:
    """What a run states about its demand: shown beside the results, kept in the manifest."""

    method: str
    k: float
    seed: int
    replication: int
    pool: str
    stores: int
    clusters: int
    panel_baskets: int
    panel_units: int
    expanded_lines: int

    def as_json(self) -> Mapping[str, object]:
        """Plain values for the manifest."""
        return asdict(self)


@dataclass(frozen=True)
class Plan:
    """Rates and pool ranges of one store, one row for each day to draw."""

    day: IntArray
    group: IntArray
    rate: FloatArray
    own_share: FloatArray
    own_from: npt.NDArray[np.int64]
    own_until: npt.NDArray[np.int64]
    mates_from: npt.NDArray[np.int64]
    mates_until: npt.NDArray[np.int64]


def expand(
    pools: Pools, k: float, seed: int, replication: int, first_day: int, last_day: int
) -> ReceiptColumns:
    """Demand of `first_day` … `last_day`: k times the panel, in expectation.

    Each store and week has its own stream, so that neither another store nor another
    window changes what a store's day gets.

    Parameters
    ----------
    k : float > 0, expansion factor
    first_day, last_day : day numbers, inclusive, each inside a segment of the pools

    Raises
    ------
    InvalidInput
        k is not a positive number, or a day belongs to no segment.
    """
    check_window(k, first_day, last_day, pools.kinds.days)
    days = np.arange(first_day, last_day + 1)
    outside = days[pools.kinds.segment[days] == OUTSIDE]
    if outside.size:
        raise InvalidInput(
            f"day {outside[0]} belongs to no segment of the pools",
            field="first_day",
            remedy="expand inside the segments the pools were prepared with",
        )
    drawn = []
    for i, name in enumerate(pools.store_ids):
        plan = _local_plan(pools, i, k, first_day, last_day)
        key = (seed, replication, "expansion", name)
        rows, day = draw_plan(plan, pools.own[i].rows, pools.mates[i].rows, key)
        wanted = (day >= first_day) & (day <= last_day)
        drawn.append((rows[wanted], day[wanted]))
    return ungroup(pools.baskets, drawn, pools.listed, pools.store_ids, pools.sku_ids)


def record(
    pools: Pools, k: float, seed: int, replication: int, demand: ReceiptColumns,
    *, method: str = "panel expansion",
) -> ExpansionRecord:  # fmt: skip
    """State how `demand` was drawn."""
    rule = (
        f"whole baskets, {pools.own_share:g} of the draws from the store's own and the rest "
        f"from its cluster's, within {pools.window_days} days, same kind of day, same "
        f"segment; level of {pools.level_weeks} week(s)"
    )
    if method != "panel expansion":
        rule = "whole baskets of the source weeks by store and weekday, own and cluster's"
    return ExpansionRecord(
        method,
        float(k),
        seed,
        replication,
        rule,
        len(pools.store_ids),
        len(np.unique(pools.cluster)),
        len(pools.baskets),
        int(pools.panel_units.sum()),
        demand.lines,
    )


def check_window(k: float, first_day: int, last_day: int, days: int) -> None:
    """Refuse a factor that is not positive and a window outside the calendar."""
    if not np.isfinite(k) or k <= 0:
        raise InvalidInput(f"k is {k}", field="panel_expansion", remedy="a number above 0")
    if not 0 <= first_day <= last_day < days:
        raise InvalidInput(
            f"days {first_day}–{last_day} are not inside 0–{days - 1}", field="first_day"
        )


def _local_plan(pools: Pools, store: int, k: float, first_day: int, last_day: int) -> Plan:
    """Rates of the store's days from the first to the last touched week, both whole."""
    week = pools.kinds.week
    touched = np.unique(week[first_day : last_day + 1])
    day = np.flatnonzero(np.isin(week, touched)).astype(np.int32)
    centre = pools.code(day)
    # A code is contiguous over the days of one segment and kind: clip to its calendar.
    base = centre - day
    low = base + np.maximum(day - pools.window_days, 0)
    high = base + np.minimum(day + pools.window_days, pools.kinds.days - 1)
    own_from, own_until, own_mean = pools.own[store].cut(low, high)
    mates_from, mates_until, mates_mean = pools.mates[store].cut(low, high)
    share = own_or_mates(pools.own_share, own_until - own_from, mates_until - mates_from)
    mean = share * own_mean + (1 - share) * mates_mean
    weight = np.where(mean > 0, pools.day_weight[store, day], 0.0)
    row = np.searchsorted(touched, week[day])
    total = np.bincount(row, weights=weight)
    share_of_week = weight / np.where(total > 0, total, 1.0)[row]
    level = k * pools.week_units[store, week[day]] * share_of_week
    rate = np.divide(level, mean, out=np.zeros(len(day)), where=mean > 0)
    return Plan(day, week[day], rate, share, own_from, own_until, mates_from, mates_until)


def own_or_mates(
    wanted: float, own: npt.NDArray[np.int64], mates: npt.NDArray[np.int64]
) -> FloatArray:
    """Share of draws from the own pool: `wanted` unless one of the two is empty."""
    return np.where(own == 0, 0.0, np.where(mates == 0, 1.0, wanted))


def draw_plan(
    plan: Plan, own_rows: IntArray, mates_rows: IntArray, key: tuple[int, int, str, str]
) -> tuple[IntArray, IntArray]:
    """Rows of the drawn baskets of one store and the day each stands for.

    Each group of the plan (a week) has its own stream.
    """
    seed, replication, purpose, name = key
    rows, days = [], []
    for number in np.unique(plan.group):
        rng = stream(seed, replication, f"{purpose}/{number}", name)
        at = np.flatnonzero(plan.group == number)
        drawn, day = _draw_days(
            rng, plan.day[at], plan.rate[at], plan.own_share[at],
            plan.own_from[at], plan.own_until[at], own_rows,
            plan.mates_from[at], plan.mates_until[at], mates_rows,
        )  # fmt: skip
        rows.append(drawn)
        days.append(day)
    return np.concatenate(rows), np.concatenate(days)


@njit(cache=True)
def _draw_days(
    rng: np.random.Generator,
    day: IntArray,
    rate: FloatArray,
    own_share: FloatArray,
    own_from: npt.NDArray[np.int64],
    own_until: npt.NDArray[np.int64],
    own_rows: IntArray,
    mates_from: npt.NDArray[np.int64],
    mates_until: npt.NDArray[np.int64],
    mates_rows: IntArray,
) -> tuple[IntArray, IntArray]:
    count = np.empty(len(day), dtype=np.int64)
    for i in range(len(day)):
        count[i] = rng.poisson(rate[i])
    rows = np.empty(count.sum(), dtype=np.int32)
    days = np.empty(len(rows), dtype=np.int32)
    at = 0
    for i in range(len(day)):
        for _ in range(count[i]):
            if rng.random() < own_share[i]:
                span = own_until[i] - own_from[i]
                rows[at] = own_rows[own_from[i] + np.int64(rng.random() * span)]
            else:
                span = mates_until[i] - mates_from[i]
                rows[at] = mates_rows[mates_from[i] + np.int64(rng.random() * span)]
            days[at] = day[i]
            at += 1
    return rows, days
