"""What the global model looks at: examples of (series, last known day, day ahead)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.forecasting.baselines import smoothed, weekday_profile
from policies.forecasting.festival import festival_factors
from policies.forecasting.panel_sums import begun, sums_by_key, sums_by_weekday
from policies.forecasting.series import Float32s, Floats, SeriesPanel

WINDOWS = (7, 14, 28, 56, 112)
NAMES = (
    "ahead",
    "weekday",
    "group",
    "level",
    *(f"last_{days}" for days in WINDOWS),
    "yesterday",
    "same_weekday_4",
    "same_weekday_8",
    "profile",
    "zero_share",
    "quiet_days",
    "scatter",
    "store_trend",
    "group_trend",
    "promotion",
    "promotion_usual",
    "holiday",
    "to_holiday",
    "from_holiday",
    "festival",
    "festival_usual",
)
_AT = {name: column for column, name in enumerate(NAMES)}
_PRIOR_DAYS = 3.0
_FAR = 5

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class History:
    """Running sums of a panel, so that any window of any example is one subtraction.

    Attributes
    ----------
    panel : SeriesPanel
    sold, exposure : (S, D + 1) float64, sums of sales on days in stock, and of those days
        with the weekday taken out (a Saturday counts for more than a day)
    """

    panel: SeriesPanel
    sold: Floats
    exposure: Floats
    zeros: Floats
    squares: Floats
    profile: Floats
    levels: Float32s
    quiet: Float32s
    weekly: tuple[Floats, Floats]
    pooled: dict[str, tuple[Ints, Floats, Floats]]
    promoted: Floats
    holiday_gap: tuple[Ints, Ints]
    festive: Floats

    @classmethod
    def of(cls, panel: SeriesPanel, alpha: float) -> History:
        """Sums over the panel's own days; nothing after them is read but the plan.

        `alpha` is the weight of a new day in the smoothed level.
        """
        days = panel.shape[1]
        share = panel.exposure
        known = panel.is_whole
        profile = weekday_profile(panel, 8.0)
        festive = festival_factors(panel, profile)
        factors = profile[:, panel.weekdays(0, days)] * festive[:, :days]
        seen = np.where(share > 0, panel.sold, 0.0).astype(np.float64)
        exposed = share * factors
        first = begun(panel.sold)[:, None]
        born = np.arange(days) >= first
        seen, exposed = seen * born, exposed * born
        last_sale = np.where(panel.sold > 0, np.arange(days), first)
        quiet = np.arange(days) - np.maximum.accumulate(last_sale, axis=1)
        levels = smoothed(panel, factors, alpha)
        gap = np.where(known, (panel.sold - levels * factors) ** 2, 0.0)
        weekly = (sums_by_weekday(seen), sums_by_weekday(share * born * festive[:, :days]))
        pooled = {}
        for name, key in (("store", panel.store), ("group", panel.group)):
            index = np.unique(key, return_inverse=True)[1].astype(np.int64)
            keys = int(index.max(initial=0)) + 1
            told = sums_by_key(seen, index, keys)
            could = sums_by_key(exposed * levels, index, keys)
            pooled[name] = (index, _running(told), _running(could))
        return cls(
            panel,
            _running(seen),
            _running(exposed),
            _running(np.where(known & (panel.sold == 0), born, 0.0)),
            _running(gap),
            profile,
            levels.astype(np.float32),
            quiet.astype(np.float32),
            weekly,
            pooled,
            _running(panel.promotion),
            _gaps(panel.holiday),
            festive,
        )

    def rows(self, series: Ints, last: Ints, ahead: Ints) -> tuple[Float32s, Floats]:
        """((N, F) features, (N,) offset: units expected by level and weekday alone).

        `last` (N,) is the last day that is known, `ahead` (N,) counts from it.
        """
        out = self._standing(series, last)
        return out, self._add_coming(out, series, last, ahead)

    def all_days(self, series: Ints, last: int, horizon: int) -> tuple[Float32s, Floats]:
        """The same for every day ahead of each series, (N · horizon, F) and (N · horizon,)."""
        standing = self._standing(series, np.full(len(series), last))
        out = np.repeat(standing, horizon, axis=0)
        each = np.repeat(series, horizon)
        ahead = np.tile(np.arange(horizon) + 1, len(series))
        return out, self._add_coming(out, each, np.full(len(each), last), ahead)

    def _level(self, series: Ints, last: Ints) -> Floats:
        return np.asarray(np.maximum(self.levels[series, last], 1e-4), dtype=np.float64)

    def _standing(self, series: Ints, last: Ints) -> Float32s:
        """(N, F) with what is the same for every day ahead; the rest is not filled in."""
        panel, end = self.panel, last + 1
        level = self._level(series, last)
        out = np.empty((len(series), len(NAMES)), dtype=np.float32)
        out[:, _AT["group"]] = panel.group[series]
        out[:, _AT["level"]] = np.log(level)
        for days in WINDOWS:
            rate = self._rate(series, end, days)
            out[:, _AT[f"last_{days}"]] = np.log(rate / level + 0.02)
        usual = level * self.festive[series, last]
        newest = panel.sold[series, last]
        out[:, _AT["yesterday"]] = np.log((newest + 0.5 * usual) / (1.5 * usual))
        since = np.maximum(end - 56, 0)
        length = np.maximum(end - since, 1)
        zeros = self.zeros[series, end] - self.zeros[series, since]
        out[:, _AT["zero_share"]] = zeros / length
        quiet = self.quiet[series, last] * np.minimum(level, 1.0)
        out[:, _AT["quiet_days"]] = np.minimum(quiet, 30.0)
        gap = (self.squares[series, end] - self.squares[series, since]) / length
        out[:, _AT["scatter"]] = np.log(gap / level + 0.1)
        for name in ("store", "group"):
            index, told, could = self.pooled[name]
            place, before = index[series], np.maximum(end - 7, 0)
            lately = told[place, end] - told[place, before]
            awaited = could[place, end] - could[place, before]
            out[:, _AT[f"{name}_trend"]] = np.log((lately + 10.0) / (awaited + 10.0))
        back = np.maximum(end - 28, 0)
        promoted = self.promoted[series, end] - self.promoted[series, back]
        out[:, _AT["promotion_usual"]] = promoted / np.maximum(end - back, 1)
        return out

    def _add_coming(self, out: Float32s, series: Ints, last: Ints, ahead: Ints) -> Floats:
        """Fill in what is known of the day itself; returns the (N,) offset."""
        panel, day, end = self.panel, last + ahead, last + 1
        weekday = panel.weekdays(0, panel.promotion.shape[1])[day]
        profile, festive = self.profile[series, weekday], self.festive[series, day]
        level = self._level(series, last)
        out[:, _AT["ahead"]] = ahead
        out[:, _AT["weekday"]] = weekday
        same = (panel.first_weekday + day) % 7
        for weeks in (4, 8):
            mean = self._same_weekday(series, end, same, weeks, level * profile)
            out[:, _AT[f"same_weekday_{weeks}"]] = np.log(mean + 0.02)
        out[:, _AT["profile"]] = np.log(profile)
        out[:, _AT["promotion"]] = panel.promotion[series, day]
        out[:, _AT["holiday"]] = panel.holiday[day]
        out[:, _AT["to_holiday"]] = self.holiday_gap[0][day]
        out[:, _AT["from_holiday"]] = self.holiday_gap[1][day]
        out[:, _AT["festival"]] = 0 if panel.festival is None else panel.festival[day]
        out[:, _AT["festival_usual"]] = np.log(festive)
        return np.asarray(level * profile * festive)

    def _rate(self, series: Ints, end: Ints, days: int) -> Floats:
        """Units per ordinary day over the last days, pulled to the longer run's."""
        start = np.maximum(end - days, 0)
        long = np.maximum(end - 4 * days, 0)
        slow = (self.sold[series, end] - self.sold[series, long] + 0.02) / (
            self.exposure[series, end] - self.exposure[series, long] + 1.0
        )
        units = self.sold[series, end] - self.sold[series, start]
        time = self.exposure[series, end] - self.exposure[series, start]
        return np.asarray((units + _PRIOR_DAYS * slow) / (time + _PRIOR_DAYS))

    def _same_weekday(
        self, series: Ints, end: Ints, weekday: Ints, weeks: int, usual: Floats
    ) -> Floats:
        """Mean of the weekday's last occurrences over what level and profile say."""
        back = (self.panel.first_weekday + end - 1 - weekday) % 7
        stop = end - back + 6  # column of the newest occurrence, sums run every seventh day
        begin = np.maximum(stop - 7 * weeks, stop % 7)
        told, seen = self.weekly
        units = told[series, stop] - told[series, begin]
        count = seen[series, stop] - seen[series, begin]
        return np.asarray((units + usual) / ((count + 1.0) * usual))


