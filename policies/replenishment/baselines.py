"""What others do: DDMRP buffers, and the base stock of a spreadsheet."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from policies.domain.decision import Reason
from policies.domain.network import IntArray
from policies.domain.view import NetworkView
from policies.replenishment.levels import require_forecast
from policies.replenishment.orders import OrderRules, require_at_least, require_share


@dataclass(frozen=True)
class Ddmrp:
    """Demand-driven MRP: red, yellow and green zones around the net flow position.

    Source: Ptak & Smith (2019). Yellow = usage · lead time; red = that · lead-time factor
    · (1 + variability factor); green = the largest of usage · lead time · lead-time factor,
    usage · order cycle and one case. Net flow at or below red + yellow: order to the top.

    Parameters
    ----------
    lead_time_factor, variability_factor : float ≥ 0
    order_cycle_days : float ≥ 0
    rules : OrderRules
    """

    lead_time_factor: float = 0.5
    variability_factor: float = 0.5
    order_cycle_days: float = 1.0
    rules: OrderRules = field(default_factory=OrderRules)

    def __post_init__(self) -> None:
        for name in ("lead_time_factor", "variability_factor", "order_cycle_days"):
            require_at_least(name, getattr(self, name))

    def order_quantity(self, view: NetworkView) -> tuple[IntArray, npt.NDArray[np.int8]]:
        """(wanted, reason), each (L, K)."""
        usage = require_forecast(view).level.astype(np.float64)
        yellow = usage * view.protection_days[:, None]
        base = yellow * self.lead_time_factor
        red = base * (1 + self.variability_factor)
        green = np.maximum(
            np.maximum(base, usage * self.order_cycle_days), view.network.skus.pack_size
        )
        # Nothing sold, nothing buffered: one case of every dead SKU would be dead stock.
        trigger = self.rules.at_least(view, np.ceil(red + yellow).astype(np.int32) - (usage == 0))
        top = np.where(usage > 0, np.ceil(red + yellow + green), trigger).astype(np.int32)
        flow = view.inventory_position
        gap = np.where(flow <= trigger, np.maximum(top, trigger) - flow, 0)
        return self.rules.orders(view, gap, Reason.BELOW_REORDER_POINT)


@dataclass(frozen=True)
class SpreadsheetBaseStock:
    """Mean + z · standard deviation, normal for every SKU, as a spreadsheet would.

    Parameters
    ----------
    fractile : float in (0, 1), one service level for all
    rules : OrderRules
    """

    fractile: float = 0.95
    rules: OrderRules = field(default_factory=OrderRules)

    def __post_init__(self) -> None:
        require_share("fractile", self.fractile)

    def order_quantity(self, view: NetworkView) -> tuple[IntArray, npt.NDArray[np.int8]]:
        """(wanted, reason), each (L, K)."""
        forecast = require_forecast(view)
        days = view.protection_days[:, None]
        mean = forecast.level.astype(np.float64) * days
        deviation = np.sqrt(forecast.level.astype(np.float64) * forecast.variance_ratio * days)
        level = np.floor(mean + float(ndtri(self.fractile)) * deviation + 0.5).astype(np.int32)
        gap = self.rules.at_least(view, level) - view.inventory_position
        return self.rules.orders(view, gap, Reason.BELOW_BASE_STOCK)
