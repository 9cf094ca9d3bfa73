"""(s, S) with fixed cover, as chains commonly run today: the demo's incumbent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.decision import Reason
from policies.domain.errors import InvalidInput
from policies.domain.network import IntArray
from policies.domain.view import NetworkView
from policies.replenishment.base_stock import warehouse_needs
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
        forecast = require_forecast(view)
        stores = view.network.locations.source >= 0
        wanted = np.zeros(view.network.shape, dtype=np.int32)
        reason = np.full(wanted.shape, Reason.BELOW_REORDER_POINT, dtype=np.int8)
        reason[~stores] = Reason.WAREHOUSE_COVER
        _order_up_to(
            np.flatnonzero(view.review_due & stores),
            forecast.level,
            (view.on_hand, view.on_order, view.backorders, view.reserved),
            view.network.listed,
            view.network.skus.pack_size,
            (self.reorder_cover_days, self.order_up_to_cover_days, self.pack_share),
            self.presentation_units,
            wanted,
        )
        for place, need in warehouse_needs(view, self.warehouse_cover_days):
            if view.review_due[place]:
                listed = np.where(view.network.listed[place], need, 0)
                wanted[place] = whole_packs(listed, view.network.skus.pack_size, self.pack_share)
        if view.scope is not None:
            wanted *= view.scope
        return wanted, reason


@njit(cache=True, error_model="numpy")
def _order_up_to(
    rows: npt.NDArray[np.intp],
    level: npt.NDArray[np.float32],
    parts: tuple[IntArray, IntArray, IntArray, IntArray],
    listed: npt.NDArray[np.bool_],
    pack_size: IntArray,
    covers: tuple[float, float, float],
    presentation_units: int,
    wanted: IntArray,
) -> None:
    """Fill the rows that are due; the others stay 0 and are never touched."""
    on_hand, on_order, backorders, reserved = parts
    reorder_days, upper_days, pack_share = covers
    for place in rows:
        hand, coming = on_hand[place], on_order[place]
        owed, promised = backorders[place], reserved[place]
        rates, ranged, out = level[place], listed[place], wanted[place]
        # No branches, and no test of the divisor ("numpy"; a pack is never 0): the
        # compiler turns this into vector instructions, 4 × faster. A quotient of
        # 32-bit integers is exact in double precision before it is rounded down.
        for k in range(len(out)):
            position = np.float64(hand[k] + coming[k] - owed[k] - promised[k])
            rate = np.float64(rates[k])
            upper = np.ceil(rate * upper_days) + presentation_units
            reorder = np.ceil(rate * reorder_days) + presentation_units
            gap = max(upper - position, 0.0)
            gap = gap if position <= reorder and ranged[k] else 0.0
            pack = np.float64(pack_size[k])
            cases = np.floor(gap / pack)
            rest = gap - cases * pack
            more = 1.0 if rest > 0.0 and rest >= pack_share * pack else 0.0
            out[k] = np.int32((cases + more) * pack)
