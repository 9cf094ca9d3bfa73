"""A phone's outbox: facts, each answered, each effective once."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import Connection, select, update

from ops_api.clock import epoch
from ops_api.counts.service import Counted, create_count, submit
from ops_api.ledger.chain import lock_chains
from ops_api.ledger.clocks import check_not_ahead, clock_offset, is_too_old
from ops_api.ledger.idempotency import Keyed, digest, run_keyed
from ops_api.ledger.reversal import reverse_movement
from ops_api.ledger.rows import derived_id
from ops_api.ledger.schema import IDEMPOTENCY
from ops_api.lots.rules import Dated
from ops_api.masterdata.queries import known_skus
from ops_api.masterdata.service import require_location
from ops_api.sales.lines import refused, summary
from ops_api.sales.schemas import BatchAnswer
from ops_api.tasks.service import PARKED, TaskDraft, open_tasks
from ops_api.transfers.arrivals import Arrival, receive
from ops_api.transfers.documents import Act
from ops_api.transfers.tables import TRANSFERS
from ops_api.transfers.takeback import is_receipt, take_back
from ops_api.web.body import LineBatch, Strict
from ops_api.web.fields import EventId, Identifier, Lot, Moment, OptionalId, Sequence, UnitsOrNone
from ops_api.web.registry import Call, Endpoint, Registry, Rows, unknown_document
from ops_api.writeoffs.service import Disposal, draft, limits_of, post_write_off
from policies.domain.errors import InvalidInput, StoretwinError, UnknownSku

# Facts that a closed document or missing master data keeps out: they wait as tasks.
_PARKED = frozenset({"STATE_INVALID", "SKU_UNKNOWN"})


class Event(Strict):
    """One deed on a phone. What each kind needs: ``receive`` a transfer, ``write_off`` a
    reason, ``undo`` the event it takes back.
    """

    event_id: EventId
    kind: Literal["receive", "count", "write_off", "undo"]
    occurred_at: Moment
    location: Identifier
    device: OptionalId = ""
    sequence: Sequence = 0
    sku: OptionalId = ""
    quantity: UnitsOrNone = 0
    transfer_id: OptionalId = ""
    reason: OptionalId = ""
    of: OptionalId = ""
    lot: Lot = ""


class Events(LineBatch):
    """At most 500 events in the order they happened; `sent_at` is the phone's clock."""

    lines: Annotated[list[Event], Field(min_length=1, max_length=500, alias="events")]
    sent_at: Moment | None = None


def register(registry: Registry) -> None:
    """Add the phone's outbox."""
    registry.add(
        Endpoint(
            name="events_batch",
            method="POST",
            path="/events:batch",
            permission="events.post",
            scope=Rows(),
            handler=events_batch,
            statuses=(200,),
            answer=BatchAnswer,
            body=Events,
            writes=True,
        )
    )


def events_batch(call: Call) -> dict[str, Any]:
    """Record a phone's events, one by one; a bad one never sinks the rest."""
    batch: Events = call.body
    offset = clock_offset(batch.sent_at, call.now)
    lock_chains(call.connection, (event.location for _, event in batch.numbered()))
    lines = [_one(call, row, event, offset) for row, event in batch.numbered()]
    lines += [refused(row, None, error) for row, error in batch.faults.items()]
    return summary(sorted(lines, key=lambda line: int(line["row"])))


def _one(call: Call, row: int, event: Event, offset: int) -> dict[str, Any]:
    at = epoch(event.occurred_at) + offset
    # A retry may carry another sending clock: what happened is the same.
    # What older phones never sent is left out, so that their retries stay the same event.
    left_out = {"occurred_at"} | ({"lot"} if not event.lot else set())
    sha = digest(event.model_dump(mode="json", exclude=left_out))
    try:
        if call.reach is not None and event.location not in call.reach:
            raise unknown_document(event.location)
        check_not_ahead(at, call.now, call.settings.future_tolerance_s, row)

        def work() -> tuple[int, dict[str, Any]]:
            return _do_or_park(call, event, at)

        done: Keyed = run_keyed(
            call.connection,
            event.event_id,
            sha,
            actor=call.principal.person,
            recorded_at=call.now,
            work=work,
        )
    except StoretwinError as error:
        out = refused(row, event.event_id, error)
        return out | ({"status": "conflict"} if error.code == "IDEMPOTENCY_MISMATCH" else {})
    if done.refusal is not None:
        return refused(row, event.event_id, done.refusal)
    status = "duplicate" if done.replayed else done.answer.get("status", "created")
    return {"row": row, "event_id": event.event_id, "status": status, "answer": done.answer}


