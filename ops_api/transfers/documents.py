"""The documents behind transfers: heads, lines, states, and who did what when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from ops_api.errors import StateInvalid
from ops_api.ledger.rows import Stamp
from ops_api.ledger.write import StockListener
from ops_api.masterdata.tables import LOTS, SKUS
from ops_api.transfers.tables import DOCUMENT_EVENTS, SHIPMENT_LOTS, TRANSFER_LINES, TRANSFERS
from ops_api.web.registry import unknown_document
from policies.domain.errors import InvalidInput

PLANNER = "planner"
"""Who makes proposals by night; a person approves them, or a rule does."""
RULE = "rule"
"""Approves what is worth no more than the deployment's limit."""
OPEN_STATES = ("proposed", "reserved", "picking", "packed", "shipped", "partially_received")


@dataclass(frozen=True)
class Act:
    """Who does a step, when it happened, and when we heard of it (whole seconds of UTC)."""

    actor: str
    occurred_at: int
    recorded_at: int
    device: str = ""
    listeners: tuple[StockListener, ...] = ()

    def stamp(self, document: str) -> Stamp:
        """The stamp of this step's movements."""
        return Stamp(self.occurred_at, self.recorded_at, self.actor, self.device, document)


@dataclass(frozen=True)
class Draft:
    """A transfer to create; `lines` are (sku, units, reason code)."""

    id: str
    origin: str
    destination: str
    lines: tuple[tuple[str, int, int], ...]
    kind: str = "replenish"
    source: str = ""
    note: str = ""
    need_detected_at: int = 0
    due_at: int | None = None


def create_transfers(connection: Connection, drafts: Sequence[Draft], act: Act) -> None:
    """Add proposed transfers."""
    if not drafts:
        return
    heads, lines = [], []
    for draft in drafts:
        if draft.origin == draft.destination or not draft.lines:
            raise InvalidInput(
                f"transfer {draft.id} needs two places and a line", field="lines", row=draft.id
            )
        heads.append(head_row(draft, act))
        lines += [
            line_row(draft.id, i, sku, units, reason)
            for i, (sku, units, reason) in enumerate(draft.lines)
        ]
    connection.execute(insert(TRANSFERS), heads)
    connection.execute(insert(TRANSFER_LINES), lines)
    note_events(connection, [draft.id for draft in drafts], "proposed", act)


def value_transfer(connection: Connection, document: str) -> int:
    """Set and return the transfer's value at cost, in cents."""
    t = TRANSFER_LINES.c
    worth = connection.execute(
        select(func.coalesce(func.sum(t.proposed * SKUS.c.unit_cost_cents), 0))
        .join_from(TRANSFER_LINES, SKUS, SKUS.c.id == t.sku)
        .where(t.transfer_id == document)
    ).scalar_one()
    connection.execute(
        update(TRANSFERS).where(TRANSFERS.c.id == document).values(value_cents=int(worth))
    )
    return int(worth)


def transfer_head(connection: Connection, document: str) -> Any:
    """The transfer's row; unknown ones raise."""
    found = connection.execute(
        select(TRANSFERS).where(TRANSFERS.c.id == document).with_for_update()
    ).first()
    if found is None:
        raise unknown_document(document)
    return found


def transfer_lines(connection: Connection, document: str) -> list[Any]:
    """The transfer's lines in order."""
    query = select(TRANSFER_LINES).where(TRANSFER_LINES.c.transfer_id == document)
    return list(connection.execute(query.order_by(TRANSFER_LINES.c.line)))


def require_state(head: Any, states: tuple[str, ...]) -> None:
    """Refuse a step that the state does not allow."""
    if head.state not in states:
        raise StateInvalid(
            f"transfer {head.id} is {head.state}",
            field="state",
            row=head.id,
            remedy=f"this step needs {' or '.join(states)}",
            facts={"document": head.id, "state": head.state},
        )


def move_to(connection: Connection, head: Any, state: str, act: Act, **columns: Any) -> None:
    """Set the state, raise the version, and note it."""
    connection.execute(
        update(TRANSFERS)
        .where(TRANSFERS.c.id == head.id)
        .values(state=state, version=TRANSFERS.c.version + 1, **columns)
    )
    note_events(connection, [head.id], state, act)


