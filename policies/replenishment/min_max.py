"""(s, S) with fixed cover, as chains commonly run today: the demo's incumbent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.decision import Reason
from policies.domain.errors import InvalidInput
from policies.domain.network import IntArray
from policies.domain.view import NetworkView
from policies.replenishment.base_stock import warehouse_gap
from policies.replenishment.levels import require_forecast
from policies.replenishment.packs import whole_packs


@dataclass(frozen=True)
class MinMax:
    """Order up to S when the position is at or below s.

    Parameters
    ----------
    reorder_cover_days, order_up_to_cover_days : float, s and S in days of mean demand
    presentation_units : int ≥ 0, added to both
    pack_share, warehouse_cover_days : as in :class:`CappedBaseStock`
    """

    reorder_cover_days: float = 10.0
    order_up_to_cover_days: float = 17.0
    presentation_units: int = 1
    pack_share: float = 0.05
    warehouse_cover_days: float = 7.0

    def __post_init__(self) -> None:
        if not 0 <= self.reorder_cover_days < self.order_up_to_cover_days:
            raise InvalidInput(
                f"s covers {self.reorder_cover_days} days, S {self.order_up_to_cover_days}",
                field="reorder_cover_days",
                remedy="s must lie below S",
            )
        if self.presentation_units < 0 or self.warehouse_cover_days < 0:
            raise InvalidInput("presentation and cover are not negative", field="params")
        if not 0 < self.pack_share <= 1:
            raise InvalidInput("pack_share lies in (0, 1]", field="pack_share")

    def order_quantity(self, view: NetworkView) -> tuple[IntArray, npt.NDArray[np.int8]]:
        """(wanted, reason), each (L, K)."""
        level = require_forecast(view).level.astype(np.float64)
        reorder = np.ceil(level * self.reorder_cover_days) + self.presentation_units
        upper = np.ceil(level * self.order_up_to_cover_days) + self.presentation_units
        position = view.inventory_position
        gap = np.where(position <= reorder, np.maximum(upper - position, 0), 0).astype(np.int32)
        stores = view.network.locations.source >= 0
        gap = np.where(stores[:, None], gap, warehouse_gap(view, self.warehouse_cover_days))
        wanted = whole_packs(
            np.where(view.may_order, gap, 0), view.network.skus.pack_size, self.pack_share
        )
        reason = np.where(stores[:, None], Reason.BELOW_REORDER_POINT, Reason.WAREHOUSE_COVER)
        return wanted, np.broadcast_to(reason, wanted.shape).astype(np.int8)
