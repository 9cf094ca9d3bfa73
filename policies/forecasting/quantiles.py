"""Quantiles of a total: negative binomial by the mean and the variance ratio."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.special import ndtri

from policies.domain.forecast import Forecast
from policies.domain.network import IntArray

# Above this mean a normal with a skewness term is exact to the unit in tests.
_LARGE_MEAN = 300.0


def total_quantile(
    forecast: Forecast,
    day: int,
    days: npt.NDArray[np.int32],
    fractile: npt.NDArray[np.float64],
) -> IntArray:
    """Smallest number of units that covers the total demand with the given probability.

    Parameters
    ----------
    forecast : Forecast
    day : int, first day number of the window
    days : (L,) int32, length of each location's window
    fractile : (L, K) float64, probabilities in [0, 1)

    Returns
    -------
    (L, K) int32
    """
    mean = forecast.mean_total(day, days).astype(np.float64)
    return negative_binomial_quantile(mean, forecast.variance_ratio, fractile)


def negative_binomial_quantile(
    mean: npt.NDArray[np.float64],
    variance_ratio: npt.NDArray[np.floating],
    fractile: npt.NDArray[np.float64],
) -> IntArray:
    """Elementwise quantile; Poisson where the variance ratio is 1. Shapes broadcast."""
    shape = np.broadcast_shapes(mean.shape, variance_ratio.shape, fractile.shape)
    z = ndtri(np.clip(fractile, 1e-12, 1 - 1e-12))
    flat = [
        np.ascontiguousarray(np.broadcast_to(a, shape), dtype=np.float64).ravel()
        for a in (mean, variance_ratio, fractile, z)
    ]
    out: IntArray = _quantiles(*flat).reshape(shape)
    return out


@njit(cache=True)
def _quantiles(
    mean: npt.NDArray[np.float64],
    ratio: npt.NDArray[np.float64],
    fractile: npt.NDArray[np.float64],
    z: npt.NDArray[np.float64],
) -> npt.NDArray[np.int32]:
    out = np.zeros(len(mean), dtype=np.int32)
    for i in range(len(mean)):
        m, v, q = mean[i], max(ratio[i], 1.0), fractile[i]
        if m <= 0.0 or q <= 0.0:
            continue
        if m > _LARGE_MEAN:
            # Cornish-Fisher: skewness of the negative binomial is (2v - 1)/sqrt(m v).
            deviation = math.sqrt(m * v)
            skew = (2.0 * v - 1.0) / deviation
            out[i] = max(0, math.ceil(m + deviation * (z[i] + skew * (z[i] * z[i] - 1) / 6) - 0.5))
            continue
        if v < 1.0 + 1e-6:
            probability = math.exp(-m)
            step, base = m, 0.0
        else:
            size = m / (v - 1.0)
            probability = math.exp(-size * math.log(v))
            step, base = (v - 1.0) / v * size, (v - 1.0) / v
        # P(k+1)/P(k) = (step + base k)/(k + 1) for both distributions.
        below, k = probability, 0
        while below < q and k < 100_000:
            probability *= (step + base * k) / (k + 1)
            k += 1
            below += probability
        out[i] = k
    return out
