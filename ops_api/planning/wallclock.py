"""Aware UTC in the database, seconds of local wall clock in the domain: many at once."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from policies.domain.network import DAY_SECONDS, Network

Ints = npt.NDArray[np.int64]
# Every zone's offset has changed on a quarter of an hour since 1970.
_STEP_S = 900


@dataclass(frozen=True)
class WallClock:
    """Converts whole seconds of UTC since 1970 to seconds since the network's day 0."""

    network: Network

    def epoch(self, seconds: int) -> int:
        """Seconds of UTC since 1970 of one wall-clock time."""
        return int(self.network.utc(seconds).timestamp())

    def epochs(self, seconds: npt.ArrayLike) -> Ints:
        """As :meth:`epoch`, for an array of any shape."""
        wanted = np.asarray(seconds, dtype=np.int64)
        found, where = np.unique(wanted, return_inverse=True)
        out: Ints = np.array([self.epoch(s) for s in found.tolist()], dtype=np.int64)
        return out[where].reshape(wanted.shape) if len(found) else wanted.copy()

    def second(self, epoch: int) -> int:
        """Wall-clock seconds since day 0 of one time."""
        return int(self.seconds(np.array([epoch]))[0])

    def seconds(self, epochs: npt.ArrayLike) -> Ints:
        """As :meth:`second`, for an array of any shape."""
        given = np.asarray(epochs, dtype=np.int64)
        if given.size == 0:
            return given.copy()
        step = given // _STEP_S
        first = int(step.min())
        span = int(step.max()) - first + 1
        zero = dt.datetime.combine(self.network.start_date, dt.time(), dt.UTC).timestamp()
        if span <= 4 * given.size + 1_000:
            offsets = self._offsets(np.arange(first, first + span))[step - first]
        else:
            steps, where = np.unique(step, return_inverse=True)
            offsets = self._offsets(steps)[where].reshape(given.shape)
        out: Ints = given + offsets - int(zero)
        return out

    def day_start(self, day: int) -> int:
        """Seconds of UTC since 1970 of a day's local midnight."""
        return self.epoch(day * DAY_SECONDS)

    def _offsets(self, steps: Ints) -> Ints:
        zone = ZoneInfo(self.network.tz)
        day = DAY_SECONDS // _STEP_S
        out = np.empty(len(steps), dtype=np.int64)
        known: dict[int, int] = {}

        def offset(step: int) -> int:
            if step not in known:
                moment = dt.datetime.fromtimestamp(step * _STEP_S, zone)
                gap = moment.utcoffset()
                known[step] = 0 if gap is None else int(gap.total_seconds())
            return known[step]

        for i, step in enumerate(steps.tolist()):
            # A day whose two ends agree has one offset: no zone changes twice a day.
            start = step - step % day
            a, b = offset(start), offset(start + day)
            out[i] = a if a == b else offset(step)
        return out
