"""Base stock and capped base stock on forecast quantiles.

Sources: Zipkin (2008) for lost sales under base stock; Xin (2021, Operations Research
69:61) for the cap, which keeps most of the optimum where plain base stock over-orders.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.decision import Reason
from policies.domain.errors import InvalidInput
from policies.domain.network import IntArray
from policies.domain.view import NetworkView
from policies.forecasting.quantiles import total_quantile
from policies.replenishment.levels import (
    class_count,
    demand_classes,
    require_forecast,
    warehouse_demand_per_day,
)
from policies.replenishment.packs import whole_packs


@dataclass(frozen=True)
class CappedBaseStock:
    """Order up to a quantile of the demand until the next order's receipt.

    Parameters
    ----------
    fractiles : tuple of float in (0, 1), one per demand class
    safety_share : float ≥ 0, scales the part of the level above the mean
    cap_share : float > 0 or None, largest order as a share of the protection interval's
        expected demand; None = no cap (plain base stock)
    presentation_units : int ≥ 0, least level of a listed SKU
    pack_share : float in (0, 1], part of a case from which a case is ordered; near 0 a
        level can never stay out of reach behind a large case
    warehouse_cover_days : float ≥ 0, safety cover of a warehouse beyond its protection
        interval
    warehouse_batch_days : float ≥ 0, days of demand that a warehouse orders on top once its
        position is at its target; 0 = every SKU is ordered anew every evening
    """

    fractiles: tuple[float, ...] = (0.9,) * class_count()
    safety_share: float = 1.0
    cap_share: float | None = None
    presentation_units: int = 1
    pack_share: float = 0.05
    warehouse_cover_days: float = 4.0
    warehouse_batch_days: float = 0.0

    def __post_init__(self) -> None:
        if len(self.fractiles) != class_count():
            raise InvalidInput(f"give {class_count()} fractiles", field="fractiles")
        if not all(0 < q < 1 for q in self.fractiles):
            raise InvalidInput("fractiles lie between 0 and 1", field="fractiles")
        if self.safety_share < 0 or self.warehouse_cover_days < 0 or self.presentation_units < 0:
            raise InvalidInput("safety, cover and presentation are not negative", field="params")
        if self.warehouse_batch_days < 0:
            raise InvalidInput("a batch is not negative", field="warehouse_batch_days")
        if self.cap_share is not None and self.cap_share <= 0:
            raise InvalidInput("a cap of nothing orders nothing", field="cap_share")
        if not 0 < self.pack_share <= 1:
            raise InvalidInput("pack_share lies in (0, 1]", field="pack_share")

    def order_quantity(self, view: NetworkView) -> tuple[IntArray, npt.NDArray[np.int8]]:
        """(wanted, reason), each (L, K)."""
        forecast = require_forecast(view)
        day = view.day + 1
        fractile = np.asarray(self.fractiles)[demand_classes(forecast)]
        level = total_quantile(forecast, day, view.protection_days, fractile)
        mean = forecast.mean_total(day, view.protection_days)
        if self.safety_share != 1.0:
            level = np.ceil(mean + self.safety_share * (level - mean)).astype(np.int32)
        level = np.maximum(level, self.presentation_units * view.network.listed)
        gap = level - view.inventory_position
        capped = np.zeros(view.network.shape, dtype=np.bool_)
        if self.cap_share is not None:
            most = np.maximum(np.ceil(self.cap_share * mean), 1).astype(np.int32)
            capped = gap > most
            gap = np.minimum(gap, most)
        stores = view.network.locations.source >= 0
        needed = warehouse_gap(view, self.warehouse_cover_days, self.warehouse_batch_days)
        gap = np.where(stores[:, None], gap, needed)
        wanted = whole_packs(
            np.where(view.may_order, gap, 0), view.network.skus.pack_size, self.pack_share
        )
        reason = np.where(capped, Reason.BASE_STOCK_CAPPED, Reason.BELOW_BASE_STOCK)
        reason = np.where(stores[:, None], reason, Reason.WAREHOUSE_COVER)
        return wanted, reason.astype(np.int8)


def warehouse_gap(view: NetworkView, cover_days: float, batch_days: float = 0.0) -> IntArray:
    """(L, K) int32: what warehouses order to cover their stores; 0 at stores."""
    out = np.zeros(view.network.shape, dtype=np.int32)
    for place, need in warehouse_needs(view, cover_days, batch_days):
        out[place] = need
    return out


def warehouse_needs(
    view: NetworkView, cover_days: float, batch_days: float = 0.0
) -> list[tuple[int, IntArray]]:
    """(location, (K,) int32 units) of each warehouse.

    An (s, S) rule: s is the stores' expected demand over protection interval +
    `cover_days`, against the warehouse's own position; S lies `batch_days` of demand
    higher, so that a SKU costs an order line every few days and not every evening.
    """
    per_day = warehouse_demand_per_day(view)
    needs = []
    for place in np.flatnonzero(view.network.locations.source < 0).tolist():
        rate = per_day[place] if place < len(per_day) else np.zeros(view.network.shape[1])
        target = rate * (view.protection_days[place] + cover_days)
        position = (
            view.on_hand[place]
            + view.on_order[place]
            - view.backorders[place]
            - view.reserved[place]
        )
        short = np.ceil(target).astype(np.int32) - position
        batch = np.ceil(rate * batch_days).astype(np.int32)
        needs.append((place, np.where(short > 0, short + batch, 0).astype(np.int32)))
    return needs
