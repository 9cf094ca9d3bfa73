"""Base stock for goods that expire, with what will be thrown away taken off the position.

Source: Broekmeulen & van Donselaar (2009), Computers & Operations Research 36:3013 (EWA).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.decision import Reason
from policies.domain.network import IntArray
from policies.domain.view import NetworkView
from policies.replenishment.levels import Floats, require_forecast
from policies.replenishment.orders import OrderRules, protection_level, require_share


@dataclass(frozen=True)
class PerishableBaseStock:
    """Order up to a quantile; units expected to expire meanwhile count as gone.

    The waste until the next receipt is estimated by selling the mean demand of each day,
    oldest first. Where the view knows no expiry days, ages are taken as spread evenly over
    the shelf life.

    Parameters
    ----------
    fractile : float in (0, 1), of the demand over the protection interval
    rules : OrderRules
    """

    fractile: float = 0.9
    rules: OrderRules = field(default_factory=OrderRules)

    def __post_init__(self) -> None:
        require_share("fractile", self.fractile)

    def order_quantity(self, view: NetworkView) -> tuple[IntArray, npt.NDArray[np.int8]]:
        """(wanted, reason), each (L, K)."""
        level = self.rules.at_least(view, protection_level(view, self.fractile))
        waste = np.ceil(expected_waste(view) - 0.5).astype(np.int32)
        gap = level - view.inventory_position + waste
        return self.rules.orders(view, gap, Reason.BELOW_BASE_STOCK)


def expected_waste(view: NetworkView) -> Floats:
    """(L, K) units of the stock on hand that expire before the next order's receipt."""
    forecast = require_forecast(view)
    longest = int(view.protection_days.max(initial=0))
    ones = np.ones(view.network.shape[0], dtype=np.int32)
    by_day = np.stack(
        [forecast.weekday_sum(view.day + 1 + d, ones) for d in range(longest)], axis=1
    ) if longest else np.zeros((len(ones), 0), dtype=np.float32)  # fmt: skip
    expires = view.expires
    if expires is None:
        expires = np.zeros((*view.network.shape, 0), dtype=np.int32)
    return _waste(
        view.on_hand,
        expires,
        view.expires is not None,
        view.network.skus.shelf_life_days,
        forecast.level,
        by_day,
        view.protection_days,
    )


@njit(cache=True)
def _waste(
    on_hand: IntArray,
    expires: IntArray,
    is_known: bool,  # noqa: FBT001  a compiled loop takes no keywords
    life: IntArray,
    level: npt.NDArray[np.float32],
    by_day: npt.NDArray[np.float32],
    days: IntArray,
) -> Floats:
    out = np.zeros(on_hand.shape)
    for place in range(on_hand.shape[0]):
        for k in range(on_hand.shape[1]):
            if life[k] <= 0 or on_hand[place, k] <= 0:
                continue
            # The day after the last one looked at belongs to the next receipt.
            for_days = min(days[place] - 1, life[k])
            ahead = 0.0
            for d in range(for_days):
                if is_known:
                    dies = np.float64(expires[place, k, d]) if d < expires.shape[2] else 0.0
                else:
                    dies = on_hand[place, k] / life[k]
                # Oldest first: demand beyond this class eats into the younger ones.
                ahead += level[place, k] * by_day[place, d] - dies
                if ahead < 0.0:
                    out[place, k] -= ahead
                    ahead = 0.0
    return out
