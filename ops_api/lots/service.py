"""Holds, recalls, and giving a lot to goods that have none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select, update

from ops_api.errors import ReasonRequired, StateInvalid, UnknownDocument
from ops_api.ledger import rows as made
from ops_api.ledger.rows import derived_id, is_real
from ops_api.ledger.schema import BALANCES, RESERVATIONS
from ops_api.ledger.shelf import shrink_reservations
from ops_api.ledger.write import Posted, announce, hear, move_balances, post, record_audit
from ops_api.lots.rules import Dated, dated_of, lot_of, note_lot
from ops_api.masterdata.tables import LOTS
from ops_api.tasks.service import RECALL, RESERVATION_SHORT, TaskDraft, open_tasks
from ops_api.transfers.documents import Act
from policies.domain.ledger import MovementKind


def require_lot(connection: Connection, sku: str, lot: str) -> Any:
    """The lot's row; unknown ones raise."""
    found = lot_of(connection, sku, lot)
    if found is None:
        raise UnknownDocument(
            f"no lot {lot!r} of SKU {sku!r}",
            field="lot",
            row=lot,
            remedy="check the pack",
            facts={"document": lot},
        )
    return found


def hold_lot(
    connection: Connection, sku: str, lot: str, reason: str, act: Act, *, recalls: bool = False
) -> dict[str, Any]:
    """Nobody moves or receives the lot any more; what was promised of it is free again.

    Parameters
    ----------
    recalls : it also has to come off every shelf: a task opens wherever it lies

    Raises
    ------
    UnknownDocument, ReasonRequired, StateInvalid
    """
    found = require_lot(connection, sku, lot)
    if not reason:
        raise ReasonRequired(
            "a hold needs a reason", field="reason", row=lot, remedy="say what was found"
        )
    if found.on_hold and (not recalls or found.recalled_at is not None):
        raise StateInvalid(
            f"lot {lot} is on hold already",
            field="state",
            row=lot,
            facts={"document": lot, "state": "on hold"},
        )
    values: dict[str, Any] = {"on_hold": True, "hold_reason": reason}
    if recalls:
        values["recalled_at"] = act.recorded_at
    _keep(connection, sku, lot, values, "lot.recall" if recalls else "lot.hold", reason, act)
    short = _free_promises(connection, sku, lot, act)
    places = _places(connection, sku, lot)
    _tell_shelves(connection, sku, places, act)
    if recalls:
        drafts = [TaskDraft(RECALL, place, sku, lot) for place in places if is_real(place)]
        open_tasks(connection, drafts, at=act.recorded_at, cause=f"{sku}:{lot}")
    return {"sku": sku, "lot": lot, "on_hold": True, "places": places, "documents_short": short}


def release_lot(connection: Connection, sku: str, lot: str, reason: str, act: Act) -> None:
    """Quality control frees the lot."""
    found = require_lot(connection, sku, lot)
    if not found.on_hold:
        raise StateInvalid(
            f"lot {lot} is not on hold",
            field="state",
            row=lot,
            facts={"document": lot, "state": "free"},
        )
    values = {"on_hold": False, "hold_reason": "", "recalled_at": None}
    _keep(connection, sku, lot, values, "lot.release", reason, act)
    _tell_shelves(connection, sku, _places(connection, sku, lot), act)


def assign_lot(
    connection: Connection, event: str, place: str, sku: Any, units: int, dated: Dated, act: Act
) -> None:
    """Goods in the book without a lot get the one that their packs say.

    Raises
    ------
    LotRequired, InsufficientStock
    """
    dated = dated_of(connection, sku, dated)
    note_lot(connection, sku.id, dated)
    stamp = act.stamp(event)
    rows = [
        made.count_difference(
            MovementKind.ADJUST, stamp, derived_id(event, "without"), sku.id, place, -units
        ),
        made.count_difference(
            MovementKind.ADJUST,
            stamp,
            derived_id(event, "with"),
            sku.id,
            place,
            units,
            lot=dated.lot,
        ),
    ]
    post(connection, rows, listeners=act.listeners)
    record_audit(
        connection,
        "lot.assign",
        recorded_at=act.recorded_at,
        actor=act.actor,
        device=act.device,
        location=place,
        subject=dated.lot,
        detail={"sku": sku.id, "units": units},
    )


def _keep(
    connection: Connection,
    sku: str,
    lot: str,
    values: dict[str, Any],
    action: str,
    reason: str,
    act: Act,
) -> None:
    connection.execute(
        update(LOTS)
        .where(LOTS.c.sku == sku, LOTS.c.lot == lot)
        .values(version=LOTS.c.version + 1, **values)
    )
    record_audit(
        connection,
        action,
        recorded_at=act.recorded_at,
        actor=act.actor,
        subject=lot,
        detail={"sku": sku, "reason": reason},
    )
    announce(connection, action, {"sku": sku, "lot": lot}, recorded_at=act.recorded_at)


def _tell_shelves(connection: Connection, sku: str, places: Iterable[str], act: Act) -> None:
    """No unit moved, yet a shop has fewer to sell, or more: its safety line is looked at."""
    cells = [(place, sku) for place in places if is_real(place)]
    hear(connection, act.listeners, Posted(act.recorded_at, cells))


def _free_promises(connection: Connection, sku: str, lot: str, act: Act) -> list[str]:
    """Documents that lose what was reserved of the lot; each gets a task."""
    r = RESERVATIONS.c
    rows = connection.execute(
        select(r.location, r.quantity).where(r.sku == sku, r.lot == lot, r.quantity > 0)
    )
    overrun: dict[tuple[str, str, str, str], int] = {}
    for row in rows:
        key = (row.location, sku, lot, "good")
        overrun[key] = overrun.get(key, 0) + row.quantity
    if not overrun:
        return []
    touched = shrink_reservations(connection, overrun)
    move_balances(connection, {}, overrun)
    drafts = [TaskDraft(RESERVATION_SHORT, key[0], sku, document) for document, key in touched]
    open_tasks(connection, drafts, at=act.recorded_at, cause=f"{sku}:{lot}:hold")
    return sorted({document for document, _ in touched})


def _places(connection: Connection, sku: str, lot: str) -> dict[str, int]:
    """Units by place, on the road included."""
    b = BALANCES.c
    out: dict[str, int] = {}
    for row in connection.execute(
        select(b.location, b.on_hand).where(b.sku == sku, b.lot == lot, b.on_hand > 0)
    ):
        out[row.location] = out.get(row.location, 0) + row.on_hand
    return out
