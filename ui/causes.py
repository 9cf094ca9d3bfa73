"""Why reality left the band: what the promise assumed beside what was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.facts import LOCATION_FACTS, SKU_FACTS, DayFacts
from policies.domain.network import DAY_SECONDS
from ui.judgement import HIGH_QUANTILE, LOW_QUANTILE, MIN_RUNS, Verdict, verdict


@dataclass(frozen=True)
class _Ratio:
    """Two facts whose ratio tells of one cause; without `below`, the total itself."""

    name: str
    top: str
    below: str | None
    direction: int
    scale: float = 1.0


_RATIOS = (
    _Ratio("demand", "units_sold", None, -1),
    _Ratio("lead", "replenishment_seconds", "replenishment_lines", -1, 1 / DAY_SECONDS),
    _Ratio("trucks", "stops_on_time", "stops", 1),
    _Ratio("phantom", "count_lines_right", "count_lines", 1),
    _Ratio("policy", "order_units", "units_sold", 1),
)
CAUSES: tuple[str, ...] = ("peak", *(one.name for one in _RATIOS))


@dataclass(frozen=True)
class Cause:
    """One possible cause: the recorded figure against the promise's runs.

    Attributes
    ----------
    name : str, one of :data:`CAUSES`
    actual : float; NaN where nothing was recorded
    low, median, high : float, P10, P50 and P90 of the runs; NaN where unknown
    verdict : Verdict, ``WORSE`` where it speaks for a worse result than promised
    day : int, day number that a peak speaks of; -1 for a cause of the whole window
    """

    name: str
    actual: float
    low: float
    median: float
    high: float
    verdict: Verdict
    day: int = -1

    @property
    def over(self) -> float:
        """Actual above the promise, as a share of the promise; NaN where unknown."""
        return self.actual / self.median - 1.0 if self.median > 0 else float("nan")


def causes(
    actual: DayFacts,
    runs: Sequence[DayFacts],
    window: tuple[int, int],
    locations: npt.NDArray[np.intp],
) -> list[Cause]:
    """Every cause over `window` at `locations`: those that hurt first, the strongest on top.

    Demand is told by units sold, in reality and in the runs alike: what a shelf without
    stock could not sell is in neither, so that it is a lower bound where shelves ran empty.

    Parameters
    ----------
    actual : DayFacts
    runs : sequence of DayFacts, replications of the promise
    window : (first, last) day numbers, both ends in it
    locations : (S,) positions on the location axis
    """
    found = [_cause(one, actual, runs, window, locations) for one in _RATIOS]
    found.append(_peak(actual, runs, window, locations))
    order = (Verdict.WORSE, Verdict.INSIDE, Verdict.BETTER, Verdict.UNJUDGED)

    def rank(cause: Cause) -> tuple[int, float]:
        size = abs(cause.over) if np.isfinite(cause.over) else 0.0
        return order.index(cause.verdict), -size

    return sorted(found, key=rank)


def _cause(
    ratio: _Ratio,
    actual: DayFacts,
    runs: Sequence[DayFacts],
    window: tuple[int, int],
    locations: npt.NDArray[np.intp],
) -> Cause:
    value = _figure(ratio, actual, window, locations)
    promised = np.array([_figure(ratio, run, window, locations) for run in runs])
    known = promised[np.isfinite(promised)]
    if not known.size:
        nothing = float("nan")
        return Cause(ratio.name, value, nothing, nothing, nothing, Verdict.UNJUDGED)
    low, median, high = (
        float(one) for one in np.quantile(known, (LOW_QUANTILE, 0.5, HIGH_QUANTILE))
    )
    # Zero on both sides is a fact that neither records, not one that was kept.
    silent = value == 0 and not known.any()
    if known.size < MIN_RUNS or not np.isfinite(value) or silent:
        return Cause(ratio.name, value, low, median, high, Verdict.UNJUDGED)
    said = verdict(value, low, high, ratio.direction)
    return Cause(ratio.name, value, low, median, high, said)


def _peak(
    actual: DayFacts,
    runs: Sequence[DayFacts],
    window: tuple[int, int],
    locations: npt.NDArray[np.intp],
) -> Cause:
    """The day that stands out most above the promise, judged against each run's own such day.

    A holiday that the promise did not see can empty shelves although the window's total is
    below; the runs' own largest excess says how much of it chance alone brings.
    """

    def sold(facts: DayFacts) -> npt.NDArray[np.float64]:
        days = range(window[0], window[1] + 1)
        return np.array([_total("units_sold", facts, (day, day), locations) for day in days], float)

    nothing = float("nan")
    promised = np.array([sold(run) for run in runs])
    here = sold(actual)
    if len(promised) < MIN_RUNS or not here.any():
        return Cause("peak", nothing, nothing, nothing, nothing, Verdict.UNJUDGED)
    low, middle, high = np.quantile(promised, (LOW_QUANTILE, 0.5, HIGH_QUANTILE), axis=0)
    # One unit as a floor: a day that nobody was promised to buy on has no ratio.
    floor = np.maximum(middle, 1.0)
    by_chance = float(np.quantile((promised / floor).max(axis=1), HIGH_QUANTILE))
    at = int(np.argmax(here / floor))
    said = Verdict.WORSE if here[at] / floor[at] > by_chance else Verdict.INSIDE
    units = (float(here[at]), float(low[at]), float(middle[at]), float(high[at]))
    return Cause("peak", *units, said, window[0] + at)


def _figure(
    ratio: _Ratio, facts: DayFacts, window: tuple[int, int], locations: npt.NDArray[np.intp]
) -> float:
    top = _total(ratio.top, facts, window, locations)
    below = 1 if ratio.below is None else _total(ratio.below, facts, window, locations)
    if below == 0:
        return float("nan")
    return top / below * ratio.scale


def _total(
    name: str, facts: DayFacts, window: tuple[int, int], locations: npt.NDArray[np.intp]
) -> int:
    days = slice(max(window[0] - facts.first_day, 0), max(window[1] - facts.first_day + 1, 0))
    if name in LOCATION_FACTS:
        column = facts.location_facts[days, :, LOCATION_FACTS.index(name)]
        return int(column[:, locations].sum())
    column = facts.sku_facts[days, :, :, SKU_FACTS.index(name)]
    return int(column[:, locations].sum())
