"""The best capped base stock of a store whose unmet demand is lost.

A class's two numbers are tried exhaustively on a compiled kernel under common random
demand; the leaders and their neighbours are then judged by exact averages where the
chain is small enough, else by a longer simulation that none of them was chosen on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.exact.demand import Floats, NoExactAnswer
from policies.exact.lost_sales import LostSales
from policies.exact.lost_sales_averages import base_stock_table, table_averages

Units = npt.NDArray[np.int64]
PERIODS = 60_000
LONG_PERIODS = 2_000_000
_WARMUP = 500
_LEADERS = 4


@dataclass(frozen=True)
class CappedLevels:
    """A found pair: order up to `level`, at most `cap` at once; cost per period."""

    level: int
    cap: int
    cost: float
    is_exact: bool


def best_capped_base_stock(model: LostSales, seed: int = 1) -> CappedLevels:
    """The pair of least cost.

    Parameters
    ----------
    model : LostSales
    seed : int, of the search's demand

    Notes
    -----
    With waiting demand the best level is the newsvendor's of L + 1 periods, with lost
    demand it lies below; a cap below the mean starves the store, one above the
    one-period newsvendor's never binds for long.
    """
    highest = max(model.newsvendor(model.lead_time + 1), 1) + 1
    largest = max(model.newsvendor(1) + 2, 1)
    levels = np.arange(highest // 3, highest + 1)
    caps = np.arange(1, min(largest, highest) + 1)
    grid = np.array([(s, r) for s in levels for r in caps], dtype=np.int64)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    costs = _costs(model, grid, PERIODS, rng)
    leaders = [(int(s), int(r)) for s, r in grid[np.argsort(costs, kind="stable")[:_LEADERS]]]
    try:
        return _descend(model, leaders, highest)
    except NoExactAnswer:
        # Too large a chain: a fresh, long simulation decides among more leaders.
        finalists = grid[np.argsort(costs, kind="stable")[: 4 * _LEADERS]]
        again = _costs(model, finalists, LONG_PERIODS, rng)
        best = int(np.argmin(again))
        level, cap = finalists[best].tolist()
        return CappedLevels(level, cap, float(again[best]), is_exact=False)


def _descend(model: LostSales, leaders: list[tuple[int, int]], highest: int) -> CappedLevels:
    """Exact cost of the leaders, then of the best one's neighbours until none is better."""
    known: dict[tuple[int, int], float] = {}

    def cost(pair: tuple[int, int]) -> float:
        if pair not in known:
            known[pair] = table_averages(model, base_stock_table(model, *pair)).cost
        return known[pair]

    best = min(leaders, key=cost)
    while True:
        s, r = best
        near = [(s + i, r + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        leader = min((p for p in near if 0 <= p[0] <= highest + 2 and p[1] >= 1), key=cost)
        if cost(leader) >= cost(best):
            return CappedLevels(s, r, cost(best), is_exact=True)
        best = leader


def _costs(model: LostSales, grid: Units, periods: int, rng: np.random.Generator) -> Floats:
    if model.demand == "poisson":
        demand = rng.poisson(model.mean, periods + _WARMUP)
    else:
        demand = rng.geometric(1 / (1 + model.mean), periods + _WARMUP) - 1
    out: Floats = _replay(
        demand.astype(np.int64),
        grid,
        model.lead_time,
        model.holding_cost,
        model.lost_cost,
        _WARMUP,
    )
    return out


@njit(cache=True)
def _replay(
    demand: Units, grid: Units, lead_time: int, held_cost: float, lost_cost: float, warmup: int
) -> Floats:
    """(n,) cost per period of each (level, cap) under one stream of demand."""
    out = np.empty(len(grid))
    coming = np.zeros(max(lead_time, 1), dtype=np.int64)
    for row in range(len(grid)):
        level, cap = grid[row, 0], grid[row, 1]
        stock, pipeline = level, 0
        coming[:] = 0
        total = 0.0
        slot = 0
        for t in range(len(demand)):
            if lead_time > 0:
                stock += coming[slot]
                pipeline -= coming[slot]
            order = min(max(level - stock - pipeline, 0), cap)
            if lead_time > 0:
                coming[slot] = order
                pipeline += order
                slot = slot + 1 if slot + 1 < lead_time else 0
            else:
                stock += order
            left = stock - demand[t]
            stock = max(left, 0)
            if t >= warmup:
                total += held_cost * left if left > 0 else -lost_cost * left
        out[row] = total / (len(demand) - warmup)
    return out
