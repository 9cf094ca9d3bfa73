"""Counts: blind, a baseline at their own time, never a set quantity.

The first pass is kept as it was, since the accuracy KPI is made of it. A line inside
the tolerance is posted at once; a larger difference waits for another person's recount
or a manager's approval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from ops_api.counts.tables import COUNT_LINES, COUNTS
from ops_api.errors import CountOutdated, SelfApproval, StateInvalid
from ops_api.ledger import rows as made
from ops_api.ledger.rows import Stamp, derived_id
from ops_api.ledger.schema import COUNT_BASELINES, MOVEMENTS
from ops_api.ledger.shelf import Shelves, shrink_reservations
from ops_api.ledger.write import post, record_audit
from ops_api.masterdata.tables import SKUS
from ops_api.tasks.service import (
    COUNT,
    RESERVATION_SHORT,
    TaskDraft,
    close_tasks,
    open_tasks,
)
from ops_api.transfers.documents import Act
from ops_api.web.registry import unknown_document
from policies.domain.ledger import MovementKind

RECOUNT = "recount"
RANDOM, RISK, SHELF = "random", "risk", "shelf"


@dataclass(frozen=True)
class Counted:
    """What was seen of one SKU."""

    event_id: str
    sku: str
    units: int


def create_count(
    connection: Connection, document: str, location: str, purpose: str, act: Act
) -> None:
    """Open a count of a location; `purpose` says whether it is a random sample."""
    connection.execute(
        insert(COUNTS).values(
            id=document,
            state="counting",
            location=location,
            purpose=purpose,
            created_at=act.recorded_at,
            created_by=act.actor,
            posted_at=None,
            version=1,
        )
    )


def submit(
    connection: Connection,
    document: str,
    lines: Sequence[Counted],
    act: Act,
    *,
    tolerance: dict[str, int] | None = None,
) -> dict[str, Any]:
    """Record counted lines; those in tolerance are posted, others ask for a recount.

    Returns
    -------
    dict
        ``posted`` and ``recount``: SKUs, never an expected number (the count is blind).
    """
    head = count_head(connection, document)
    allowed = tolerance if tolerance is not None else _tolerances(connection, lines)
    posted, recount = [], []
    for line in lines:
        expected = expected_units(connection, head.location, line.sku, act.occurred_at)
        earlier = _line(connection, document, line.sku)
        first = earlier is None
        if not first and earlier.first_by == act.actor and earlier.state == RECOUNT:
            raise SelfApproval(
                "a recount is another person's",
                field="counted_by",
                row=line.sku,
                remedy="ask a colleague to count again, without your number",
            )
        right = abs(line.units - expected) <= allowed.get(line.sku, 0)
        agrees = not first and earlier.counted == line.units
        state = "posted" if right or agrees else RECOUNT
        values = {
            "counted": line.units,
            "counted_at": act.occurred_at,
            "counted_by": act.actor,
            "expected": expected,
            "state": state,
            "in_tolerance": right,
        }
        _keep_line(connection, document, line.sku, values, first=first, actor=act.actor)
        if state == "posted":
            post_line(connection, head.location, document, line, expected, act)
            posted.append(line.sku)
        else:
            recount.append(line.sku)
    _tell(connection, head, document, posted, recount, act)
    return {"id": document, "posted": posted, "recount": recount}


def approve_line(connection: Connection, document: str, sku: str, act: Act) -> None:
    """Post a difference outside the tolerance; not one's own count."""
    head = count_head(connection, document)
    line = _line(connection, document, sku)
    if line is None:
        raise unknown_document(f"{document}/{sku}")
    if line.state == "posted":
        raise StateInvalid(
            f"SKU {sku} of count {document} is posted",
            field="state",
            row=sku,
            facts={"document": document, "state": line.state},
        )
    if line.counted_by == act.actor:
        raise SelfApproval("nobody approves their own count", field="approved_by", row=sku)
    at = Act(act.actor, line.counted_at, act.recorded_at, act.device, act.listeners)
    seen = Counted(derived_id(document, sku, "approved"), sku, line.counted)
    expected = expected_units(connection, head.location, sku, line.counted_at)
    post_line(connection, head.location, document, seen, expected, at)
    connection.execute(
        update(COUNT_LINES)
        .where(COUNT_LINES.c.count_id == document, COUNT_LINES.c.sku == sku)
        .values(state="posted", approved_by=act.actor)
    )


