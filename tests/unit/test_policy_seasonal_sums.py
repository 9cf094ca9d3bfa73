"""The compiled sums of the seasonal baseline equal plain loops, whatever the stretch."""

from __future__ import annotations

import numpy as np
import pytest

from policies.forecasting import seasonal_sums as sums

EDGES = np.array([0.1, 0.5, 1.0, 3.0])
DAYS, PLACES, SKUS = 7, 2, 2_051


def panel(dtype):
    """A panel wider than a stretch, with some records out of stock and one always."""
    rng = np.random.default_rng(4)
    sold = rng.poisson(rng.gamma(0.6, 2.0, SKUS), (DAYS, PLACES, SKUS)).astype(dtype)
    out = np.where(rng.random(sold.shape) < 0.1, rng.integers(1, 101, sold.shape), 0)
    out[:, 1, 5] = 100
    return sold, out.astype(np.uint8)


@pytest.mark.parametrize("dtype", [np.int16, np.int32])
def test_weighted_sales_and_days_in_stock_equal_plain_sums(dtype):
    """A record that was never in stock has no time at all, rounding or not."""
    sold, out = panel(dtype)
    weight = 0.5 ** (np.arange(DAYS)[::-1] / 3.0)
    share = weight[:, None] * np.array([[0.7, 1.2]])
    weighted, total, least = sums.weigh(sold, weight)
    exposure = sums.time_in_stock(share, out, SKUS)
    assert (total == sold.sum(axis=2)).all()
    assert least == 0
    sold[2, 1, SKUS - 1] = -3
    assert sums.weigh(sold, weight)[2] == -3
    sold[2, 1, SKUS - 1] = 0
    weighted = sums.weigh(sold, weight)[0]
    assert np.allclose(weighted, np.einsum("h,hlk->lk", weight, sold), rtol=1e-12)
    inside = share.sum(axis=0)[:, None] - np.einsum("hl,hlk->lk", share, out / 100.0)
    assert np.allclose(exposure, inside, rtol=1e-12, atol=1e-12)
    assert exposure[1, 5] == 0.0
    whole = sums.time_in_stock(share, np.zeros((0, 0, 0), dtype=np.uint8), SKUS)
    assert (whole == share.sum(axis=0)[:, None]).all()


@pytest.mark.parametrize("block_days", [1, 2, 3, 4])
@pytest.mark.parametrize("is_shared", [False, True])
def test_levels_and_squared_errors_equal_plain_loops(is_shared, block_days):
    """Levels are pulled to the chain's; blocks out of stock are in neither sum."""
    sold, out = panel(np.int16)
    shares = out if is_shared else np.zeros((0, 0, 0), dtype=np.uint8)
    weight, share = np.ones(DAYS), np.ones((DAYS, PLACES))
    both = sums.weigh(sold, weight)[0], sums.time_in_stock(share, shares, SKUS)
    rates = sums.chain_rates(*both)
    listed = np.ones((PLACES, SKUS), dtype=bool)
    listed[0, 7] = False
    factor = np.array([[3.0, 3.3], [2.7, 3.0]])[: DAYS // block_days]
    levels, bucket, top, below = sums.levels_and_spread(
        sold, both, rates, 2.0, listed, factor, shares, block_days, EDGES
    )
    weighted, exposure = both
    chain = weighted.sum(axis=0) / np.maximum(exposure.sum(axis=0), 1e-12)
    expected = np.zeros((2, len(EDGES) + 1))
    for place in range(PLACES):
        relative = weighted[place].sum() / (exposure[place] * chain).sum()
        level = (weighted[place] + 2.0 * relative * chain) / (exposure[place] + 2.0)
        level[~listed[place]] = 0.0
        assert np.allclose(levels[place], level, rtol=1e-6)
        assert (bucket[place] == np.digitize(level, EDGES)).all()
        for block in range(len(factor)):
            days = slice(DAYS - (block + 1) * block_days, DAYS - block * block_days)
            kept = np.ones(SKUS) if not is_shared else (out[days, place] == 0).all(axis=0)
            mean = level * factor[block, place]
            error = (sold[days, place].sum(axis=0) - mean) ** 2
            expected[0] += np.bincount(bucket[place], error * kept, minlength=len(EDGES) + 1)
            expected[1] += np.bincount(bucket[place], mean * kept, minlength=len(EDGES) + 1)
    assert np.allclose([top, below], expected, rtol=1e-9)
