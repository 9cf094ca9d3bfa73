"""The life of a return: draft → posted → reversed, or cancelled.

What a customer brings goes back on the shelf, or apart as damaged. A store's return to
its warehouse travels as a transfer and is received there by scan. A return to the
supplier leaves the chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

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
from ops_api.ledger.write import announce, post, record_audit
from ops_api.lots.picking import any_lots, stacks
from ops_api.masterdata.service import require_skus
from ops_api.returns.tables import RETURN_LINES, RETURNS
from ops_api.transfers.documents import Act
from ops_api.transfers.shipping import send_back
from ops_api.web.registry import unknown_document
from ops_api.writeoffs.photos import photo_count
from ops_api.writeoffs.service import Limits
from policies.domain.ledger import MovementKind

CUSTOMER, WAREHOUSE, SUPPLIER = "customer", "warehouse", "supplier"
KINDS = (CUSTOMER, WAREHOUSE, SUPPLIER)
REASONS = ("changed_mind", "damaged", "expired", "overstock", "quality", "recall", "other")


@dataclass(frozen=True)
class ReturnLine:
    """Goods of one SKU in one condition."""

    sku: str
    quantity: int
    lot: str = ""
    serial: str = ""
    condition: str = "good"


@dataclass(frozen=True)
class ReturnDraft:
    """A return to write."""

    id: str
    kind: str
    location: str
    counterpart: str
    reason: str
    lines: tuple[ReturnLine, ...]
    basket: str = ""


def draft_return(connection: Connection, draft: ReturnDraft, act: Act) -> int:
    """Write a draft; returns its value at cost in cents.

    Raises
    ------
    ReasonRequired, UnknownSku
    """
    if draft.reason not in REASONS:
        raise ReasonRequired(
            f"{draft.reason[:40]!r} is no reason",
            field="reason",
            row=draft.id,
            remedy=f"one of {', '.join(REASONS)}",
        )
    skus = require_skus(connection, [line.sku for line in draft.lines])
    worth = sum(skus[line.sku].unit_cost_cents * line.quantity for line in draft.lines)
    connection.execute(
        insert(RETURNS).values(
            id=draft.id,
            kind=draft.kind,
            state="draft",
            location=draft.location,
            counterpart=draft.counterpart,
            reason=draft.reason,
            basket=draft.basket,
            transfer_id="",
            value_cents=worth,
            occurred_at=act.occurred_at,
            created_at=act.recorded_at,
            created_by=act.actor,
            approved_by="",
            version=1,
        )
    )
    connection.execute(
        insert(RETURN_LINES),
        [{"return_id": draft.id, "line": i, **vars(line)} for i, line in enumerate(draft.lines)],
    )
    return int(worth)


def post_return(
    connection: Connection, document: str, act: Act, *, limits: Limits, may_exceed: bool
) -> str:
    """Post a draft; the transfer's id where the goods travel to a warehouse.

    Raises
    ------
    ApprovalRequired, SelfApproval, PhotoRequired, StateInvalid, InsufficientStock
    """
    head = _require(connection, document, "draft")
    if head.kind != WAREHOUSE:
        _check_value(connection, head, act, limits, may_exceed=may_exceed)
    lines = return_lines(connection, document)
    then = Act(act.actor, head.occurred_at, act.recorded_at, act.device, act.listeners)
    transfer = ""
    if head.kind == WAREHOUSE:
        parts = _parts(connection, head, lines, act)
        transfer = "TR-" + derived_id(document, "transfer")[:13]
        send_back(connection, transfer, head.location, head.counterpart, parts, then)
    else:
        rows = _rows(connection, head, lines, then)
        post(connection, [*rows, *rebases(connection, rows)], listeners=act.listeners)
    connection.execute(update(RETURNS).where(RETURNS.c.id == document).values(transfer_id=transfer))
    _move(connection, head, "posted", act, approved_by=act.actor)
    return transfer


def cancel_return(connection: Connection, document: str, act: Act) -> None:
    """Drop a draft."""
    _move(connection, _require(connection, document, "draft"), "cancelled", act)


def movements_of(connection: Connection, document: str) -> list[str]:
    """Movements of a posted return that can be reversed.

    Raises
    ------
    StateInvalid
        It isn't posted, or travels as a transfer, which is received or closed.
    """
    head = _require(connection, document, "posted")
    if head.kind == WAREHOUSE:
        raise StateInvalid(
            f"return {document} travels as transfer {head.transfer_id}",
            field="kind",
            row=document,
            remedy="receive the transfer and send the goods back",
            facts={"document": document, "state": head.state},
        )
    m = MOVEMENTS.c
    kinds = (int(MovementKind.CUSTOMER_RETURN), int(MovementKind.RETURN_TO_SUPPLIER))
    rows = connection.execute(
        select(m.movement_id).where(m.document_id == document, m.kind.in_(kinds)).order_by(m.seq)
    )
    return [row.movement_id for row in rows]


def return_head(connection: Connection, document: str) -> Any:
    """The return's row; unknown ones raise."""
    found = connection.execute(
        select(RETURNS).where(RETURNS.c.id == document).with_for_update()
    ).first()
    if found is None:
        raise unknown_document(document)
    return found


