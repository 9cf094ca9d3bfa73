"""Write-offs: recorded disposal with a reason.

Above a limit a second person approves, and from a value on a picture goes with it.
draft → posted → reversed, or draft → cancelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from ops_api.errors import (
    ApprovalRequired,
    PhotoRequired,
    ReasonRequired,
    SelfApproval,
    StateInvalid,
)
from ops_api.ledger import rows as made
from ops_api.ledger.rows import Row, derived_id
from ops_api.ledger.schema import MOVEMENTS
from ops_api.ledger.shelf import rebases
from ops_api.ledger.write import post, record_audit
from ops_api.lots.picking import any_lots, stacks
from ops_api.masterdata.tables import SKUS
from ops_api.settings import Settings
from ops_api.transfers.documents import Act
from ops_api.web.registry import unknown_document
from ops_api.writeoffs.photos import photo_count
from ops_api.writeoffs.tables import WRITE_OFFS
from policies.domain.errors import UnknownSku
from policies.domain.ledger import MovementKind

REASONS = ("expired", "damaged", "quality", "theft", "other")


@dataclass(frozen=True)
class Disposal:
    """What is disposed of, and why; without a lot the first to expire goes."""

    location: str
    sku: str
    quantity: int
    reason: str
    lot: str = ""
    condition: str = "good"


@dataclass(frozen=True)
class Limits:
    """Values at cost, in cents: above `approval` the management posts, from `photo` on
    a picture goes with it.
    """

    approval_cents: int
    photo_cents: int


def limits_of(settings: Settings) -> Limits:
    """The deployment's limits."""
    return Limits(settings.write_off_limit_cents, settings.write_off_photo_cents)


def draft(connection: Connection, document: str, goods: Disposal, act: Act) -> int:
    """Write a draft; returns its value at cost in cents."""
    if goods.reason not in REASONS:
        raise ReasonRequired(
            f"{goods.reason[:40]!r} is no reason",
            field="reason",
            row=goods.sku,
            remedy=f"one of {', '.join(REASONS)}",
        )
    cost = connection.execute(select(SKUS.c.unit_cost_cents).where(SKUS.c.id == goods.sku)).scalar()
    if cost is None:
        raise UnknownSku(f"no SKU {goods.sku!r}", field="sku", row=goods.sku)
    connection.execute(
        insert(WRITE_OFFS).values(
            id=document,
            state="draft",
            location=goods.location,
            sku=goods.sku,
            lot=goods.lot,
            condition=goods.condition,
            quantity=goods.quantity,
            reason=goods.reason,
            value_cents=cost * goods.quantity,
            occurred_at=act.occurred_at,
            created_at=act.recorded_at,
            created_by=act.actor,
            approved_by="",
            version=1,
        )
    )
    return int(cost * goods.quantity)


def post_write_off(
    connection: Connection, document: str, act: Act, *, limits: Limits, may_exceed: bool
) -> None:
    """Post a draft.

    Raises
    ------
    ApprovalRequired, SelfApproval, PhotoRequired, StateInvalid, InsufficientStock
    """
    found = _require(connection, document, "draft")
    above = found.value_cents > limits.approval_cents
    if above and not may_exceed:
        raise ApprovalRequired(
            f"{found.value_cents} cents are above the limit of {limits.approval_cents}",
            field="value_cents",
            row=document,
            remedy="ask the management to post it",
        )
    if above and found.created_by == act.actor:
        raise SelfApproval("nobody approves their own write-off", field="approved_by", row=document)
    if found.value_cents >= limits.photo_cents and not photo_count(connection, document):
        raise PhotoRequired(
            f"{found.value_cents} cents need a picture",
            field="photo",
            row=document,
            remedy=f"add one to /writeoffs/{document}:attach and post again",
        )
    then = Act(act.actor, found.occurred_at, act.recorded_at, act.device)
    rows = _rows(connection, found, then)
    post(connection, [*rows, *rebases(connection, rows)], listeners=act.listeners)
    _move(connection, found, "posted", act, approved_by=act.actor)


def cancel_write_off(connection: Connection, document: str, act: Act) -> None:
    """Drop a draft; nothing was posted."""
    _move(connection, _require(connection, document, "draft"), "cancelled", act)


def movements_of(connection: Connection, document: str) -> list[str]:
    """Ids of the movements of a posted write-off."""
    _require(connection, document, "posted")
    m = MOVEMENTS.c
    rows = connection.execute(
        select(m.movement_id)
        .where(m.document_id == document, m.kind == int(MovementKind.WRITE_OFF))
        .order_by(m.seq)
    )
    return [row.movement_id for row in rows]


def write_off_of(connection: Connection, document: str) -> Any:
    """The write-off's row; unknown ones raise."""
    found = connection.execute(
        select(WRITE_OFFS).where(WRITE_OFFS.c.id == document).with_for_update()
    ).first()
    if found is None:
        raise unknown_document(document)
    return found


def _rows(connection: Connection, found: Any, act: Act) -> list[Row]:
    """One row per lot; damaged and held goods lie in one heap each, by their lot."""
    parts = [(found.lot, found.quantity)]
    if found.condition == "good":
        heap = stacks(connection, found.location, [found.sku], act.recorded_at)
        parts = any_lots(
            found.location, found.sku, found.quantity, heap.get(found.sku, []), found.lot
        )
    stamp = act.stamp(found.id)
    return [
        made.write_off(
            stamp,
            derived_id(found.id, "write_off", *([lot] if i else [])),
            found.sku,
            found.location,
            units,
            lot=lot,
            condition=found.condition,
        )
        for i, (lot, units) in enumerate(parts)
    ]


def _require(connection: Connection, document: str, state: str) -> Any:
    found = write_off_of(connection, document)
    if found.state != state:
        raise StateInvalid(
            f"write-off {document} is {found.state}",
            field="state",
            row=document,
            facts={"document": document, "state": found.state},
        )
    return found


def _move(connection: Connection, found: Any, state: str, act: Act, **columns: Any) -> None:
    connection.execute(
        update(WRITE_OFFS)
        .where(WRITE_OFFS.c.id == found.id)
        .values(state=state, version=WRITE_OFFS.c.version + 1, **columns)
    )
    record_audit(
        connection,
        "writeoff.post" if state == "posted" else f"writeoff.{state}",
        recorded_at=act.recorded_at,
        actor=act.actor,
        location=found.location,
        subject=found.id,
    )
