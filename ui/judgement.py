"""Better, worse or inside: reality held against the band of the twin's runs."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.kpis import Kpi

LOW_QUANTILE, HIGH_QUANTILE = 0.1, 0.9
MIN_RUNS = 5
"""Below this many replications P10 and P90 are guesses, so nothing is judged."""

HISTORY_DAYS: dict[str, int] = {"slow_mover_share": 60, "stock_turn": 28}
"""Days a KPI needs before its figure means what its name says; others need 7."""
DEFAULT_HISTORY_DAYS = 7


class Verdict(enum.Enum):
    """What a person reads beside a figure; the words are in the catalogue."""

    WORSE = "worse"
    INSIDE = "inside"
    BETTER = "better"
    UNJUDGED = "unjudged"

    @property
    def arrow(self) -> str:
        """A shape, so that colour never speaks alone."""
        return {"worse": "▼", "better": "▲", "inside": "●", "unjudged": "–"}[self.value]


@dataclass(frozen=True)
class Judgement:
    """One actual figure against the twin's runs.

    Attributes
    ----------
    value : float, the actual figure; NaN where nothing was recorded
    low, median, high : float, P10, P50 and P90 of the runs; NaN where unknown
    runs : int, replications behind the band
    verdict : Verdict
    have_days, need_days : int, history there is and history the KPI needs
    """

    value: float
    low: float
    median: float
    high: float
    runs: int
    verdict: Verdict
    have_days: int
    need_days: int

    @property
    def has_history(self) -> bool:
        """Whether the KPI's window is filled; without it no figure is shown."""
        return self.have_days >= self.need_days

    @property
    def gap(self) -> float:
        """Actual minus twin median, in the KPI's unit."""
        return self.value - self.median


def history_days(kpi: Kpi) -> int:
    """Days of history that `kpi` needs."""
    return HISTORY_DAYS.get(kpi.name, DEFAULT_HISTORY_DAYS)


def verdict(value: float, low: float, high: float, direction: int) -> Verdict:
    """Where `value` lies to the band, read in the KPI's direction."""
    if not np.isfinite([value, low, high]).all():
        return Verdict.UNJUDGED
    if low <= value <= high:
        return Verdict.INSIDE
    return Verdict.BETTER if (value > high) == (direction > 0) else Verdict.WORSE


def band(runs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """P10, P50 and P90 over the first axis, NaN runs left out.

    Parameters
    ----------
    runs : (R, ...) float64

    Returns
    -------
    (3, ...) float64; NaN where fewer than ``MIN_RUNS`` runs have a figure
    """
    known = np.isfinite(runs).sum(axis=0)
    out = np.full((3, *runs.shape[1:]), np.nan)
    enough = known >= MIN_RUNS
    if not enough.any():
        return out
    full = known == runs.shape[0]
    points = (LOW_QUANTILE, 0.5, HIGH_QUANTILE)
    if full.all():
        return np.asarray(np.quantile(runs, points, axis=0))
    out[:, enough] = np.nanquantile(runs[:, enough], points, axis=0)
    return out


def judge(
    kpi: Kpi, value: float, runs: npt.NDArray[np.float64], have_days: int, need_days: int
) -> Judgement:
    """Judge `value` against the (R,) figures of the twin's runs."""
    low, median, high = (float(point) for point in band(runs))
    count = int(np.isfinite(runs).sum())
    found = verdict(value, low, high, kpi.direction)
    if have_days < need_days:
        found = Verdict.UNJUDGED
    return Judgement(value, low, median, high, count, found, have_days, need_days)
