"""Rounding to cases."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from policies.domain.network import IntArray


def whole_packs(units: npt.NDArray[np.integer], pack_size: IntArray, share: float) -> IntArray:
    """(L, K) int32: units as whole cases; a part of a case ≥ `share` becomes a case.

    `share` near 0 rounds up, 0.5 to the nearest, 1 down to full cases only.
    """
    full, rest = np.divmod(np.maximum(units, 0), pack_size)
    more = (rest > 0) & (rest >= share * pack_size)
    out: IntArray = ((full + more) * pack_size).astype(np.int32)
    return out
