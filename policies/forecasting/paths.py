"""Paths of demand drawn from a forecast: whole futures, whose days err together.

A level that is too low is too low on each day, so days drawn one by one would give weeks that
are too narrow. Ranks of a series' days share a normal part (a Gaussian copula), as much of
it as makes a week scatter the way the spread's own weeks do; the days keep their quantiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

if TYPE_CHECKING:
    from policies.forecasting.series import Spread

Float32s = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
_RANKS = 200
_AT_ONCE = 1000
_WEEK = 7
_MOST_SHARED = 0.98


def drawn_paths(
    mean: Float32s, spread: Spread, count: int, rng: np.random.Generator
) -> npt.NDArray[np.int32]:
    """(N, S, H) units of each day on so many paths; series stray independently.

    Parameters
    ----------
    mean : (S, H) float32, expected units of each day
    spread : of the same S series
    count : int ≥ 1
    rng : the only source of chance
    """
    size, horizon = mean.shape
    out = np.empty((count, size, horizon), dtype=np.int32)
    for first in range(0, size, _AT_ONCE):
        mine = np.arange(first, min(first + _AT_ONCE, size))
        part, some = mean[mine], spread.rows(mine)
        table = np.stack([some.of_days(part, q) for q in _ranks()]).astype(np.float32)
        shared = _shared(part, some, table)[:, None]
        level = rng.standard_normal((count, len(mine), 1))
        each = rng.standard_normal((count, len(mine), horizon))
        chance = ndtr(np.sqrt(shared) * level + np.sqrt(1 - shared) * each)
        rank = np.minimum((chance * _RANKS).astype(np.intp), _RANKS - 1)
        units = np.take_along_axis(table, rank, axis=0)
        out[:, mine] = np.rint(units)
    return out


def _ranks() -> list[float]:
    """Middles of equal stretches of probability."""
    return [(number + 0.5) / _RANKS for number in range(_RANKS)]


def _shared(
    mean: npt.NDArray[np.float32], spread: Spread, table: npt.NDArray[np.float32]
) -> Floats:
    """(S,) correlation of days at which a week's variance is that of the spread's weeks."""
    days = min(_WEEK, mean.shape[1])
    sigma = table[:, :, :days].std(axis=0, dtype=np.float64)
    expected = mean[:, :days].sum(axis=1, dtype=np.float64)
    week = np.stack([spread.of_total(expected, q, days) for q in _ranks()]).var(axis=0)
    alone = (sigma**2).sum(axis=1)
    together = sigma.sum(axis=1) ** 2
    room = np.maximum(together - alone, 1e-9)
    return np.asarray(np.clip((week - alone) / room, 0.0, _MOST_SHARED))
