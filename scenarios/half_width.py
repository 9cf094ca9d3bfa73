"""How far a mean over replications may be off."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats


def half_width(values: Sequence[float] | npt.NDArray[np.float64]) -> float:
    """Half the 95 % interval of the mean of `values` (n,), by Student t; NaN of fewer than 2."""
    count = len(values)
    if count < 2:
        return float("nan")
    return float(stats.t.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count))
