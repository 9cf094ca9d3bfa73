"""A frozen forecast issue and the sales panel it is fitted on.

The interface a policy reads is always a distribution: mean and quantile of the
total over a window of days. How the numbers were made is the business of
``policies.forecasting``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from policies.domain.columns import frozen
from policies.domain.errors import InvalidInput

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SalesPanel:
    """Recorded sales by day, the newest day last; book facts only.

    Attributes
    ----------
    last_day : int, day number of the last row
    sold : (H, L, K) integer array, base units sold
    out_share : (H, L, K) uint8 or None, percent of the open time out of stock
    """

    last_day: int
    sold: npt.NDArray[np.integer]
    out_share: npt.NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        if self.sold.ndim != 3 or self.sold.dtype.kind not in "iu":
            raise InvalidInput(
                f"sold is {self.sold.dtype} of shape {self.sold.shape}",
                field="panel.sold",
                remedy="give whole base units, (days, locations, SKUs), 0 where nothing was sold",
            )
        if self.out_share is not None and self.out_share.shape != self.sold.shape:
            raise InvalidInput(
                f"out_share has shape {self.out_share.shape}, sold has {self.sold.shape}",
                field="panel.out_share",
                remedy="give a percentage for each day, location and SKU",
            )

    @property
    def days(self) -> int:
        """Number of days H."""
        return int(self.sold.shape[0])


@dataclass(frozen=True)
class Forecast:
    """Demand per (location, SKU): level, weekday profile and spread, frozen at issue.

    Mean of day ``d`` = ``level[l, k] * weekday[l, d.weekday()]``. The total over
    consecutive days is negative binomial with that mean and `variance_ratio`.

    Attributes
    ----------
    issued_day : int, the first day that was *not* known when it was made
    first_weekday : int, weekday (Monday = 0) of day 0 of the network
    level : (L, K) float32, units per day
    weekday : (L, 7) float32, factors with mean 1, Monday first
    variance_ratio : (L, K) float32, variance of a day / mean, at least 1
    provenance : str, model name and settings
    """

    issued_day: int
    first_weekday: int
    level: Float32Array
    weekday: Float32Array
    variance_ratio: Float32Array
    provenance: str = ""

    def __post_init__(self) -> None:
        for name in ("level", "weekday", "variance_ratio"):
            value = frozen(getattr(self, name), np.float32)
            # A NaN fails both comparisons; two passes without a temporary.
            if value.size and not (value.min() >= 0 and value.max() < np.inf):
                raise InvalidInput(
                    f"{name} has a NaN, an infinity or a negative number",
                    field=f"forecast.{name}",
                    remedy="fit the forecast on a panel without gaps",
                )
            object.__setattr__(self, name, value)

    def weekday_sum(self, day: int, days: npt.NDArray[np.int32]) -> Float32Array:
        """(L,) float32: sum of weekday factors of each location over its window.

        `days` (L,) gives the window's length from day number `day` on.
        """
        longest = int(days.max(initial=0))
        if longest == 0:
            return np.zeros(len(days), dtype=np.float32)
        order = (self.first_weekday + day + np.arange(longest)) % 7
        running = np.cumsum(self.weekday[:, order], axis=1, dtype=np.float32)
        padded = np.concatenate(
            [np.zeros((len(days), 1), dtype=np.float32), running], axis=1, dtype=np.float32
        )
        out: Float32Array = padded[np.arange(len(days)), np.maximum(days, 0)]
        return out

    def mean_total(self, day: int, days: npt.NDArray[np.int32]) -> Float32Array:
        """(L, K) float32: expected units from day number `day` over `days` (L,) days."""
        out: Float32Array = self.level * self.weekday_sum(day, days)[:, None]
        return out

    @cached_property
    def sums(self) -> dict[bytes, npt.NDArray[np.float64]]:
        """Sums of levels that policies have made, by what they were summed over.

        An issue is read every evening for a week and never changes.
        """
        return {}

    def digest(self) -> str:
        """SHA-256 of the content."""
        sha = hashlib.sha256(f"{self.issued_day}|{self.provenance}".encode())
        for value in (self.level, self.weekday, self.variance_ratio):
            sha.update(value.data)
        return sha.hexdigest()
