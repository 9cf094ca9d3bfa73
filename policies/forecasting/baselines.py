"""Per-series baselines, all series at once: the floor under every other forecast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from policies.domain.errors import InvalidInput
from policies.forecasting.festival import festival_factors
from policies.forecasting.panel_sums import begun, walk_levels
from policies.forecasting.provenance import Provenance
from policies.forecasting.series import (
    Fallback,
    Float32s,
    Floats,
    Ints,
    SeriesForecast,
    SeriesPanel,
    shut,
)

_PRIOR_UNITS = 50.0
"""Units at which a store's or a category's own weekday profile counts as much as the chain's."""


@dataclass(frozen=True)
class NormalSpread:
    """A normal about the mean, cut at 0, days independent: the textbook's z·σ·√L.

    Attributes
    ----------
    sigma : (S,) float64, standard deviation of a day's error
    shift : float, 0: nothing is known of what series share
    """

    sigma: Floats
    shift: float = 0.0

    def of_days(self, mean: Float32s, fractile: float) -> Floats:
        """(S, H) quantile of each day."""
        return np.asarray(np.maximum(mean + ndtri(fractile) * self.sigma[:, None], 0.0))

    def of_total(self, mean: Floats, fractile: float, days: int) -> Floats:
        """(S,) quantile of a total."""
        out = mean + ndtri(fractile) * self.sigma * np.sqrt(days)
        return np.asarray(np.maximum(out, 0.0))

    def variance(self, mean: Floats, days: int) -> Floats:
        """Variance of totals of so many days, of the shape of `mean`."""
        own = (self.sigma**2 * days).reshape(-1, *[1] * (mean.ndim - 1))
        return np.asarray(np.broadcast_to(own, mean.shape))

    def rows(self, which: Ints) -> NormalSpread:
        """That of some of the series."""
        return NormalSpread(self.sigma[which])


def _errors(panel: SeriesPanel, fitted: Floats, since: int) -> Floats:
    """(S,) standard deviation of sales about what was fitted, from day `since` on."""
    weight = panel.is_whole[:, since:]
    gap = np.where(weight, panel.sold[:, since:] - fitted[:, since:], 0.0)
    count = np.maximum(weight.sum(axis=1), 1)
    return np.asarray(np.sqrt((gap**2).sum(axis=1) / count), dtype=np.float64)


def status(panel: SeriesPanel) -> npt.NDArray[np.int8]:
    """(S,) :class:`Fallback`: never sold, or first sold less than a week ago."""
    ever = panel.sold > 0
    days = panel.shape[1]
    first = np.where(ever.any(axis=1), ever.argmax(axis=1), days)
    out = np.where(first == days, Fallback.NEVER_SOLD, Fallback.NONE)
    young = (first < days) & (days - first < 7)
    return np.where(young, Fallback.TOO_NEW, out).astype(np.int8)


@dataclass(frozen=True)
class SeasonalNaive:
    """Each day as the same weekday of the last week, σ of the weekly differences."""

    def fit(self, panel: SeriesPanel, horizon: int) -> _Fitted:
        """Nothing is learnt but the scatter."""
        _check_history(panel, horizon)
        days = panel.shape[1]
        last = np.zeros_like(panel.sold, dtype=np.float64)
        last[:, 7:] = panel.sold[:, :-7] if days > 7 else 0.0
        if days < 14:
            return _Fitted("seasonal naive", _weekday_table(panel, 1), _errors(panel, last * 0, 0))
        return _Fitted("seasonal naive", _weekday_table(panel, 1), _errors(panel, last, 7))


@dataclass(frozen=True)
class WeekdayMean:
    """Each day as the mean of its weekday over the last `weeks` weeks."""

    weeks: int = 8

    def fit(self, panel: SeriesPanel, horizon: int) -> _Fitted:
        """Means of days in stock."""
        _check_history(panel, horizon)
        table = _weekday_table(panel, self.weeks)
        fitted = table[:, panel.weekdays(0, panel.shape[1])]
        return _Fitted(
            "weekday mean", table, _errors(panel, fitted, max(0, panel.shape[1] - 7 * self.weeks))
        )


