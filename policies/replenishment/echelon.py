"""Echelon base stock: a warehouse orders by what it and all its stores hold together.

Source: Clark & Scarf (1960). An order of a store moves stock inside the echelon and
leaves the warehouse's echelon position as it was: no bullwhip from batching below.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from policies.domain.decision import Reason
from policies.domain.network import IntArray
from policies.domain.view import NetworkView
from policies.forecasting.quantiles import negative_binomial_quantile
from policies.replenishment.levels import require_forecast
from policies.replenishment.orders import OrderRules, protection_level, require_share


@dataclass(frozen=True)
class EchelonBaseStock:
    """Stores order up to a quantile, warehouses up to a quantile of their echelon.

    Parameters
    ----------
    store_fractile, warehouse_fractile : float in (0, 1)
    rules : OrderRules, ``warehouse_cover_days`` is cover on top of the echelon's level
    """

    store_fractile: float = 0.9
    warehouse_fractile: float = 0.95
    rules: OrderRules = field(default_factory=lambda: OrderRules(warehouse_cover_days=0.0))

    def __post_init__(self) -> None:
        require_share("store_fractile", self.store_fractile)
        require_share("warehouse_fractile", self.warehouse_fractile)

    def order_quantity(self, view: NetworkView) -> tuple[IntArray, npt.NDArray[np.int8]]:
        """(wanted, reason), each (L, K)."""
        level = self.rules.at_least(view, protection_level(view, self.store_fractile))
        gap = level - view.inventory_position
        return self.rules.orders(view, gap, Reason.BELOW_BASE_STOCK, self._warehouses(view))

    def _warehouses(self, view: NetworkView) -> IntArray:
        """(L, K) what each warehouse's echelon lacks."""
        forecast, source = require_forecast(view), view.network.locations.source
        out = np.zeros(view.network.shape, dtype=np.int32)
        for warehouse in np.flatnonzero(source < 0):
            stores = np.flatnonzero(source == warehouse)
            # The level must last until the *following* order has reached the stores.
            beyond = int(view.protection_days[stores].max(initial=0))
            days = np.full(len(source), view.protection_days[warehouse] + beyond, dtype=np.int32)
            mean = forecast.mean_total(view.day + 1, days)[stores].astype(np.float64)
            total = mean.sum(axis=0)
            variance = (mean * np.maximum(forecast.variance_ratio[stores], 1)).sum(axis=0)
            ratio = np.divide(variance, total, out=np.ones_like(total), where=total > 0)
            level = negative_binomial_quantile(total, ratio, np.array([self.warehouse_fractile]))
            rate = forecast.level[stores].astype(np.float64).sum(axis=0)
            level = level + np.ceil(rate * self.rules.warehouse_cover_days).astype(np.int32)
            # What a store has on order includes what the warehouse still owes it: shipped
            # units are inside the echelon once, unshipped ones are the warehouse's own.
            inside = view.on_hand[stores] + view.in_transit[stores] - view.backorders[stores]
            own = view.on_hand[warehouse] + view.on_order[warehouse] - view.backorders[warehouse]
            out[warehouse] = np.maximum(level - inside.sum(axis=0) - own, 0)
        return out