def _do_or_park(call: Call, event: Event, at: int) -> tuple[int, dict[str, Any]]:
    """Record what happened; what the books can't take yet waits for a person, never lost."""
    require_location(call.connection, event.location)
    actor, device = call.principal.person, event.device or call.principal.device
    code = "OLD"
    if not is_too_old(at, call.now, call.settings.past_tolerance_s):
        nested = call.connection.begin_nested()
        try:
            answer = _do(call, event, _act(call, actor, device, at))
        except StoretwinError as error:
            nested.rollback()
            if error.code not in _PARKED:
                raise
            code = error.code
        else:
            nested.commit()
            return 200, answer
    payload = {
        "event": event.kind,
        "body": json.loads(event.model_dump_json(by_alias=True)),
        "at": at,
        "actor": actor,
        "device": device,
        "code": code,
    }
    task = TaskDraft(PARKED, event.location, event.sku, event.event_id, payload)
    open_tasks(call.connection, [task], at=call.now, cause=event.event_id)
    return 202, {"status": "parked", "code": code}


def post_parked(call: Call, payload: dict[str, Any]) -> dict[str, Any]:
    """Post a parked event after all, as the deed of whoever did it.

    Raises
    ------
    StoretwinError
        Whatever still stands in the way; the task stays open.
    """
    event = Event.model_validate_json(json.dumps(payload["body"]))
    act = _act(call, payload["actor"], payload["device"], payload["at"])
    answer = _do(call, event, act)
    call.connection.execute(
        update(IDEMPOTENCY).where(IDEMPOTENCY.c.key == event.event_id).values(status=200)
    )
    return answer


def _act(call: Call, actor: str, device: str, at: int) -> Act:
    return Act(actor, at, call.now, device, call.settings.stock_listeners)


def _do(call: Call, event: Event, act: Act) -> dict[str, Any]:
    connection = call.connection
    if event.kind == "undo":
        return _undo(call, event, act)
    sku = _sku(connection, event)
    if event.kind == "receive":
        if not connection.execute(
            select(TRANSFERS.c.id).where(
                TRANSFERS.c.id == event.transfer_id, TRANSFERS.c.destination == event.location
            )
        ).first():
            raise unknown_document(event.transfer_id)
        arrival = Arrival(event.event_id, sku, event.quantity, dated=Dated(event.lot))
        return receive(connection, event.transfer_id, [arrival], act, accepts_over=True)
    if event.kind == "count":
        document = "CT-" + derived_id(event.event_id)[:13]
        create_count(connection, document, event.location, event.reason or "shelf", act)
        counted = Counted(event.event_id, sku, event.quantity)
        return submit(connection, document, [counted], act)
    return _write_off(call, event, sku, act)


def _write_off(call: Call, event: Event, sku: str, act: Act) -> dict[str, Any]:
    document = "WO-" + derived_id(event.event_id)[:13]
    goods = Disposal(event.location, sku, event.quantity, event.reason, lot=event.lot)
    worth = draft(call.connection, document, goods, act)
    small = worth <= call.settings.write_off_limit_cents
    if small and call.principal.can("writeoff.post", event.location):
        post_write_off(
            call.connection,
            document,
            act,
            limits=limits_of(call.settings),
            may_exceed=False,
        )
        return {"id": document, "state": "posted"}
    return {"id": document, "state": "draft"}


def _undo(call: Call, event: Event, act: Act) -> dict[str, Any]:
    """Take back one's own event of the last ten minutes."""
    if is_receipt(call.connection, event.of):
        return take_back(call.connection, event.of, act, call.settings.undo_s)
    new = reverse_movement(
        call.connection,
        event.of,
        actor=act.actor,
        now=call.now,
        undo_s=call.settings.undo_s,
        is_manager=False,
        listeners=call.settings.stock_listeners,
    )
    return {"movement_id": new, "reverses": event.of}


def _sku(connection: Connection, event: Event) -> str:
    if not event.sku:
        raise InvalidInput("the event names no SKU", field="sku", row=event.event_id)
    found = known_skus(connection, {event.sku})
    if event.sku not in found:
        raise UnknownSku(f"no SKU {event.sku!r}", field="sku", row=event.sku)
    return found[event.sku]