@dataclass(frozen=True)
class SmoothedWeekday:
    """Simple exponential smoothing × weekday profile.

    Parameters
    ----------
    alphas : weights of a new day that are tried; the one with the least squared error of
        forecasts two weeks ahead over all series is kept
    profile_weeks : weeks of data that the pooled weekday profile counts for
    """

    alphas: tuple[float, ...] = (0.01, 0.02, 0.04, 0.07, 0.12, 0.2)
    profile_weeks: float = 8.0

    def fit(self, panel: SeriesPanel, horizon: int) -> _Fitted:
        """Levels, profile and scatter."""
        _check_history(panel, horizon)
        profile = weekday_profile(panel, self.profile_weeks)
        factors = day_factors(panel, profile)
        chosen, levels = self.best_levels(panel, factors)
        before = np.concatenate([levels[:, :1], levels[:, :-1]], axis=1)
        sigma = _errors(panel, before * factors, min(7, panel.shape[1] - 1))
        return _Fitted(f"SES {chosen} x weekday", levels[:, -1:] * profile, sigma, profile)

    def best_levels(self, panel: SeriesPanel, factors: Floats) -> tuple[float, Floats]:
        """(weight, (S, D) levels) of the weight that was best two weeks ahead over all series."""
        if len(self.alphas) == 1:
            return self.alphas[0], smoothed(panel, factors, self.alphas[0])
        best, chosen, kept = np.inf, self.alphas[0], None
        for alpha in self.alphas:
            levels = smoothed(panel, factors, alpha)
            loss = _fortnight_ahead_loss(panel, factors, levels)
            if kept is None or loss < best:
                best, chosen, kept = loss, alpha, levels
        assert kept is not None
        return chosen, kept


@dataclass(frozen=True)
class TeunterSyntetosBabai:
    """TSB for intermittent demand: smoothed chance of a sale times smoothed size."""

    chance_alpha: float = 0.05
    size_alpha: float = 0.1

    def fit(self, panel: SeriesPanel, horizon: int) -> _Fitted:
        """Chance and size after the last day."""
        _check_history(panel, horizon)
        sold = panel.sold.astype(np.float64)
        is_sale = sold > 0
        count = np.maximum(is_sale.sum(axis=1), 1)
        chance = is_sale.mean(axis=1)
        size = sold.sum(axis=1) / count
        for day in range(panel.shape[1]):
            seen = panel.is_whole[:, day]
            chance += np.where(seen, self.chance_alpha * (is_sale[:, day] - chance), 0.0)
            size += np.where(is_sale[:, day], self.size_alpha * (sold[:, day] - size), 0.0)
        level = chance * size
        fitted = np.repeat(level[:, None], panel.shape[1], axis=1)
        return _Fitted("TSB", np.repeat(level[:, None], 7, axis=1), _errors(panel, fitted, 0))


@dataclass(frozen=True)
class _Fitted:
    """A value for each weekday and a scatter."""

    name: str
    table: Floats
    sigma: Floats
    profile: Floats | None = None
    """(S, 7) weekday factors of a model that knows the movable festival."""

    def forecast(self, panel: SeriesPanel) -> SeriesForecast:
        """The days of the panel's plan after its sales."""
        days = panel.shape[1]
        ahead = panel.weekdays(days, panel.promotion.shape[1] - days)
        usual = self.table[:, ahead]
        if self.profile is not None:
            usual = usual * festival_factors(panel, self.profile)[:, days:]
        mean = shut(panel, usual.astype(np.float32))
        return SeriesForecast(
            mean,
            NormalSpread(self.sigma),
            Provenance.of(panel.until(days, mean.shape[1]), self.name, None),
            status(panel),
            panel.keys,
        )


def day_factors(panel: SeriesPanel, profile: Floats) -> Floats:
    """(S, D) units of each past day over the level: its weekday and the movable festival."""
    days = panel.shape[1]
    factors = profile[:, panel.weekdays(0, days)]
    return np.asarray(factors * festival_factors(panel, profile)[:, :days])


