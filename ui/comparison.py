"""Twin against actual as small arrays: what the executive page computes from day facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput
from policies.domain.facts import CostModel, DayFacts
from policies.domain.kpis import Kpi
from ui.judgement import Judgement, band, history_days, judge

WEEK = 7
WEEKLY_FROM_DAYS = 35
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Parts:
    """Numerators and denominators of one KPI, per run, day and location.

    Kept as sums, so that every roll-up is Σ numerator / Σ denominator.

    Attributes
    ----------
    first_day : int, day number of the second axis' start
    top, below : (R, D, L) float32; `below` is 1 for a plain total, which then reads
        as the mean per location and day
    """

    first_day: int
    top: npt.NDArray[np.float32]
    below: npt.NDArray[np.float32]

    @property
    def last_day(self) -> int:
        """Day number of the last day."""
        return self.first_day + int(self.top.shape[1]) - 1

    def _rows(self, first: int, last: int) -> slice:
        return slice(max(first - self.first_day, 0), max(last - self.first_day + 1, 0))

    def daily(self, location: int | None = None) -> Floats:
        """(R, D) figure of each day, of one location or of all."""
        pick = slice(None) if location is None else slice(location, location + 1)
        return _ratio(
            self.top[..., pick].sum(axis=2, dtype=np.float64),
            self.below[..., pick].sum(axis=2, dtype=np.float64),
        )

    def over(self, first: int, last: int) -> Floats:
        """(R,) figure over days `first` … `last` and all locations."""
        rows = self._rows(first, last)
        return _ratio(
            self.top[:, rows].sum(axis=(1, 2), dtype=np.float64),
            self.below[:, rows].sum(axis=(1, 2), dtype=np.float64),
        )

    def by_location(self, first: int, last: int) -> Floats:
        """(R, L) figure over days `first` … `last`."""
        rows = self._rows(first, last)
        return _ratio(
            self.top[:, rows].sum(axis=1, dtype=np.float64),
            self.below[:, rows].sum(axis=1, dtype=np.float64),
        )

    def by_step(self, first: int, steps: int, length: int) -> Floats:
        """(R, W, L) figure of `steps` stretches of `length` days from day `first`."""
        rows = self._rows(first, first + steps * length - 1)
        shape = (self.top.shape[0], steps, length, self.top.shape[2])
        return _ratio(
            self.top[:, rows].reshape(shape).sum(axis=2, dtype=np.float64),
            self.below[:, rows].reshape(shape).sum(axis=2, dtype=np.float64),
        )


def _ratio(top: Floats, below: Floats) -> Floats:
    out = np.full(top.shape, np.nan)
    np.divide(top, below, out=out, where=below != 0)
    return out


def parts(
    kpi: Kpi, runs: Sequence[DayFacts], costs: CostModel, locations: npt.NDArray[np.intp]
) -> Parts:
    """The KPI's sums of each run at `locations`, categories summed away.

    Raises
    ------
    InvalidInput
        No run, or runs over different days.
    """
    if not runs:
        raise InvalidInput("no run to compute a KPI from", field="runs")
    first = runs[0].first_day
    if any(run.first_day != first or run.days != runs[0].days for run in runs):
        raise InvalidInput("the runs cover different days", field="runs")
    shape = (len(runs), runs[0].days, len(locations))
    top = np.empty(shape, dtype=np.float32)
    below = np.ones(shape, dtype=np.float32)
    for row, facts in enumerate(runs):
        top[row] = kpi.numerator(facts, costs).sum(axis=2)[:, locations]
        if kpi.denominator is not None:
            below[row] = kpi.denominator(facts, costs).sum(axis=2)[:, locations]
    return Parts(first, top, below)


@dataclass(frozen=True)
class Comparison:
    """One KPI of reality and of the twin's runs, on the same locations.

    Attributes
    ----------
    kpi : Kpi
    actual : Parts, one run
    twin : Parts or None, the replications of the promise
    window_days : int, longest window that is judged
    """

    kpi: Kpi
    actual: Parts
    twin: Parts | None
    window_days: int = 28

    @property
    def common(self) -> tuple[int, int] | None:
        """First and last day of the window with both a promise and records."""
        if self.twin is None:
            return None
        first = max(self.actual.first_day, self.twin.first_day)
        last = min(self.actual.last_day, self.twin.last_day)
        if last < first:
            return None
        return max(first, last - self.window_days + 1), last

    @property
    def recorded_days(self) -> int:
        """Days with a figure, up to the last one."""
        return int(np.isfinite(self.actual.daily()[0]).sum())

    def judged(self) -> Judgement:
        """The whole chain over the common window."""
        window = self.common
        have, need = self.recorded_days, history_days(self.kpi)
        if window is None or self.twin is None:
            last = self.actual.last_day
            value = self.actual.over(last - self.window_days + 1, last)[0]
            return judge(self.kpi, float(value), np.full(1, np.nan), have, need)
        value = self.actual.over(*window)[0]
        return judge(self.kpi, float(value), self.twin.over(*window), have, need)

    def daily_band(self, location: int | None = None) -> Floats | None:
        """(3, D) P10, P50, P90 of each promised day."""
        return None if self.twin is None else band(self.twin.daily(location))

    def store_gaps(self) -> tuple[Floats, Floats]:
        """Per location: (L,) actual and (3, L) band over the common window."""
        window = self.common
        size = self.actual.top.shape[2]
        if window is None or self.twin is None:
            return np.full(size, np.nan), np.full((3, size), np.nan)
        return self.actual.by_location(*window)[0], band(self.twin.by_location(*window))

    def gaps_over_time(self) -> tuple[int, int, Floats]:
        """First day, days of a step, and (W, L) actual minus twin median, newest step last.

        Whole weeks from ``WEEKLY_FROM_DAYS`` on; before, days: two columns would not tell
        since when.
        """
        window = self._common_all()
        if window is None or self.twin is None:
            return 0, 1, np.zeros((0, self.actual.top.shape[2]))
        first, last = window
        length = WEEK if last - first + 1 >= WEEKLY_FROM_DAYS else 1
        steps = (last - first + 1) // length
        start = last - steps * length + 1
        middle = band(self.twin.by_step(start, steps, length))[1]
        return start, length, self.actual.by_step(start, steps, length)[0] - middle

    def _common_all(self) -> tuple[int, int] | None:
        if self.twin is None:
            return None
        first = max(self.actual.first_day, self.twin.first_day)
        last = min(self.actual.last_day, self.twin.last_day)
        return (first, last) if last >= first else None
