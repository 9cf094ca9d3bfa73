"""``storetwin study cold-start``: series held back, forecast from what the others tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput
from policies.forecasting.cold_start import ColdStart, Source
from policies.forecasting.series import Floats, Ints, SeriesPanel
from scenarios.backtest_series import days_of, series_of
from scenarios.history.importer import History

AHEAD = 14
LOOK_BACK = 28
KNOWN_DAYS = (0, 1, 3, 7, 14)


def cold_start_study(history: History, *, folds: int = 5, seed: int = 1) -> dict[str, Any]:
    """WAPE of a fortnight by days of own history that were known.

    Each series is held back once, with a fold of others: of these the last `known` days
    before the origin are shown, of all others four weeks. Scored on days in stock.

    Returns
    -------
    dict with ``series``, ``scored_days``, ``sources`` (at 0 days, by name) and ``known``: a
    list of ``days`` and, for WAPE of single days (``daily``) and of each series' sum over
    its scored days (``total``): ``cold_start``, ``category`` (mean of the category's
    series), ``own`` (mean of the shown days), ``ratio`` = cold_start / category
    """
    if folds < 2:
        raise InvalidInput(f"{folds} folds", field="folds", remedy="give at least 2")
    until = days_of(history)
    origin = until - AHEAD
    if origin < max(KNOWN_DAYS):
        raise InvalidInput(
            f"the history has {until} days",
            field="history",
            remedy=f"give at least {max(KNOWN_DAYS) + AHEAD}",
        )
    everything = 10**9
    panel = series_of(
        history, level="store-sku", series=everything, until_day=until, first_origin=origin
    )
    sku = np.unique([name.split(" / ")[1] for name in panel.names], return_inverse=True)[1]
    world = _World(panel, origin, sku, np.unique(panel.group, return_inverse=True)[1])
    rng = np.random.default_rng(np.random.SeedSequence([seed, 53]))
    fold = rng.permutation(panel.shape[0]) % folds
    rows, sources = [], np.zeros(panel.shape[0], dtype=np.int8)
    for known in KNOWN_DAYS:
        told = {name: np.zeros(panel.shape[0]) for name in ("cold_start", "category", "own")}
        for number in range(folds):
            back = fold == number
            levels, why = world.levels(back, known)
            for name, level in levels.items():
                told[name][back] = level[back]
            if known == 0:
                sources[back] = why[back]
        rows.append({"days": known, **world.scored(told)})
    return {
        "series": panel.shape[0],
        "scored_days": int(world.whole.sum()),
        "sources": {s.name.lower(): int((sources == s).sum()) for s in Source},
        "known": rows,
    }


@dataclass(frozen=True)
class _World:
    """A panel about its origin."""

    panel: SeriesPanel
    origin: int
    sku: Ints
    group: Ints

    @property
    def whole(self) -> npt.NDArray[np.bool_]:
        return self.panel.is_whole[:, self.origin :]

    def levels(
        self, back: npt.NDArray[np.bool_], known: int
    ) -> tuple[dict[str, Floats], npt.NDArray[np.int8]]:
        """Each method's (S,) level, and where the cold start's came from."""
        units, days = self._past(LOOK_BACK)
        units, days = np.where(back, 0.0, units), np.where(back, 0.0, days)
        chain = units.sum() / max(float(days.sum()), 1e-9)
        seen = np.bincount(self.group, days)
        means = np.bincount(self.group, units) / np.maximum(seen, 1e-9)
        category = np.where(seen > 0, means, chain)[self.group]
        shown_units, shown_days = self._past(known)
        units = np.where(back, shown_units, units)
        days = np.where(back, shown_days, days)
        level, why = ColdStart().levels(units, days, self.panel.store, self.sku, self.group)
        own = np.where(days > 0, units / np.maximum(days, 1e-9), category)
        return {"cold_start": level, "category": category, "own": own}, why

    def _past(self, days: int) -> tuple[Floats, Floats]:
        """(units, days in stock) of the last days before the origin."""
        window = slice(self.origin - min(days, self.origin), self.origin)
        share = self.panel.exposure[:, window].astype(np.float64)
        sold = np.where(share > 0, self.panel.sold[:, window], 0.0)
        return sold.sum(axis=1, dtype=np.float64), share.sum(axis=1)

    def scored(self, told: dict[str, Floats]) -> dict[str, dict[str, float]]:
        """WAPE of days and of sums."""
        truth = np.where(self.whole, self.panel.sold[:, self.origin :], 0.0).astype(np.float64)
        count, actual = self.whole.sum(axis=1), max(float(truth.sum()), 1e-9)
        out: dict[str, dict[str, float]] = {"daily": {}, "total": {}}
        for name, level in told.items():
            gap = np.where(self.whole, np.abs(truth - level[:, None]), 0.0)
            out["daily"][name] = float(gap.sum()) / actual
            out["total"][name] = float(np.abs(truth.sum(axis=1) - level * count).sum()) / actual
        for one in out.values():
            one["ratio"] = one["cold_start"] / max(one["category"], 1e-9)
        return out
