"""``storetwin study unconstrain``: restored demand against a truth that is known.

Days of a history that were in stock throughout are cut off: each gets a stock of its own
and what lies after its last unit is lost. What each method makes of the rest is held
against what really sold.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput
from policies.forecasting.unconstrain import HOURS, HourlyUnconstrain, by_daily_flag
from scenarios.backtest_series import DAY_SECONDS, HOUR_SECONDS, days_of, whole_days
from scenarios.history.importer import History

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEAST_DAYS = 20
CUTS = ("stock", "cover", "hour")
_SHAPE = 4.0


def unconstrain_study(
    history: History, *, lost: float = 0.13, cut: str = "stock", seed: int = 1
) -> dict[str, Any]:
    """Bias and error of series means by each method.

    Parameters
    ----------
    lost : float in (0, 0.9), share of all units that is cut off
    cut : what ends a day: ``stock`` (a scattered stock of each day), ``cover`` (the same
        cover each day, so that only busy days run out), ``hour`` (an hour by chance)
    seed : int

    Returns
    -------
    dict with ``lost``, ``days_cut``, ``series``, ``days`` and ``methods``: name ->
    ``bias`` (of the sum), ``wape`` (of the series' means); ``recovered`` (units added,
    their standard deviation, and what was really lost)

    Raises
    ------
    InvalidInput
        For an unknown cut, a share that can't be, or a history without hourly stock-outs.
    """
    if cut not in CUTS:
        raise InvalidInput(f"no cut {cut!r}", field="cut", remedy=f"choose {', '.join(CUTS)}")
    if not 0 < lost < 0.9:
        raise InvalidInput(
            f"lost is {lost}", field="lost", remedy="give a share above 0 and below 0.9"
        )
    truth, series, group = hourly_days(history)
    means = np.bincount(series, truth.sum(axis=1)) / np.bincount(series)
    sold, seen = _cut(truth, means[series], lost, cut, seed)
    units = sold.sum(axis=1)
    ran_out = np.asarray(~seen.all(axis=1))
    restored = HourlyUnconstrain().restore(sold, seen, series, group)
    open_share = np.maximum(seen.mean(axis=1), 1 / HOURS)
    told = {
        "raw": units,
        "days dropped": _without(units, ran_out, series),
        "linear in hours": np.where(ran_out, units / open_share, units),
        "daily flag alone": by_daily_flag(units, ran_out, series),
        "hourly profile": restored.demand,
    }
    actual = truth.sum(axis=1)
    added, deviation = restored.recovered(units)
    return {
        "cut": cut,
        "lost": 1 - float(units.sum() / actual.sum()),
        "days_cut": float(ran_out.mean()),
        "series": len(means),
        "days": len(actual),
        "methods": {name: _figures(one, actual, series) for name, one in told.items()},
        "recovered": {
            "units": added,
            "deviation": deviation,
            "truth": float((actual - units).sum()),
        },
    }


def hourly_days(history: History) -> tuple[Floats, Ints, Ints]:
    """((N, 24) units, (N,) series, (N,) category) of days in stock throughout.

    Series with fewer than twenty such days are left out; so are days after the last sale
    of a history. A day without any sale counts: its hours sold 0.
    """
    days = days_of(history)
    keys, group, whole = whole_days(history, days)
    kept = whole.sum(axis=1) >= LEAST_DAYS
    keys, group, whole = keys[kept], group[kept], whole[kept]
    if not len(keys):
        raise InvalidInput(
            f"no series has {LEAST_DAYS} days in stock throughout",
            field="history",
            remedy="give a history with hourly stock-outs of several weeks",
        )
    receipts = history.receipts
    store = np.repeat(np.arange(len(receipts.store_ids)), np.diff(receipts.offsets))
    key = store * len(receipts.sku_ids) + receipts.sku
    place = np.searchsorted(keys, key)
    place = np.minimum(place, len(keys) - 1)
    day = receipts.t_s // DAY_SECONDS
    mine = (keys[place] == key) & whole[place, day]
    number = np.cumsum(whole.ravel()).reshape(whole.shape) - 1
    cell = number[place[mine], day[mine]] * HOURS + (
        receipts.t_s[mine] % DAY_SECONDS // HOUR_SECONDS
    )
    count = int(whole.sum())
    units = np.bincount(cell, receipts.quantity[mine], count * HOURS).reshape(count, HOURS)
    series = np.nonzero(whole)[0]
    return units.astype(np.float64), series, group[series]


def _cut(
    truth: Floats, mean: Floats, lost: float, cut: str, seed: int
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """(what is left, (N, 24) hours with stock) with the asked share of units lost."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 41]))
    scatter = rng.gamma(_SHAPE, 1 / _SHAPE, len(mean)) if cut == "stock" else np.ones(len(mean))
    chance, hour = rng.random(len(mean)), rng.integers(6, HOURS, len(mean))
    running = truth.cumsum(axis=1)

    def after(size: float) -> tuple[Floats, npt.NDArray[np.bool_]]:
        if cut == "hour":
            last = np.where(chance < size, hour, HOURS)
            seen = np.arange(HOURS) < last[:, None]
            return np.where(seen, truth, 0.0), seen
        stock = np.maximum(np.round(mean * scatter / max(size, 1e-9)), 1.0)[:, None]
        left = np.diff(np.minimum(running, stock), axis=1, prepend=0.0)
        # The hour in which the last unit went was in stock at its beginning.
        before = np.concatenate([np.zeros((len(mean), 1)), running[:, :-1]], axis=1)
        return left, before < stock

    low, high = 0.0, 1.0 if cut == "hour" else 8.0
    total = truth.sum()
    for _ in range(30):
        middle = (low + high) / 2
        if 1 - after(middle)[0].sum() / total < lost:
            low = middle
        else:
            high = middle
    return after(high)


def _without(units: Floats, ran_out: npt.NDArray[np.bool_], series: Ints) -> Floats:
    """Each day as the mean of its series' days that did not run out; raw if there is none."""
    size = int(series.max()) + 1
    count = np.bincount(series[~ran_out], minlength=size)
    kept = np.bincount(series[~ran_out], units[~ran_out], size) / np.maximum(count, 1)
    plain = np.bincount(series, units, size) / np.maximum(np.bincount(series, minlength=size), 1)
    return np.asarray(np.where(count > 0, kept, plain)[series])


def _figures(told: Floats, actual: Floats, series: Ints) -> dict[str, float]:
    days = np.bincount(series)
    ours, true = np.bincount(series, told) / days, np.bincount(series, actual) / days
    return {
        "bias": float(told.sum() / actual.sum() - 1),
        "wape": float(np.abs(ours - true).sum() / true.sum()),
    }
