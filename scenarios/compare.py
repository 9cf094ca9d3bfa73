"""Paired differences with intervals, and what they mean in words.

Two arms meet the same customers, lead times and shrink, so they are compared cell by
cell. A cell is a (store, two-week block): days of one store are not independent, nor are
the stores of one fortnight, and a weekly review makes two weeks the shortest stretch
that stands for itself. Replications are averaged before: they are the twin's noise, not
evidence of more weeks.

The variance of the difference is that of block sums plus that of store sums less that of
single cells, which both contain. Six weeks are three blocks, which can't tell a variance;
so that of blocks is pooled with the same pair's blocks of the weeks before the window,
where they are given, and widened by what one block tells of the next. Degrees of freedom
follow Satterthwaite (1946, Biometrics Bulletin 2:110). Without weeks before, Student's t
has the number of blocks − 1. The mean is that of the window alone, always. Coverage in
worlds of known truth stands in docs/adr/0006-interval.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from policies.domain.errors import InvalidInput
from policies.domain.facts import CostModel, DayFacts
from policies.domain.kpis import KPIS, Kpi, kpi
from policies.domain.network import Network

Floats = npt.NDArray[np.float64]
BLOCK_DAYS = 14
LEAST_PAST_BLOCKS = 6
MOST_MEMORY = 0.9
RESAMPLED = (
    "stores and two-week blocks of the window, replications averaged first; Student t on the "
    "number of blocks − 1"
)
RESAMPLED_POOLED = (
    "stores and two-week blocks, replications averaged first; the spread between blocks is "
    "pooled with the same pair's blocks before the window, the mean is the window's alone; "
    "Student t, Satterthwaite's degrees of freedom"
)
Before = tuple[Sequence[DayFacts], Sequence[DayFacts]]
"""Chain totals of both arms per replication, of the days right before the window."""


@dataclass(frozen=True)
class Difference:
    """One KPI of two arms.

    Attributes
    ----------
    incumbent, winner, difference : float, values and winner − incumbent
    low, high : float, 95 % interval of the difference
    verdict : {"better", "worse", "no clear difference"}, by the KPI's direction
    loss_bound : float, one-sided 95 % bound of how much worse the winner may be, ≥ it is
        bad in the KPI's own direction (share points for shares)
    """

    name: str
    unit: str
    incumbent: float
    winner: float
    difference: float
    low: float
    high: float
    verdict: str
    loss_bound: float

    def row(self) -> dict[str, Any]:
        """As a plain dict."""
        return asdict(self)


def paired_difference(
    which: Kpi,
    incumbent: Sequence[DayFacts],
    winner: Sequence[DayFacts],
    network: Network,
    costs: CostModel,
    *,
    stores: npt.NDArray[np.integer] | None = None,
    categories: npt.NDArray[np.integer] | None = None,
    before: Before | None = None,
    block_days: int = BLOCK_DAYS,
) -> Difference:
    """The KPI's paired difference over replications, stores and blocks.

    Parameters
    ----------
    incumbent, winner : facts per replication, in the same order
    stores : axis indices to look at, optional (a region, a decile)
    categories : numbers of categories to look at, optional; of what is kept by category alone
    before : days before the window, for the spread between blocks
    """
    if len(incumbent) != len(winner) or not incumbent:
        raise InvalidInput("both arms need the same replications", field="replications")
    top_a, low_a = _cells(which, incumbent, network, costs, block_days, categories)
    top_b, low_b = _cells(which, winner, network, costs, block_days, categories)
    if stores is not None:
        rows = np.searchsorted(network.stores, stores)
        top_a, low_a, top_b, low_b = (x[rows] for x in (top_a, low_a, top_b, low_b))
    value_a, value_b = _ratio(top_a, low_a), _ratio(top_b, low_b)
    # Linearised influence of each cell on the difference of the two ratios.
    influence = _influence(top_b, low_b, value_b) - _influence(top_a, low_a, value_a)
    blocks, whole = low_b.sum(axis=0), low_b.sum()
    # A figure that a run does not keep has no difference either.
    shares = np.divide(blocks, whole, out=np.full(blocks.shape, np.nan), where=whole != 0)
    past = None if before is None else _block_differences(which, *before, costs, block_days)
    deviation, freedom = spread(influence, past, shares)
    difference = value_b - value_a
    half = float(stats.t.ppf(0.975, freedom)) * deviation
    worse = -which.direction * difference
    bound = worse + float(stats.t.ppf(0.95, freedom)) * deviation
    return Difference(
        which.name,
        which.unit,
        value_a,
        value_b,
        difference,
        difference - half,
        difference + half,
        _verdict(which.direction, difference - half, difference + half),
        bound,
    )


def compare(
    incumbent: Sequence[DayFacts],
    winner: Sequence[DayFacts],
    network: Network,
    costs: CostModel,
    names: Sequence[str] | None = None,
    before: Before | None = None,
) -> list[Difference]:
    """Every registered KPI (or those of `names`) that both arms can tell."""
    wanted = [kpi(name) for name in names] if names else list(KPIS.values())
    out = [
        paired_difference(one, incumbent, winner, network, costs, before=before) for one in wanted
    ]
    return [one for one in out if np.isfinite(one.difference)]


def _cells(
    which: Kpi,
    arms: Sequence[DayFacts],
    network: Network,
    costs: CostModel,
    block_days: int,
    categories: npt.NDArray[np.integer] | None = None,
) -> tuple[Floats, Floats]:
    """((S, B), (S, B)) numerator and denominator, replications averaged.

    What happens at a warehouse is shared by its stores by the units they were asked for:
    it serves them.
    """
    tops, belows = [], []
    weight = arms[0].get("units_demanded").sum(axis=(0, 2))[network.stores].astype(np.float64)
    some = slice(None) if categories is None else categories
    for facts in arms:
        top = which.numerator(facts, costs)[:, :, some].sum(axis=2)
        below = (
            which.denominator(facts, costs)[:, :, some].sum(axis=2)
            if which.denominator is not None
            else np.full(top.shape, np.nan)
        )
        tops.append(_blocks(_to_stores(top, network, weight), block_days))
        belows.append(_blocks(_to_stores(below, network, weight), block_days))
    return np.mean(tops, axis=0), np.mean(belows, axis=0)


def _to_stores(per_place: Floats, network: Network, weight: Floats) -> Floats:
    """(D, S): rows of stores, each with its part of its warehouse's, by `weight` (S,)."""
    source = network.locations.source[network.stores]
    # A warehouse none of whose stores was asked for anything is shared in equal parts.
    served = np.bincount(source, weight, network.shape[0])
    part = np.where(served[source] > 0, weight, 1.0)
    part /= np.bincount(source, part, network.shape[0])[source]
    out: Floats = per_place[:, network.stores] + per_place[:, source] * part
    return out


