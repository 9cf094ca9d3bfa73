"""From a proposal to an order: a transfer or a purchase order, once, whoever asks how often."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, bindparam, select, update

from ops_api.database import write_with_retry, writing
from ops_api.errors import StateInvalid
from ops_api.ledger.rows import derived_id
from ops_api.ledger.write import announce, record_audit
from ops_api.planning.tables import PROPOSAL_LINES, PROPOSALS
from ops_api.purchasing.service import OrderDraft, create_orders
from ops_api.transfers.documents import PLANNER, Act, Draft, create_transfers
from ops_api.transfers.service import approve
from ops_api.transfers.tables import TRANSFERS
from ops_api.web.registry import unknown_document
from policies.domain.decision import LineKind
from policies.domain.errors import InvalidInput, UnknownSku

_KIND_WORDS = {LineKind.REPLENISH: "replenish", LineKind.LATERAL: "lateral"}


def accept(
    connection: Connection,
    proposal: str,
    act: Act,
    quantities: dict[str, int] | None = None,
) -> dict[str, Any]:
    """Turn an open proposal into an order.

    A transfer is approved and reserved at once, cut to what is free; a purchase order
    goes out as sent.

    Parameters
    ----------
    quantities : units by SKU where the person decided otherwise; 0 strikes a line

    Raises
    ------
    StateInvalid, UnknownSku, InvalidInput
    """
    head = open_head(connection, proposal)
    lines = proposal_lines(connection, proposal)
    decided = {line.line: line.quantity for line in lines}
    by_sku = {line.sku: line for line in lines}
    for sku, units in (quantities or {}).items():
        if sku not in by_sku:
            raise UnknownSku(f"proposal {proposal} has no SKU {sku!r}", field="quantities", row=sku)
        decided[by_sku[sku].line] = units
    left = [line for line in lines if decided[line.line] > 0]
    if not left:
        raise InvalidInput(
            "nothing is left of the proposal",
            field="quantities",
            row=proposal,
            remedy="refuse it with a reason instead",
        )
    document = _order(connection, head, left, decided, act)
    is_edited = any(decided[line.line] != line.quantity for line in lines)
    state = "edited" if is_edited else "accepted"
    connection.execute(
        update(PROPOSAL_LINES)
        .where(PROPOSAL_LINES.c.proposal_id == proposal, PROPOSAL_LINES.c.line == bindparam("b"))
        .values(decided_quantity=bindparam("q")),
        [{"b": line, "q": units} for line, units in decided.items()],
    )
    _decide(connection, head, state, act, document_id=document)
    return {"id": proposal, "state": state, "document_id": document}


def refuse(connection: Connection, proposal: str, act: Act, reason: str) -> dict[str, Any]:
    """Refuse an open proposal, with a reason code."""
    head = open_head(connection, proposal)
    _decide(connection, head, "refused", act, refusal=reason)
    return {"id": proposal, "state": "refused"}


def accept_small(engine: Engine, plan_id: str, below_cents: int, *, now: int) -> int:
    """Accept the open proposals of a plan that are worth less; returns how many.

    Each in a transaction of its own, so that a restart goes on where a crash ended.
    """
    if below_cents <= 0:
        return 0
    p = PROPOSALS.c
    with writing(engine) as connection:
        names = [
            row.id
            for row in connection.execute(
                select(p.id)
                .where(p.plan_id == plan_id, p.state == "open", p.value_cents < below_cents)
                .order_by(p.id)
            )
        ]
    act = Act(PLANNER, now, now)
    for name in names:

        def work(connection: Connection, name: str = name) -> None:
            accept(connection, name, act)

        write_with_retry(engine, work)
    return len(names)


def open_head(connection: Connection, proposal: str) -> Any:
    """The row of an open proposal; others raise."""
    found = connection.execute(
        select(PROPOSALS).where(PROPOSALS.c.id == proposal).with_for_update()
    ).first()
    if found is None:
        raise unknown_document(proposal)
    if found.state != "open":
        raise StateInvalid(
            f"proposal {proposal} is {found.state}",
            field="state",
            row=proposal,
            remedy="only an open proposal is decided",
            facts={"document": proposal, "state": found.state},
        )
    return found


def proposal_lines(connection: Connection, proposal: str) -> list[Any]:
    """The proposal's lines in order."""
    query = select(PROPOSAL_LINES).where(PROPOSAL_LINES.c.proposal_id == proposal)
    return list(connection.execute(query.order_by(PROPOSAL_LINES.c.line)))


def _order(
    connection: Connection, head: Any, lines: list[Any], decided: dict[int, int], act: Act
) -> str:
    made = Act(PLANNER, act.occurred_at, act.recorded_at)
    if head.kind == LineKind.PURCHASE:
        document = "PO-" + derived_id("order", head.id)[:13]
        wanted = tuple((line.sku, decided[line.line], line.reason) for line in lines)
        order = OrderDraft(
            document,
            head.origin,
            head.destination,
            wanted,
            source=head.id,
            need_detected_at=head.need_detected_at,
            due_at=head.due_at,
        )
        create_orders(connection, [order], act, state="sent")
        return document
    document = "TR-" + derived_id("order", head.id)[:13]
    draft = Draft(
        document,
        head.origin,
        head.destination,
        tuple((line.sku, line.quantity, line.reason) for line in lines),
        kind=_KIND_WORDS[LineKind(head.kind)],
        source=head.id,
        need_detected_at=head.need_detected_at,
        due_at=head.due_at,
    )
    create_transfers(connection, [draft], made)
    if head.route_id:
        connection.execute(
            update(TRANSFERS).where(TRANSFERS.c.id == document).values(route_id=head.route_id)
        )
    amounts = {i: decided[line.line] for i, line in enumerate(lines)}
    approve(connection, document, act, quantities=amounts, takes_what_is_there=True)
    return document


def _decide(connection: Connection, head: Any, state: str, act: Act, **columns: Any) -> None:
    connection.execute(
        update(PROPOSALS)
        .where(PROPOSALS.c.id == head.id)
        .values(
            state=state,
            decided_at=act.recorded_at,
            decided_by=act.actor,
            open_for=None,
            version=PROPOSALS.c.version + 1,
            **columns,
        )
    )
    record_audit(
        connection,
        f"proposal.{state}",
        recorded_at=act.recorded_at,
        actor=act.actor,
        device=act.device,
        location=head.destination,
        subject=head.id,
    )
    announce(
        connection,
        f"proposal.{state}",
        {"proposal": head.id},
        recorded_at=act.recorded_at,
        location=head.destination,
    )
