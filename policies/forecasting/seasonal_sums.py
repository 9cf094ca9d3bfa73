"""The seasonal baseline's sums over a panel, compiled: each panel row is read row by row.

A panel of 28 days × 4 M series is 0.5 GB; with whole-array temporaries a fit would read
and write it ten times over.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.network import BoolArray

Floats = npt.NDArray[np.float64]
Shares = npt.NDArray[np.uint8]
Units = npt.NDArray[np.integer]


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
    for place in range(places):
        mine, inside = weighted[place], exposure[place]
        for day in range(days):
            row, heavy, part = sold[day, place], weight[day], share[day, place]
            for k in range(skus):
                mine[k] += heavy * row[k]
            if len(out_share) and _any(out_share[day, place]):
                gone = out_share[day, place]
                for k in range(skus):
                    inside[k] += part * (1.0 - gone[k] / 100.0)
            else:
                for k in range(skus):
                    inside[k] += part
    return weighted, exposure


@njit(cache=True)
def _any(row: Shares) -> bool:
    found = np.uint8(0)
    for k in range(len(row)):
        found |= row[k]
    return bool(found)


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
def _block(
    sold: Units,
    out_share: Shares,
    first: int,
    end: int,
    place: int,
    total: npt.NDArray[np.int32],
    gone: Shares,
) -> bool:
    """Sum a location's sales over days into `total`; note in `gone` what was ever out."""
    total[:] = 0
    gone[:] = 0
    was_out = False
    for day in range(first, end):
        row = sold[day, place]
        for k in range(len(row)):
            total[k] += row[k]
        if len(out_share) and _any(out_share[day, place]):
            was_out = True
            out = out_share[day, place]
            for k in range(len(out)):
                gone[k] |= out[k]
    return was_out


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
    total, gone = np.zeros(skus, dtype=np.int32), np.zeros(skus, dtype=np.uint8)
    for place in range(places):
        mine = level[place]
        error[:] = 0
        mean[:] = 0
        for block in range(len(factor)):
            newest = days - block * block_days
            was_out = _block(sold, out_share, newest - block_days, newest, place, total, gone)
            f = factor[block, place]
            if was_out:
                for k in range(skus):
                    full = 1.0 if gone[k] == 0 else 0.0
                    expected = mine[k] * f
                    error[k] += full * (total[k] - expected) ** 2
                    mean[k] += full * expected
            else:
                for k in range(skus):
                    expected = mine[k] * f
                    error[k] += (total[k] - expected) ** 2
                    mean[k] += expected
        for k in range(skus):
            b = 0
            while b < len(edges) and mine[k] >= edges[b]:
                b += 1
            bucket[place, k] = b
            top[b] += error[k]
            below[b] += mean[k]
    return top, below, bucket
