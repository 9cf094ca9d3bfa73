"""One gradient-boosted model for all series and all days ahead, with a calibrated head.

Each example is (series, last known day, day ahead): what the series did lately beside its
level, what its weekday, store and category do, and what is known of the day itself. The
level enters as an offset, so that the trees learn ratios and a series' size does not
matter. Trained twice: on days before the last horizon to see how wrong it is (the spread
comes from those errors, the choice against the smoothed baseline too), then on all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput
from policies.forecasting.baselines import (
    SmoothedWeekday,
    day_factors,
    smoothed,
    status,
    weekday_profile,
)
from policies.forecasting.features import NAMES, Examples, History
from policies.forecasting.provenance import Provenance
from policies.forecasting.series import (
    Fallback,
    Float32s,
    Floats,
    SeriesForecast,
    SeriesPanel,
    shut,
)
from policies.forecasting.spread import CalibratedSpread, calibrate

_PAST = 8
_LEAST_DAYS, _LEAST_START = 42, 28
_USUAL_SHIFT = 0.05
_MOSTLY_WHOLE = 0.95
_BUCKETS = (0.3, 3.0)
"""Daily means that part the series into thin, middle and busy, for the choice of a model."""


@dataclass(frozen=True)
class GlobalBoosting:
    """Settings of the global model.

    Parameters
    ----------
    trees, leaves : size of the model
    learning_rate : float
    examples : most training examples; more are sampled
    seed : int
    threads : int, of training and forecasting; the same number gives the same bytes
    """

    trees: int = 80
    leaves: int = 16
    learning_rate: float = 0.09
    examples: int = 900_000
    seed: int = 1
    threads: int = 2

    def fit(self, panel: SeriesPanel, horizon: int) -> FittedBoosting | _FittedFallback:
        """Learn from the panel's days. Too short a history gives the smoothed baseline."""
        days = panel.shape[1]
        if horizon < 1:
            raise InvalidInput("a horizon is at least one day", field="horizon")
        if days < _LEAST_DAYS or not (panel.sold > 0).any():
            return _FittedFallback(SmoothedWeekday().fit(panel, horizon))
        # A short history is learnt and calibrated on fewer days ahead than are asked for.
        ahead = min(horizon, days // 3)
        known = panel.until(days - ahead, ahead)
        smoothing = _smoothing(known)
        then = self._train(known, ahead, smoothing).mean(known)
        baseline = smoothing.fit(known, ahead).forecast(known).mean
        truth = panel.sold[:, days - ahead :]
        seen = panel.is_whole[:, days - ahead :]
        blend = _best_blends(then, baseline, truth, seen)
        mixed = _mixed(then, baseline, blend)
        past = _past_ratios(panel, ahead, smoothing)
        drift = _drift(panel, past)
        spread = calibrate(_excess(known), mixed * drift, truth, seen, self.seed)
        spread = replace(spread, shift=_shift(past))
        trees = replace(self._train(panel, ahead, smoothing), horizon=horizon)
        return FittedBoosting(self, trees, smoothing, blend, drift, spread, days - ahead)

    def _train(self, panel: SeriesPanel, horizon: int, smoothing: SmoothedWeekday) -> _Trees:
        import lightgbm  # noqa: PLC0415 -- heavy; only who trains needs it

        examples = Examples.draw(panel, horizon, self.examples, self.seed, smoothing.alphas[0])
        data = lightgbm.Dataset(
            examples.features,
            examples.sold,
            weight=examples.weight,
            init_score=np.log(examples.offset),
            feature_name=list(NAMES),
            categorical_feature=["weekday", "group"],
            params={"verbose": -1, "max_bin": 127, "min_data_in_bin": 20},
            free_raw_data=True,
        )
        settings = {
            "objective": "poisson",
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": 400,
            "feature_fraction": 0.7,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "lambda_l2": 5.0,
            "cat_l2": 20.0,
            "max_bin": 127,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": self.threads,
            "verbose": -1,
        }
        booster = lightgbm.train(settings, data, num_boost_round=self.trees)
        return _Trees(booster.model_to_string(), horizon, smoothing.alphas[0], self.threads)


@dataclass(frozen=True)
class _Trees:
    """Trees as text, so that a fitted model can be pickled, hashed and compared."""

    text: str
    horizon: int
    alpha: float
    threads: int

    def mean(self, panel: SeriesPanel) -> Float32s:
        """(S, H) expected units of the days after the panel's last."""
        import lightgbm  # noqa: PLC0415

        booster = lightgbm.Booster(model_str=self.text)
        history = History.of(panel, self.alpha)
        size, days = panel.shape
        out = np.empty((size, self.horizon), dtype=np.float32)
        for first in range(0, size, 4096):
            mine = np.arange(first, min(first + 4096, size))
            features, offset = history.all_days(mine, days - 1, self.horizon)
            ratio = booster.predict(features, raw_score=True, num_threads=self.threads)
            out[first : first + 4096] = (np.exp(ratio) * offset).reshape(-1, self.horizon)
        return out


@dataclass(frozen=True)
class FittedBoosting:
    """A trained model: trees, their share beside the baseline, and the spread."""

    settings: GlobalBoosting
    trees: _Trees
    smoothing: SmoothedWeekday
    blend: Floats
    drift: np.float32
    spread: CalibratedSpread
    calibrated_from_day: int

    def forecast(self, panel: SeriesPanel) -> SeriesForecast:
        """The days after the panel's last day; the panel holds their plan."""
        days = panel.shape[1]
        panel = panel.until(days, self.trees.horizon)
        why = status(panel)
        trees = self.trees.mean(panel)
        baseline = self.smoothing.fit(panel, self.trees.horizon).forecast(panel).mean
        mean = _mixed(trees, baseline, self.blend) * self.drift
        mean[why == Fallback.NEVER_SOLD] = 0.0
        spread = replace(self.spread, own=_excess(panel))
        source = Provenance.of(panel, repr(self.settings), self.calibrated_from_day)
        return SeriesForecast(shut(panel, mean), spread, source, why, panel.keys)


@dataclass(frozen=True)
class _FittedFallback:
    """Too little to learn from: the smoothed baseline for every series."""

    baseline: object

    def forecast(self, panel: SeriesPanel) -> SeriesForecast:
        out: SeriesForecast = self.baseline.forecast(panel)  # type: ignore[attr-defined]
        why = np.where(out.fallback == Fallback.NONE, Fallback.TOO_NEW, out.fallback)
        return replace(out, fallback=why.astype(np.int8))


def _smoothing(panel: SeriesPanel) -> SmoothedWeekday:
    """The smoothed baseline with its weight chosen on this panel."""
    factors = day_factors(panel, weekday_profile(panel, 8.0))
    return SmoothedWeekday(alphas=(SmoothedWeekday().best_levels(panel, factors)[0],))


def _excess(panel: SeriesPanel) -> Floats:
    """(S,) variance ratio less 1 about the smoothed level, pulled to that of all series."""
    days = panel.shape[1]
    since = min(7, days - 1)
    factors = day_factors(panel, weekday_profile(panel, 8.0))
    fitted = smoothed(panel, factors, 0.04)[:, since - 1 : days - 1] * factors[:, since:]
    known = panel.is_whole[:, since:]
    squares = np.where(known, (panel.sold[:, since:] - fitted) ** 2 - fitted, 0.0).sum(axis=1)
    units = np.where(known, fitted, 0.0).sum(axis=1)
    pooled = max(float(squares.sum()) / max(float(units.sum()), 1e-9), 0.05)
    # Thirty units of sales weigh as much as everybody's ratio.
    out = (np.maximum(squares, 0.0) + 30.0 * pooled) / (units + 30.0)
    return np.asarray(np.maximum(out, 0.01))


def _size(mean: Float32s) -> npt.NDArray[np.intp]:
    return np.asarray(np.searchsorted(_BUCKETS, mean.mean(axis=1)))


def _best_blends(
    trees: Float32s, baseline: Float32s, truth: Float32s, known: npt.NDArray[np.bool_]
) -> Floats:
    """(B,) share of the trees that leaves the least squared error, by size of a series."""
    size, out = _size(baseline), np.ones(len(_BUCKETS) + 1)
    for bucket in range(len(out)):
        mine = size == bucket
        weight = known[mine] / np.maximum(baseline[mine].mean(axis=1), 0.02)[:, None]
        apart = trees[mine] - baseline[mine]
        under = float((weight * apart**2).sum())
        if mine.sum() >= 30 and under > 0:
            over = float((weight * apart * (truth[mine] - baseline[mine])).sum())
            # Half-way to what the last horizon alone says: one horizon decides little.
            out[bucket] = 0.5 + 0.5 * np.clip(over / under, 0.0, 1.0)
    return out


def _past_ratios(panel: SeriesPanel, horizon: int, smoothing: SmoothedWeekday) -> Floats:
    """(N,) logarithms of what all series together sold over what the smoothed level said.

    Of up to eight past horizons, on days in stock.
    """
    ratios = []
    for back in range(_PAST):
        start = panel.shape[1] - horizon * back - horizon
        if start < _LEAST_START:
            break
        known = panel.until(start, horizon)
        mean = smoothing.fit(known, horizon).forecast(known).mean
        seen = panel.is_whole[:, start : start + horizon]
        told = float(np.where(seen, mean, 0.0).sum())
        happened = float(np.where(seen, panel.sold[:, start : start + horizon], 0.0).sum())
        if told > 0 and happened > 0:
            ratios.append(np.log(happened / told))
    return np.array(ratios, dtype=np.float64)


def _drift(panel: SeriesPanel, past: Floats) -> np.float32:
    """What all series together sell of what the smoothed level says, where days were lost.

    Days in stock sell less than the others would have, by a ratio that stays: the mean of
    the past horizons, pulled to 1 by the weight of one. Where stock never ran out the ratio
    of one horizon says nothing of the next, and it is 1.
    """
    if panel.is_whole.mean() > _MOSTLY_WHOLE:
        return np.float32(1.0)
    return np.float32(np.exp(np.clip(past.sum() / (len(past) + 1.0), -0.1, 0.1)))


def _shift(past: Floats) -> float:
    """How far all series together stray from one horizon to the next, as a share.

    The standard deviation of the past horizons' ratios; 0.05 weighs as much as two of them.
    """
    squares = float(((past - past.mean()) ** 2).sum()) if len(past) else 0.0
    return float(np.sqrt((squares + 2 * _USUAL_SHIFT**2) / (max(len(past) - 1, 0) + 2)))


def _mixed(trees: Float32s, baseline: Float32s, blend: Floats) -> Float32s:
    share = blend[_size(baseline)][:, None]
    out: Float32s = (share * trees + (1 - share) * baseline).astype(np.float32)
    return out
