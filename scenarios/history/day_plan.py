"""What is known beforehand of each day: holidays, the movable festival, shifted work days."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.forecasting.festival import FIRST, LAST
from policies.forecasting.series import NO_FESTIVAL
from scenarios.history.holidays import holidays
from scenarios.history.preset_cn_calendar import SPRING_FESTIVAL

WORKED_WEEKENDS = {
    2022: ("01-29", "01-30", "04-02", "04-24", "05-07", "10-08", "10-09"),
    2023: ("01-28", "01-29", "04-23", "05-06", "06-25", "10-07", "10-08"),
    2024: ("02-04", "02-18", "04-07", "04-28", "05-11", "09-14", "09-29", "10-12"),
    2025: ("01-26", "02-08", "04-27", "09-28", "10-11"),
}
"""Saturdays and Sundays that mainland China worked, by the State Council's yearly notices."""
_FRIDAY, _MONDAY = 4, 0


@dataclass(frozen=True)
class DayPlan:
    """The calendar of P days.

    Attributes
    ----------
    holiday : (P,) bool
    festival : (P,) int16, days after the nearest movable festival (before it: negative)
    weekday : (P,) int64, the weekday that each day is like
    """

    holiday: npt.NDArray[np.bool_]
    festival: npt.NDArray[np.int16]
    weekday: npt.NDArray[np.int64]


def day_plan(country: str, first: dt.date, days: int) -> DayPlan:
    """The calendar of a country. Without one of its own it knows weekdays alone."""
    dates = [first + dt.timedelta(number) for number in range(days)]
    known = set(holidays(country, first, dates[-1])) if dates else set()
    return DayPlan(
        np.array([day in known for day in dates], dtype=np.bool_),
        days_from(tuple(SPRING_FESTIVAL.values()) if country == "CN" else (), first, days),
        np.array([_like(country, day) for day in dates], dtype=np.int64),
    )


def days_from(festivals: tuple[dt.date, ...], first: dt.date, days: int) -> npt.NDArray[np.int16]:
    """(P,) days after the nearest festival; NO_FESTIVAL four weeks before and three after."""
    out = np.full(days, NO_FESTIVAL, dtype=np.int16)
    for festival in festivals:
        place = (festival - first).days
        for step in range(FIRST, LAST + 1):
            day = place + step
            if 0 <= day < days and abs(step) < abs(int(out[day])):
                out[day] = step
    return out


def _like(country: str, day: dt.date) -> int:
    """A worked Saturday is like a Friday, a worked Sunday like a Monday."""
    worked = WORKED_WEEKENDS.get(day.year, ()) if country == "CN" else ()
    if day.strftime("%m-%d") in worked:
        return _FRIDAY if day.weekday() == 5 else _MONDAY
    return day.weekday()
