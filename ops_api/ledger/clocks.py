"""Two clocks: when a device says something happened, and when we heard of it."""

from __future__ import annotations

import datetime as dt

from ops_api.clock import epoch
from ops_api.errors import ClockSkew

# A device's clock is corrected where it is off by more than the road of a request.
_WORTH_CORRECTING_S = 30


def clock_offset(sent_at: dt.datetime | None, now: int) -> int:
    """Seconds to add to a device's times; 0 where its clock is right."""
    if sent_at is None:
        return 0
    offset = now - epoch(sent_at)
    return offset if abs(offset) > _WORTH_CORRECTING_S else 0


def check_not_ahead(occurred_at: int, now: int, tolerance_s: int, row: int | None = None) -> None:
    """Refuse what lies in the future even after correction."""
    ahead = occurred_at - now
    if ahead > tolerance_s:
        raise ClockSkew(
            f"the event lies {ahead} s ahead of the service's clock",
            field="occurred_at",
            row=row,
            remedy="set the device's clock and send it again with sent_at",
            facts={"ahead_s": ahead},
        )


def is_too_old(occurred_at: int, now: int, tolerance_s: int) -> bool:
    """Whether a person has to look at the event before it is posted."""
    return now - occurred_at > tolerance_s
