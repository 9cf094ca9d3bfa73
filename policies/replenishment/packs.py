"""Rounding to cases."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.network import IntArray


def whole_packs(units: npt.NDArray[np.integer], pack_size: IntArray, share: float) -> IntArray:
    """(L, K) int32: units as whole cases; a part of a case ≥ `share` becomes a case.

    `share` near 0 rounds up, 0.5 to the nearest, 1 down to full cases only.
    """
    full, rest = np.divmod(np.maximum(units, 0), pack_size)
    more = (rest > 0) & (rest >= share * pack_size)
    out: IntArray = ((full + more) * pack_size).astype(np.int32)
    return out


@njit(cache=True)
def cases_for(units: int, pack_size: int, share: float) -> int:
    """Units of one record in whole cases: as :func:`whole_packs`, for compiled loops."""
    if units <= 0:
        return 0
    rest = units % pack_size
    full = units - rest
    return int(full + pack_size if rest > 0 and rest >= share * pack_size else full)
