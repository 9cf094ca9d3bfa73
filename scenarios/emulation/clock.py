"""One clock for service, planner and emulator: set while emulating, running on afterwards."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable


class DemoClock:
    """Emulated time; never goes back.

    Parameters
    ----------
    start : aware datetime
    monotonic : callable giving seconds of real time, for :meth:`run_on`
    """

    def __init__(self, start: dt.datetime, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._at = start
        self._monotonic = monotonic
        self._since: float | None = None
        self._speed = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> dt.datetime:
        """The emulated time of this moment, aware UTC."""
        with self._lock:
            if self._since is None:
                return self._at
            gone = (self._monotonic() - self._since) * self._speed
            return self._at + dt.timedelta(seconds=gone)

    def set(self, moment: dt.datetime) -> None:
        """Go on to `moment`; an earlier one, or one that a running clock reaches by itself,
        changes nothing.
        """
        with self._lock:
            if self._since is None:
                self._at = max(self._at, moment)

    def run_on(self, speed: float = 1.0) -> None:
        """From here on the clock goes by itself, `speed` times as fast as real time."""
        now = self()
        with self._lock:
            self._at, self._since, self._speed = now, self._monotonic(), speed


DEMO_TIME = "X-Demo-Time"
"""Header by which an emulator moves the clock of a service that was started with one."""


class CarriedClock:
    """The emulator's end of a demo clock in another process: each request carries the time."""

    def __init__(self) -> None:
        self._at: dt.datetime | None = None

    def set(self, moment: dt.datetime) -> None:
        """Go on to `moment`; an earlier one changes nothing."""
        self._at = moment if self._at is None else max(self._at, moment)

    def headers(self) -> dict[str, str]:
        """What a request carries."""
        return {} if self._at is None else {DEMO_TIME: self._at.isoformat()}