def _blocks(per_day: Floats, block_days: int) -> Floats:
    """(S, B): sums over blocks; a rest shorter than half a block joins the last one."""
    days = len(per_day)
    starts = np.arange(0, max(days - block_days // 2, 1), block_days)
    out: Floats = np.add.reduceat(per_day, starts, axis=0).T
    return out


def _ratio(top: Floats, below: Floats) -> float:
    total = below.sum()
    if np.isnan(total):
        return float(top.sum())
    return float(top.sum() / total) if total else float("nan")


def _influence(top: Floats, below: Floats, value: float) -> Floats:
    total = below.sum()
    if np.isnan(total):
        out: Floats = top - top.mean()
    elif not total:
        out = np.zeros_like(top)
    else:
        out = (top - value * below) / total
    return out


def _block_differences(
    which: Kpi,
    incumbent: Sequence[DayFacts],
    winner: Sequence[DayFacts],
    costs: CostModel,
    block_days: int,
) -> Floats:
    """(H,) difference of the KPI in each whole block before the window, oldest first."""

    def blocks(arms: Sequence[DayFacts]) -> Floats:
        size = arms[0].days // block_days * block_days
        top, below = np.zeros(size // block_days), np.zeros(size // block_days)
        for facts in arms:
            days = which.numerator(facts, costs).sum(axis=(1, 2))[-size:] if size else np.zeros(0)
            top += days.reshape(-1, block_days).sum(axis=1)
            if which.denominator is not None and size:
                days = which.denominator(facts, costs).sum(axis=(1, 2))[-size:]
                below += days.reshape(-1, block_days).sum(axis=1)
        if which.denominator is None:
            return np.asarray(top / len(arms), dtype=np.float64)
        return np.asarray(np.divide(top, below, out=np.full(len(top), np.nan), where=below > 0))

    return blocks(winner) - blocks(incumbent)


def spread(
    influence: Floats, past: Floats | None = None, shares: Floats | None = None
) -> tuple[float, float]:
    """(standard deviation, degrees of freedom) of the sum of an (S, B) table.

    Parameters
    ----------
    influence : (S, B), what each cell adds to the difference, mean taken off
    past : (H,), differences of blocks before, on the scale of the KPI
    shares : (B,), what each block weighs in the KPI; NaN = a plain total, each weighs 1
    """
    stores, blocks = influence.shape
    by_block, freedom = _spread(influence.sum(axis=0)), max(blocks - 1, 1)
    by_store = _spread(influence.sum(axis=1))
    if past is None or np.isfinite(past).sum() < LEAST_PAST_BLOCKS:
        return float(np.sqrt(by_block + by_store)), float(freedom)
    known = past[np.isfinite(past)]
    weigh = np.ones(blocks) if shares is None or np.isnan(shares).any() else shares
    more = len(known) - 1
    before = float(known.var(ddof=1) * (weigh**2).sum())
    pooled = (freedom * by_block + more * before) / (freedom + more)
    cell = _cell_variance(influence)
    # Cells are in the sums of stores and of blocks: counted once. Their noise has no memory.
    growth = _memory_growth(_memory(known), blocks)
    longest = _memory_growth(MOST_MEMORY, blocks) * max(pooled - cell, 0.0)
    lasting = pooled + min(growth * pooled, longest)
    if growth < 0:
        cell *= 1 + growth
    total = max(lasting + by_store - cell, cell)
    if total <= 0:
        return 0.0, float(freedom)
    # Blocks that remember tell less than as many that do not.
    worth = (freedom + more) * min(pooled / lasting, 1.0) if lasting > 0 else 1.0
    parts = lasting**2 / worth + by_store**2 / max(stores - 1, 1)
    return float(np.sqrt(total)), max(float(total**2 / parts), float(freedom))


def _cell_variance(influence: Floats) -> float:
    """Variance of the total from what neither store nor block explains."""
    stores, blocks = influence.shape
    if min(stores, blocks) < 2:
        return 0.0
    rest = influence - influence.mean(axis=0) - influence.mean(axis=1, keepdims=True)
    square = float(((rest + influence.mean()) ** 2).sum())
    return square * float(stores * blocks) / float((stores - 1) * (blocks - 1))


def _memory(known: Floats) -> float:
    """What a block tells of the next, without a short series' bias of −(1 + 4 r) / H.

    Marriott & Pope (1954, Biometrika 41:390). It may lie below 0, as where stock built up in
    one block is used up in the next: cut off at 0 it would be too large on average.
    """
    gap = known - known.mean()
    square = float((gap**2).sum())
    if square <= 0:
        return 0.0
    found = float((gap[1:] * gap[:-1]).sum()) / square
    whole = (found + 1 / len(known)) / (1 - 4 / len(known))
    if whole < 0:
        return max(whole, -0.5)
    return min(whole, MOST_MEMORY)


def _memory_growth(memory: float, blocks: int) -> float:
    """Share by which memory adds to the variance of the sum of `blocks` (first-order)."""
    if memory < 0:
        return 2 * (1 - 1 / blocks) * memory
    return float(2 * sum((1 - lag / blocks) * memory**lag for lag in range(1, blocks)))


def _spread(sums: Floats) -> float:
    """Variance of a total from its parts, which deviate around their mean."""
    count = len(sums)
    if count < 2:
        return 0.0
    return float(count / (count - 1) * ((sums - sums.mean()) ** 2).sum())


def _verdict(direction: int, low: float, high: float) -> str:
    if low <= 0 <= high or not np.isfinite(low):
        return "no clear difference"
    return "better" if (low > 0) == (direction > 0) else "worse"