def weekday_profile(panel: SeriesPanel, prior_weeks: float) -> Floats:
    """(S, 7) weekday factors, mean 1: a series' own, pulled to its group's, that to all."""
    weekdays = panel.weekdays(0, panel.shape[1])
    seen = panel.exposure
    told = panel.sold * (seen > 0)
    sums = np.stack([told[:, weekdays == d].sum(axis=1, dtype=np.float64) for d in range(7)], 1)
    days = np.stack([seen[:, weekdays == d].sum(axis=1, dtype=np.float64) for d in range(7)], 1)
    overall = _factors(sums.sum(axis=0, keepdims=True), days.sum(axis=0, keepdims=True))
    level = sums.sum(axis=1) / np.maximum(days.sum(axis=1), 1)
    expected = days * level[:, None] * overall
    out = np.repeat(overall, len(sums), axis=0)
    for key in (panel.group, panel.store):
        index = np.unique(key, return_inverse=True)[1]
        found = np.full((int(index.max(initial=0)) + 1, 7), _PRIOR_UNITS)
        awaited = found.copy()
        np.add.at(found, index, sums)
        np.add.at(awaited, index, expected)
        out = out * (found / awaited)[index]
    out /= out.mean(axis=1, keepdims=True)
    # Sales a weekday would have by the pooled factor weigh as so many weeks of data.
    strength = np.maximum(prior_weeks * level, 3.0)[:, None]
    own = (sums + strength * out) / (days * level[:, None] + strength)
    return np.asarray(own / np.maximum(own.mean(axis=1, keepdims=True), 1e-9))


def _factors(sums: Floats, days: Floats) -> Floats:
    means = sums / np.maximum(days, 1)
    overall = means.mean(axis=1, keepdims=True)
    return np.asarray(np.where(overall > 0, means / np.maximum(overall, 1e-12), 1.0))


def smoothed(panel: SeriesPanel, factors: Floats, alpha: float) -> Floats:
    """(S, D) level after each day, the weekday taken out; a day without stock is passed over.

    It begins at the plain mean of the first four weeks of a series' own life.
    """
    # Slices of longer panels would be compiled apart.
    sold, share = np.ascontiguousarray(panel.sold, dtype=np.float32), panel.exposure
    first = begun(sold)
    days = np.arange(panel.shape[1])
    begin = (days >= first[:, None]) & (days < first[:, None] + 28) & (share > 0)
    units = np.where(begin, sold, 0.0).sum(axis=1, dtype=np.float64)
    level = units / np.maximum((factors * share * begin).sum(axis=1), 1e-9)
    whole = np.ascontiguousarray(share, dtype=np.float32)
    return np.asarray(walk_levels(sold, whole, np.ascontiguousarray(factors), first, level, alpha))


def _fortnight_ahead_loss(panel: SeriesPanel, factors: Floats, levels: Floats) -> float:
    if panel.shape[1] <= 28:
        return 0.0
    gap = panel.sold[:, 28:] - levels[:, 14:-14] * factors[:, 28:]
    scale = np.maximum(panel.sold.mean(axis=1), 1e-3)[:, None]
    return float((np.where(panel.is_whole[:, 28:], gap, 0.0) ** 2 / scale).sum())


def _weekday_table(panel: SeriesPanel, weeks: int) -> Floats:
    """(S, 7) mean of each weekday in stock over the last weeks; the overall mean if none."""
    days = panel.shape[1]
    since = max(0, days - 7 * weeks)
    weekdays = panel.weekdays(since, days - since)
    known = panel.is_whole[:, since:]
    sold = panel.sold[:, since:] * known
    plain = sold.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    out = np.repeat(plain[:, None].astype(np.float64), 7, axis=1)
    for weekday in range(7):
        rows = weekdays == weekday
        count = known[:, rows].sum(axis=1)
        np.divide(sold[:, rows].sum(axis=1), count, out=out[:, weekday], where=count > 0)
    return out


def _check_history(panel: SeriesPanel, horizon: int) -> None:
    if panel.shape[1] < 1:
        raise InvalidInput("the panel has no day", field="panel.sold")
    if horizon < 1:
        raise InvalidInput("a horizon is at least one day", field="horizon")
