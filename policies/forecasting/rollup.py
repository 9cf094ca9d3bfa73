"""The spread of sums over series: a category of a chain, a store, all there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from policies.forecasting.panel_sums import sums_by_key
from policies.forecasting.quantiles import negative_binomial_quantile

if TYPE_CHECKING:
    from policies.forecasting.series import Spread

Floats = npt.NDArray[np.float64]
Float32s = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SummedSpread:
    """Negative binomial with the variance of the members' sum.

    Members err independently but for the shift that all series share; what a store or a
    category shares by itself is not in it, so sums over few stores are a little too narrow.

    Attributes
    ----------
    members : Spread of the S members
    share : (S,) float64, part of its sum that a member is expected to sell
    key : (S,) int64, number of the sum it belongs to, 0 … G - 1
    """

    members: Spread
    share: Floats
    key: Ints

    @property
    def shift(self) -> float:
        """Standard deviation of what all series share, as a share of the mean."""
        return self.members.shift

    def of_days(self, mean: Float32s, fractile: float) -> Floats:
        """(G, H) quantile of each day."""
        units = np.asarray(mean, dtype=np.float64)
        return self._quantile(units, self.variance(units, 1), fractile)

    def of_total(self, mean: Floats, fractile: float, days: int) -> Floats:
        """(G,) quantile of a total."""
        return self._quantile(mean, self.variance(mean, days), fractile)

    def variance(self, mean: Floats, days: int) -> Floats:
        """Variance of sums of so many days with that mean, (G,) or (G, H), without the shift."""
        flat = mean.reshape(len(mean), -1)
        each = flat[self.key] * self.share[:, None]
        apart = self.members.variance(each if mean.ndim > 1 else each[:, 0], days)
        summed = sums_by_key(apart.reshape(len(self.key), -1), self.key, len(mean))
        return np.asarray(summed.reshape(mean.shape))

    def rows(self, which: Ints) -> SummedSpread:
        """That of some of the sums."""
        order = np.argsort(self.key, kind="stable")
        begins = np.searchsorted(self.key[order], which, side="left")
        ends = np.searchsorted(self.key[order], which, side="right")
        parts = [order[a:b] for a, b in zip(begins.tolist(), ends.tolist(), strict=True)]
        mine = np.concatenate([*parts, np.zeros(0, dtype=np.intp)]).astype(np.int64)
        key = np.repeat(np.arange(len(which)), ends - begins).astype(np.int64)
        return SummedSpread(self.members.rows(mine), self.share[mine], key)

    def _quantile(self, mean: Floats, variance: Floats, fractile: float) -> Floats:
        ratio = np.ones_like(mean)
        np.divide(variance, mean, out=ratio, where=mean > 0)
        ratio += self.shift**2 * mean
        asked = np.full(mean.shape, fractile)
        return negative_binomial_quantile(mean, ratio, asked).astype(np.float64)


def shares(mean: Float32s, key: Ints, sums: int) -> Floats:
    """(S,) part of each series in the expected units of its sum."""
    own = mean.sum(axis=1, dtype=np.float64)
    whole = np.bincount(key, own, sums)[key]
    out = np.zeros(len(own))
    np.divide(own, whole, out=out, where=whole > 0)
    return out
