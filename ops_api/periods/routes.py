"""Addresses of periods."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, func, insert, select

from ops_api.clock import iso
from ops_api.errors import StateInvalid
from ops_api.ledger.periods import GRACE_S, bounds, closed_until
from ops_api.ledger.rows import ACTUAL
from ops_api.ledger.schema import LATE_POSTINGS, MOVEMENTS, PERIODS
from ops_api.ledger.write import announce, record_audit
from ops_api.masterdata.service import time_zone
from ops_api.web.registry import Call, Chain, Endpoint, Registry
from ops_api.web.schemas import Empty, JsonObject
from policies.domain.errors import InvalidInput
from policies.domain.ledger import MovementKind

_MONTH = re.compile(r"(19|20)\d\d-(0[1-9]|1[0-2])")


def register(registry: Registry) -> None:
    """Add the endpoints of periods."""
    for name, path, handler in (
        ("periods", "/periods", periods),
        ("period", "/periods/{id}", period),
    ):
        registry.add(
            Endpoint(
                name=name,
                method="GET",
                path=path,
                permission="period.read",
                scope=Chain(),
                handler=handler,
                statuses=(200,),
                answer=JsonObject,
            )
        )
    registry.add(
        Endpoint(
            name="period_close",
            method="POST",
            path="/periods/{id}:close",
            permission="period.close",
            scope=Chain(),
            handler=close,
            statuses=(200, 409),
            answer=JsonObject,
            body=Empty,
            writes=True,
            keyed=True,
        )
    )


def periods(call: Call) -> dict[str, Any]:
    """Closed months, newest first, with how many late facts came to light since."""
    late = (
        select(LATE_POSTINGS.c.occurred_in, func.count().label("rows"))
        .group_by(LATE_POSTINGS.c.occurred_in)
        .subquery()
    )
    rows = call.connection.execute(
        select(PERIODS, late.c.rows)
        .outerjoin(late, late.c.occurred_in == PERIODS.c.id)
        .order_by(PERIODS.c.ends_at.desc())
    )
    return {
        "periods": [
            {
                "id": row.id,
                "closed_at": iso(row.closed_at),
                "closed_by": row.closed_by,
                "late_rows": row.rows or 0,
            }
            for row in rows
        ]
    }


def period(call: Call) -> dict[str, Any]:
    """One month's units by kind of movement: its own, and late ones of closed months."""
    name = _month(call.path["id"])
    begins, ends = bounds(name, time_zone(call.connection), call.settings.cut_off_s)
    m, late = MOVEMENTS.c, LATE_POSTINGS.c
    booked = (m.run_id == ACTUAL, m.visibility == 0)
    moved = select(LATE_POSTINGS.c.movement_id)
    own = select(m.kind, func.sum(m.quantity)).where(
        m.occurred_at >= begins, m.occurred_at < ends, m.movement_id.not_in(moved), *booked
    )
    come_later = (
        select(m.kind, func.sum(m.quantity))
        .join_from(MOVEMENTS, LATE_POSTINGS, late.movement_id == m.movement_id)
        .where(late.posted_in == name, *booked)
    )
    found = call.connection.execute(select(PERIODS.c.closed_at).where(PERIODS.c.id == name)).first()
    return {
        "id": name,
        "is_closed": found is not None,
        "units": _by_kind(call.connection, own.group_by(m.kind)),
        "late_units": _by_kind(call.connection, come_later.group_by(m.kind)),
    }


def close(call: Call) -> dict[str, Any]:
    """Close a month that ended a day ago or longer; the ones before it are closed first."""
    name = _month(call.path["id"])
    begins, ends = bounds(name, time_zone(call.connection), call.settings.cut_off_s)
    until = closed_until(call.connection)
    why = ""
    if ends <= until:
        why = "is closed"
    elif ends + GRACE_S > call.now:
        why = "has not ended a day ago"
    elif until and begins != until:
        why = "does not follow the last closed month"
    if why:
        raise StateInvalid(
            f"the month {name} {why}",
            field="id",
            row=name,
            remedy="close months one after the other, a day after their end",
            facts={"document": name, "state": why},
        )
    call.connection.execute(
        insert(PERIODS).values(
            id=name,
            starts_at=begins,
            ends_at=ends,
            closed_at=call.now,
            closed_by=call.principal.person,
        )
    )
    record_audit(
        call.connection,
        "period.close",
        recorded_at=call.now,
        actor=call.principal.person,
        subject=name,
    )
    announce(call.connection, "period.closed", {"period": name}, recorded_at=call.now)
    return {"id": name, "state": "closed"}


def _month(text: str) -> str:
    if _MONTH.fullmatch(text) is None:
        raise InvalidInput(
            f"{text[:20]!r} is no month", field="id", row=text[:20], remedy="write YYYY-MM"
        )
    return text


def _by_kind(connection: Connection, query: Any) -> dict[str, int]:
    return {
        MovementKind(kind).name.lower(): int(units) for kind, units in connection.execute(query)
    }
