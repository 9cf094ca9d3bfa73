"""Shapes of real trade that generated chains take over.

Measured on the clean lines of Complete Journey (household panel, local time) unless a
constant says otherwise; a test measures them again where that data is installed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

HOURS = np.array(
    # Per mille of baskets that begin in each hour 0 … 23; peak at 17.
    [
        7.9,
        3.9,
        4.9,
        1.8,
        1.4,
        1.9,
        6.4,
        12.6,
        19.4,
        28.4,
        42.9,
        59.0,
        66.6,
        67.5,
        70.8,
        77.0,
        89.9,
        101.0,
        95.0,
        80.5,
        65.7,
        49.0,
        30.7,
        15.9,
    ]
)
WEEKDAYS = np.array([0.981, 0.935, 0.919, 0.927, 0.955, 1.119, 1.164])
"""Baskets of a Monday … Sunday over the mean day."""
BASKET_LINES = np.array(
    # Per mille of baskets with 1 … 39 lines, and with more.
    [
        148.0,
        125.5,
        96.5,
        75.6,
        60.8,
        50.9,
        42.9,
        36.0,
        32.3,
        27.6,
        25.9,
        22.9,
        19.0,
        17.2,
        16.4,
        14.1,
        13.7,
        12.1,
        10.7,
        10.5,
        9.5,
        8.5,
        8.0,
        7.5,
        6.8,
        6.3,
        5.5,
        5.6,
        5.2,
        5.1,
        4.8,
        4.1,
        4.0,
        3.8,
        3.6,
        3.4,
        3.3,
        3.0,
        3.0,
        40.4,
    ]
)
QUANTITIES = np.array([800.0, 146.5, 26.4, 15.6, 4.2, 3.6, 0.6, 1.0, 0.3, 0.9, 0.1, 0.8])
"""Per mille of lines with 1 … 11 units, and with 12 or more (taken as 12)."""
ZIPF_SLOPE, ZIPF_SHIFT = 0.664, 1.34
"""Lines of the r-th best seller ∝ (r + shift)^-slope; fitted on the 5,000 best sellers."""
STORE_SPREAD = 0.41
"""Standard deviation of the logarithm of a store's lines, stores with ≥ 5,000 lines."""
WEEK_SPREAD = 0.15
"""Assumed: standard deviation of the logarithm of a SKU's demand from week to week."""
PROMOTED_SHARE, PROMOTION_LIFT, PROMOTION_PRICE = 0.03, 2.5, 0.8
"""Assumed: share of SKU-weeks on promotion, their demand and their price over normal."""
TABLE_BITS = 12


def draw_table(per_mille: Floats) -> npt.NDArray[np.int32]:
    """(4096,) int32: value 1, 2, … as often as its share says, to draw by index."""
    edges = np.round(np.cumsum(per_mille) / per_mille.sum() * (1 << TABLE_BITS)).astype(int)
    counts = np.diff(np.concatenate([[0], edges]))
    return np.repeat(np.arange(1, len(per_mille) + 1, dtype=np.int32), counts)


def popularity(skus: int, rng: np.random.Generator) -> Floats:
    """(K,) shares that sum to 1: a shifted Zipf law in random order."""
    share = (np.arange(1, skus + 1) + ZIPF_SHIFT) ** -ZIPF_SLOPE
    share = share[rng.permutation(skus)]
    return np.asarray(share / share.sum())


def opening_hours_curve(per_hour: Floats, opens_s: int, closes_s: int) -> Floats:
    """(25,) cumulative share at each full hour, nothing outside the opening hours."""
    hour = np.arange(24) * 3600
    inside = np.where((hour >= opens_s) & (hour < closes_s), per_hour, 0.0)
    return np.concatenate([[0.0], np.cumsum(inside) / inside.sum()])
