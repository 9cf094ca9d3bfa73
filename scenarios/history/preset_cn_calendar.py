"""Festivals of mainland China on their true dates, and how a supermarket feels them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput

_MONTH_DAY = {
    # First day of the first lunar month, and the fifth of the fifth, fifteenth of the eighth.
    2015: ("02-19", "06-20", "09-27"),
    2016: ("02-08", "06-09", "09-15"),
    2017: ("01-28", "05-30", "10-04"),
    2018: ("02-16", "06-18", "09-24"),
    2019: ("02-05", "06-07", "09-13"),
    2020: ("01-25", "06-25", "10-01"),
    2021: ("02-12", "06-14", "09-21"),
    2022: ("02-01", "06-03", "09-10"),
    2023: ("01-22", "06-22", "09-29"),
    2024: ("02-10", "06-10", "09-17"),
    2025: ("01-29", "05-31", "10-06"),
    2026: ("02-17", "06-19", "09-25"),
    2027: ("02-06", "06-09", "09-15"),
    2028: ("01-26", "05-28", "10-03"),
    2029: ("02-13", "06-16", "09-22"),
    2030: ("02-03", "06-05", "09-12"),
    2031: ("01-23", "06-24", "10-01"),
    2032: ("02-11", "06-12", "09-19"),
    2033: ("01-31", "06-01", "09-08"),
    2034: ("02-19", "06-20", "09-27"),
    2035: ("02-08", "06-10", "09-16"),
}
SPRING_FESTIVAL = {y: dt.date.fromisoformat(f"{y}-{days[0]}") for y, days in _MONTH_DAY.items()}
DRAGON_BOAT = {y: dt.date.fromisoformat(f"{y}-{days[1]}") for y, days in _MONTH_DAY.items()}
MID_AUTUMN = {y: dt.date.fromisoformat(f"{y}-{days[2]}") for y, days in _MONTH_DAY.items()}

RUN_UP_DAYS, QUIET_DAYS, BACK_DAYS = 16, 5, 12


def _qingming(year: int) -> dt.date:
    """Solar term Qingming, valid 2000–2099: day = ⌊0.2422 y + 4.81⌋ − ⌊y / 4⌋."""
    y = year % 100
    return dt.date(year, 4, int(0.2422 * y + 4.81) - y // 4)


def festivals(first: dt.date, last: dt.date) -> tuple[dt.date, ...]:
    """Statutory festival days between two dates, without the shifted working days.

    Raises
    ------
    InvalidInput
        Outside the years of the table.
    """
    days: set[dt.date] = set()
    for year in range(first.year, last.year + 1):
        if year not in SPRING_FESTIVAL:
            raise InvalidInput(
                f"no Spring Festival date for {year}",
                field="start_date",
                remedy=f"years {min(SPRING_FESTIVAL)} to {max(SPRING_FESTIVAL)}",
            )
        days |= {dt.date(year, 1, 1), _qingming(year), DRAGON_BOAT[year], MID_AUTUMN[year]}
        days |= {dt.date(year, 5, day) for day in range(1, 4)}
        days |= {dt.date(year, 10, day) for day in range(1, 8)}
        # The eve and the seven days after it.
        days |= {SPRING_FESTIVAL[year] + dt.timedelta(n) for n in range(-1, 7)}
    return tuple(sorted(day for day in days if first <= day <= last))


def festival_factor(start: dt.date, days: int) -> npt.NDArray[np.float64]:
    """(D,) baskets of each day over normal around the Spring Festival (assumed shape).

    They climb to 1.9 on the second last day of the old year, fall to 0.35 on New Year's
    Day, when most of the trade rests, and are back to normal twelve days later.
    """
    out = np.ones(days)
    for number in range(days):
        day = start + dt.timedelta(number)
        out[number] = _factor(day)
    return out


def run_up(day: dt.date) -> float:
    """0 … 1: how far the shopping for the festival has come."""
    to_go = _days_to_festival(day)
    return (RUN_UP_DAYS - to_go) / RUN_UP_DAYS if 0 < to_go <= RUN_UP_DAYS else 0.0


def _factor(day: dt.date) -> float:
    to_go = _days_to_festival(day)
    if to_go == 1:
        return 1.3  # the eve: early closing
    if to_go > 0:
        return float(1.0 + 0.95 * run_up(day) ** 1.5)
    since = -to_go
    if since < QUIET_DAYS:
        return 0.35 + 0.07 * since
    if since < BACK_DAYS:
        return 0.7 + 0.3 * (since - QUIET_DAYS) / (BACK_DAYS - QUIET_DAYS)
    return 1.0


def _days_to_festival(day: dt.date) -> int:
    """Days until the festival of the day's own lunar turn of year; negative after it."""
    return (SPRING_FESTIVAL[day.year] - day).days if day.year in SPRING_FESTIVAL else -10_000
