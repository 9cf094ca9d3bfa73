"""What arrives of a transfer: recorded as it is, differences opened at both ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from ops_api.errors import OverReceipt
from ops_api.ledger import rows as made
from ops_api.ledger.rows import Row, Stamp, derived_id
from ops_api.ledger.shelf import Shelves
from ops_api.ledger.write import announce, post, record_audit
from ops_api.tasks.service import OVER_SHORT, TaskDraft, open_tasks
from ops_api.transfers.documents import (
    Act,
    add_units,
    move_to,
    require_state,
    transfer_head,
    transfer_lines,
)
from policies.domain.errors import UnknownSku
from policies.domain.ledger import MovementKind


@dataclass(frozen=True)
class Arrival:
    """What came of one SKU."""

    event_id: str
    sku: str
    good: int
    damaged: int = 0


def receive(
    connection: Connection,
    document: str,
    arrivals: Sequence[Arrival],
    act: Act,
    *,
    accepts_over: bool = False,
    ends: bool = False,
) -> dict[str, Any]:
    """Record what arrived.

    Parameters
    ----------
    accepts_over : more than is on the road is recorded as found, with a task at both
        ends; without it the whole step is refused
    ends : nothing more will come; a rest opens a task at both ends

    Raises
    ------
    OverReceipt, UnknownSku, StateInvalid
    """
    head = transfer_head(connection, document)
    require_state(head, ("shipped", "partially_received"))
    lines = {line.sku: line for line in transfer_lines(connection, document)}
    stamp = act.stamp(document)
    skus = [(head.destination, arrival.sku) for arrival in arrivals]
    shelves = Shelves.read(connection, skus, since=act.occurred_at)
    done = {sku: [0, 0, 0] for sku in lines}
    for arrival in arrivals:
        if arrival.sku not in lines:
            raise UnknownSku(
                f"transfer {document} has no SKU {arrival.sku!r}",
                field="sku",
                row=arrival.sku,
                remedy="receive it as found, or call the sender",
            )
        line = lines[arrival.sku]
        tally = done[arrival.sku]
        road = line.shipped - line.received_good - line.received_damaged - line.closed_short
        road -= tally[0] + tally[1]
        damaged = min(arrival.damaged, road)
        good = min(arrival.good, road - damaged)
        over = arrival.good + arrival.damaged - good - damaged
        if over and not accepts_over:
            raise OverReceipt(
                f"{arrival.good + arrival.damaged} of SKU {arrival.sku} are more than the "
                f"{road} on the road",
                field="quantity",
                row=arrival.sku,
                remedy="count again; if it is right, accept the surplus",
                facts={"sku": arrival.sku, "free": road, "wanted": arrival.good + arrival.damaged},
            )
        for units, condition in ((good, "good"), (damaged, "damaged")):
            if units:
                shelves.put(_arrived(stamp, arrival, head, units, condition), arrival.event_id)
        if over:
            found = made.count_difference(
                MovementKind.ADJUST,
                stamp,
                derived_id(arrival.event_id, "over"),
                arrival.sku,
                head.destination,
                over,
            )
            shelves.put(found, derived_id(arrival.event_id, "over"))
        tally[0] += good
        tally[1] += damaged
        tally[2] += over
    post(connection, shelves.rows, listeners=act.listeners)
    _book_arrivals(connection, document, lines, done)
    return _after_arrival(connection, head, lines, done, act, ends=ends)


def _after_arrival(
    connection: Connection,
    head: Any,
    lines: dict[str, Any],
    done: dict[str, list[int]],
    act: Act,
    *,
    ends: bool,
) -> dict[str, Any]:
    left = {
        sku: line.shipped
        - line.received_good
        - line.received_damaged
        - line.closed_short
        - sum(done[sku][:2])
        for sku, line in lines.items()
    }
    complete = not any(left.values())
    differs = [sku for sku in lines if done[sku][1] or done[sku][2] or (ends and left[sku])]
    state = "received" if complete or ends else "partially_received"
    move_to(connection, head, state, act, received_at=act.occurred_at if complete or ends else None)
    drafts = [
        TaskDraft(OVER_SHORT, place, sku, head.id)
        for sku in differs
        for place in (head.origin, head.destination)
    ]
    open_tasks(connection, drafts, at=act.recorded_at, cause=f"{head.id}:{act.recorded_at}")
    record_audit(
        connection,
        "transfer.receive",
        recorded_at=act.recorded_at,
        actor=act.actor,
        device=act.device,
        location=head.destination,
        subject=head.id,
    )
    if state == "received":
        announce(
            connection,
            "transfer.received",
            {"transfer": head.id},
            recorded_at=act.recorded_at,
            location=head.origin,
        )
    return {"id": head.id, "state": state, "left": {k: v for k, v in left.items() if v}}


def _arrived(stamp: Stamp, arrival: Arrival, head: Any, units: int, condition: str) -> Row:
    name = arrival.event_id if condition == "good" else derived_id(arrival.event_id, condition)
    return made.receive_transfer(
        stamp, name, arrival.sku, head.origin, head.destination, units, condition=condition
    )


def _book_arrivals(
    connection: Connection, document: str, lines: dict[str, Any], done: dict[str, list[int]]
) -> None:
    for i, column in enumerate(("received_good", "received_damaged", "received_over")):
        add_units(
            connection,
            document,
            column,
            {lines[sku].line: tally[i] for sku, tally in done.items() if tally[i]},
        )
