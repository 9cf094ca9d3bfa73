"""What arrives of a transfer: recorded as it is, differences opened at both ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from ops_api.errors import OverReceipt
from ops_api.ledger import rows as made
from ops_api.ledger.rows import Row, Stamp, derived_id
from ops_api.ledger.shelf import Shelves
from ops_api.ledger.write import announce, post, record_audit
from ops_api.lots.rules import UNNAMED, Dated, lot_required
from ops_api.tasks.service import OVER_SHORT, TaskDraft, open_tasks
from ops_api.transfers.documents import (
    Act,
    add_units,
    move_to,
    open_lots,
    require_state,
    settle,
    transfer_head,
    transfer_lines,
)
from policies.domain.errors import InvalidInput, UnknownSku
from policies.domain.ledger import MovementKind


@dataclass(frozen=True)
class Arrival:
    """What came of one SKU."""

    event_id: str
    sku: str
    good: int
    damaged: int = 0
    dated: Dated = UNNAMED
    serial: str = ""


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
    LotRequired
        Several lots are on the road and the line doesn't say which; a surplus is
        accepted on phones only, which may not know: there the first to expire came.
    """
    head = transfer_head(connection, document)
    require_state(head, ("shipped", "partially_received"))
    lines = {line.sku: line for line in transfer_lines(connection, document)}
    stamp = act.stamp(document)
    skus = [(head.destination, arrival.sku) for arrival in arrivals]
    shelves = Shelves.read(connection, skus, since=act.occurred_at)
    done = {sku: [0, 0, 0] for sku in lines}
    road = open_lots(connection, document)
    settled: dict[tuple[int, str], int] = {}
    for arrival in arrivals:
        if arrival.sku not in lines:
            raise UnknownSku(
                f"transfer {document} has no SKU {arrival.sku!r}",
                field="sku",
                row=arrival.sku,
                remedy="receive it as found, or call the sender",
            )
        line = lines[arrival.sku].line
        here = _lots_of(road, line, arrival, guesses=accepts_over)
        came, over = _split(here, arrival, accepts_over=accepts_over)
        for name, condition, lot, units in _named(arrival.event_id, came):
            shelves.put(_arrived(stamp, name, arrival.sku, head, units, condition, lot), name)
            road[line, lot] -= units
            settled[line, lot] = settled.get((line, lot), 0) + units
            done[arrival.sku][condition == "damaged"] += units
        if over:
            shelves.put(_surplus(stamp, arrival, head, over), derived_id(arrival.event_id, "over"))
            done[arrival.sku][2] += over
    post(connection, shelves.rows, listeners=act.listeners)
    settle(connection, document, settled)
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


def _lots_of(
    road: dict[tuple[int, str], int], line: int, arrival: Arrival, *, guesses: bool
) -> dict[str, int]:
    """Units on the road by lot that the arrival may be of."""
    here = {lot: units for (n, lot), units in road.items() if n == line and units > 0}
    lot = arrival.dated.lot
    if lot and here and lot not in here:
        raise InvalidInput(
            f"lot {lot} of SKU {arrival.sku} is not on the road",
            field="lot",
            row=arrival.sku,
            remedy=f"one of {', '.join(sorted(here))[:200]}",
        )
    if lot:
        return {lot: here.get(lot, 0)}
    if len(here) > 1 and not guesses:
        raise lot_required(arrival.sku, "lot")
    return here


def _split(
    here: dict[str, int], arrival: Arrival, *, accepts_over: bool
) -> tuple[list[tuple[str, str, int]], int]:
    """(condition, lot, units) that came of each lot, and the surplus."""
    road = sum(here.values())
    left = dict(here)
    out: list[tuple[str, str, int]] = []
    over = arrival.good + arrival.damaged
    for condition, units in (("damaged", arrival.damaged), ("good", arrival.good)):
        wanted = units
        for lot, there in left.items():
            part = min(wanted, there)
            if part > 0:
                out.append((condition, lot, part))
                left[lot] = there - part
                wanted -= part
                over -= part
    if over and not accepts_over:
        raise OverReceipt(
            f"{arrival.good + arrival.damaged} of SKU {arrival.sku} are more than the "
            f"{road} on the road",
            field="quantity",
            row=arrival.sku,
            remedy="count again; if it is right, accept the surplus",
            facts={"sku": arrival.sku, "free": road, "wanted": arrival.good + arrival.damaged},
        )
    return out, over


def _named(event_id: str, came: list[tuple[str, str, int]]) -> Iterator[tuple[str, str, str, int]]:
    """Each part with its movement's id: the first of a condition bears the condition's own."""
    seen: set[str] = set()
    for condition, lot, units in came:
        base = event_id if condition == "good" else derived_id(event_id, condition)
        yield (lot_part_id(base, lot) if condition in seen else base), condition, lot, units
        seen.add(condition)


def lot_part_id(base: str, lot: str) -> str:
    """Id of the movement of a further lot of the same scan."""
    return derived_id(base, "lot", lot)


def _arrived(
    stamp: Stamp, name: str, sku: str, head: Any, units: int, condition: str, lot: str
) -> Row:
    return made.receive_transfer(
        stamp, name, sku, head.origin, head.destination, units, lot=lot, condition=condition
    )


def _surplus(stamp: Stamp, arrival: Arrival, head: Any, units: int) -> Row:
    return made.count_difference(
        MovementKind.ADJUST,
        stamp,
        derived_id(arrival.event_id, "over"),
        arrival.sku,
        head.destination,
        units,
        lot=arrival.dated.lot,
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
