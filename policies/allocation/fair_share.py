"""Fair share: under shortage every store is brought to the same days of cover."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.allocation.scarce import in_order_of_id
from policies.domain.network import IntArray
from policies.domain.view import NetworkView

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FairShare:
    """Divide what a warehouse has by projected days of cover, in whole cases.

    Cases left after rounding go, one at a time, to the store with the least cover.
    Without shortage every store gets what it wants.
    """

    def allocate(self, view: NetworkView, wanted: IntArray) -> IntArray:
        """(L, K) int32 granted; never above `wanted` nor above what is available."""
        source = view.network.locations.source
        granted = np.zeros(wanted.shape, dtype=wanted.dtype)
        for warehouse in view.network.warehouses:
            rows = in_order_of_id(view, np.flatnonzero((source == warehouse) & view.review_due))
            free = np.maximum(view.on_hand[warehouse] - view.reserved[warehouse], 0)
            want = wanted[rows]
            short = np.flatnonzero(want.sum(axis=0, dtype=np.int64) > free)
            granted[rows] = want
            if short.size:
                cells = np.ix_(rows, short)
                position = (
                    view.on_hand[cells]
                    + view.on_order[cells]
                    - view.backorders[cells]
                    - view.reserved[cells]
                )
                level = (
                    view.forecast.level[cells].astype(np.float64)
                    if view.forecast is not None
                    else np.ones(position.shape)
                )
                granted[cells] = _share(
                    want[:, short],
                    position,
                    level,
                    free[short],
                    view.network.skus.pack_size[short],
                )
        return granted


@njit(cache=True)
def _share(
    want: IntArray, position: IntArray, rate: Floats, free: IntArray, pack: IntArray
) -> IntArray:
    """(S, K) int32: equal cover for each column of scarce stock."""
    stores, skus = want.shape
    out = np.zeros((stores, skus), dtype=np.int32)
    for k in range(skus):
        # A store that owes more than it has stands below 0 days of cover.
        low, high = 0.0, 1e6
        for s in range(stores):
            low = min(low, position[s, k] / max(rate[s, k], 1e-6))
        for _ in range(80):
            cover = (low + high) / 2
            total = 0.0
            for s in range(stores):
                need = max(rate[s, k], 1e-6) * cover - position[s, k]
                total += min(max(need, 0.0), float(want[s, k]))
            if total > free[k]:
                high = cover
            else:
                low = cover
        left = free[k]
        for s in range(stores):
            need = min(max(max(rate[s, k], 1e-6) * low - position[s, k], 0.0), float(want[s, k]))
            cases = int(need) // pack[k]
            out[s, k] = cases * pack[k]
            left -= out[s, k]
        while left > 0:
            best, least = -1, 1e18
            for s in range(stores):
                if want[s, k] - out[s, k] > 0 and min(pack[k], want[s, k] - out[s, k]) <= left:
                    cover = (position[s, k] + out[s, k]) / max(rate[s, k], 1e-6)
                    if cover < least:
                        best, least = s, cover
            if best < 0:
                break
            step = min(pack[k], want[best, k] - out[best, k])
            out[best, k] += step
            left -= step
    return out
