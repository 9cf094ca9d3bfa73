"""Which days may lend their baskets to which: segments, weeks and kinds of day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from policies.domain.errors import InvalidInput
from policies.domain.network import BoolArray, IntArray

OUTSIDE = -1
"""Segment of a day that belongs to no segment: it neither lends nor is drawn for."""
WEEKDAY_GROUP = np.array([0, 0, 0, 0, 1, 2, 3], dtype=np.int32)
"""Group of each weekday, Monday first."""


@dataclass(frozen=True)
class DayKinds:
    """The calendar of a panel, one entry for each day from day 0.

    Attributes
    ----------
    segment : (D,) int32, number of the split segment; −1 = outside
    week : (D,) int32, number of the week (7 days from its segment's first day), unique
        over the segments; −1 = outside
    kind : (D,) int32, days of one kind may stand for each other
    holiday_week, promotion_week : (D,) bool
    start_weekday : int, weekday of day 0 (Monday = 0)
    """

    segment: IntArray
    week: IntArray
    kind: IntArray
    holiday_week: BoolArray
    promotion_week: BoolArray
    start_weekday: int

    @property
    def days(self) -> int:
        """Number of days D."""
        return len(self.kind)


def day_kinds(
    start_date: dt.date,
    segments: Sequence[tuple[int, int]],
    holidays: Iterable[dt.date] = (),
    promotion_days: Iterable[int] = (),
) -> DayKinds:
    """The kinds of the days that `segments` cover.

    Monday to Thursday are one kind, Friday, Saturday and Sunday are three more; each
    apart again for weeks with a holiday and for weeks with a promotion. (The level of
    each single day is kept elsewhere; the kind only says whose baskets look alike, and
    one weekday alone would leave too few of them.)

    Parameters
    ----------
    segments : (first day, last day) inclusive, in time order, not overlapping; baskets
        never cross from one to another
    holidays, promotion_days : dates, day numbers
    """
    if not segments:
        raise InvalidInput("no segment", field="segments", remedy="give (first day, last day)")
    days = segments[-1][1] + 1
    segment = np.full(days, OUTSIDE, dtype=np.int32)
    week = np.full(days, OUTSIDE, dtype=np.int32)
    weeks, end = 0, -1
    for i, (first, last) in enumerate(segments):
        if first <= end or last < first:
            raise InvalidInput(
                f"segment {first}–{last} is empty or overlaps the one before",
                field="segments",
                row=i,
                remedy="give (first day, last day) pairs in time order",
            )
        segment[first : last + 1] = i
        week[first : last + 1] = weeks + np.arange(last - first + 1) // 7
        weeks, end = int(week[last]) + 1, last
    holiday = _weeks_with(week, [(date - start_date).days for date in holidays])
    promotion = _weeks_with(week, promotion_days)
    weekday = WEEKDAY_GROUP[(start_date.weekday() + np.arange(days)) % 7]
    kind = (weekday + 4 * holiday + 8 * promotion).astype(np.int32)
    return DayKinds(segment, week, kind, holiday, promotion, start_date.weekday())


def _weeks_with(week: IntArray, special: Iterable[int]) -> BoolArray:
    """(D,) bool: the day's week contains one of the `special` days."""
    inside = [day for day in special if 0 <= day < len(week) and week[day] != OUTSIDE]
    return np.isin(week, np.unique(week[inside])) if inside else np.zeros(len(week), dtype=bool)
