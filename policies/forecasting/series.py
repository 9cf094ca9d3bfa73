"""Series of daily sales side by side, and a forecast of them: what back-tested models share.

S series (a store's SKU, or a store's category) stand over D days, the newest last. A day
counts for the share of its open time with stock: what an empty shelf sold says nothing of
demand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput
from policies.forecasting.panel_sums import sums_by_key
from policies.forecasting.paths import drawn_paths
from policies.forecasting.provenance import Provenance
from policies.forecasting.rollup import SummedSpread, shares

Floats = npt.NDArray[np.float64]
Float32s = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


_EDGES = np.concatenate([np.linspace(0.0, 0.98, 393), 1 - 0.02 * 0.8 ** np.arange(1, 35), [1.0]])
"""Probabilities between which a distribution is taken as flat: finer where shortage is."""
NO_FESTIVAL = 127
"""Count of a day that lies beside no movable festival."""
WHOLE_DAY, PART_DAY = 0.99, 0.3
"""Shares of a day in stock from which it counts as whole, and at all."""


class Fallback(IntEnum):
    """Why a series is not forecast by the model itself."""

    NONE = 0
    NEVER_SOLD = 1
    TOO_NEW = 2


@dataclass(frozen=True)
class SeriesPanel:
    """Daily sales of S series over D days, and what is planned for the days after.

    Attributes
    ----------
    sold : (S, D) float32, units sold
    in_stock : (S, D) float32 from 0 to 1, share of the open time with stock
    promotion : (S, P) float32 ≥ 0, depth of the price cut (a share), P ≥ D: known plan
    holiday : (P,) bool, P ≥ D
    first_weekday : int, weekday (Monday = 0) of the first day
    store, group : (S,) int64, the series' store and category
    names : tuple of str, length S
    festival : (P,) int16 or None, days after the nearest movable festival, negative before
        it, NO_FESTIVAL away from it
    closed : (S, P) bool or None, days on which the store is planned to be closed
    weekday : (P,) int64 or None, weekday that each day is like, where a country shifts
        working days; None = the calendar's
    """

    sold: Float32s
    in_stock: Float32s
    promotion: Float32s
    holiday: npt.NDArray[np.bool_]
    first_weekday: int
    store: Ints
    group: Ints
    names: tuple[str, ...] = field(default=())
    festival: npt.NDArray[np.int16] | None = None
    closed: npt.NDArray[np.bool_] | None = None
    weekday: Ints | None = None

    def __post_init__(self) -> None:
        if self.sold.ndim != 2:
            raise InvalidInput("sold is not (series, days)", field="panel.sold")
        size, days = self.sold.shape
        for name, shape in (
            ("in_stock", (size, days)),
            ("store", (size,)),
            ("group", (size,)),
        ):
            if getattr(self, name).shape != shape:
                raise InvalidInput(
                    f"{name} has shape {getattr(self, name).shape}, expected {shape}",
                    field=f"panel.{name}",
                )
        planned = self.promotion.shape[1] if self.promotion.ndim == 2 else -1
        if self.promotion.shape != (size, planned) or planned < days:
            raise InvalidInput(
                f"promotion has shape {self.promotion.shape}, expected ({size}, ≥ {days})",
                field="panel.promotion",
                remedy="give the plan from the first day of sales on",
            )
        if self.holiday.shape != (planned,):
            raise InvalidInput(
                f"holiday has {self.holiday.shape} days, the plan {planned}", field="panel.holiday"
            )
        self._check_plans(size, planned)
        for name in ("sold", "in_stock", "promotion"):
            value = getattr(self, name)
            # A NaN fails both comparisons.
            fits = (value >= 0) & (value < np.inf)
            if not fits.all():
                series, day = np.argwhere(~fits)[0].tolist()
                raise InvalidInput(
                    f"{name} of day {day} is {value[series, day]}",
                    field=f"panel.{name}",
                    row=self.names[series] if self.names else series,
                    remedy="give numbers from 0 on, none missing; returns apart",
                )

    def _check_plans(self, size: int, planned: int) -> None:
        wanted = {"festival": (planned,), "closed": (size, planned), "weekday": (planned,)}
        for name, shape in wanted.items():
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise InvalidInput(
                    f"{name} has shape {value.shape}, expected {shape}",
                    field=f"panel.{name}",
                    remedy="give the plan of the same days as that of promotions",
                )

    @property
    def is_whole(self) -> npt.NDArray[np.bool_]:
        """(S, D): in stock all day."""
        return self.in_stock >= WHOLE_DAY

    @property
    def exposure(self) -> Float32s:
        """(S, D) share of the day that its sales speak for; 0 where too little to tell."""
        return np.where(self.in_stock >= PART_DAY, self.in_stock, np.float32(0.0))

    @property
    def keys(self) -> dict[str, Ints]:
        """What forecasts of these series can be summed by."""
        return {"store": self.store, "category": self.group}

    @property
    def shape(self) -> tuple[int, int]:
        """(S, D)."""
        return int(self.sold.shape[0]), int(self.sold.shape[1])

    def until(self, day: int, plan_days: int) -> SeriesPanel:
        """What was known at the end of day number `day` - 1, with a plan of so many days."""
        planned = day + plan_days
        if planned > self.promotion.shape[1]:
            raise InvalidInput(
                f"the plan ends {planned - self.promotion.shape[1]} days too early",
                field="panel.promotion",
                remedy="give promotions and holidays of the whole horizon",
            )
        return replace(
            self,
            sold=self.sold[:, :day],
            in_stock=self.in_stock[:, :day],
            promotion=self.promotion[:, :planned],
            holiday=self.holiday[:planned],
            festival=None if self.festival is None else self.festival[:planned],
            closed=None if self.closed is None else self.closed[:, :planned],
            weekday=None if self.weekday is None else self.weekday[:planned],
        )

    def rows(self, which: Ints) -> SeriesPanel:
        """Some of the series, in the order given."""
        return replace(
            self,
            sold=self.sold[which],
            in_stock=self.in_stock[which],
            promotion=self.promotion[which],
            store=self.store[which],
            group=self.group[which],
            names=tuple(self.names[i] for i in which.tolist()) if self.names else (),
            closed=None if self.closed is None else self.closed[which],
        )

    def weekdays(self, first: int, days: int) -> Ints:
        """(days,) weekday numbers from day number `first` on, as the plan shifts them."""
        if self.weekday is not None:
            return self.weekday[first : first + days]
        return (self.first_weekday + first + np.arange(days)) % 7


def shut(panel: SeriesPanel, mean: Float32s) -> Float32s:
    """`mean` (S, H) of the days after the panel's last, 0 where the store is to be closed."""
    days = panel.shape[1]
    if panel.closed is None:
        return mean
    return np.where(panel.closed[:, days : days + mean.shape[1]], np.float32(0.0), mean)


