"""Paired differences with intervals, and what they mean in words.

Two arms meet the same customers, lead times and shrink, so they are compared cell by
cell. An observation is a (store, two-week block); days of one store are not
independent, nor are stores of one fortnight. The interval therefore clusters both ways
(Cameron, Gelbach & Miller 2011): variance of block sums + variance of store sums − that
of single cells, never below the larger of the first two, with Student's t on blocks − 1
degrees of freedom. Replications are averaged before: they are the twin's noise, not
evidence of more weeks.
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
RESAMPLED = (
    "stores × two-week blocks, clustered both ways; Student t on the number of blocks − 1; "
    "replications averaged first"
)


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
    block_days: int = BLOCK_DAYS,
) -> Difference:
    """The KPI's paired difference over replications, stores and blocks.

    Parameters
    ----------
    incumbent, winner : facts per replication, in the same order
    stores : axis indices to look at, optional (a region, a decile)
    """
    if len(incumbent) != len(winner) or not incumbent:
        raise InvalidInput("both arms need the same replications", field="replications")
    top_a, low_a = _cells(which, incumbent, network, costs, block_days)
    top_b, low_b = _cells(which, winner, network, costs, block_days)
    if stores is not None:
        rows = np.searchsorted(network.stores, stores)
        top_a, low_a, top_b, low_b = (x[rows] for x in (top_a, low_a, top_b, low_b))
    value_a, value_b = _ratio(top_a, low_a), _ratio(top_b, low_b)
    # Linearised influence of each cell on the difference of the two ratios.
    influence = _influence(top_b, low_b, value_b) - _influence(top_a, low_a, value_a)
    deviation, freedom = _two_way(influence)
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
) -> list[Difference]:
    """Every registered KPI (or those of `names`) that both arms can tell."""
    wanted = [kpi(name) for name in names] if names else list(KPIS.values())
    out = [paired_difference(one, incumbent, winner, network, costs) for one in wanted]
    return [one for one in out if np.isfinite(one.difference)]


def _cells(
    which: Kpi, arms: Sequence[DayFacts], network: Network, costs: CostModel, block_days: int
) -> tuple[Floats, Floats]:
    """((S, B), (S, B)) numerator and denominator, replications averaged.

    What happens at a warehouse is shared by its stores in equal parts: it serves them.
    """
    tops, belows = [], []
    for facts in arms:
        top = which.numerator(facts, costs).sum(axis=2)
        below = (
            which.denominator(facts, costs).sum(axis=2)
            if which.denominator is not None
            else np.full(top.shape, np.nan)
        )
        tops.append(_blocks(_to_stores(top, network), block_days))
        belows.append(_blocks(_to_stores(below, network), block_days))
    return np.mean(tops, axis=0), np.mean(belows, axis=0)


def _to_stores(per_place: Floats, network: Network) -> Floats:
    """(D, S): rows of stores, each with its part of its warehouse's."""
    source = network.locations.source[network.stores]
    served = np.bincount(source, minlength=network.shape[0])
    out: Floats = per_place[:, network.stores] + per_place[:, source] / served[source]
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


def _two_way(influence: Floats) -> tuple[float, int]:
    """(standard deviation, degrees of freedom) of the sum of an (S, B) table."""
    blocks = influence.shape[1]
    by_block = _spread(influence.sum(axis=0))
    by_store = _spread(influence.sum(axis=1))
    by_cell = _spread(influence.ravel())
    variance = max(by_block + by_store - by_cell, by_block, by_store)
    return float(np.sqrt(variance)), max(blocks - 1, 1)


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
