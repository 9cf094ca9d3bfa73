"""Slow movers: which stock to clear first, how, and what that gains over keeping it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.errors import InvalidInput
from policies.domain.network import IntArray
from policies.domain.view import NetworkView

Floats = npt.NDArray[np.float64]


class Action(enum.IntEnum):
    """What to do with stock that will not sell in time."""

    REBALANCE = 1  # to a near store that sells it
    MARK_DOWN = 2
    RETURN = 3  # to the supplier


@dataclass(frozen=True)
class ClearanceLines:
    """Proposals, the greatest gain first.

    Attributes
    ----------
    location, sku : (N,) int32
    action : (N,) int8, :class:`Action`
    units : (N,) int32, moved, returned, or stock under the new price
    to_location : (N,) int32, receiver of a rebalance; −1 otherwise
    discount_share : (N,) float64, of a markdown; 0 otherwise
    gain_cents : (N,) float64, above keeping the stock at full price
    """

    location: IntArray
    sku: IntArray
    action: npt.NDArray[np.int8]
    units: IntArray
    to_location: IntArray
    discount_share: Floats
    gain_cents: Floats

    def __len__(self) -> int:
        return len(self.units)


@dataclass(frozen=True)
class Clearance:
    """Compare moving, marking down and returning with keeping, cell by cell.

    Parameters
    ----------
    horizon_days : float > 0, time in which stock should sell; the shelf life where shorter
    elasticity : float ≥ 0, demand grows by (1 − discount) ** −elasticity
    discounts : tuple of float in (0, 1)
    residual_share : float in [0, 1], of the cost, what a unit left at the end is worth;
        nothing where goods expire
    return_share : float in [0, 1], of the cost, what the supplier pays back; 0 = no returns
    handling_cents_per_unit, run_cents_per_km : float ≥ 0, cost of moving
    neighbours : int ≥ 1, nearest stores that may take stock
    least_gain_cents : float ≥ 0
    """

    horizon_days: float = 56.0
    elasticity: float = 1.8
    discounts: tuple[float, ...] = (0.1, 0.2, 0.3, 0.5, 0.7)
    residual_share: float = 0.5
    return_share: float = 0.0
    handling_cents_per_unit: float = 20.0
    run_cents_per_km: float = 0.0
    neighbours: int = 5
    least_gain_cents: float = 1.0

    def __post_init__(self) -> None:
        shares = (self.residual_share, self.return_share)
        if not all(0 <= x <= 1 for x in shares) or not all(0 < d < 1 for d in self.discounts):
            raise InvalidInput("shares and discounts lie between 0 and 1", field="discounts")
        costs = (self.elasticity, self.handling_cents_per_unit, self.run_cents_per_km)
        if not (self.horizon_days > 0 and min(costs) >= 0 and self.neighbours >= 1):
            raise InvalidInput(
                "horizon above 0, costs not negative, at least one neighbour", field="params"
            )

    def propose(self, view: NetworkView) -> ClearanceLines:
        """The best action of every store cell with more than it sells in time."""
        if view.forecast is None:
            raise InvalidInput("the view carries no forecast", field="view.forecast")
        goods = view.network.skus
        life = goods.shelf_life_days.astype(np.float64)
        days = np.where(life > 0, np.minimum(life, self.horizon_days), self.horizon_days)
        cost = goods.unit_cost_cents.astype(np.float64)
        near, run = self._near(view)
        table = _best(
            np.flatnonzero(view.network.locations.source >= 0),
            view.available,
            view.inventory_position,
            view.forecast.level.astype(np.float64),
            days,
            goods.unit_price_cents.astype(np.float64),
            np.where(life > 0, 0.0, self.residual_share * cost),
            self.return_share * cost,
            near,
            run,
            np.array(self.discounts),
            self.elasticity,
            self.handling_cents_per_unit,
            view.network.listed,
        )
        rows = np.argwhere((table[0] > 0) & (table[4] >= self.least_gain_cents))
        rows = rows[np.argsort(-table[4][rows[:, 0], rows[:, 1]], kind="stable")]
        at = (rows[:, 0], rows[:, 1])
        return ClearanceLines(
            rows[:, 0].astype(np.int32),
            rows[:, 1].astype(np.int32),
            table[0][at].astype(np.int8),
            table[1][at].astype(np.int32),
            table[2][at].astype(np.int32),
            table[3][at],
            table[4][at],
        )

    def _near(self, view: NetworkView) -> tuple[npt.NDArray[np.intp], Floats]:
        """(L, n) nearest stores of each store, and the cents of a run there and back."""
        network = view.network
        stores = network.locations.source >= 0
        metres = network.distance_m.astype(np.float64)
        metres[:, ~stores] = np.inf
        np.fill_diagonal(metres, np.inf)
        near = np.argsort(metres, axis=1, kind="stable")[:, : self.neighbours]
        far = np.take_along_axis(metres, near, axis=1)
        known = np.isfinite(far)
        run = np.where(known, far, 0.0) * 2 / 1_000 * self.run_cents_per_km
        return np.where(known, near, -1), run


@njit(cache=True)
def _best(
    stores: npt.NDArray[np.intp],
    available: IntArray,
    position: IntArray,
    rate: Floats,
    days: Floats,
    price: Floats,
    residual: Floats,
    back: Floats,
    near: npt.NDArray[np.intp],
    run: Floats,
    discounts: Floats,
    elasticity: float,
    handling: float,
    listed: npt.NDArray[np.bool_],
) -> Floats:
    """(5, L, K): action, units, receiver, discount, gain."""
    out = np.zeros((5, *available.shape))
    out[2] = -1.0
    for place in stores:
        for k in range(available.shape[1]):
            stock = float(available[place, k])
            sells = rate[place, k] * days[k]
            excess = np.floor(stock - sells)
            if stock <= 0 or excess < 1:
                continue
            gain = excess * (back[k] - residual[k] - handling)
            if back[k] > 0 and gain > out[4, place, k]:
                out[:, place, k] = (3.0, excess, -1.0, 0.0, gain)
            kept = sells * price[k] + (stock - sells) * residual[k]
            for discount in discounts:
                sold = min(stock, sells * (1 - discount) ** -elasticity)
                worth = sold * price[k] * (1 - discount) + (stock - sold) * residual[k]
                if worth - kept > out[4, place, k]:
                    out[:, place, k] = (2.0, stock, -1.0, discount, worth - kept)
            for n in range(near.shape[1]):
                to = near[place, n]
                if to < 0 or not listed[to, k]:
                    continue
                room = np.floor(rate[to, k] * days[k] - position[to, k])
                units = min(excess, room)
                gain = units * (price[k] - residual[k] - handling) - run[place, n]
                if units >= 1 and gain > out[4, place, k]:
                    out[:, place, k] = (1.0, units, float(to), 0.0, gain)
    return out