class Spread(Protocol):
    """How demand scatters about its mean."""

    def of_days(self, mean: Float32s, fractile: float) -> Floats:
        """(S, H) quantile of each day; `mean` is (S, H)."""

    def of_total(self, mean: Floats, fractile: float, days: int) -> Floats:
        """(S,) quantile of the total of so many days; `mean` is the total's, (S,)."""

    def variance(self, mean: Floats, days: int) -> Floats:
        """Variance of totals of so many days with that mean, (S,) or (S, H), less the shift."""

    @property
    def shift(self) -> float:
        """Standard deviation of what all series share, as a share of the mean."""

    def rows(self, which: Ints) -> Spread:
        """That of some of the series."""


@dataclass(frozen=True)
class SeriesForecast:
    """Demand of S series over the H days after the panel's last.

    Attributes
    ----------
    mean : (S, H) float32, expected units of each day
    spread : Spread
    provenance : Provenance
    fallback : (S,) int8, :class:`Fallback` of each series
    keys : name (``store``, ``category``) -> (S,) int64, what series can be summed by
    """

    mean: Float32s
    spread: Spread
    provenance: Provenance
    fallback: npt.NDArray[np.int8]
    keys: Mapping[str, Ints] = field(default_factory=dict)

    def rows(self, which: Ints) -> SeriesForecast:
        """Some of the series, in the order given."""
        return replace(
            self,
            mean=self.mean[which],
            spread=self.spread.rows(which),
            fallback=self.fallback[which],
            keys={name: key[which] for name, key in self.keys.items()},
        )

    def sample(self, count: int, rng: np.random.Generator) -> npt.NDArray[np.int32]:
        """(N, S, H) units of each day on so many paths, whose days err together."""
        if count < 1:
            raise InvalidInput(f"{count} paths", field="count", remedy="ask for at least 1")
        return drawn_paths(self.mean, self.spread, count, rng)

    def rollup(self, by: str) -> SeriesForecast:
        """The sums over series with the same key, ascending; `keys[by]` names them.

        A sum falls back only where all its series do.
        """
        if by not in self.keys:
            known = ", ".join(self.keys) or "nothing"
            raise InvalidInput(
                f"no key {by!r}", field="by", remedy=f"this forecast can be summed by {known}"
            )
        names, key = np.unique(self.keys[by], return_inverse=True)
        key = key.astype(np.int64)
        mean = sums_by_key(self.mean.astype(np.float64), key, len(names))
        why = np.full(len(names), np.iinfo(np.int8).max, dtype=np.int8)
        np.minimum.at(why, key, self.fallback)
        spread = SummedSpread(self.spread, shares(self.mean, key, len(names)), key)
        return SeriesForecast(
            mean.astype(np.float32), spread, self.provenance, why, {by: names.astype(np.int64)}
        )

    def quantile(self, fractile: float) -> Floats:
        """(S, H) units that cover a day's demand with probability `fractile`."""
        _check_fractile(fractile)
        return self.spread.of_days(self.mean, fractile)

    def total_quantile(self, fractile: float, days: int, first: int = 0) -> Floats:
        """(S,) units that cover the total of `days` days from day `first` of the horizon.

        Calibrated by itself, never the sum of the daily quantiles: that would about double
        safety stock of what sells each day, and leave none of what seldom sells. No less
        than the largest day's quantile.
        """
        _check_fractile(fractile)
        window = self._window(days, first)
        daily = self.spread.of_days(window, fractile)
        total = self.spread.of_total(window.sum(axis=1, dtype=np.float64), fractile, days)
        out: Floats = np.maximum(total, daily.max(axis=1))
        return out

    def expected_shortage(self, stock: Floats, days: int, first: int = 0) -> Floats:
        """(S,) units of the total of `days` days that `stock` (S,) is expected not to cover."""
        held = self._stock(stock)
        mean = self._window(days, first).sum(axis=1, dtype=np.float64)
        out = np.zeros(len(held))
        for middle, width in _strata():
            out += width * np.maximum(self.spread.of_total(mean, middle, days) - held, 0.0)
        return out

    def prob_stockout(self, stock: Floats, days: int, first: int = 0) -> Floats:
        """(S,) probability that the total of `days` days is above `stock` (S,).

        To 0.0025, and finer beyond 0.98. Stock that is used up to the unit is no stock-out.
        """
        held = self._stock(stock)
        mean = self._window(days, first).sum(axis=1, dtype=np.float64)
        out = np.zeros(len(held))
        for middle, width in _strata():
            out += width * (self.spread.of_total(mean, middle, days) > held)
        return out

    def _window(self, days: int, first: int) -> Float32s:
        if first < 0 or not 1 <= days <= self.mean.shape[1] - first:
            raise InvalidInput(
                f"a total of {days} days from day {first} on, of {self.mean.shape[1]}",
                field="days",
                remedy="ask inside the horizon",
            )
        return self.mean[:, first : first + days]

    def _stock(self, stock: Floats) -> Floats:
        held = np.asarray(stock, dtype=np.float64)
        if held.shape != (len(self.mean),):
            raise InvalidInput(
                f"stock has shape {held.shape}, expected ({len(self.mean)},)",
                field="stock",
                remedy="give one number of units for each series",
            )
        # A NaN fails both comparisons.
        fits = (held >= 0) & (held < np.inf)
        if not fits.all():
            series = int(np.argmin(fits))
            raise InvalidInput(
                f"stock is {held[series]}",
                field="stock",
                row=series,
                remedy="give units from 0 on; what is owed to customers is no stock",
            )
        return held


def _strata() -> list[tuple[float, float]]:
    """(middle, width) of the stretches of probability that make up a distribution."""
    middles = (_EDGES[1:] + _EDGES[:-1]) / 2
    return list(zip(middles.tolist(), np.diff(_EDGES).tolist(), strict=True))


def _check_fractile(fractile: float) -> None:
    if not 0 < fractile < 1:
        raise InvalidInput(
            f"fractile is {fractile}", field="fractile", remedy="give a number between 0 and 1"
        )


class SeriesModel(Protocol):
    """What a back-test can run."""

    def fit(self, panel: SeriesPanel, horizon: int) -> FittedModel:
        """Learn from the panel; `horizon` days will be asked for."""


class FittedModel(Protocol):
    """A model that has learnt."""

    def forecast(self, panel: SeriesPanel) -> SeriesForecast:
        """The days after the panel's last day; the panel holds their plan."""
