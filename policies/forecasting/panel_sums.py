"""Compiled walks over panels, where arrays by day would visit memory a column at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Float32s = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@njit(cache=True)
def walk_levels(
    sold: Float32s,
    share: Float32s,
    factors: Floats,
    first: Ints,
    begin: Floats,
    alpha: float,
) -> Floats:
    """(S, D) exponentially smoothed level after each day, the day's factor taken out.

    Parameters
    ----------
    sold, share : (S, D) float32, units, and the part of the day they speak for
    factors : (S, D) float64, units of a day over the level
    first : (S,) int64, the day from which on a series is smoothed
    begin : (S,) float64, level before it
    alpha : weight of a whole new day
    """
    series, days = sold.shape
    out = np.empty((series, days))
    for s in range(series):
        level = begin[s]
        for day in range(days):
            part = np.float64(share[s, day])
            if day >= first[s] and part > 0.0:
                usual = max(factors[s, day] * part, 0.05)
                level += alpha * part * (sold[s, day] / usual - level)
            out[s, day] = level
    return out


@njit(cache=True)
def sums_by_weekday(values: Floats) -> Floats:
    """(S, D + 7) of (S, D): column d + 7 is the sum of days d, d - 7, d - 14, …"""
    series, days = values.shape
    out = np.zeros((series, days + 7))
    for s in range(series):
        for day in range(days):
            out[s, day + 7] = out[s, day] + values[s, day]
    return out


@njit(cache=True)
def sums_by_key(values: Floats, key: Ints, keys: int) -> Floats:
    """(G, D) of (S, D): the sum of the rows of each key."""
    out = np.zeros((keys, values.shape[1]))
    for s in range(len(values)):
        row = out[key[s]]
        for day in range(values.shape[1]):
            row[day] += values[s, day]
    return out


def begun(sold: npt.NDArray[np.floating]) -> Ints:
    """(S,) day of the first sale, 0 where there is none."""
    ever = sold > 0
    return np.where(ever.any(axis=1), ever.argmax(axis=1), 0).astype(np.int64)
