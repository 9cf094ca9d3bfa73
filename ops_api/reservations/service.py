"""Promises with an end: open → fulfilled, released or expired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from ops_api.errors import StateInvalid
from ops_api.ledger.write import announce, move_balances, record_audit
from ops_api.lots.picking import first_out, named_lot, stacks
from ops_api.reservations.tables import RESERVATION_HEADS
from ops_api.transfers.documents import Act
from ops_api.transfers.reserving import Part, forget, held_keys, held_rows, hold
from ops_api.web.registry import unknown_document


def reserve_goods(
    connection: Connection,
    document: str,
    place: str,
    lines: Sequence[tuple[str, int, str]],
    *,
    purpose: str,
    expires_at: int,
    act: Act,
) -> list[Part]:
    """Promise goods until `expires_at`; all of them or none.

    Parameters
    ----------
    lines : (SKU, units, lot or "")

    Raises
    ------
    InsufficientStock, LotOnHold, LotExpired, ShelfLifeTooShort, LotRequired
    """
    expire_due(connection, act.recorded_at, place)
    heaps = stacks(connection, place, [sku for sku, _, _ in lines], act.recorded_at)
    parts: list[Part] = []
    for number, (sku, units, lot) in enumerate(lines):
        heap = heaps.get(sku, [])
        if lot:
            named_lot(sku, lot, heap)
            heap = [stack for stack in heap if stack.lot == lot]
        parts += [(number, sku, name, q) for name, q in first_out(place, sku, units, heap)]
    hold(connection, document, place, parts)
    connection.execute(
        insert(RESERVATION_HEADS).values(
            id=document,
            state="open",
            location=place,
            purpose=purpose,
            expires_at=expires_at,
            created_at=act.recorded_at,
            created_by=act.actor,
            closed_at=None,
            version=1,
        )
    )
    _tell(connection, document, place, "open", act.actor, act.recorded_at)
    return parts


def end_reservation(connection: Connection, document: str, state: str, act: Act) -> None:
    """Free what is still held: the goods were handed over, or are not wanted any more.

    Raises
    ------
    StateInvalid
    """
    head = reservation_head(connection, document)
    if head.state != "open":
        raise StateInvalid(
            f"reservation {document} is {head.state}",
            field="state",
            row=document,
            facts={"document": document, "state": head.state},
        )
    _end(connection, head, state, act.actor, act.recorded_at)


def expire_due(connection: Connection, now: int, place: str = "") -> int:
    """Free reservations whose time is over; returns how many."""
    h = RESERVATION_HEADS.c
    query = select(RESERVATION_HEADS).where(h.state == "open", h.expires_at <= now)
    if place:
        query = query.where(h.location == place)
    due = connection.execute(query.order_by(h.id).with_for_update()).all()
    for head in due:
        _end(connection, head, "expired", "", now)
    return len(due)


def is_due(connection: Connection, now: int) -> bool:
    """Whether some reservation's time is over."""
    h = RESERVATION_HEADS.c
    query = select(h.id).where(h.state == "open", h.expires_at <= now).limit(1)
    return connection.execute(query).first() is not None


def reservation_head(connection: Connection, document: str) -> Any:
    """The reservation's row; unknown ones raise."""
    found = connection.execute(
        select(RESERVATION_HEADS).where(RESERVATION_HEADS.c.id == document).with_for_update()
    ).first()
    if found is None:
        raise unknown_document(document)
    return found


def _end(connection: Connection, head: Any, state: str, actor: str, now: int) -> None:
    release = held_keys(held_rows(connection, head.id))
    if release:
        move_balances(connection, {}, release)
    forget(connection, head.id)
    connection.execute(
        update(RESERVATION_HEADS)
        .where(RESERVATION_HEADS.c.id == head.id)
        .values(state=state, closed_at=now, version=RESERVATION_HEADS.c.version + 1)
    )
    _tell(connection, head.id, head.location, state, actor, now)


def _tell(
    connection: Connection, document: str, place: str, state: str, actor: str, now: int
) -> None:
    record_audit(
        connection,
        f"reservation.{state}",
        recorded_at=now,
        actor=actor or "clock",
        location=place,
        subject=document,
    )
    announce(
        connection,
        f"reservation.{state}",
        {"reservation": document},
        recorded_at=now,
        location=place,
    )