def note_events(connection: Connection, documents: Sequence[str], state: str, act: Act) -> None:
    """One event per document: the status times that KPIs are made of."""
    connection.execute(
        insert(DOCUMENT_EVENTS),
        [
            {
                "document_id": document,
                "document_kind": "transfer",
                "state": state,
                "occurred_at": act.occurred_at,
                "recorded_at": act.recorded_at,
                "actor": act.actor,
            }
            for document in documents
        ],
    )


def set_units(connection: Connection, document: str, column: str, amounts: dict[int, int]) -> None:
    """Set a column of units by line."""
    connection.execute(
        update(TRANSFER_LINES)
        .where(TRANSFER_LINES.c.transfer_id == document, TRANSFER_LINES.c.line == bindparam("b"))
        .values({column: bindparam("q")}),
        [{"b": line, "q": units} for line, units in amounts.items()],
    )


def add_units(connection: Connection, document: str, column: str, amounts: dict[int, int]) -> None:
    """Add to a column of units by line."""
    if amounts:
        connection.execute(
            update(TRANSFER_LINES)
            .where(
                TRANSFER_LINES.c.transfer_id == document, TRANSFER_LINES.c.line == bindparam("b")
            )
            .values({column: TRANSFER_LINES.c[column] + bindparam("q")}),
            [{"b": line, "q": units} for line, units in amounts.items()],
        )


def open_lots(connection: Connection, document: str) -> dict[tuple[int, str], int]:
    """Units still on the road by (line, lot), the first to expire first."""
    t, l = SHIPMENT_LOTS.c, LOTS.c  # noqa: E741
    found = connection.execute(
        select(t.line, t.lot, t.shipped - t.settled, l.expires_on)
        .join_from(
            SHIPMENT_LOTS,
            TRANSFER_LINES,
            (TRANSFER_LINES.c.transfer_id == t.transfer_id) & (TRANSFER_LINES.c.line == t.line),
        )
        .outerjoin(LOTS, (l.sku == TRANSFER_LINES.c.sku) & (l.lot == t.lot))
        .where(t.transfer_id == document, t.shipped > t.settled)
    ).all()
    never = 2**31
    turn = sorted(found, key=lambda row: (row[0], never if row[3] is None else row[3], row[1]))
    return {(line, lot): units for line, lot, units, _ in turn}


def settle(connection: Connection, document: str, amounts: dict[tuple[int, str], int]) -> None:
    """Units of a shipped lot that arrived or never will; negative for a receipt taken back."""
    if amounts:
        t = SHIPMENT_LOTS.c
        connection.execute(
            update(SHIPMENT_LOTS)
            .where(t.transfer_id == document, t.line == bindparam("b"), t.lot == bindparam("c"))
            .values(settled=t.settled + bindparam("q")),
            [{"b": line, "c": lot, "q": units} for (line, lot), units in amounts.items()],
        )


def head_row(draft: Draft, act: Act) -> dict[str, Any]:
    """The head of a draft."""
    return {
        "id": draft.id,
        "kind": draft.kind,
        "state": "proposed",
        "origin": draft.origin,
        "destination": draft.destination,
        "source": draft.source,
        "route_id": "",
        "note": draft.note,
        "value_cents": 0,
        "need_detected_at": draft.need_detected_at or act.occurred_at,
        "due_at": draft.due_at,
        "created_at": act.recorded_at,
        "created_by": act.actor,
        "approved_at": None,
        "approved_by": "",
        "shipped_at": None,
        "received_at": None,
        "closed_at": None,
        "version": 1,
    }


def line_row(document: str, number: int, sku: str, units: int, reason: int) -> dict[str, Any]:
    """A line with nothing done yet."""
    amounts = dict.fromkeys(
        (
            "approved",
            "picked",
            "shipped",
            "received_good",
            "received_damaged",
            "received_over",
            "closed_short",
        ),
        0,
    )
    return {
        "transfer_id": document,
        "line": number,
        "sku": sku,
        "proposed": units,
        "reason": reason,
        **amounts,
    }
