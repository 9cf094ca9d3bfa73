"""What a movable festival does to sales: a factor for each category and day beside it.

The Spring Festival moves by a month on the common calendar, so neither the day of the year
nor the weekday tells of it. Days are counted from the festival instead, and what sold on
the same count in earlier years, over what is usual, is pooled over stores and SKUs of a
category: one series has met the festival twice or thrice, a category thousands of times.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from policies.forecasting.series import NO_FESTIVAL, Floats, SeriesPanel

FIRST, LAST = -28, 21
"""Days about the festival that may differ: the run-up, and the return to what is usual."""
_BESIDE_DAYS = 28
_LEAST_DAYS = 7
_PRIOR_UNITS = 15.0
_MOST, _LEAST = 20.0, 0.02


def festival_factors(panel: SeriesPanel, profile: Floats) -> Floats:
    """(S, P) units of a day over what its level and weekday say; 1 away from the festival.

    Learnt from the panel's own days alone. A category's factor is pulled to that of all
    goods by the weight of fifteen units, and is 1 where no such day has been seen.

    Parameters
    ----------
    panel : SeriesPanel
    profile : (S, 7) weekday factors
    """
    planned = panel.promotion.shape[1]
    if panel.festival is None or not (panel.festival != NO_FESTIVAL).any():
        return np.broadcast_to(np.ones(1), (panel.shape[0], planned))
    away = np.where(panel.festival == NO_FESTIVAL, LAST + 1, panel.festival)
    place = np.clip(away - FIRST, -1, LAST - FIRST + 1)
    beside = (place >= 0) & (place <= LAST - FIRST)
    index = np.unique(panel.group, return_inverse=True)[1]
    groups = int(index.max(initial=0)) + 1
    happened = np.zeros((groups, LAST - FIRST + 1))
    expected = np.zeros_like(happened)
    usual = profile[:, panel.weekdays(0, panel.shape[1])] * panel.exposure
    sold = np.where(panel.exposure > 0, panel.sold, 0.0).astype(np.float64)
    for first, end in _stretches(beside[: panel.shape[1]]):
        level, known = _level_beside(sold, usual, beside, first, end)
        for day in range(first, end):
            told = np.where(known & (usual[:, day] > 0), sold[:, day], 0.0)
            could = np.where(known, level * usual[:, day], 0.0)
            happened[:, place[day]] += np.bincount(index, told, groups)
            expected[:, place[day]] += np.bincount(index, could, groups)
    everyone = (happened.sum(axis=0) + _PRIOR_UNITS) / (expected.sum(axis=0) + _PRIOR_UNITS)
    each = (happened + _PRIOR_UNITS * everyone) / (expected + _PRIOR_UNITS)
    table = np.concatenate([np.clip(each, _LEAST, _MOST), np.ones((groups, 1))], axis=1)
    column = np.where(beside, place, LAST - FIRST + 1)
    return np.asarray(table[np.ix_(index, column)])


def _stretches(beside: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first day, day after the last) of each festival's days."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], beside.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _level_beside(
    sold: Floats, usual: Floats, beside: npt.NDArray[np.bool_], first: int, end: int
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """((S,) level of the weeks before and after, (S,) whether they tell enough)."""
    days = sold.shape[1]
    near = np.zeros(days, dtype=np.bool_)
    near[max(0, first - _BESIDE_DAYS) : min(days, end + _BESIDE_DAYS)] = True
    near &= ~beside[:days]
    time = usual[:, near].sum(axis=1)
    level = sold[:, near].sum(axis=1) / np.maximum(time, 1e-9)
    return level, time >= _LEAST_DAYS
