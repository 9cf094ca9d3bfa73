"""Weeks of a history and the split that every claim keeps to.

Week 1 is the first seven days. Weeks 2–40 are for tuning, 41–46 for the gate, 47–48 are
lived through by the emulated reality, 49–52 are for the final test and read once.
"""

from __future__ import annotations

import datetime as dt

from policies.domain.errors import InvalidInput

TUNE = (2, 40)
GATE = (41, 46)
LIVE = (47, 48)
TEST = (49, 52)
BOUNDARIES = (TUNE, GATE, LIVE, TEST)


def first_day(week: int) -> int:
    """Day number of the first day of a week (week 1 = days 0–6)."""
    if week < 1:
        raise InvalidInput(f"week {week} does not exist", field="week", remedy="weeks count from 1")
    return (week - 1) * 7


def last_day(week: int) -> int:
    """Day number of the last day of a week."""
    return first_day(week) + 6


def week_dates(week: int, start: dt.date) -> tuple[dt.date, dt.date]:
    """First and last calendar date of a week of a history that begins on `start`."""
    return start + dt.timedelta(first_day(week)), start + dt.timedelta(last_day(week))
