"""``storetwin bench forecast``: training and forecasting of many made-up series."""

from __future__ import annotations

import resource
import time
from typing import Any

import numpy as np

from policies.domain.errors import InvalidInput
from policies.forecasting.series import SeriesPanel
from scenarios.backtest import DEFAULT, MODELS, QUANTILES


def bench_forecast(
    series: int = 10_000, *, days: int = 280, horizon: int = 28, model: str = DEFAULT, seed: int = 1
) -> dict[str, Any]:
    """Seconds to fit, and series a second of mean and nine quantiles over the horizon.

    The trees are trained on all series; the forecast is taken twice and the second time
    counts, compiled code being warm.

    Returns
    -------
    dict with series, fit_seconds, predict_seconds, series_per_second, peak_rss_bytes
    """
    if model not in MODELS:
        raise InvalidInput(
            f"no model {model!r}", field="model", remedy=f"choose among {', '.join(MODELS)}"
        )
    for name, value in (("series", series), ("days", days), ("horizon", horizon)):
        if value < 1:
            raise InvalidInput(f"{name} is {value}", field=name, remedy="give at least 1")
    panel = made_up(series, days, horizon, seed)
    begun = time.perf_counter()
    fitted = MODELS[model].fit(panel, horizon)
    trained = time.perf_counter()
    told = float("nan")
    for _ in range(2):
        started = time.perf_counter()
        forecast = fitted.forecast(panel)
        for fractile in QUANTILES:
            forecast.quantile(fractile)
        told = time.perf_counter() - started
    return {
        "model": model,
        "series": series,
        "days": days,
        "horizon": horizon,
        "fit_seconds": trained - begun,
        "predict_seconds": told,
        "series_per_second": series / told,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def made_up(series: int, days: int, horizon: int, seed: int) -> SeriesPanel:
    """Poisson sales of gamma levels with a weekend, promotions on a tenth of the days."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 23]))
    planned = days + horizon
    level = rng.gamma(0.8, 2.0, series)[:, None]
    weekday = np.array([0.8, 0.8, 0.9, 1.0, 1.1, 1.3, 1.1])[np.arange(planned) % 7]
    promoted = rng.random((series, planned)) < 0.1
    mean = level * weekday * (1 + promoted)
    return SeriesPanel(
        sold=rng.poisson(mean[:, :days]).astype(np.float32),
        in_stock=np.ones((series, days), dtype=np.float32),
        promotion=np.where(promoted, 0.25, 0.0).astype(np.float32),
        holiday=np.zeros(planned, dtype=np.bool_),
        first_weekday=0,
        store=rng.integers(0, 100, series),
        group=rng.integers(0, 40, series),
    )
