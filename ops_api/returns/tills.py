"""What tills tell: goods taken back from customers, and receipt lines voided."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, insert, select, update

from ops_api.clock import epoch
from ops_api.errors import StateInvalid
from ops_api.ledger.clocks import check_not_ahead, clock_offset, is_too_old
from ops_api.ledger.idempotency import digest, run_keyed
from ops_api.ledger.reversal import reverse_movement
from ops_api.ledger.rows import Stamp, derived_id, row
from ops_api.ledger.schema import IDEMPOTENCY, MOVEMENTS, SALE_VALUES
from ops_api.ledger.shelf import Shelves
from ops_api.ledger.write import post
from ops_api.masterdata.queries import known_skus
from ops_api.masterdata.service import require_location
from ops_api.returns.schemas import TillReturn, TillReturns
from ops_api.sales.lines import refused, summary
from ops_api.tasks.service import PARKED, TaskDraft, open_tasks
from ops_api.web.registry import Call, unknown_document
from policies.domain.errors import InvalidInput, StoretwinError, UnknownSku
from policies.domain.ledger import MovementKind

EVENT = "till_return"
# What master data, an earlier line on its way or a manager can still put right.
_PARKED = frozenset({"SKU_UNKNOWN", "DOCUMENT_UNKNOWN", "PERIOD_CLOSED", "INSUFFICIENT_STOCK"})


def record_batch(call: Call) -> dict[str, Any]:
    """Record a till's returns and voids line by line; a bad one never sinks the rest."""
    batch: TillReturns = call.body
    offset = clock_offset(batch.sent_at, call.now)
    lines = [_one(call, number, line, offset) for number, line in batch.numbered()]
    lines += [refused(number, None, error) for number, error in batch.faults.items()]
    return summary(sorted(lines, key=lambda line: int(line["row"])))


def post_parked_return(call: Call, payload: dict[str, Any]) -> dict[str, Any]:
    """Post a parked line after all.

    Raises
    ------
    StoretwinError
        Whatever still stands in the way; the task stays open.
    """
    line = TillReturn.model_validate_json(json.dumps(payload["body"]))
    answer = _do(call, line, payload["at"], payload["actor"])
    call.connection.execute(
        update(IDEMPOTENCY).where(IDEMPOTENCY.c.key == line.event_id).values(status=200)
    )
    return answer


def _one(call: Call, number: int, line: TillReturn, offset: int) -> dict[str, Any]:
    at = epoch(line.occurred_at) + offset
    sha = digest(line.model_dump(mode="json"))
    try:
        if call.reach is not None and line.location not in call.reach:
            raise unknown_document(line.location)
        check_not_ahead(at, call.now, call.settings.future_tolerance_s, number)
        done = run_keyed(
            call.connection,
            line.event_id,
            sha,
            actor=call.principal.person,
            recorded_at=call.now,
            work=lambda: _do_or_park(call, line, at),
        )
    except StoretwinError as error:
        out = refused(number, line.event_id, error)
        return out | ({"status": "conflict"} if error.code == "IDEMPOTENCY_MISMATCH" else {})
    if done.refusal is not None:
        return refused(number, line.event_id, done.refusal)
    status = "duplicate" if done.replayed else done.answer.get("status", "created")
    return {"row": number, "event_id": line.event_id, "status": status, "answer": done.answer}


def _do_or_park(call: Call, line: TillReturn, at: int) -> tuple[int, dict[str, Any]]:
    require_location(call.connection, line.location)
    code = "OLD"
    if not is_too_old(at, call.now, call.settings.past_tolerance_s):
        nested = call.connection.begin_nested()
        try:
            answer = _do(call, line, at, call.principal.person)
        except StoretwinError as error:
            nested.rollback()
            if error.code not in _PARKED:
                raise
            code = error.code
        else:
            nested.commit()
            return 200, answer
    body = json.loads(line.model_dump_json())
    payload = {
        "event": EVENT,
        "body": body,
        "at": at,
        "actor": call.principal.person,
        "code": code,
    }
    task = TaskDraft(PARKED, line.location, line.sku, line.event_id, payload)
    open_tasks(call.connection, [task], at=call.now, cause=line.event_id)
    return 202, {"status": "parked", "code": code}


def _do(call: Call, line: TillReturn, at: int, actor: str) -> dict[str, Any]:
    if line.kind == "void":
        return _void(call, line, actor)
    if not line.sku or line.quantity < 1:
        raise InvalidInput("a return names a SKU and units", field="sku", row=line.event_id)
    known = known_skus(call.connection, {line.sku})
    if line.sku not in known:
        raise UnknownSku(
            f"no SKU {line.sku!r}",
            field="sku",
            row=line.sku,
            remedy="a task was opened: add the SKU, then post the line from there",
        )
    cell = (line.location, known[line.sku])
    device = line.device or call.principal.device
    stamp = Stamp(at, call.now, actor, device, line.basket)
    shelves = Shelves.read(call.connection, [cell], since=at)
    back = row(
        MovementKind.CUSTOMER_RETURN,
        stamp,
        line.event_id,
        cell[1],
        "CUSTOMER",
        line.location,
        line.quantity,
        lot=line.lot,
        condition=line.condition,
    )
    shelves.put(back, line.event_id)
    post(call.connection, shelves.rows, listeners=call.settings.stock_listeners)
    if line.unit_price_cents:
        value = {
            "movement_id": line.event_id,
            "unit_price_cents": line.unit_price_cents,
            "basket": line.basket,
        }
        call.connection.execute(insert(SALE_VALUES), [value])
    return {"movement_id": line.event_id, "sku": cell[1]}


def _void(call: Call, line: TillReturn, actor: str) -> dict[str, Any]:
    """The exact opposite of each movement of the voided sale line."""
    sold = _sold(call.connection, line)
    new = [
        reverse_movement(
            call.connection,
            movement,
            actor=actor,
            now=call.now,
            undo_s=call.settings.undo_s,
            # The till is the one who sold; its operator is known to the till alone.
            is_manager=True,
            listeners=call.settings.stock_listeners,
        )
        for movement in sold
    ]
    return {"movement_id": new[0], "voids": line.of}


def _sold(connection: Connection, line: TillReturn) -> list[str]:
    """Movements of the sale line: one for each lot it was taken from."""
    m = MOVEMENTS.c
    first = connection.execute(
        select(m.sku, m.kind, m.from_location, m.recorded_at).where(m.movement_id == line.of)
    ).first()
    if first is None or first.from_location != line.location:
        raise unknown_document(line.of)
    if first.kind != MovementKind.SELL:
        raise StateInvalid(
            "this is no sale",
            field="of",
            row=line.of,
            facts={"document": line.of, "state": MovementKind(first.kind).name.lower()},
        )
    lots = connection.execute(
        select(m.lot).where(
            m.sku == first.sku,
            m.from_location == line.location,
            m.kind == int(MovementKind.SELL),
            m.recorded_at == first.recorded_at,
        )
    )
    names = [line.of, *sorted({derived_id(line.of, "lot", one.lot) for one in lots})]
    found = connection.execute(select(m.movement_id).where(m.movement_id.in_(names)))
    there = {one.movement_id for one in found}
    return [name for name in names if name in there]
