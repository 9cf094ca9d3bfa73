"""Closing of months: a closed month's figures stand; late facts count in the open one.

A month may be closed a day after its end at the earliest. So a fact that is less than a
day old never lies in a closed month, and the write path asks only for older ones.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, insert, select

from ops_api.errors import PeriodClosed
from ops_api.ledger.rows import ACTUAL, Row
from ops_api.ledger.schema import LATE_POSTINGS, PERIODS

GRACE_S = 86_400


def bounds(period: str, tz: str, cut_off_s: int = 0) -> tuple[int, int]:
    """First second of a month ``YYYY-MM`` and of the next, in seconds of UTC since 1970."""
    year, month = int(period[:4]), int(period[5:])
    zone = ZoneInfo(tz)
    edges = [
        dt.datetime(year, month, 1, tzinfo=zone),
        dt.datetime(year + month // 12, month % 12 + 1, 1, tzinfo=zone),
    ]
    first, last = (int(edge.timestamp()) + cut_off_s for edge in edges)
    return first, last


def month_of(at: int, tz: str, cut_off_s: int = 0) -> str:
    """The month ``YYYY-MM`` that a time belongs to."""
    moment = dt.datetime.fromtimestamp(at - cut_off_s, ZoneInfo(tz))
    return f"{moment:%Y-%m}"


def closed_until(connection: Connection) -> int:
    """End of the last closed month; 0 while none is closed."""
    return int(connection.execute(select(func.max(PERIODS.c.ends_at))).scalar() or 0)


def require_open(connection: Connection, at: int, recorded_at: int) -> None:
    """Refuse a step that would change a closed month.

    Raises
    ------
    PeriodClosed
    """
    if recorded_at - at < GRACE_S:
        return
    period = closed_period(connection, at)
    if period is not None:
        raise PeriodClosed(
            f"the month {period.id} is closed",
            field="occurred_at",
            row=period.id,
            remedy="date it in the open month",
            facts={"period": period.id},
        )


def closed_period(connection: Connection, at: int) -> Any:
    """The closed month that a time lies in; the first one for times before it; or None."""
    return connection.execute(
        select(PERIODS).where(PERIODS.c.ends_at > at).order_by(PERIODS.c.ends_at).limit(1)
    ).first()


def mark_late(connection: Connection, rows: Sequence[Row]) -> None:
    """Note which of `rows` happened in a closed month: they count in the open one."""
    old = [
        row
        for row in rows
        if row["recorded_at"] - row["occurred_at"] >= GRACE_S and row["run_id"] == ACTUAL
    ]
    if not old:
        return
    closed = connection.execute(select(PERIODS).order_by(PERIODS.c.ends_at)).all()
    if not closed:
        return
    last = closed[-1]
    posted_in = _following(last.id)
    late = [
        {
            "movement_id": row["movement_id"],
            "occurred_in": next(p.id for p in closed if p.ends_at > row["occurred_at"]),
            "posted_in": posted_in,
        }
        for row in old
        if row["occurred_at"] < last.ends_at
    ]
    if late:
        connection.execute(insert(LATE_POSTINGS), late)


def _following(period: str) -> str:
    year, month = int(period[:4]), int(period[5:])
    return f"{year + month // 12:04d}-{month % 12 + 1:02d}"
