"""Which SKUs a store counts tonight: a random sample without replacement, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from policies.domain.network import IntArray
from twin.arrays import Int32s, Int64s, Master, Stock
from twin.draws import Keys, uniform
from twin.stray import search
from twin.touches import count

_DAY_BITS = 24
"""A counter is day · 2²⁴ + SKU number."""


@njit(cache=True)
def count_sample(listed: Int32s, size: int, key: np.uint64, day: int) -> IntArray:
    """(n,) int32, `size` of the listed SKUs without replacement, sorted.

    Selection by the smallest of one draw per SKU number: the sample of a day does not
    depend on other days or stores. Of equal draws the first listed is taken.
    """
    n = len(listed)
    size = min(size, n)
    draw = np.empty(n)
    for i in range(n):
        draw[i] = uniform(key, (np.int64(day) << _DAY_BITS) + listed[i])
    # Only draws that may be among the smallest are sorted.
    limit = (size + 5.0 * np.sqrt(size) + 5.0) / max(n, 1)
    near = np.flatnonzero(draw < limit)
    if len(near) < size:
        near = np.arange(n)
    chosen = near[np.argsort(draw[near], kind="mergesort")[:size]]
    return np.sort(listed[chosen])


@njit(cache=True)
def count_stores(
    places: Int32s,
    first: Int64s,
    listed: Int32s,
    size: Int64s,
    keys: Keys,
    wrong_rate: float,
    wrong_keys: Keys,
    find_share: float,
    find_keys: Keys,
    now: int,
    stock: Stock,
    tally: Int64s,
    master: Master,
) -> None:
    """Count tonight's sample of every store; receipts up to `now` have been served.

    Parameters
    ----------
    places : (S,) int32
    first, listed : (S + 1,) int64 and (N,) int32, SKUs that store s lists:
        `listed[first[s]:first[s + 1]]`
    size : (S,) int64, SKUs that each store counts
    keys, wrong_keys : (L,) uint64, for the sample and for what is miscounted
    wrong_rate : float, share of lines counted one too few or one too many
    find_share, find_keys : as of `twin.stray.search`, where anything is astray
    """
    day, skus = now // 86_400, stock.book.shape[1]
    for s in range(len(places)):
        place = places[s]
        sku = count_sample(listed[first[s] : first[s + 1]], size[s], keys[place], day)
        wrong = np.zeros(len(sku), dtype=np.int32)
        if wrong_rate > 0.0:
            for i in range(len(sku)):
                u = uniform(wrong_keys[place], np.int64(day) * skus + sku[i])
                wrong[i] = -1 if u < wrong_rate / 2 else 1 if u < wrong_rate else 0
        if stock.stray.shape[1]:
            search(place, sku, wrong, find_keys[place], day, find_share, stock)
        count(place, sku, wrong, np.zeros_like(wrong), now, stock, tally, master)