def _running(values: npt.NDArray[np.floating]) -> Floats:
    out = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=out[:, 1:])
    return out


def _gaps(holiday: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """(days to the next, days from the last holiday), at most 5 each."""
    size = len(holiday)
    to, since = np.full(size, _FAR), np.full(size, _FAR)
    for day in np.flatnonzero(holiday):
        for step in range(_FAR):
            if day - step >= 0:
                to[day - step] = min(to[day - step], step)
            if day + step < size:
                since[day + step] = min(since[day + step], step)
    return to.astype(np.int64), since.astype(np.int64)


@dataclass(frozen=True)
class Examples:
    """Training examples.

    Attributes
    ----------
    features : (N, F) float32
    sold : (N,) float32
    offset, weight : (N,) float64
    """

    features: Float32s
    sold: Float32s
    offset: Floats
    weight: Floats

    @classmethod
    def draw(cls, panel: SeriesPanel, horizon: int, most: int, seed: int, alpha: float) -> Examples:
        """A seeded sample of examples whose target day was in stock.

        A series weighs by one over its level's root, so that a few busy ones do not fill
        the loss, and the newest days count for more.
        """
        days = panel.shape[1]
        history = History.of(panel, alpha)
        # By name, and without those that never sold: the sample is then the same in any
        # order of the series, and whatever dead ones stand beside them.
        alive = np.flatnonzero((panel.sold > 0).any(axis=1))
        if panel.names:
            alive = alive[np.argsort([panel.names[i] for i in alive], kind="stable")]
        least = min(28, days - horizon - 1)
        rng = np.random.default_rng(np.random.SeedSequence([seed, 5]))
        lasts = np.arange(least, days - 1)
        count = min(most, len(alive) * len(lasts) * horizon)
        place = rng.integers(0, len(alive), count)
        last = rng.choice(lasts, count)
        ahead = rng.integers(1, horizon + 1, count)
        fits = last + ahead < days
        place, last, ahead = place[fits], last[fits], ahead[fits]
        series = alive[place]
        born = history.sold[series, last + 1] > 0
        keep = panel.is_whole[series, last + ahead] & born
        order = np.lexsort((ahead[keep], last[keep], place[keep]))
        series, last, ahead = (x[keep][order].astype(np.int64) for x in (series, last, ahead))
        features, offset = history.rows(series, last, ahead)
        # Part of a day in stock sells part of its demand.
        offset = np.maximum(offset * panel.exposure[series, last + ahead], 1e-6)
        weight = 0.5 ** ((days - 1 - last) / 240.0) / np.sqrt(np.maximum(offset, 0.05))
        return cls(features, panel.sold[series, last + ahead], offset, weight)
