"""Wall clocks: seconds of UTC to local seconds and back, for whole columns at once.

Offsets change at quarters of an hour, so each distinct quarter is asked once of the zone
database; a year has 35,000 of them, a column may have millions of rows.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Seconds = npt.NDArray[np.int64]
_QUARTER = 900
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 -- wall clock


def local_seconds(utc_s: Seconds, zone: str) -> Seconds:
    """(N,) seconds of local wall clock since 1970-01-01 of (N,) seconds of UTC."""
    if zone == "UTC":
        return utc_s
    info = ZoneInfo(zone)

    def offset(quarter: int) -> float:
        moment = dt.datetime.fromtimestamp(quarter * _QUARTER, dt.UTC).astimezone(info)
        return (moment.utcoffset() or dt.timedelta()).total_seconds()

    return utc_s + _by_quarter(utc_s, offset)


def utc_seconds(local_s: Seconds, zone: str) -> Seconds:
    """(N,) seconds of UTC of (N,) seconds of local wall clock.

    An hour that clocks repeat is taken as its first pass; one that they skip as if they
    had not been changed yet (PEP 495, fold 0).
    """
    if zone == "UTC":
        return local_s
    info = ZoneInfo(zone)

    def offset(quarter: int) -> float:
        wall = _EPOCH + dt.timedelta(seconds=quarter * _QUARTER)
        return (wall.replace(tzinfo=info).utcoffset() or dt.timedelta()).total_seconds()

    return local_s - _by_quarter(local_s, offset)


def _by_quarter(seconds: Seconds, offset: object) -> Seconds:
    quarter, where = np.unique(seconds // _QUARTER, return_inverse=True)
    each = np.array([offset(int(q)) for q in quarter], dtype=np.int64)  # type: ignore[operator]
    return np.asarray(each[where] if len(each) else np.zeros(0, dtype=np.int64))
