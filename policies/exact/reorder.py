"""(s, S) with backorders: exact cost of any pair, and the best pair.

Source: Zheng & Federgruen (1991), Operations Research 39:654. Demand is discrete and
independent by period; at a position of s or less an order brings it to S.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policies.domain.errors import InvalidInput
from policies.exact.demand import Floats, mass, require_positive


@dataclass(frozen=True)
class ReorderModel:
    """One store with fixed order cost and backorders.

    Parameters
    ----------
    mean : float > 0, units per period
    lead_time : int ≥ 0, periods; an order placed in t serves the demand of t + L
    order_cost : float ≥ 0, per order
    holding_cost, backorder_cost : float > 0, per unit and period
    demand : str, as in :func:`policies.exact.demand.mass`
    """

    mean: float
    lead_time: int
    order_cost: float
    holding_cost: float
    backorder_cost: float
    demand: str = "poisson"

    def __post_init__(self) -> None:
        require_positive("mean", self.mean)
        require_positive("L", self.lead_time, zero=True)
        require_positive("K", self.order_cost, zero=True)
        require_positive("h", self.holding_cost)
        require_positive("p", self.backorder_cost)


@dataclass(frozen=True)
class ReorderAverages:
    """Long-run averages per period of an (s, S) pair."""

    reorder_point: int
    level: int
    cost: float
    holding: float
    backlog: float
    order_frequency: float


def averages(model: ReorderModel, reorder_point: int, level: int) -> ReorderAverages:
    """Averages of the pair (s, S), by renewal of the position between two orders."""
    if level <= reorder_point:
        raise InvalidInput(
            f"S is {level} and s is {reorder_point}", field="S", remedy="give S above s"
        )
    visits = _visits(model, level - reorder_point)
    on_hand, owed = _one_period(model, np.arange(level, reorder_point, -1))
    cycle = float(visits.sum())
    holding, backlog = float(visits @ on_hand) / cycle, float(visits @ owed) / cycle
    cost = model.order_cost / cycle + model.holding_cost * holding + model.backorder_cost * backlog
    return ReorderAverages(reorder_point, level, cost, holding, backlog, 1 / cycle)


def best_reorder_point(model: ReorderModel) -> ReorderAverages:
    """The pair (s, S) of least cost, with its averages."""
    search = _Search(model)
    low = search.minimiser()
    s, best = low - 1, low
    while search.cost(s, best) > search.one(s):
        s -= 1
    cost = search.cost(s, best)
    level = best + 1
    # Beyond the first level whose own cost is above the best average nothing can win.
    while search.one(level) <= cost:
        if search.cost(s, level) < cost:
            best = level
            while search.cost(s, best) <= search.one(s + 1) and s + 1 < best:
                s += 1
            cost = search.cost(s, best)
        level += 1
    return averages(model, s, best)


class _Search:
    """One-period costs G and visits m, grown as the search needs them."""

    def __init__(self, model: ReorderModel) -> None:
        self.model = model
        spread = model.mean * (model.lead_time + 1)
        ratio = model.order_cost / min(model.holding_cost, model.backorder_cost)
        # Grows on demand; this is what an economic order quantity would need.
        self.reach = int(4 * (spread + np.sqrt(2 * ratio * model.mean)) + 60)
        self._build()

    def _build(self) -> None:
        on_hand, owed = _one_period(self.model, np.arange(-self.reach, self.reach + 1))
        self.costs = self.model.holding_cost * on_hand + self.model.backorder_cost * owed
        self.visits = _visits(self.model, 2 * self.reach)
        self.cycle = np.cumsum(self.visits)

    def one(self, position: int) -> float:
        while abs(position) > self.reach:
            self.reach *= 2
            self._build()
        return float(self.costs[position + self.reach])

    def minimiser(self) -> int:
        at = int(np.argmin(self.costs))
        while at in (0, 2 * self.reach):
            self.reach *= 2
            self._build()
            at = int(np.argmin(self.costs))
        return at - self.reach

    def cost(self, s: int, level: int) -> float:
        self.one(s)
        self.one(level)
        size = level - s
        costs = self.costs[s + 1 + self.reach : level + 1 + self.reach][::-1]
        total = self.model.order_cost + float(self.visits[:size] @ costs)
        return total / float(self.cycle[size - 1])


def _visits(model: ReorderModel, size: int) -> Floats:
    """(size,) expected periods of a cycle that begin j units below S."""
    one = mass(model.demand, model.mean)
    out = np.zeros(size)
    out[0] = 1 / (1 - one[0])
    for j in range(1, size):
        most = min(j, len(one) - 1)
        out[j] = one[1 : most + 1] @ out[j - most : j][::-1] / (1 - one[0])
    return out


def _one_period(model: ReorderModel, positions: np.ndarray) -> tuple[Floats, Floats]:
    """(units left, units owed) expected after the demand of L + 1 periods."""
    total = mass(model.demand, model.mean, model.lead_time + 1)
    units = np.arange(len(total))
    below, weighted = np.cumsum(total), np.cumsum(total * units)
    at = np.clip(positions, 0, len(total) - 1)
    left = np.where(positions > 0, positions * below[at] - weighted[at], 0.0)
    return left, left - positions + model.mean * (model.lead_time + 1)
