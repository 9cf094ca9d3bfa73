"""A calibrated head on the mean: negative binomial, corrected by what really happened.

The variance ratio of a day (and, by itself, of a total of L days) is scaled so that it
fits the errors of a forecast issued before the calibration days. What shape is then still
wrong is mended by a table pooled over series: the fraction of outcomes that lay under the
head's quantile says which quantile to ask it for (conformal, by size of the mean). Series
by series there is too little to calibrate on.

The calibration days are one stretch of the calendar, and what moves all series together
from one stretch to the next can't be seen within it: the table is taken beside the mean
that would have been right in sum, and that common shift is a variance of its own, small for
a day and not for busy weeks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import betainc

from policies.forecasting.quantiles import negative_binomial_quantile
from policies.forecasting.series import Float32s, Floats, Ints

SIZES = np.array([0.1, 0.3, 1.0, 3.0, 10.0, 30.0])
"""Borders of the buckets of the daily mean."""
LENGTHS = (1, 2, 3, 5, 7, 10, 14, 21, 28)
_POINTS = 200
_LEAST = 200
_MOST_PART = 0.7
"""Share of a window's days that must have been in stock throughout, for it to be used."""


@dataclass(frozen=True)
class CalibratedSpread:
    """Negative binomial with a calibrated variance ratio and quantile table.

    Attributes
    ----------
    own : (S,) float64, variance ratio of a series about its own smoothed level
    lengths : (T,) lengths of totals that were calibrated, ascending, from 1
    scale : (T, B) factor on `own - 1` by length and bucket of the daily mean
    table : (T, B, P) for P evenly spaced probabilities, which one to ask the head for
    shift : float, standard deviation of what all series share, as a share of a total's mean
    """

    own: Floats
    lengths: tuple[int, ...]
    scale: Floats
    table: Floats
    shift: float = 0.0

    def of_days(self, mean: Float32s, fractile: float) -> Floats:
        """(S, H) quantile of each day."""
        units = np.asarray(mean, dtype=np.float64)
        bucket = np.searchsorted(SIZES, units)
        ratio = 1.0 + self.scale[0][bucket] * self.own[:, None] + self.shift**2 * units
        asked = _ask(self.table[0], fractile)[bucket]
        return negative_binomial_quantile(units, ratio, asked).astype(np.float64)

    def of_total(self, mean: Floats, fractile: float, days: int) -> Floats:
        """(S,) quantile of a total; lengths between two calibrated ones are interpolated."""
        bucket = np.searchsorted(SIZES, mean / days)
        below, above, share = self._between(days)
        asked = (1 - share) * _ask(self.table[below], fractile)
        asked = asked + share * _ask(self.table[above], fractile)
        ratio = 1.0 + self._scale(days)[bucket] * self.own + self.shift**2 * mean
        return negative_binomial_quantile(mean, ratio, asked[bucket]).astype(np.float64)

    def variance(self, mean: Floats, days: int) -> Floats:
        """Variance of totals of so many days with that mean, (S,) or (S, H), less the shift."""
        bucket = np.searchsorted(SIZES, mean / days)
        own = self.own.reshape(-1, *[1] * (mean.ndim - 1))
        return np.asarray(mean * (1.0 + self._scale(days)[bucket] * own))

    def _between(self, days: int) -> tuple[int, int, float]:
        """(calibrated length below, above, how far towards the one above)."""
        above = min(int(np.searchsorted(self.lengths, days)), len(self.lengths) - 1)
        below = max(above - 1, 0)
        span = self.lengths[above] - self.lengths[below]
        return below, above, min((days - self.lengths[below]) / span, 1.0) if span else 1.0

    def _scale(self, days: int) -> Floats:
        """(B,) factor on the excess of a total's variance ratio."""
        below, above, share = self._between(days)
        return np.asarray((1 - share) * self.scale[below] + share * self.scale[above])

    def rows(self, which: Ints) -> CalibratedSpread:
        """That of some of the series."""
        return replace(self, own=self.own[which])


def _ask(table: Floats, fractile: float) -> Floats:
    """(B,) probability to ask the head for, between the table's points."""
    at = fractile * _POINTS - 0.5
    low = int(np.clip(np.floor(at), 0, _POINTS - 2))
    share = np.clip(at - low, 0.0, 1.0)
    inside = (1 - share) * table[:, low] + share * table[:, low + 1]
    # Beyond the outermost points the head's own tail goes on.
    if at < 0:
        return np.asarray(table[:, 0] * (fractile * _POINTS / 0.5))
    if at > _POINTS - 1:
        rest = (1 - fractile) * _POINTS / 0.5
        return np.asarray(1 - (1 - table[:, -1]) * rest)
    return np.asarray(inside)


