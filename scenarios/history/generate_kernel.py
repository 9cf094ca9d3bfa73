"""The compiled part of the generator: whole baskets of one store, in time order.

Random numbers come from SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), one state per
store and purpose, seeded from NumPy's ``SeedSequence``; SKUs are drawn by Vose's alias
method (IEEE Trans. Softw. Eng. 17, 1991), rebuilt when a week begins.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

State = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)
_LOW, _S32, _S11, _S20 = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(11), np.uint64(20)
_TO_UNIT = 1.0 / (1 << 53)
_TABLE_MASK = np.uint64(4095)
LINES, REST = 0, 1
"""Places in a store's state: lengths of baskets, and everything else."""


@njit(cache=True, inline="always")
def _draw(state: State, place: int) -> Any:
    state[place] += _GAMMA
    z = state[place]
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


@njit(cache=True)
def count_lines(state: State, baskets: int, lengths: Ints) -> int:
    """Lines of `baskets` baskets: what :func:`fill_store` will write."""
    total = 0
    for _ in range(baskets):
        total += lengths[_draw(state, LINES) & _TABLE_MASK]
    return total


@njit(cache=True)
def _alias(weight: Floats, accept: Floats, other: Longs, small: Longs, large: Longs) -> None:
    """Vose's tables of `weight` (K,) into `accept` (K,) and `other` (K,)."""
    size = len(weight)
    mean = weight.sum() / size
    n_small = n_large = 0
    for k in range(size):
        accept[k] = weight[k] / mean
        other[k] = k
        if accept[k] < 1.0:
            small[n_small] = k
            n_small += 1
        else:
            large[n_large] = k
            n_large += 1
    while n_small > 0 and n_large > 0:
        n_small -= 1
        low, high = small[n_small], large[n_large - 1]
        other[low] = high
        accept[high] -= 1.0 - accept[low]
        if accept[high] < 1.0:
            n_large -= 1
            small[n_small] = high
            n_small += 1
    # What is left differs from 1 by rounding only.
    for i in range(n_small):
        accept[small[i]] = 1.0
    for i in range(n_large):
        accept[large[i]] = 1.0


@njit(cache=True)
def _moments(state: State, count: int, curve: Floats, out: Floats) -> None:
    """Sorted seconds of `count` baskets of a day: spacings of uniforms through `curve`."""
    total = 0.0
    for i in range(count + 1):
        u = (_draw(state, REST) >> _S11) * _TO_UNIT
        total -= np.log(1.0 - u)
        out[i] = total
    hour = 0
    for i in range(count):
        u = min(out[i] / total, 1.0 - 1e-12)
        while hour < 23 and curve[hour + 1] <= u:
            hour += 1
        share = (u - curve[hour]) / (curve[hour + 1] - curve[hour])
        out[i] = min(hour * 3600.0 + share * 3600.0, hour * 3600.0 + 3599.0)


@njit(cache=True)
def fill_store(
    state: State,
    baskets: Longs,
    week_of_day: Longs,
    weight: Floats,
    lift: npt.NDArray[np.float32],
    price: Ints,
    listed: Ints,
    lengths: Ints,
    quantities: Ints,
    curve: Floats,
    t: Ints,
    sku: Ints,
    quantity: Ints,
    unit_price: Ints,
    basket: Ints,
) -> int:
    """Write the lines of one store; returns how many.

    Parameters
    ----------
    state : (2,) uint64, advanced
    baskets : (D,) int64, baskets of each day
    week_of_day : (D,) int64, row of `lift` and `price`
    weight : (K',) float64, popularity of the listed SKUs in this store
    lift : (W, K) float32, factor of each week; price : (W, K) int32, cents
    listed : (K',) int32, SKU numbers
    lengths, quantities : (4096,) int32, tables to draw from
    curve : (25,) float64, cumulative share of a day's baskets at each full hour
    t, sku, quantity, unit_price, basket : (N,) int32, written
    """
    size = len(listed)
    accept, other = np.empty(size), np.empty(size, np.int64)
    small, large = np.empty(size, np.int64), np.empty(size, np.int64)
    now = np.empty(baskets.max() + 1)
    current = np.empty(size)
    size_u = np.uint64(size)
    week = -1
    n = number = 0
    for day in range(len(baskets)):
        if week_of_day[day] != week:
            week = week_of_day[day]
            for i in range(size):
                current[i] = weight[i] * lift[week, listed[i]]
            _alias(current, accept, other, small, large)
        _moments(state, baskets[day], curve, now)
        for b in range(baskets[day]):
            second = day * 86_400 + np.int64(now[b])
            for _ in range(lengths[_draw(state, LINES) & _TABLE_MASK]):
                z = _draw(state, REST)
                # High half: which column and how far into it; low bits: the quantity.
                scaled = (z >> _S32) * size_u
                j = np.int64(scaled >> _S32)
                if (scaled & _LOW) * (1.0 / 4294967296.0) >= accept[j]:
                    j = other[j]
                k = listed[j]
                t[n] = second
                sku[n] = k
                quantity[n] = quantities[(z >> _S20) & _TABLE_MASK]
                unit_price[n] = price[week, k]
                basket[n] = number
                n += 1
            number += 1
    return n