def post_line(
    connection: Connection, location: str, document: str, line: Counted, expected: int, act: Act
) -> None:
    """The difference to what was expected at the count's time, effective then.

    Raises
    ------
    CountOutdated
        If a newer count of the same shelf is posted already.
    """
    newest = connection.execute(
        select(func.max(COUNT_BASELINES.c.counted_at)).where(
            COUNT_BASELINES.c.location == location, COUNT_BASELINES.c.sku == line.sku
        )
    ).scalar()
    if newest is not None and newest >= act.occurred_at:
        raise CountOutdated(
            f"SKU {line.sku} was counted later already",
            field="counted_at",
            row=line.sku,
            remedy="nothing to do: the newer count stands",
        )
    _post_difference(connection, location, document, line, line.units - expected, act)
    connection.execute(
        insert(COUNT_BASELINES).values(
            location=location,
            sku=line.sku,
            lot="",
            counted_at=act.occurred_at,
            document_id=document,
            counted=line.units,
        )
    )
    close_tasks(
        connection, [TaskDraft(COUNT, location, line.sku)], at=act.recorded_at, actor=act.actor
    )


def _post_difference(
    connection: Connection, location: str, document: str, line: Counted, difference: int, act: Act
) -> None:
    cell = (location, line.sku)
    stamp = act.stamp(document)
    shelves = Shelves.read(connection, [cell], since=act.occurred_at)
    if difference > 0:
        shelves.rows.append(
            made.count_difference(
                MovementKind.ADJUST, stamp, line.event_id, line.sku, location, difference
            )
        )
    elif difference < 0:
        # The book sold some of it since the count: those were on the shelf after all,
        # found now, while the count stays what it was at its own time.
        shelves.take(
            MovementKind.ADJUST,
            stamp,
            line.event_id,
            cell,
            "COUNT",
            -difference,
            found=Stamp(act.recorded_at, act.recorded_at, act.actor, act.device, document),
        )
    # What is not there can't stay promised.
    overrun = shelves.overrun_reservations()
    touched = shrink_reservations(connection, overrun) if overrun else []
    post(connection, shelves.rows, release=overrun, listeners=act.listeners)
    drafts = [TaskDraft(RESERVATION_SHORT, key[0], key[1], doc) for doc, key in touched]
    open_tasks(connection, drafts, at=act.recorded_at, cause=line.event_id)


def expected_units(connection: Connection, location: str, sku: str, at: int) -> int:
    """Good units in the book at the location at time `at`, as known now."""
    m = MOVEMENTS.c
    base = (m.sku == sku, m.occurred_at <= at, m.run_id == "actual", m.condition == "good")
    came = select(func.coalesce(func.sum(m.quantity), 0)).where(m.to_location == location, *base)
    went = select(func.coalesce(func.sum(m.quantity), 0)).where(m.from_location == location, *base)
    return int(connection.execute(came).scalar_one()) - int(connection.execute(went).scalar_one())


def count_head(connection: Connection, document: str) -> Any:
    """The count's row; unknown ones raise."""
    found = connection.execute(select(COUNTS).where(COUNTS.c.id == document)).first()
    if found is None:
        raise unknown_document(document)
    return found


def _line(connection: Connection, document: str, sku: str) -> Any:
    return connection.execute(
        select(COUNT_LINES).where(COUNT_LINES.c.count_id == document, COUNT_LINES.c.sku == sku)
    ).first()


def _keep_line(
    connection: Connection,
    document: str,
    sku: str,
    values: dict[str, Any],
    *,
    first: bool,
    actor: str,
) -> None:
    if not first:
        connection.execute(
            update(COUNT_LINES)
            .where(COUNT_LINES.c.count_id == document, COUNT_LINES.c.sku == sku)
            .values(**values)
        )
        return
    connection.execute(
        insert(COUNT_LINES).values(
            count_id=document,
            sku=sku,
            lot="",
            first_counted=values["counted"],
            first_expected=values["expected"],
            first_by=actor,
            approved_by="",
            **values,
        )
    )


def _tolerances(connection: Connection, lines: Sequence[Counted]) -> dict[str, int]:
    rows = connection.execute(
        select(SKUS.c.id, SKUS.c.count_tolerance_units).where(
            SKUS.c.id.in_([line.sku for line in lines])
        )
    )
    return {row.id: row.count_tolerance_units for row in rows}


def _tell(
    connection: Connection,
    head: Any,
    document: str,
    posted: list[str],
    recount: list[str],
    act: Act,
) -> None:
    open_tasks(
        connection,
        [TaskDraft(RECOUNT, head.location, sku, document) for sku in recount],
        at=act.recorded_at,
        cause=document,
    )
    close_tasks(
        connection,
        [TaskDraft(RECOUNT, head.location, sku, document) for sku in posted],
        at=act.recorded_at,
        actor=act.actor,
    )
    if not recount:
        connection.execute(
            update(COUNTS)
            .where(COUNTS.c.id == document)
            .values(state="posted", posted_at=act.occurred_at, version=COUNTS.c.version + 1)
        )
    record_audit(
        connection,
        "count.submit",
        recorded_at=act.recorded_at,
        actor=act.actor,
        device=act.device,
        location=head.location,
        subject=document,
        detail={"posted": len(posted), "recount": len(recount)},
    )
