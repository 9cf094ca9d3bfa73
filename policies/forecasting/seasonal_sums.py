"""The seasonal baseline's sums over a panel, compiled: the panel is read twice, row by row.

A panel of 28 days × 4 M series is 0.5 GB; with whole-array temporaries a fit would read
and write it ten times over. Inner loops have no branches, so that the compiler turns them
into vector instructions, and work on stretches that stay in the nearest cache.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.network import BoolArray

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Shares = npt.NDArray[np.uint8]
Units = npt.NDArray[np.integer]
Buckets = npt.NDArray[np.int8]
_STRETCH = 2_048
"""SKUs whose sums stay in the nearest cache while the days go by."""
_LANES = 8
"""Running sums of a bucket side by side: an addition needs not wait for the one before."""


@njit(cache=True)
def weigh(sold: Units, weight: Floats) -> tuple[Floats, Floats, int]:
    """((L, K) weighted sales, (H, L) units per day and location, the panel's least entry).

    Parameters
    ----------
    weight : (H,) float64
    """
    days, places, skus = sold.shape
    weighted = np.empty((places, skus))
    total = np.zeros((days, places))
    least = np.int64(0)
    for place in range(places):
        for lo in range(0, skus, _STRETCH):
            hi = min(lo + _STRETCH, skus)
            _weighted_sum(sold, place, lo, weight, weighted[place, lo:hi])
            for day in range(days):
                row = sold[day, place, lo:hi]
                units = low = np.int64(0)
                for k in range(len(row)):
                    units += row[k]
                    low = min(low, np.int64(row[k]))
                total[day, place] += units
                least = min(least, low)
    return weighted, total, int(least)


@njit(cache=True)
def time_in_stock(share: Floats, out_share: Shares, skus: int) -> Floats:
    """(L, K) weighted days in stock.

    Parameters
    ----------
    share : (H, L) float64, weight × weekday factor
    out_share : (H, L, K) uint8, percent of the open time out of stock; (0, 0, 0) = none
    """
    days, places = share.shape
    exposure = np.empty((places, skus))
    part = np.empty(days)
    for place in range(places):
        part[:] = share[:, place]
        whole = part.sum()
        if not len(out_share):
            exposure[place] = whole
            continue
        for lo in range(0, skus, _STRETCH):
            inside = exposure[place, lo : min(lo + _STRETCH, skus)]
            _weighted_sum(out_share, place, lo, part, inside)
            for k in range(len(inside)):
                rest = whole - inside[k] / 100.0
                # What rounding leaves of a record that was never in stock is no time.
                inside[k] = rest if rest > 1e-9 * whole else 0.0
    return exposure


@njit(cache=True)
def _weighted_sum(panel: Units, place: int, lo: int, weight: Floats, out: Floats) -> None:
    """Fill `out` (n,) with one location's sums over days, from SKU `lo` on, oldest day first.

    Four rows at a time: their sums are read and written once.
    """
    days, hi = len(panel), lo + len(out)
    out[:] = 0.0
    first = days % 4
    for day in range(first):
        row, heavy = panel[day, place, lo:hi], weight[day]
        for k in range(len(out)):
            out[k] += heavy * row[k]
    for day in range(first, days, 4):
        row_a, row_b = panel[day, place, lo:hi], panel[day + 1, place, lo:hi]
        row_c, row_d = panel[day + 2, place, lo:hi], panel[day + 3, place, lo:hi]
        a, b, c, d = weight[day], weight[day + 1], weight[day + 2], weight[day + 3]
        for k in range(len(out)):
            out[k] = (((out[k] + a * row_a[k]) + b * row_b[k]) + c * row_c[k]) + d * row_d[k]


@njit(cache=True)
def chain_rates(weighted: Floats, exposure: Floats) -> tuple[Floats, Floats]:
    """((K,) units per day in stock over all locations that sell, (L,) units of each)."""
    places, skus = weighted.shape
    chain, inside = np.zeros(skus), np.zeros(skus)
    own = np.zeros(places)
    for place in range(places):
        own[place] = weighted[place].sum()
        if own[place] > 0:
            mine, time = weighted[place], exposure[place]
            for k in range(skus):
                chain[k] += mine[k]
                inside[k] += time[k]
    for k in range(skus):
        chain[k] /= max(inside[k], 1e-12)
    return chain, own


@njit(cache=True)
def levels_and_spread(
    sold: Units,
    sums: tuple[Floats, Floats],
    rates: tuple[Floats, Floats],
    pull: float,
    listed: BoolArray,
    factor: Floats,
    out_share: Shares,
    block_days: int,
    edges: Floats,
) -> tuple[Singles, Buckets, Floats, Floats]:
    """Levels, their buckets, and by bucket the squared errors and means of block totals.

    A level is pulled toward the chain's rate × the store's share. Blocks count back from
    the newest day; a block with any time out of stock is left out.

    Parameters
    ----------
    sums : weighted sales and days in stock
    rates : what :func:`chain_rates` gives
    factor : (B, L) float64, sum of the weekday factors of block b

    Returns
    -------
    ((L, K) float32, (L, K) int8, (B + 1,) float64, (B + 1,) float64)
    """
    weighted, exposure = sums
    chain, own = rates
    places, skus = weighted.shape
    levels, bucket = np.empty((places, skus), dtype=np.float32), np.empty((places, skus), np.int8)
    top, below = np.zeros((len(edges) + 1, _LANES)), np.zeros((len(edges) + 1, _LANES))
    level, error, mean = np.empty(skus), np.empty(_STRETCH), np.empty(_STRETCH)
    total, gone = np.empty(_STRETCH, dtype=np.int32), np.empty(_STRETCH, dtype=np.uint8)
    for place in range(places):
        _pull(weighted[place], exposure[place], chain, own[place], pull, listed[place], level)
        for lo in range(0, skus, _STRETCH):
            hi = min(lo + _STRETCH, skus)
            mine, size = level[lo:hi], hi - lo
            _block_errors(
                sold,
                out_share,
                place,
                lo,
                mine,
                factor,
                block_days,
                error[:size],
                mean[:size],
                total[:size],
                gone[:size],
            )
            bins = bucket[place, lo:hi]
            bins[:] = 0
            for edge in edges:
                for k in range(size):
                    bins[k] += mine[k] >= edge
            single = levels[place, lo:hi]
            for k in range(size):
                single[k] = mine[k]
            for k in range(size):
                top[bins[k], k % _LANES] += error[k]
                below[bins[k], k % _LANES] += mean[k]
    return levels, bucket, top.sum(axis=1), below.sum(axis=1)


@njit(cache=True, error_model="numpy")
def _pull(
    weighted: Floats,
    exposure: Floats,
    chain: Floats,
    own: float,
    pull: float,
    listed: npt.NDArray[np.bool_],
    level: Floats,
) -> None:
    """Fill `level` (K,) of one location; `own` is what it sold, weighted.

    A divisor is never 0, and not tested ("numpy"): a test would cost the vectors.
    """
    expected = 0.0
    for k in range(len(level)):
        expected += exposure[k] * chain[k]
    relative = own / max(expected, 1e-12) if expected > 0 else 0.0
    toward = pull * relative
    for k in range(len(level)):
        rate = (weighted[k] + toward * chain[k]) / (exposure[k] + pull)
        level[k] = rate if listed[k] else 0.0


@njit(cache=True)
def _block_errors(
    sold: Units,
    out_share: Shares,
    place: int,
    lo: int,
    level: Floats,
    factor: Floats,
    block_days: int,
    error: Floats,
    mean: Floats,
    total: npt.NDArray[np.int32],
    gone: Shares,
) -> None:
    """Fill `error` and `mean` (n,) with sums over blocks; `total` and `gone` are room."""
    days = len(sold)
    error[:] = 0.0
    mean[:] = 0.0
    gone[:] = 0
    for block in range(len(factor)):
        newest = days - block * block_days
        _block_total(sold, place, lo, newest - block_days, newest, total)
        if len(out_share):
            _block_gone(out_share, place, lo, newest - block_days, newest, gone)
        f = factor[block, place]
        for k in range(len(error)):
            expected = level[k] * f
            miss = total[k] - expected
            error[k] += miss * miss if gone[k] == 0 else 0.0
            mean[k] += expected if gone[k] == 0 else 0.0


@njit(cache=True)
def _block_total(
    sold: Units, place: int, lo: int, first: int, newest: int, total: npt.NDArray[np.int32]
) -> None:
    """Fill `total` (n,) with units of the days `first` … `newest` − 1, three at a time."""
    total[:] = 0
    hi = lo + len(total)
    alone = first + (newest - first) % 3
    for day in range(first, alone):
        row = sold[day, place, lo:hi]
        for k in range(len(total)):
            total[k] += row[k]
    for day in range(alone, newest, 3):
        a, b, c = sold[day, place, lo:hi], sold[day + 1, place, lo:hi], sold[day + 2, place, lo:hi]
        for k in range(len(total)):
            total[k] += np.int32(a[k]) + np.int32(b[k]) + np.int32(c[k])


@njit(cache=True)
def _block_gone(
    out_share: Shares, place: int, lo: int, first: int, newest: int, gone: Shares
) -> None:
    """Fill `gone` (n,): not 0 where any of the days `first` … `newest` − 1 was out of stock."""
    gone[:] = 0
    hi = lo + len(gone)
    alone = first + (newest - first) % 3
    for day in range(first, alone):
        row = out_share[day, place, lo:hi]
        for k in range(len(gone)):
            gone[k] |= row[k]
    for day in range(alone, newest, 3):
        a, b = out_share[day, place, lo:hi], out_share[day + 1, place, lo:hi]
        c = out_share[day + 2, place, lo:hi]
        for k in range(len(gone)):
            gone[k] |= a[k] | b[k] | c[k]


@njit(cache=True)
def ratios_of(bucket: Buckets, ratio: Floats) -> Singles:
    """(L, K) float32: the ratio of each one's bucket."""
    places, skus = bucket.shape
    single = ratio.astype(np.float32)
    out = np.empty((places, skus), dtype=np.float32)
    for place in range(places):
        bins, mine = bucket[place], out[place]
        for k in range(skus):
            mine[k] = single[bins[k]]
    return out
