"""The seasonal baseline's sums over a panel, compiled: each panel row is read row by row.

A panel of 28 days × 4 M series is 0.5 GB; with whole-array temporaries a fit would read
and write it ten times over.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.network import BoolArray, IntArray

Floats = npt.NDArray[np.float64]
Shares = npt.NDArray[np.uint8]
Units = npt.NDArray[np.integer]
_STRETCH = 1_024
"""SKUs whose sums stay in the nearest cache while the days go by."""


@njit(cache=True)
def totals(sold: Units) -> tuple[Floats, int]:
    """((H, L) units sold per day and location, the least entry of the panel)."""
    days, places, skus = sold.shape
    out = np.zeros((days, places))
    least = np.int64(0)
    for day in range(days):
        for place in range(places):
            row = sold[day, place]
            total = np.int64(0)
            low = np.int64(0)
            for k in range(skus):
                total += row[k]
                low = min(low, np.int64(row[k]))
            out[day, place] = total
            least = min(least, low)
    return out, int(least)


@njit(cache=True)
def weigh(sold: Units, share: Floats, weight: Floats, out_share: Shares) -> tuple[Floats, Floats]:
    """((L, K) weighted sales, (L, K) weighted days in stock).

    Parameters
    ----------
    share : (H, L) float64, weight × weekday factor
    weight : (H,) float64
    out_share : (H, L, K) uint8, percent of the open time out of stock; (0, 0, 0) = none
    """
    days, places, skus = sold.shape
    weighted = np.zeros((places, skus))
    exposure = np.zeros((places, skus))
    where = np.zeros(skus, dtype=np.int32)
    gone = np.zeros(-(-skus // 8) * 8, dtype=np.uint8)
    for place in range(places):
        mine, inside = weighted[place], exposure[place]
        whole = share[:, place].sum()
        inside[:] = whole
        for lo in range(0, skus, _STRETCH):
            hi = min(lo + _STRETCH, skus)
            stretch = mine[lo:hi]
            for day in range(days):
                row, heavy = sold[day, place, lo:hi], weight[day]
                for k in range(len(stretch)):
                    stretch[k] += heavy * row[k]
        for day in range(days):
            part = share[day, place]
            for i in range(_gone(out_share, day, day + 1, place, gone, where)):
                inside[where[i]] -= part * (out_share[day, place, where[i]] / 100.0)
        for k in range(skus):
            # What rounding leaves of a record that was never in stock is no time.
            inside[k] = inside[k] if inside[k] > 1e-9 * whole else 0.0
    return weighted, exposure


@njit(cache=True)
def _gone(
    out_share: Shares, first: int, end: int, place: int, gone: Shares, where: IntArray
) -> int:
    """Write the SKUs that were out on any of the days into `where`; returns how many.

    They are few: sums are made for all SKUs at once and mended for these. `gone` is room
    for K bytes, rounded up to eights, and ends in zeros.
    """
    if len(out_share) == 0:
        return 0
    skus = out_share.shape[2]
    for day in range(first, end):
        row = out_share[day, place]
        for k in range(skus):
            gone[k] = row[k] if day == first else gone[k] | row[k]
    size = 0
    words = gone.view(np.uint64)
    for word in range(len(words)):
        if words[word]:
            for k in range(8 * word, min(8 * word + 8, skus)):
                if gone[k]:
                    where[size] = k
                    size += 1
    return size


@njit(cache=True)
def shrink_to_chain(weighted: Floats, exposure: Floats, pull: float, listed: BoolArray) -> None:
    """Turn `weighted` (L, K) into levels, pulled toward the chain's rate × the store's share."""
    places, skus = weighted.shape
    chain, inside = np.zeros(skus), np.zeros(skus)
    own = np.zeros(places)
    for place in range(places):
        own[place] = weighted[place].sum()
        if own[place] > 0:
            for k in range(skus):
                chain[k] += weighted[place, k]
                inside[k] += exposure[place, k]
    for k in range(skus):
        chain[k] /= max(inside[k], 1e-12)
    for place in range(places):
        expected = 0.0
        for k in range(skus):
            expected += exposure[place, k] * chain[k]
        relative = own[place] / max(expected, 1e-12) if expected > 0 else 0.0
        for k in range(skus):
            level = (weighted[place, k] + pull * relative * chain[k]) / (exposure[place, k] + pull)
            weighted[place, k] = level if listed[place, k] else 0.0


@njit(cache=True)
def spread(
    sold: Units, level: Floats, factor: Floats, out_share: Shares, block_days: int, edges: Floats
) -> tuple[Floats, Floats, npt.NDArray[np.int8]]:
    """Squared errors and means of block totals by level bucket, and the (L, K) buckets.

    Blocks count back from the newest day; `factor` (B, L) is the sum of weekday factors
    of block b. A block with any time out of stock is left out.
    """
    days, places, skus = sold.shape
    top, below = np.zeros(len(edges) + 1), np.zeros(len(edges) + 1)
    bucket = np.zeros((places, skus), dtype=np.int8)
    error, mean = np.zeros(skus), np.zeros(skus)
    total, where = np.zeros(skus, dtype=np.int32), np.zeros(skus, dtype=np.int32)
    bin_of = np.zeros(skus, dtype=np.int64)
    kept, gone = np.zeros((2, skus)), np.zeros(-(-skus // 8) * 8, dtype=np.uint8)
    for place in range(places):
        mine = level[place]
        error[:] = 0
        mean[:] = 0
        for block in range(len(factor)):
            newest = days - block * block_days
            total[:] = 0
            for day in range(newest - block_days, newest):
                row = sold[day, place]
                for k in range(skus):
                    total[k] += row[k]
            size = _gone(out_share, newest - block_days, newest, place, gone, where)
            for i in range(size):
                kept[0, i], kept[1, i] = error[where[i]], mean[where[i]]
            f = factor[block, place]
            for k in range(skus):
                expected = mine[k] * f
                error[k] += (total[k] - expected) ** 2
                mean[k] += expected
            for i in range(size):
                error[where[i]], mean[where[i]] = kept[0, i], kept[1, i]
        bin_of[:] = 0
        for lo in range(0, skus, _STRETCH):
            levels, bins = mine[lo : lo + _STRETCH], bin_of[lo : lo + _STRETCH]
            for edge in edges:
                for k in range(len(levels)):
                    bins[k] += levels[k] >= edge
        for k in range(skus):
            b = bin_of[k]
            bucket[place, k] = b
            top[b] += error[k]
            below[b] += mean[k]
    return top, below, bucket


@njit(cache=True)
def as_forecast(
    level: Floats, ratio: Floats, bucket: npt.NDArray[np.int8]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """((L, K) levels, (L, K) the ratio of each one's bucket) in single precision."""
    places, skus = level.shape
    out = np.empty((places, skus), dtype=np.float32)
    spread_of = np.empty((places, skus), dtype=np.float32)
    for place in range(places):
        for k in range(skus):
            out[place, k] = level[place, k]
            spread_of[place, k] = ratio[bucket[place, k]]
    return out, spread_of
