"""Time arrives as an argument: the service asks one injected clock and nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

Clock = Callable[[], dt.datetime]
"""Returns the aware time of the moment."""


def system_clock() -> dt.datetime:
    """The machine's clock; the default where no other is injected."""
    return dt.datetime.now(dt.UTC)


def epoch(moment: dt.datetime) -> int:
    """Whole seconds of UTC since 1970 of an aware time."""
    return int(moment.timestamp() // 1)


def iso(seconds: int | None) -> str | None:
    """ISO 8601 in UTC of whole seconds since 1970."""
    if seconds is None:
        return None
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat().replace("+00:00", "Z")