def calibrate(
    own: Floats, mean: Float32s, sold: Float32s, known: npt.NDArray[np.bool_], seed: int
) -> CalibratedSpread:
    """Fit the head to forecasts and outcomes of days that the model had not seen.

    Parameters
    ----------
    own : (S,) excess variance ratio of each series, ≥ 0
    mean, sold : (S, H), forecast and outcome
    known : (S, H) bool, days that were in stock all the time
    seed : int, of the randomised probability transform
    """
    horizon = mean.shape[1]
    lengths = tuple(length for length in LENGTHS if length <= horizon)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 17]))
    scale = np.ones((len(lengths), len(SIZES) + 1))
    table = np.empty((len(lengths), len(SIZES) + 1, _POINTS))
    for t, length in enumerate(lengths):
        expected, happened, which, days = _totals(mean, sold, known, length)
        expected *= _luck(expected, happened)
        bucket = np.searchsorted(SIZES, expected / days)
        scale[t] = _scales(expected, happened, own[which], bucket)
        ratio = 1.0 + scale[t][bucket] * own[which]
        place = _transform(expected, ratio, happened, rng)
        table[t] = _table(place, bucket)
    return CalibratedSpread(own, lengths, scale, table)


def _luck(expected: Floats, happened: Floats) -> float:
    """What all series together sold of what was expected.

    A warm fortnight sells more of everything. Its errors would be taken for an error of each
    series by itself, though the next fortnight is as likely to be a cool one: the level is
    the mean's business, the spread is about it.
    """
    told, sold = float(expected.sum()), float(happened.sum())
    return sold / told if told > 0 and sold > 0 else 1.0


def _totals(
    mean: Float32s, sold: Float32s, known: npt.NDArray[np.bool_], length: int
) -> tuple[Floats, Floats, npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """(expected, happened, series, days) of windows, several starts each.

    Windows in stock throughout are few where stock often runs out, and those that sold
    least: windows in stock on most days count for those days.
    """
    horizon = mean.shape[1]
    starts = range(0, horizon - length + 1, max(1, length // 2))
    least = max(1, math.ceil(_MOST_PART * length))
    expected, happened, which, days = [], [], [], []
    for start in starts:
        window = slice(start, start + length)
        seen = known[:, window]
        told = np.where(seen, mean[:, window], 0.0).sum(axis=1, dtype=np.float64)
        count = seen.sum(axis=1)
        mine = np.flatnonzero((count >= least) & (told > 0))
        expected.append(told[mine])
        happened.append(np.where(seen, sold[:, window], 0.0)[mine].sum(axis=1, dtype=np.float64))
        which.append(mine)
        days.append(count[mine])
    return (
        np.concatenate(expected),
        np.concatenate(happened),
        np.concatenate(which),
        np.concatenate(days),
    )


def _scales(
    expected: Floats, happened: Floats, own: Floats, bucket: npt.NDArray[np.intp]
) -> Floats:
    """(B,) factor that makes the head's variance the mean squared error, from all at first."""
    size = len(SIZES) + 1
    excess = np.bincount(bucket, (happened - expected) ** 2 - expected, size)
    under = np.bincount(bucket, expected * own, size)
    count = np.bincount(bucket, minlength=size)
    pooled = max(float(excess.sum()) / max(float(under.sum()), 1e-9), 0.0)
    mix = count / (count + _LEAST)
    each = np.maximum(excess, 0.0) / np.maximum(under, 1e-9)
    return np.asarray(mix * each + (1 - mix) * pooled)


def _transform(mean: Floats, ratio: Floats, happened: Floats, rng: np.random.Generator) -> Floats:
    """Randomised probability transform: uniform where the head is right."""
    below = _cdf(np.ceil(happened) - 1, mean, ratio)
    upto = _cdf(np.ceil(happened), mean, ratio)
    return np.asarray(below + rng.random(len(mean)) * (upto - below))


def _cdf(units: Floats, mean: Floats, ratio: Floats) -> Floats:
    """P(X ≤ units) of the negative binomial."""
    extra = np.maximum(ratio - 1.0, 1e-4)
    out = betainc(mean / extra, np.maximum(units, 0) + 1.0, 1.0 / (1.0 + extra))
    return np.asarray(np.where(units < 0, 0.0, out))


def _table(place: Floats, bucket: npt.NDArray[np.intp]) -> Floats:
    """(B, P) quantiles of the transform, thin buckets pulled to all of them."""
    points = (np.arange(_POINTS) + 0.5) / _POINTS
    everyone = np.quantile(place, points) if len(place) else points
    out = np.empty((len(SIZES) + 1, _POINTS))
    for number in range(len(SIZES) + 1):
        mine = place[bucket == number]
        mix = len(mine) / (len(mine) + _LEAST)
        own = np.quantile(mine, points) if len(mine) else points
        out[number] = mix * own + (1 - mix) * everyone
    return np.clip(out, 1e-6, 1 - 1e-9)
