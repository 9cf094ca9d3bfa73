"""From the gap of each store to an order: presentation, cases, and warehouses' own needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.decision import Reason
from policies.domain.errors import InvalidInput
from policies.domain.network import IntArray
from policies.domain.view import NetworkView
from policies.forecasting.quantiles import total_quantile
from policies.replenishment.base_stock import warehouse_gap
from policies.replenishment.levels import require_forecast
from policies.replenishment.packs import whole_packs


@dataclass(frozen=True)
class OrderRules:
    """What holds for every store policy alike.

    Parameters
    ----------
    presentation_units : int ≥ 0, least level of a listed SKU
    pack_share : float in (0, 1], part of a case from which a case is ordered
    warehouse_cover_days, warehouse_batch_days : float ≥ 0, as in ``CappedBaseStock``
    """

    presentation_units: int = 1
    pack_share: float = 0.05
    warehouse_cover_days: float = 4.0
    warehouse_batch_days: float = 0.0

    def __post_init__(self) -> None:
        for name in ("presentation_units", "warehouse_cover_days", "warehouse_batch_days"):
            if not getattr(self, name) >= 0:
                raise InvalidInput(
                    f"{name} is {getattr(self, name)}", field=name, remedy="give 0 or more"
                )
        if not 0 < self.pack_share <= 1:
            raise InvalidInput("pack_share lies in (0, 1]", field="pack_share")

    def at_least(self, view: NetworkView, level: IntArray) -> IntArray:
        """`level` (L, K), raised to the presentation stock where a SKU is listed."""
        out: IntArray = np.maximum(level, self.presentation_units * view.network.listed)
        return out

    def orders(
        self,
        view: NetworkView,
        gap: npt.NDArray[np.integer],
        reason: Reason | npt.NDArray[np.int8],
        warehouse: IntArray | None = None,
    ) -> tuple[IntArray, npt.NDArray[np.int8]]:
        """(wanted, reason), each (L, K), of what stores lack.

        `warehouse` (L, K) is what warehouses lack; by their stores' demand if None.
        """
        stores = (view.network.locations.source >= 0)[:, None]
        if warehouse is None:
            warehouse = warehouse_gap(view, self.warehouse_cover_days, self.warehouse_batch_days)
        lacks = np.where(view.may_order, np.where(stores, gap, warehouse), 0)
        wanted = whole_packs(lacks, view.network.skus.pack_size, self.pack_share)
        why = np.where(stores, reason, Reason.WAREHOUSE_COVER)
        return wanted, np.broadcast_to(why, wanted.shape).astype(np.int8)


def protection_level(view: NetworkView, fractile: float) -> IntArray:
    """(L, K) int32: quantile of the demand until the next order's receipt."""
    forecast = require_forecast(view)
    share = np.full((1, 1), fractile)
    return total_quantile(forecast, view.day + 1, view.protection_days, share)


def require_share(field: str, value: float) -> None:
    """Refuse a probability that is not strictly between 0 and 1."""
    if not 0 < value < 1:
        raise InvalidInput(f"{field} is {value}", field=field, remedy="give a share in (0, 1)")


def require_at_least(field: str, value: float, least: float = 0.0) -> None:
    """Refuse a NaN and a value below `least`."""
    if not value >= least:
        raise InvalidInput(f"{field} is {value}", field=field, remedy=f"give {least:g} or more")
