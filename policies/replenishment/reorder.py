"""Reorder-point policies on forecasts: (R, s, nQ) and the modified (s, S, q)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from policies.domain.decision import Reason
from policies.domain.network import IntArray
from policies.domain.view import NetworkView
from policies.replenishment.levels import require_forecast
from policies.replenishment.orders import (
    OrderRules,
    protection_level,
    require_at_least,
    require_share,
)


@dataclass(frozen=True)
class ReorderBatches:
    """(R, s, nQ): below the level, order as few whole batches as lift the position to it.

    Parameters
    ----------
    fractile : float in (0, 1), of the demand over the protection interval: the level
    batch_days : float ≥ 0, demand that one batch covers; a batch is whole cases
    rules : OrderRules
    """

    fractile: float = 0.95
    batch_days: float = 3.0
    rules: OrderRules = field(default_factory=OrderRules)

    def __post_init__(self) -> None:
        require_share("fractile", self.fractile)
        require_at_least("batch_days", self.batch_days)

    def order_quantity(self, view: NetworkView) -> tuple[IntArray, npt.NDArray[np.int8]]:
        """(wanted, reason), each (L, K)."""
        pack = view.network.skus.pack_size
        rate = require_forecast(view).level.astype(np.float64)
        cases = np.maximum(np.ceil(rate * self.batch_days / pack), 1).astype(np.int32)
        batch = cases * pack
        level = self.rules.at_least(view, protection_level(view, self.fractile))
        gap = np.maximum(level - view.inventory_position, 0)
        wanted = -(-gap // batch) * batch
        return self.rules.orders(view, wanted, Reason.BELOW_REORDER_POINT)


@dataclass(frozen=True)
class ModifiedReorder:
    """(s, S, q): at s or less order up to S, but at most q (Bijvank, Bhulai & Huh 2015).

    Parameters
    ----------
    fractile : float in (0, 1), of the demand over the protection interval: s + 1
    batch_days : float ≥ 0, S − s in days of demand (at least one unit)
    cap_share : float > 0, q as a share of the protection interval's expected demand
    rules : OrderRules
    """

    fractile: float = 0.9
    batch_days: float = 2.0
    cap_share: float = 1.5
    rules: OrderRules = field(default_factory=OrderRules)

    def __post_init__(self) -> None:
        require_share("fractile", self.fractile)
        require_at_least("batch_days", self.batch_days)
        require_at_least("cap_share", self.cap_share, 1e-9)

    def order_quantity(self, view: NetworkView) -> tuple[IntArray, npt.NDArray[np.int8]]:
        """(wanted, reason), each (L, K)."""
        forecast = require_forecast(view)
        rate = forecast.level.astype(np.float64)
        mean = forecast.mean_total(view.day + 1, view.protection_days)
        trigger = self.rules.at_least(view, protection_level(view, self.fractile)) - 1
        level = trigger + np.maximum(np.ceil(rate * self.batch_days), 1).astype(np.int32)
        most = np.maximum(np.ceil(self.cap_share * mean), 1).astype(np.int32)
        position = view.inventory_position
        gap = np.where(position <= trigger, level - position, 0)
        reason = np.where(gap > most, Reason.BASE_STOCK_CAPPED, Reason.BELOW_REORDER_POINT)
        return self.rules.orders(view, np.minimum(gap, most), reason.astype(np.int8))
