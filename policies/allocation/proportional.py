"""Proportional allocation: every store gets the same share of what it wants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.allocation.scarce import Scarce, divide
from policies.domain.network import IntArray
from policies.domain.view import NetworkView


@dataclass(frozen=True)
class Proportional:
    """Divide by what is wanted, in whole cases; cases left over go by largest remainder."""

    def allocate(self, view: NetworkView, wanted: IntArray) -> IntArray:
        """(L, K) int32 granted; never above `wanted` nor above what is available."""

        def share(scarce: Scarce) -> IntArray:
            return _share(scarce.want, scarce.free, scarce.pack)

        return divide(view, wanted, share)


@njit(cache=True)
def _share(want: IntArray, free: IntArray, pack: IntArray) -> IntArray:
    """(S, K) int32 of each column of scarce stock."""
    stores, skus = want.shape
    out = np.zeros((stores, skus), dtype=np.int32)
    rest = np.empty(stores)
    for k in range(skus):
        whole = 0.0
        for s in range(stores):
            whole += want[s, k]
        left = np.int64(free[k])
        for s in range(stores):
            exact = want[s, k] * (free[k] / whole)
            cases = int(exact / pack[k] + 1e-12)
            out[s, k] = cases * pack[k]
            left -= out[s, k]
            rest[s] = exact - out[s, k]
        _by_remainder(out[:, k], want[:, k], rest, int(left), int(pack[k]))
    return out


@njit(cache=True)
def _by_remainder(
    out: npt.NDArray[np.int32], want: npt.NDArray[np.int32], rest: npt.NDArray[np.float64],
    left: int, pack: int,
) -> None:  # fmt: skip
    while left > 0:
        best, most = -1, -1e18
        for s in range(len(out)):
            step = min(pack, want[s] - out[s])
            if 0 < step <= left and rest[s] > most + 1e-9:
                best, most = s, rest[s]
        if best < 0:
            return
        step = min(pack, want[best] - out[best])
        out[best] += step
        left -= step
        rest[best] -= step
