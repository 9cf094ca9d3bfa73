"""Means with simultaneous intervals, and how long a run must be for a given half-width."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from policies.domain.network import FloatArray

LEVEL = 0.99
"""Joint confidence of all intervals of a table."""

PRECISION = 0.005
"""Largest half-width, as a share of the reference (of the estimate where there is none)."""


@dataclass(frozen=True)
class Interval:
    """A mean and half its interval's width."""

    mean: float
    half_width: float

    def contains(self, value: float) -> bool:
        """Whether `value` is inside."""
        return abs(self.mean - value) <= self.half_width


def quantile(replications: int, comparisons: int) -> float:
    """T quantile for `comparisons` two-sided intervals that hold jointly (Bonferroni)."""
    return float(stats.t.ppf(1 - (1 - LEVEL) / (2 * comparisons), replications - 1))


def interval(values: FloatArray, comparisons: int, control: FloatArray | None = None) -> Interval:
    """Interval of the mean of independent replications (n,).

    Parameters
    ----------
    values : (n,) one number for each replication
    comparisons : int, intervals that hold jointly
    control : (n,) a number of each replication whose true mean is 0, as a control
        variate (Lavenberg & Welch 1981): what `values` owes to it by linear regression
        is taken off, which leaves the mean and narrows the interval
    """
    used = 1
    if control is not None and control.std() > 0:
        slope = np.cov(values, control)[0, 1] / control.var(ddof=1)
        values = values - slope * control
        used = 2
    spread = float(values.std(ddof=used)) / math.sqrt(len(values))
    return Interval(float(values.mean()), quantile(len(values), comparisons) * spread)


def needed_share(pilot: Mapping[str, Interval], answers: Mapping[str, float]) -> float:
    """How many times the pilot's length gives every measure its precision.

    Half-widths shrink with the root of the length. A measure that is 0 in the pilot (and
    has no reference) asks for nothing.
    """
    longest = 0.0
    for name, found in pilot.items():
        scale = abs(answers.get(name, found.mean))
        if scale > 0:
            longest = max(longest, (found.half_width / (PRECISION * scale)) ** 2)
    return longest
