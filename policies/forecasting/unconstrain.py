"""What would have sold on days that ran out: sales before the hour tell of those after it.

A category's hourly profile is learnt from the censored days themselves: an hour counts only
where it was in stock, beside what its series sells. A day's own pace and the series' level
then share in what is added: with little of a day seen its level speaks, with much of it the
day. Taking the pace alone is too high, since a day runs out early when it happens to begin
busily; taking the level alone is too low, since busy days are those that run out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
HOURS = 24
_ROUNDS = 8


@dataclass(frozen=True)
class Unconstrained:
    """Demand restored.

    Attributes
    ----------
    demand : (N,) float64, units of each day had it been in stock throughout
    share_seen : (N,) float64 from 0 to 1, share of the day's usual sales that fell into
        hours with stock
    deviation : (N,) float64, standard deviation of what was added
    profile : (C, 24) float64, share of each hour by category, rows sum to 1
    """

    demand: Floats
    share_seen: Floats
    deviation: Floats
    profile: Floats

    def recovered(self, sold: Floats) -> tuple[float, float]:
        """(units added in all, standard deviation of that sum; days taken as independent)."""
        return float((self.demand - sold).sum()), float(np.sqrt((self.deviation**2).sum()))


@dataclass(frozen=True)
class HourlyUnconstrain:
    """Restores demand from hours of stock.

    Parameters
    ----------
    pace_units : float > 0, units sold at which a day's own pace weighs as much as the
        level of its series
    prior_units : float ≥ 0, units by which a category's profile is pulled to that of all
    """

    pace_units: float = 4.0
    prior_units: float = 200.0

    def __post_init__(self) -> None:
        if not self.pace_units > 0:
            raise InvalidInput(
                f"pace_units is {self.pace_units}", field="pace_units", remedy="give units above 0"
            )
        if not self.prior_units >= 0:
            raise InvalidInput("prior_units is below 0", field="prior_units")

    def restore(
        self, sold: Floats, in_stock: npt.NDArray[np.bool_], series: Ints, group: Ints
    ) -> Unconstrained:
        """Demand of N series-days.

        Parameters
        ----------
        sold : (N, 24) float64, units of each hour
        in_stock : (N, 24) bool, hours with stock from their beginning
        series, group : (N,) int64, series and category of each day, from 0 on
        """
        _check(sold, in_stock, series, group)
        size = int(series.max(initial=-1)) + 1
        seen = np.where(in_stock, sold, 0.0)
        # What an hour without stock sold is a matter of posting: it belongs to the day.
        units = sold.sum(axis=1)
        profile = self._profile(seen, in_stock, series, group, size)
        share = np.clip((in_stock * profile[group]).sum(axis=1), 0.0, 1.0)
        missing = 1.0 - share
        days = np.maximum(np.bincount(series, minlength=size), 1).astype(np.float64)
        level = _over(np.bincount(series, units, size), np.bincount(series, share, size))
        added = np.zeros(len(units))
        for _ in range(_ROUNDS):
            weight = self.pace_units / np.maximum(level[series], 1e-9)
            pace = (units + self.pace_units) / (share + weight)
            added = np.where(level[series] > 0, missing * pace, 0.0)
            level = np.bincount(series, units + added, size) / days
        # Negative binomial: a gamma pace with that many units behind it, Poisson about it.
        behind = share + self.pace_units / np.maximum(level[series], 1e-9)
        variance = added * (1.0 + missing / np.maximum(behind, 1e-9))
        return Unconstrained(units + added, share, np.sqrt(variance), profile)

    def _profile(
        self,
        seen: Floats,
        in_stock: npt.NDArray[np.bool_],
        series: Ints,
        group: Ints,
        size: int,
    ) -> Floats:
        """(C, 24) share of each hour, from hours in stock beside the levels of their series."""
        groups = int(group.max(initial=-1)) + 1
        out = np.full((groups, HOURS), 1.0 / HOURS)
        sums = np.stack([np.bincount(group, seen[:, h], groups) for h in range(HOURS)], axis=1)
        told = np.bincount(series, seen.sum(axis=1), size)
        for _ in range(_ROUNDS):
            share = (in_stock * out[group]).sum(axis=1)
            level = _over(told, np.bincount(series, share, size))[series]
            could = np.stack(
                [np.bincount(group, level * in_stock[:, h], groups) for h in range(HOURS)], axis=1
            )
            everyone = _shares(_over(sums.sum(axis=0), could.sum(axis=0))[None, :])
            mixed = (sums + self.prior_units * everyone) / (could + self.prior_units)
            out = _shares(np.where(could + self.prior_units > 0, mixed, everyone))
        return out


def by_daily_flag(sold: Floats, ran_out: npt.NDArray[np.bool_], series: Ints) -> Floats:
    """(N,) demand where only the days that ran out are known, not the hour.

    A day that ran out sold at least what it sold: with Poisson days of a gamma pace its
    demand is the mean above that, by the level of the series (expectation and level in
    turn). Too low where the goods scatter more than that; never below what sold.

    Parameters
    ----------
    sold : (N,) float64
    ran_out : (N,) bool
    series : (N,) int64
    """
    size = int(series.max(initial=-1)) + 1
    days = np.maximum(np.bincount(series, minlength=size), 1)
    out = sold.astype(np.float64)
    level = np.bincount(series, out, size) / days
    for _ in range(2 * _ROUNDS):
        spread = np.sqrt(np.maximum(level[series], 1e-9) * _DAY_RATIO)
        out = np.where(ran_out, _mean_above(sold, level[series], spread), sold)
        level = np.bincount(series, out, size) / days
    return np.asarray(np.maximum(out, sold))


_DAY_RATIO = 1.6
"""Variance of a day's units over their mean, as the fresh goods of a city show it."""


def _mean_above(least: Floats, mean: Floats, spread: Floats) -> Floats:
    """E[X | X ≥ least] of a normal; by its tail's expansion where that is far away."""
    from scipy.special import log_ndtr  # noqa: PLC0415 -- the fallback alone needs it

    z = (least - mean) / spread
    density = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    return np.asarray(mean + spread * np.exp(density - log_ndtr(-z)))


def _over(top: npt.NDArray[Any], below: npt.NDArray[Any]) -> Floats:
    out = np.zeros(top.shape, dtype=np.float64)
    np.divide(top, below, out=out, where=below > 1e-9)
    return out


def _shares(rates: Floats) -> Floats:
    sums = rates.sum(axis=1, keepdims=True)
    return np.where(sums > 0, rates / np.where(sums > 0, sums, 1.0), 1.0 / rates.shape[1])


def _check(sold: Floats, in_stock: npt.NDArray[np.bool_], series: Ints, group: Ints) -> None:
    if sold.ndim != 2 or sold.shape[1] != HOURS:
        raise InvalidInput(f"sold has shape {sold.shape}, expected (N, 24)", field="sold")
    for name, value, shape in (
        ("in_stock", in_stock, sold.shape),
        ("series", series, sold.shape[:1]),
        ("group", group, sold.shape[:1]),
    ):
        if value.shape != shape:
            raise InvalidInput(f"{name} has shape {value.shape}, expected {shape}", field=name)
    fits = (sold >= 0) & (sold < np.inf)
    if not fits.all():
        row, hour = np.argwhere(~fits)[0].tolist()
        raise InvalidInput(
            f"hour {hour} sold {sold[row, hour]}",
            field="sold",
            row=row,
            remedy="give units from 0 on, none missing; returns apart",
        )