def return_lines(connection: Connection, document: str) -> list[Any]:
    """The return's lines."""
    r = RETURN_LINES.c
    return list(
        connection.execute(select(RETURN_LINES).where(r.return_id == document).order_by(r.line))
    )


def returned_units(connection: Connection, basket: str, sku: str) -> int:
    """Units of a basket that came back already."""
    r, l = RETURNS.c, RETURN_LINES.c  # noqa: E741
    query = (
        select(func.coalesce(func.sum(l.quantity), 0))
        .join_from(RETURN_LINES, RETURNS, r.id == l.return_id)
        .where(r.basket == basket, l.sku == sku, r.state.in_(("draft", "posted")))
    )
    return int(connection.execute(query).scalar_one())


def _check_value(
    connection: Connection, head: Any, act: Act, limits: Limits, *, may_exceed: bool
) -> None:
    above = head.value_cents > limits.approval_cents
    if above and not may_exceed:
        raise ApprovalRequired(
            f"{head.value_cents} cents are above the limit of {limits.approval_cents}",
            field="value_cents",
            row=head.id,
            remedy="ask the management to post it",
        )
    if above and head.created_by == act.actor:
        raise SelfApproval("nobody approves their own return", field="approved_by", row=head.id)
    if head.value_cents >= limits.photo_cents and not photo_count(connection, head.id):
        raise PhotoRequired(
            f"{head.value_cents} cents need a picture",
            field="photo",
            row=head.id,
            remedy=f"add one to /returns/{head.id}:attach and post again",
        )


def _parts(
    connection: Connection, head: Any, lines: Sequence[Any], act: Act
) -> list[tuple[str, str, str, int]]:
    """(SKU, lot, condition, units) that leave; a good line without a lot is split by lots."""
    heaps = stacks(connection, head.location, [line.sku for line in lines], act.recorded_at)
    out = []
    for line in lines:
        if line.condition != "good":
            out.append((line.sku, line.lot, line.condition, line.quantity))
            continue
        taken = any_lots(head.location, line.sku, line.quantity, heaps.get(line.sku, []), line.lot)
        out += [(line.sku, lot, "good", units) for lot, units in taken]
    return out


def _rows(connection: Connection, head: Any, lines: Sequence[Any], act: Act) -> list[Row]:
    stamp = act.stamp(head.id)
    if head.kind == CUSTOMER:
        return [
            made.row(
                MovementKind.CUSTOMER_RETURN,
                stamp,
                derived_id(head.id, "line", line.line),
                line.sku,
                "CUSTOMER",
                head.location,
                line.quantity,
                lot=line.lot,
                condition=line.condition,
                serial=line.serial,
            )
            for line in lines
        ]
    return [
        made.row(
            MovementKind.RETURN_TO_SUPPLIER,
            stamp,
            derived_id(head.id, "part", i),
            sku,
            head.location,
            "SUPPLIER",
            units,
            lot=lot,
            condition=condition,
        )
        for i, (sku, lot, condition, units) in enumerate(_parts(connection, head, lines, act))
    ]


def _require(connection: Connection, document: str, state: str) -> Any:
    head = return_head(connection, document)
    if head.state != state:
        raise StateInvalid(
            f"return {document} is {head.state}",
            field="state",
            row=document,
            facts={"document": document, "state": head.state},
        )
    return head


def _move(connection: Connection, head: Any, state: str, act: Act, **columns: Any) -> None:
    connection.execute(
        update(RETURNS)
        .where(RETURNS.c.id == head.id)
        .values(state=state, version=RETURNS.c.version + 1, **columns)
    )
    record_audit(
        connection,
        f"return.{state}",
        recorded_at=act.recorded_at,
        actor=act.actor,
        device=act.device,
        location=head.location,
        subject=head.id,
    )
    announce(
        connection,
        f"return.{state}",
        {"return": head.id, "kind": head.kind},
        recorded_at=act.recorded_at,
        location=head.location,
    )
