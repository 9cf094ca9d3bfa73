"""Rolling-origin forecast test: what each model would have said, and how wrong it was.

Choice of series, scales, calibration and every parameter come from before the origin; the
plan of promotions and holidays is taken as known. Scored on days that were in stock.
"""

from __future__ import annotations

import datetime as dt
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput
from policies.forecasting.baselines import (
    SeasonalNaive,
    SmoothedWeekday,
    TeunterSyntetosBabai,
    WeekdayMean,
)
from policies.forecasting.boosting import GlobalBoosting
from policies.forecasting.series import Floats, SeriesForecast, SeriesModel, SeriesPanel
from scenarios.backtest_series import days_of, labels_of, series_of
from scenarios.event_calendar import Event, laid_over, overrides
from scenarios.history.importer import History

STEP_DAYS = 14
QUANTILES = (0.005, 0.025, 0.165, 0.25, 0.5, 0.75, 0.835, 0.975, 0.995)
"""The nine of the M5 uncertainty competition."""
BUCKETS = ((1, 7), (8, 14), (15, 28))
TOTAL_DAYS = 7
DEFAULT = "boosting"
MODELS: Mapping[str, SeriesModel] = {
    "seasonal_naive": SeasonalNaive(),
    "weekday_mean": WeekdayMean(),
    "ses": SmoothedWeekday(),
    "tsb": TeunterSyntetosBabai(),
    "boosting": GlobalBoosting(),
}
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Backtest:
    """What is asked.

    Parameters
    ----------
    horizon, origins : int, days ahead and number of origins, 14 days apart
    series : int, most sold first
    learnt_from : int, times as many series that the models see. Those that sold most were
        picked for it, and go on to sell less; models that saw them alone would not know
    level : store-sku or store-category
    until : int or None, first day that is not looked at (None = the history's end)
    models : names; seasonal_naive is always there
    events : a planner's calendar, laid over that of the country
    """

    horizon: int = 28
    origins: int = 3
    series: int = 2000
    learnt_from: int = 3
    level: str = "store-sku"
    until: int | None = None
    models: tuple[str, ...] = tuple(MODELS)
    events: tuple[Event, ...] = ()


@dataclass
class _Sums:
    """Sums of one model over origins; all figures are ratios of them."""

    gap: float = 0.0
    bias: float = 0.0
    actual: float = 0.0
    rmsse: list[float] = field(default_factory=list)
    pinball: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)
    covered: dict[str, list[float]] = field(default_factory=dict)
    buckets: dict[str, list[float]] = field(default_factory=dict)
    segments: dict[str, list[float]] = field(default_factory=dict)
    planner: dict[str, list[float]] = field(default_factory=dict)
    fit_seconds: float = 0.0
    predict_seconds: float = 0.0


