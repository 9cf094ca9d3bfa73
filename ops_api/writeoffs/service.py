"""Write-offs: recorded disposal with a reason; above a limit a second person approves."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select, update

from ops_api.errors import ApprovalRequired, ReasonRequired, SelfApproval, StateInvalid
from ops_api.ledger import rows as made
from ops_api.ledger.shelf import rebases
from ops_api.ledger.write import post, record_audit
from ops_api.masterdata.tables import SKUS
from ops_api.transfers.documents import Act
from ops_api.web.registry import unknown_document
from ops_api.writeoffs.tables import WRITE_OFFS
from policies.domain.errors import UnknownSku

REASONS = ("expired", "damaged", "quality", "theft", "other")


def draft(
    connection: Connection,
    document: str,
    location: str,
    sku: str,
    quantity: int,
    reason: str,
    act: Act,
) -> int:
    """Write a draft; returns its value at cost in cents."""
    if reason not in REASONS:
        raise ReasonRequired(
            f"{reason[:40]!r} is no reason",
            field="reason",
            row=sku,
            remedy=f"one of {', '.join(REASONS)}",
        )
    cost = connection.execute(select(SKUS.c.unit_cost_cents).where(SKUS.c.id == sku)).scalar()
    if cost is None:
        raise UnknownSku(f"no SKU {sku!r}", field="sku", row=sku)
    connection.execute(
        insert(WRITE_OFFS).values(
            id=document,
            state="draft",
            location=location,
            sku=sku,
            lot="",
            condition="good",
            quantity=quantity,
            reason=reason,
            value_cents=cost * quantity,
            occurred_at=act.occurred_at,
            created_at=act.recorded_at,
            created_by=act.actor,
            approved_by="",
            version=1,
        )
    )
    return int(cost * quantity)


def post_write_off(
    connection: Connection, document: str, act: Act, *, limit_cents: int, may_exceed: bool
) -> None:
    """Post a draft.

    Raises
    ------
    ApprovalRequired, SelfApproval, StateInvalid, InsufficientStock
    """
    found = write_off_of(connection, document)
    if found.state != "draft":
        raise StateInvalid(
            f"write-off {document} is {found.state}",
            field="state",
            row=document,
            facts={"document": document, "state": found.state},
        )
    above = found.value_cents > limit_cents
    if above and not may_exceed:
        raise ApprovalRequired(
            f"{found.value_cents} cents are above the limit of {limit_cents}",
            field="value_cents",
            row=document,
            remedy="ask the management to post it",
        )
    if above and found.created_by == act.actor:
        raise SelfApproval("nobody approves their own write-off", field="approved_by", row=document)
    stamp = Act(act.actor, found.occurred_at, act.recorded_at, act.device).stamp(document)
    row = made.write_off(
        stamp, made.derived_id(document, "write_off"), found.sku, found.location, found.quantity
    )
    post(connection, [row, *rebases(connection, [row])], listeners=act.listeners)
    connection.execute(
        update(WRITE_OFFS)
        .where(WRITE_OFFS.c.id == document)
        .values(state="posted", approved_by=act.actor, version=WRITE_OFFS.c.version + 1)
    )
    record_audit(
        connection,
        "writeoff.post",
        recorded_at=act.recorded_at,
        actor=act.actor,
        location=found.location,
        subject=document,
    )


def write_off_of(connection: Connection, document: str) -> Any:
    """The write-off's row; unknown ones raise."""
    found = connection.execute(select(WRITE_OFFS).where(WRITE_OFFS.c.id == document)).first()
    if found is None:
        raise unknown_document(document)
    return found
