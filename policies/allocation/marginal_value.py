"""Marginal value: each case goes where it is likeliest to be sold.

Sources: Federgruen & Zipkin (1984) for the greedy rule; Kaynov et al. (2024) for cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.allocation.scarce import Scarce, divide
from policies.domain.network import IntArray
from policies.domain.view import NetworkView
from policies.replenishment.levels import Floats, require_forecast

Ints = npt.NDArray[np.int64]
_LARGE_MEAN = 300.0


@dataclass(frozen=True)
class MarginalValue:
    """Give case after case to the store that sells most of it before its next delivery.

    The value of a case is the expected number of its units that meet demand over the
    protection interval: Σ P(demand > position + i) over its units. The sum is concave, so
    the greedy rule is the optimum where all cases are full.
    """

    def allocate(self, view: NetworkView, wanted: IntArray) -> IntArray:
        """(L, K) int32 granted; never above `wanted` nor above what is available."""
        forecast = require_forecast(view)
        mean = forecast.mean_total(view.day + 1, view.protection_days)

        def share(scarce: Scarce) -> IntArray:
            cells = np.ix_(scarce.rows, scarce.skus)
            position = (
                view.on_hand[cells]
                + view.on_order[cells]
                - view.backorders[cells]
                - view.reserved[cells]
            )
            return _share(
                scarce.want,
                position,
                mean[cells].astype(np.float64),
                forecast.variance_ratio[cells].astype(np.float64),
                scarce.free,
                scarce.pack,
            )

        return divide(view, wanted, share)


@njit(cache=True)
def _share(
    want: IntArray, position: IntArray, mean: Floats, ratio: Floats, free: IntArray, pack: IntArray
) -> IntArray:
    """(S, K) int32: greedy by value per unit; of equal ones the lower position first."""
    stores, skus = want.shape
    out = np.zeros((stores, skus), dtype=np.int32)
    for k in range(skus):
        values = np.empty(stores)
        for s in range(stores):
            step = min(pack[k], want[s, k])
            values[s] = _worth(position[s, k], step, mean[s, k], ratio[s, k])
        left = np.int64(free[k])
        while left > 0:
            best = -1
            for s in range(stores):
                step = min(pack[k], want[s, k] - out[s, k])
                if 0 < step <= left and (best < 0 or values[s] > values[best] + 1e-12):
                    best = s
            if best < 0:
                break
            step = min(pack[k], want[best, k] - out[best, k])
            out[best, k] += step
            left -= step
            after = min(pack[k], want[best, k] - out[best, k])
            at = position[best, k] + out[best, k]
            values[best] = _worth(at, after, mean[best, k], ratio[best, k])
    return out


@njit(cache=True)
def expected_sold(position: Ints, units: Ints, mean: Floats, ratio: Floats) -> Floats:
    """(N,) float64: how many of the next `units` beyond `position` meet demand, expected.

    Parameters
    ----------
    position, units : (N,) int64, base units
    mean, ratio : (N,) float64, demand's mean and its variance / mean
    """
    out = np.empty(len(position))
    for i in range(len(position)):
        share = _worth(position[i], units[i], mean[i], ratio[i])
        out[i] = max(share, 0.0) * units[i]
    return out


@njit(cache=True)
def _worth(position: int, units: int, mean: float, ratio: float) -> float:
    """Expected share of the next `units` that is sold, from `position` on."""
    if units <= 0:
        return -1.0
    total = 0.0
    if mean <= 0.0:
        return 0.0
    spread = max(ratio, 1.0)
    if mean > _LARGE_MEAN:
        deviation = math.sqrt(mean * spread)
        for i in range(units):
            z = (position + i + 0.5 - mean) / deviation
            total += 0.5 * math.erfc(z / math.sqrt(2.0))
        return total / units
    if spread < 1.0 + 1e-6:
        chance = math.exp(-mean)
        step, base = mean, 0.0
    else:
        shape = mean / (spread - 1.0)
        chance = math.exp(-shape * math.log(spread))
        step, base = (spread - 1.0) / spread * shape, (spread - 1.0) / spread
    above, at = 1.0, 0
    # P(demand > n) for n = position … position + units − 1; below 0 all of it is owed.
    for n in range(position, position + units):
        while at <= n and above > 1e-12:
            above -= chance
            chance *= (step + base * at) / (at + 1)
            at += 1
        total += max(above, 0.0) if n >= 0 else 1.0
    return total / units