def backtest(
    history: History, ask: Backtest, progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Run it.

    Returns
    -------
    dict with ``default``, ``models`` (name -> figures), ``ratios`` (name -> figures over
    those of the seasonal naive), ``series`` (scored), ``learnt_from`` (forecast by the
    models in ``predict_seconds``), ``origins`` (dates), ``peak_rss_bytes``

    Raises
    ------
    InvalidInput
        For an unknown model, or a history too short for the horizon and the origins.
    """
    tell = progress or (lambda _: None)
    _check(ask)
    until = days_of(history) if ask.until is None else min(ask.until, days_of(history))
    last = until - ask.horizon
    starts = [last - STEP_DAYS * back for back in reversed(range(ask.origins))]
    if starts[0] < 14:
        need = 14 + ask.horizon + STEP_DAYS * (ask.origins - 1)
        raise InvalidInput(
            f"the history has {until} days; {ask.origins} origins of {ask.horizon} days ahead "
            f"need {need}",
            field="history",
            remedy="ask for fewer origins or a shorter horizon",
        )
    panel = series_of(
        history,
        level=ask.level,
        series=ask.series * ask.learnt_from,
        until_day=until,
        first_origin=starts[0],
    )
    scored = np.arange(min(ask.series, panel.shape[0]))
    labels = labels_of(history, panel)
    panel = laid_over(panel, ask.events, history.start_date, labels)
    names = list(dict.fromkeys(("seasonal_naive", *ask.models)))
    sums = {name: _Sums() for name in names}
    for start in starts:
        known = panel.until(start, ask.horizon)
        world = _World.of(panel.rows(scored), start, ask.horizon)
        issued = history.start_date + dt.timedelta(start)
        factor = overrides(ask.events, issued, ask.horizon, labels)[scored]
        for name in names:
            tell(f"day {start}: {name}")
            begun = time.perf_counter()
            fitted = MODELS[name].fit(known, ask.horizon)
            trained = time.perf_counter()
            forecast = fitted.forecast(known)
            nine = [forecast.quantile(q) for q in QUANTILES]
            done = time.perf_counter()
            sums[name].fit_seconds += trained - begun
            sums[name].predict_seconds += done - trained
            nine = [value[scored] for value in nine]
            forecast = forecast.rows(scored)
            _score(sums[name], world, forecast, nine)
            _score_planner(sums[name], world, forecast.mean, factor)
    figures = {name: _figures(sums[name]) for name in names}
    naive = figures["seasonal_naive"]
    return {
        "default": DEFAULT,
        "models": figures,
        "ratios": {
            name: {key: _over(one[key], naive[key]) for key in _RATIOS}
            for name, one in figures.items()
        },
        "series": len(scored),
        "learnt_from": panel.shape[0],
        "level": ask.level,
        "horizon": ask.horizon,
        "origins": [str(history.start_date + dt.timedelta(start)) for start in starts],
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def for_people(result: dict[str, Any]) -> dict[str, Any]:
    """The result as one line per model, without its finer parts."""
    plain = {name: value for name, value in result.items() if not isinstance(value, dict)}
    table = [
        {"model": name, **{key: value for key, value in one.items() if isinstance(value, float)}}
        for name, one in result["models"].items()
    ]
    return {**plain, "models": table}


_RATIOS = ("wape", "wrmsse", "pinball9", "pinball95_total7")


def _over(value: float, base: float) -> float:
    return value / base if base else float("nan")


def _check(ask: Backtest) -> None:
    for name in ask.models:
        if name not in MODELS:
            raise InvalidInput(
                f"no model {name!r}", field="models", remedy=f"choose among {', '.join(MODELS)}"
            )
    for name in ("horizon", "origins", "learnt_from"):
        if getattr(ask, name) < 1:
            raise InvalidInput(f"{name} is {getattr(ask, name)}", field=name, remedy="at least 1")


@dataclass(frozen=True)
class _World:
    """What happened after an origin, and the scales of errors from before it."""

    sold: Floats
    known: Mask
    weight: Floats
    squares: Floats
    steps: Floats
    textbook: Floats
    segments: dict[str, Mask]

    @classmethod
    def of(cls, panel: SeriesPanel, start: int, horizon: int) -> _World:
        before = panel.sold[:, :start].astype(np.float64)
        born = np.maximum.accumulate(before > 0, axis=1)[:, :-1]
        step = np.where(born, np.diff(before, axis=1), 0.0)
        count = np.maximum(born.sum(axis=1), 1)
        # A life of less than two weeks gives no scale to divide an error by: such series
        # count in WAPE and bias, and in their own segment, alone.
        weight = np.where(count >= 14, before[:, -28:].sum(axis=1), 0.0)
        after = slice(start, start + horizon)
        seen = panel.is_whole[:, :start]
        return cls(
            panel.sold[:, after].astype(np.float64),
            panel.is_whole[:, after],
            weight / max(weight.sum(), 1e-9),
            np.maximum((step**2).sum(axis=1) / count, 1e-6),
            np.maximum(np.abs(step).sum(axis=1) / count, 1e-6),
            _textbook(before[:, -28:], seen[:, -28:]),
            _segments(panel, start, horizon),
        )


def _textbook(sold: Floats, seen: Mask) -> Floats:
    """(S,) 0.95 quantile of seven days: mean + z σ √7 of the last four weeks, as by hand."""
    count = np.maximum(seen.sum(axis=1), 1)
    mean = np.where(seen, sold, 0.0).sum(axis=1) / count
    gap = np.where(seen, sold - mean[:, None], 0.0)
    sigma = np.sqrt((gap**2).sum(axis=1) / count)
    return np.asarray(TOTAL_DAYS * mean + 1.6448536 * sigma * np.sqrt(TOTAL_DAYS))


def _segments(panel: SeriesPanel, start: int, horizon: int) -> dict[str, Mask]:
    """Named groups of series, told from before the origin."""
    before = panel.sold[:, :start]
    size = before > 0
    gap = start / np.maximum(size.sum(axis=1), 1)
    count = np.maximum(size.sum(axis=1), 1)
    mean = before.sum(axis=1) / count
    scatter = np.where(size, (before - mean[:, None]) ** 2, 0.0).sum(axis=1) / count
    cv2 = scatter / np.maximum(mean**2, 1e-9)
    order = np.cumsum(np.sort(before.sum(axis=1))[::-1]) / max(before.sum(), 1e-9)
    rank = np.argsort(np.argsort(-before.sum(axis=1), kind="stable"))
    share = order[rank]
    first = np.where(size.any(axis=1), size.argmax(axis=1), start)
    return {
        "smooth": (gap < 1.32) & (cv2 < 0.49),
        "erratic": (gap < 1.32) & (cv2 >= 0.49),
        "intermittent": (gap >= 1.32) & (cv2 < 0.49),
        "lumpy": (gap >= 1.32) & (cv2 >= 0.49),
        "promoted": panel.promotion[:, start : start + horizon].max(axis=1) > 0,
        "often_out": (~panel.is_whole[:, max(0, start - 28) : start]).mean(axis=1) > 0.25,
        "new": start - first < 28,
        "A": share <= 0.8,
        "B": (share > 0.8) & (share <= 0.95),
        "C": share > 0.95,
    }


def _score(sums: _Sums, world: _World, forecast: SeriesForecast, nine: list[Floats]) -> None:
    mean, known = forecast.mean.astype(np.float64), world.known
    gap = np.where(known, world.sold - mean, 0.0)
    sold = np.where(known, world.sold, 0.0)
    sums.gap += float(np.abs(gap).sum())
    sums.bias -= float(gap.sum())
    sums.actual += float(sold.sum())
    days = np.maximum(known.sum(axis=1), 1)
    rmsse = np.sqrt((gap**2).sum(axis=1) / days / world.squares)
    sums.rmsse.append(float((world.weight * rmsse).sum()))
    losses = np.stack(
        [_pinball(world.sold, value, q) for value, q in zip(nine, QUANTILES, strict=True)]
    )
    each = np.where(known, losses.mean(axis=0), 0.0).sum(axis=1) / days / world.steps
    sums.pinball.append(float((world.weight * each).sum()))
    _score_totals(sums, world, forecast)
    for label, low, high in (("coverage_80", 0.1, 0.9), ("coverage_95", 0.025, 0.975)):
        inside = (world.sold >= forecast.quantile(low)) & (world.sold <= forecast.quantile(high))
        _add(sums.covered, label, float(inside[known].sum()), float(known.sum()))
    for first, end in BUCKETS:
        if first <= known.shape[1]:
            part = np.s_[:, first - 1 : end]
            _add(sums.buckets, f"{first}-{end}", np.abs(gap[part]).sum(), sold[part].sum())
    for name, mine in world.segments.items():
        _add(sums.segments, name, np.abs(gap[mine]).sum(), sold[mine].sum())


def _score_totals(sums: _Sums, world: _World, forecast: SeriesForecast) -> None:
    """The 0.95 quantile of totals of seven days, weeks in stock throughout alone."""
    if world.sold.shape[1] < TOTAL_DAYS:
        return
    for first in range(0, world.sold.shape[1] - TOTAL_DAYS + 1, TOTAL_DAYS):
        window = slice(first, first + TOTAL_DAYS)
        whole = world.known[:, window].all(axis=1)
        told = forecast.total_quantile(0.95, TOTAL_DAYS, first)
        happened = world.sold[:, window].sum(axis=1)
        scaled = world.weight * whole / world.steps
        ours = float((scaled * _pinball(happened, told, 0.95)).sum())
        theirs = float((scaled * _pinball(happened, world.textbook, 0.95)).sum())
        sums.total.append(ours)
        _add(sums.covered, "textbook_total7", theirs, 1.0)
        _add(sums.covered, "coverage95_total7", float((happened <= told)[whole].sum()), whole.sum())


def _score_planner(sums: _Sums, world: _World, mean: npt.NDArray[Any], factor: Floats) -> None:
    """Errors with and without the planner's overrides, on the days they speak of."""
    mine = (factor != 1.0) & world.known
    sold = float(world.sold[mine].sum())
    _add(sums.planner, "wape_with", np.abs(world.sold - mean * factor)[mine].sum(), sold)
    _add(sums.planner, "wape_without", np.abs(world.sold - mean)[mine].sum(), sold)


def _pinball(happened: Floats, told: Floats, q: float) -> Floats:
    return np.maximum(q * (happened - told), (q - 1) * (happened - told))


def _add(into: dict[str, list[float]], key: str, top: float, below: float) -> None:
    pair = into.setdefault(key, [0.0, 0.0])
    pair[0] += float(top)
    pair[1] += float(below)


def _figures(sums: _Sums) -> dict[str, Any]:
    def share(pair: list[float]) -> float:
        return pair[0] / pair[1] if pair[1] else float("nan")

    total = float(np.mean(sums.total)) if sums.total else float("nan")
    textbook = share(sums.covered.get("textbook_total7", [0.0, 0.0]))
    return {
        "wape": _over(sums.gap, sums.actual),
        "bias": _over(sums.bias, sums.actual),
        "wrmsse": float(np.mean(sums.rmsse)),
        "pinball9": float(np.mean(sums.pinball)),
        "pinball95_total7": total,
        "pinball95_total7_over_textbook": _over(total, textbook),
        "coverage_80": share(sums.covered["coverage_80"]),
        "coverage_95": share(sums.covered["coverage_95"]),
        "coverage95_total7": share(sums.covered.get("coverage95_total7", [0.0, 0.0])),
        "wape_by_days_ahead": {key: share(pair) for key, pair in sums.buckets.items()},
        "wape_by_segment": {key: share(pair) for key, pair in sums.segments.items() if pair[1]},
        "override": {key: share(pair) for key, pair in sums.planner.items() if pair[1]},
        "fit_seconds": sums.fit_seconds,
        "predict_seconds": sums.predict_seconds,
    }
