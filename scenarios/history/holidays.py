"""Holidays that shops feel, by country."""

from __future__ import annotations

import datetime as dt

from scenarios.history.preset_cn_calendar import festivals


def holidays(country: str, first: dt.date, last: dt.date) -> tuple[dt.date, ...]:
    """Holidays between two dates; none for a country without a calendar here."""
    if country == "CN":
        return festivals(first, last)
    if country != "US":
        return ()
    days = [day for year in range(first.year, last.year + 1) for day in us_holidays(year)]
    return tuple(day for day in days if first <= day <= last)


def us_holidays(year: int) -> list[dt.date]:
    """Shopping-relevant US holidays of a year."""

    def nth(month: int, weekday: int, n: int) -> dt.date:
        first = dt.date(year, month, 1)
        return first + dt.timedelta((weekday - first.weekday()) % 7 + 7 * (n - 1))

    memorial = dt.date(year, 5, 31)
    memorial -= dt.timedelta(memorial.weekday())
    return [
        dt.date(year, 1, 1),
        memorial,
        dt.date(year, 7, 4),
        nth(9, 0, 1),
        nth(11, 3, 4),
        dt.date(year, 12, 25),
    ]
