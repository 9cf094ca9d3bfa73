"""Newsvendor for goods that live a day or a review, and the myopic order for lost sales."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.decision import Reason
from policies.domain.network import IntArray
from policies.domain.view import NetworkView
from policies.forecasting.quantiles import negative_binomial_quantile, total_quantile
from policies.replenishment.levels import Floats, require_forecast
from policies.replenishment.orders import OrderRules, require_at_least, require_share

_LARGE_MEAN = 300.0


@dataclass(frozen=True)
class Newsvendor:
    """Order for the days until the next receipt, at the SKU's own critical ratio.

    Ratio = (price − cost) / (price − salvage), clipped to 0.01 … 0.99. The window is the
    review period, or the shelf life where that is shorter. Stock of goods that live one
    day is gone in the morning and doesn't count.

    Parameters
    ----------
    salvage_share : float in [0, 1), of the cost, for a unit that is left over
    rules : OrderRules
    """

    salvage_share: float = 0.0
    rules: OrderRules = field(default_factory=lambda: OrderRules(presentation_units=0))

    def __post_init__(self) -> None:
        require_share("salvage_share", self.salvage_share or 0.5)

    def order_quantity(self, view: NetworkView) -> tuple[IntArray, npt.NDArray[np.int8]]:
        """(wanted, reason), each (L, K)."""
        forecast, goods = require_forecast(view), view.network.skus
        price = goods.unit_price_cents.astype(np.float64)
        cost = goods.unit_cost_cents.astype(np.float64)
        regret = np.maximum(price - self.salvage_share * cost, 1.0)
        ratio = np.clip((price - cost) / regret, 0.01, 0.99)
        review = np.maximum(view.protection_days - 1, 1).astype(np.int32)
        level = total_quantile(forecast, view.day + 1, review, ratio[None, :])
        # Goods that die before the next receipt are ordered for their own life only.
        for life in np.unique(goods.shelf_life_days[goods.shelf_life_days > 0]).tolist():
            mine = np.flatnonzero(goods.shelf_life_days == life)
            short = np.flatnonzero(review > life)
            if short.size:
                mean = forecast.mean_total(view.day + 1, np.minimum(review, life))
                cells = np.ix_(short, mine)
                level[cells] = negative_binomial_quantile(
                    mean[cells].astype(np.float64), forecast.variance_ratio[cells], ratio[mine]
                )
        dies = goods.shelf_life_days == 1
        keeps = np.where(dies, np.minimum(view.on_hand, 0), view.on_hand)
        position = view.inventory_position - view.on_hand + keeps
        level = self.rules.at_least(view, level)
        return self.rules.orders(view, level - position, Reason.BELOW_BASE_STOCK)


@dataclass(frozen=True)
class MyopicOrder:
    """Myopic order for lost sales: best for the window that it opens, blind for later.

    What is left when the order arrives is (position − demand of the lead time)⁺, a random
    number, not a difference of means. Source: Morton (1971); Zipkin (2008). A view states
    orders on their way as one sum, so that all of it counts as there before this order.

    Parameters
    ----------
    fractile : float in (0, 1), lost-sale cost / (lost-sale cost + holding cost)
    lead_days : int ≥ 0, days of sale before the order arrives; 0 = tomorrow morning
    rules : OrderRules
    """

    fractile: float = 0.9
    lead_days: int = 0
    rules: OrderRules = field(default_factory=OrderRules)

    def __post_init__(self) -> None:
        require_share("fractile", self.fractile)
        require_at_least("lead_days", self.lead_days)

    def order_quantity(self, view: NetworkView) -> tuple[IntArray, npt.NDArray[np.int8]]:
        """(wanted, reason), each (L, K)."""
        forecast = require_forecast(view)
        lead = np.minimum(view.protection_days, self.lead_days).astype(np.int32)
        whole = forecast.mean_total(view.day + 1, view.protection_days).astype(np.float64)
        before = forecast.mean_total(view.day + 1, lead).astype(np.float64)
        position = np.maximum(view.inventory_position, 0)
        owed = np.maximum(-view.inventory_position, 0)
        level = negative_binomial_quantile(
            whole, forecast.variance_ratio, np.full((1, 1), self.fractile)
        )
        wanted = _myopic(
            position, before, whole - before, forecast.variance_ratio, self.fractile, level
        )
        shown = self.rules.presentation_units * view.network.listed - position
        gap = np.maximum(wanted, shown) + owed
        return self.rules.orders(view, gap, Reason.BELOW_BASE_STOCK)


@njit(cache=True)
def _myopic(
    position: IntArray,
    before: Floats,
    after: Floats,
    ratio: npt.NDArray[np.float32],
    fractile: float,
    level: IntArray,
) -> IntArray:
    """(L, K) int32: least z with P(demand after ≤ what is left + z) ≥ `fractile`."""
    out = np.zeros(position.shape, dtype=np.int32)
    for place in range(position.shape[0]):
        for k in range(position.shape[1]):
            x = position[place, k]
            early, late = before[place, k], after[place, k]
            if early + late > _LARGE_MEAN or early <= 0.0:
                # Nothing can be lost before, or the normal range: both are a base stock.
                out[place, k] = max(level[place, k] - x, 0)
                continue
            size = x + 1
            left = np.zeros(size)
            spread = max(np.float64(ratio[place, k]), 1.0)
            early_mass = _masses(early, spread, size)
            sold = 0.0
            for d in range(x):
                left[x - d] = early_mass[d]
                sold += early_mass[d]
            left[0] = max(1.0 - sold, 0.0)
            out[place, k] = _least(left, late, spread, fractile)
    return out


@njit(cache=True)
def _least(left: Floats, mean: float, ratio: float, fractile: float) -> int:
    if mean <= 0.0:
        return 0
    size = len(left) + int(mean + 12 * math.sqrt(mean * ratio) + 30)
    below = np.cumsum(_masses(mean, ratio, size))
    for z in range(size - len(left) + 1):
        served = 0.0
        for j in range(len(left)):
            served += left[j] * below[j + z]
        if served >= fractile:
            return z
    return size - len(left)


@njit(cache=True)
def _masses(mean: float, ratio: float, size: int) -> Floats:
    """(size,) chances of 0, 1, … units; Poisson where the variance ratio is 1."""
    out = np.zeros(size)
    if mean <= 0.0:
        out[0] = 1.0
        return out
    if ratio < 1.0 + 1e-6:
        out[0] = math.exp(-mean)
        step, base = mean, 0.0
    else:
        shape = mean / (ratio - 1.0)
        out[0] = math.exp(-shape * math.log(ratio))
        step, base = (ratio - 1.0) / ratio * shape, (ratio - 1.0) / ratio
    for k in range(size - 1):
        out[k + 1] = out[k] * (step + base * k) / (k + 1)
    return out
