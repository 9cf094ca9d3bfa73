"""Pools: for each store and day, the baskets that may be drawn and how many to draw."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput
from policies.domain.network import BoolArray, FloatArray, IntArray, Network
from policies.domain.receipts import ReceiptColumns
from twin.demand.baskets import Baskets, group
from twin.demand.calendar import OUTSIDE, DayKinds, day_kinds
from twin.demand.clusters import cluster_stores


@dataclass(frozen=True)
class Shelf:
    """Baskets of one source (a store, or its cluster's other stores), sorted to be cut.

    Attributes
    ----------
    rows : (P,) int32, rows of the baskets, sorted by segment, kind and day
    code : (P,) int64, that sort key
    units : (P + 1,) int64, running sum of the units that the drawing store lists
    """

    rows: IntArray
    code: npt.NDArray[np.int64]
    units: npt.NDArray[np.int64]

    def cut(
        self, low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], FloatArray]:
        """Rows ``start:end`` of each code range, and the mean units of a basket in it."""
        start = np.searchsorted(self.code, low, side="left")
        end = np.searchsorted(self.code, high, side="right")
        size = np.maximum(end - start, 1)
        return start, end, (self.units[end] - self.units[start]) / size


@dataclass(frozen=True)
class Pools:
    """Everything that drawing needs, prepared once and shared by all replications.

    Attributes
    ----------
    baskets : Baskets of the panel
    kinds : DayKinds
    cluster : (S,) int32
    own, mates : for each store its own baskets and those of its cluster's other stores
    panel_units : (S, D) int64, units of listed SKUs the panel recorded
    day_weight : (S, D) float64, relative level of the days inside a week
    listed : (S, K) bool
    own_share : share of draws from the store's own baskets, where both are there
    window_days : a day's pool reaches this far to either side
    level_weeks : a week's level is the mean of this many weeks around it; 1 keeps the
        recorded total of each store and week
    """

    store_ids: tuple[str, ...]
    sku_ids: tuple[str, ...]
    baskets: Baskets
    kinds: DayKinds
    cluster: IntArray
    own: tuple[Shelf, ...]
    mates: tuple[Shelf, ...]
    panel_units: npt.NDArray[np.int64]
    day_weight: FloatArray
    listed: BoolArray
    own_share: float
    window_days: int
    level_weeks: int = 1

    @cached_property
    def week_units(self) -> FloatArray:
        """(S, weeks) float64: the level of each store and week, in panel units."""
        inside = np.flatnonzero(self.kinds.week != OUTSIDE)
        weeks = int(self.kinds.week.max()) + 1
        units = np.zeros((len(self.store_ids), weeks))
        np.add.at(units.T, self.kinds.week[inside], self.panel_units[:, inside].T)
        if self.level_weeks == 1:
            return units
        first_day = np.unique(self.kinds.week[inside], return_index=True)[1]
        segment = self.kinds.segment[inside][first_day]
        days = np.bincount(self.kinds.week[inside], minlength=weeks)
        near = np.abs(np.subtract.outer(np.arange(weeks), np.arange(weeks)))
        mask = (near <= self.level_weeks // 2) & np.equal.outer(segment, segment)
        out: FloatArray = (units @ mask) / (days @ mask) * days
        return out

    def code(self, day: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """Sort key of day numbers: segment, kind, day."""
        return _code(self.kinds, day)


def prepare_pools(
    receipts: ReceiptColumns,
    network: Network,
    segments: Sequence[tuple[int, int]],
    *,
    holidays: Iterable[dt.date] | None = None,
    promotion_days: Iterable[int] = (),
    clusters: IntArray | None = None,
    own_share: float = 0.3,
    level_weeks: int = 1,
    window_days: int = 14,
) -> Pools:
    """Sort the panel's baskets so that every store-day's pool is two ranges of rows.

    Parameters
    ----------
    receipts : the panel, its stores and SKUs in the network's axis order
    segments : (first day, last day) of each split, inclusive; no basket crosses
    holidays : dates; the network's own by default
    promotion_days : day numbers; weeks that hold one are drawn only among themselves
    clusters : (S,) labels; by default :func:`cluster_stores` on the first segment
    own_share : share of draws from the store's own baskets; the rest keeps the sampling
        noise of a small panel from being multiplied by k
    level_weeks : odd; 1 keeps the total of each store and week in expectation, 5 trades
        that for a steadier level (totals of the segment are kept either way, but for
        its edges)
    """
    if not 0.0 <= own_share <= 1.0:
        raise InvalidInput(f"own_share is {own_share}", field="own_share", remedy="0 to 1")
    if level_weeks < 1 or level_weeks % 2 == 0:
        raise InvalidInput(
            f"level_weeks is {level_weeks}", field="level_weeks", remedy="an odd number, 1 or more"
        )
    kinds = day_kinds(
        network.start_date,
        segments,
        network.holidays if holidays is None else holidays,
        promotion_days,
    )
    if clusters is None:
        clusters = cluster_stores(receipts, network, *segments[0])
    every = group(receipts)
    inside = (every.day >= 0) & (every.day < kinds.days)
    inside[inside] = kinds.segment[every.day[inside]] != OUTSIDE
    baskets = every.take(np.flatnonzero(inside))
    listed: BoolArray = network.listed[network.stores]
    own, mates, panel = _shelves(baskets, kinds, clusters, network, listed)
    return Pools(
        receipts.store_ids,
        receipts.sku_ids,
        baskets,
        kinds,
        clusters,
        own,
        mates,
        panel,
        _day_weight(baskets, panel, clusters, kinds),
        listed,
        own_share,
        window_days,
        level_weeks,
    )


def _shelves(
    baskets: Baskets, kinds: DayKinds, cluster: IntArray, network: Network, listed: BoolArray
) -> tuple[tuple[Shelf, ...], tuple[Shelf, ...], npt.NDArray[np.int64]]:
    """Own and mates' shelves of each store, and the panel's units (S, D)."""
    order = np.argsort(_code(kinds, baskets.day), kind="stable")
    sorted_baskets = baskets.take(order)
    code, store_of = _code(kinds, sorted_baskets.day), sorted_baskets.store
    opens, closes = network.locations.opens_s, network.locations.closes_s
    own, mates = [], []
    panel = np.zeros((len(listed), kinds.days), dtype=np.int64)
    for c in np.unique(cluster):
        members = np.flatnonzero(cluster == c)
        rows = np.flatnonzero(np.isin(store_of, members))
        part = sorted_baskets.take(rows)
        for i in members:
            units = part.units(listed[i])
            location = network.stores[i]
            is_own = part.store == i
            is_open = (part.second >= opens[location]) & (part.second < closes[location])
            # A basket of nothing the store lists is no basket for it.
            shelves = []
            for chosen in (is_own & (units > 0), ~is_own & is_open & (units > 0)):
                at = np.flatnonzero(chosen)
                running = np.concatenate([[0], np.cumsum(units[at])])
                shelves.append(
                    (int(i), Shelf(order[rows[at]].astype(np.int32), code[rows[at]], running))
                )
            own.append(shelves[0])
            mates.append(shelves[1])
            panel[i] = np.bincount(
                part.day[is_own], weights=units[is_own], minlength=kinds.days
            ).astype(np.int64)
    return _in_order(own), _in_order(mates), panel


def _in_order(shelves: list[tuple[int, Shelf]]) -> tuple[Shelf, ...]:
    return tuple(shelf for _, shelf in sorted(shelves, key=lambda pair: pair[0]))


def _day_weight(
    baskets: Baskets, panel: npt.NDArray[np.int64], cluster: IntArray, kinds: DayKinds
) -> FloatArray:
    """(S, D) float64: relative level of each day, from the store's cluster alone.

    A store of a small panel has days with no basket at all, and even a cluster's day
    may be a handful; taken at its word, that noise would be multiplied by k. So a date
    counts as much as its weekday's mean over five weeks, moved towards what the date
    itself showed by the share of the dates' spread that is more than Poisson noise
    (empirical Bayes). Counted in baskets, because one bulk purchase moves units more
    than a day does. A weekday on which a store never
    sold in the segment is a day it does not open.
    """
    count = np.zeros(panel.shape)
    np.add.at(count, (baskets.store, baskets.day), 1.0)
    weeks = _same_weekday_total((kinds.segment != OUTSIDE).astype(float), kinds)
    out = np.zeros(panel.shape)
    segments = [np.flatnonzero(kinds.segment == i) for i in range(int(kinds.segment.max()) + 1)]
    for c in np.unique(cluster):
        members = np.flatnonzero(cluster == c)
        seen = count[members].sum(axis=0)
        mean = _same_weekday_total(seen, kinds) / np.maximum(weeks, 1)
        for days in segments:
            out[np.ix_(members, days)] = _shrunk(seen[days], mean[days])
    # Segment by segment: what a later one holds must not show in an earlier one.
    for days in segments:
        for weekday in range(7):
            same = days[days % 7 == weekday]
            out[np.ix_(panel[:, same].sum(axis=1) == 0, same)] = 0
    return out


def _shrunk(seen: FloatArray, mean: FloatArray) -> FloatArray:
    """(D,) float64: `seen` counts shrunk to `mean` by their excess over Poisson noise."""
    used = mean > 0
    if not used.any():
        return mean
    ratio = seen[used] / mean[used]
    noise = (1.0 / mean[used]).mean()
    excess = max(0.0, float(((ratio - 1) ** 2).mean()) - noise)
    trust = excess / (excess + noise)
    out = mean + trust * (seen - mean)
    # A day on which nobody of the cluster came though 14 or more were to be expected
    # (once in a million by chance) was a closed day.
    closed = (seen == 0) & (mean > -np.log(1e-6))
    return np.where(closed, 0.0, out)


def _same_weekday_total(count: FloatArray, kinds: DayKinds) -> FloatArray:
    """(D,) float64: sum over the same weekday within two weeks, inside the segment."""
    out = np.zeros(count.shape)
    for shift in (-14, -7, 0, 7, 14):
        source = np.arange(kinds.days) + shift
        source = np.clip(source, 0, kinds.days - 1)
        same = (kinds.segment[source] == kinds.segment) & (
            np.abs(source - np.arange(kinds.days)) == abs(shift)
        )
        out += count[source] * same
    return out


def _code(kinds: DayKinds, day: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    widest = int(kinds.kind.max()) + 1
    key = kinds.segment[day].astype(np.int64) * widest + kinds.kind[day]
    out: npt.NDArray[np.int64] = key * kinds.days + day
    return out
