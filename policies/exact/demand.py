"""Demand of one or several periods as a probability mass, and what it leaves of a stock."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from policies.domain.errors import InvalidInput

Floats = npt.NDArray[np.float64]


class NoExactAnswer(InvalidInput):
    """The model is sound, but its table is too large or no average exists."""


KINDS = ("poisson", "geometric")
_TAIL = 1e-14


def require_positive(field: str, value: float, *, zero: bool = False) -> None:
    """Refuse a value that is not finite or not above 0 (at least 0 with `zero`)."""
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        rule = "not negative" if zero else "above 0"
        raise InvalidInput(f"{field} is {value}", field=field, remedy=f"give a number {rule}")


def mass(kind: str, mean: float, periods: int = 1) -> Floats:
    """(n,) probabilities of 0, 1, … units over `periods`; less than 1e-14 lies beyond.

    Parameters
    ----------
    kind : ``poisson`` or ``geometric`` (support 0, 1, …)
    mean : float > 0, units per period
    """
    require_positive("mean", mean)
    law = _law(kind, mean, periods)
    most = int(law.isf(_TAIL)) + 1
    out: Floats = law.pmf(np.arange(most + 1))
    return out


def quantile(kind: str, mean: float, periods: int, share: float) -> int:
    """Least number of units that cover the demand of `periods` with probability `share`."""
    return int(_law(kind, mean, periods).ppf(share))


def _law(kind: str, mean: float, periods: int) -> stats._distn_infrastructure.rv_frozen:
    if kind not in KINDS:
        raise InvalidInput(
            f"demand is {kind!r}", field="demand", remedy=f"one of {', '.join(KINDS)}"
        )
    if kind == "poisson":
        return stats.poisson(mean * periods)
    # A sum of geometric variables is negative binomial.
    return stats.nbinom(periods, 1 / (1 + mean))


def left_over(probability: Floats, most: int) -> Floats:
    """(most + 1, most + 1): row x, column j = chance that j of x units are left."""
    out = np.zeros((most + 1, most + 1))
    padded = np.zeros(most + 1)
    size = min(len(probability), most + 1)
    padded[:size] = probability[:size]
    for x in range(most + 1):
        out[x, 1 : x + 1] = padded[:x][::-1]
        out[x, 0] = max(1.0 - out[x, 1:].sum(), 0.0)
    return out


def gamma_rounded(mean: float, variation: float) -> Floats:
    """(n,) probabilities of a gamma variable rounded to the nearest unit.

    Parameters
    ----------
    mean : float > 0
    variation : float > 0, standard deviation / mean
    """
    require_positive("mean", mean)
    require_positive("variation", variation)
    shape = variation**-2
    scale = mean / shape
    most = int(scale * special.gammainccinv(shape, _TAIL)) + 2
    below = special.gammainc(shape, (np.arange(most + 1) + 0.5) / scale)
    out: Floats = np.diff(below, prepend=0.0)
    return out
