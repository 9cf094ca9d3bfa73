"""Posting of sales: one transaction for a batch, an answer for each line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, select, update

from ops_api.bulk import among, insert_rows
from ops_api.errors import RETRYABLE, IdempotencyMismatch, SiteDenied
from ops_api.ledger.clocks import check_not_ahead, is_too_old
from ops_api.ledger.idempotency import digest
from ops_api.ledger.rows import Row, Stamp
from ops_api.ledger.schema import IDEMPOTENCY, SALE_VALUES
from ops_api.ledger.serials import serial_of
from ops_api.ledger.shelf import Shelves, shrink_reservations
from ops_api.ledger.write import Posted, StockListener, announce, post, record_audit
from ops_api.lots.rules import day_in
from ops_api.masterdata.queries import known_locations, known_skus
from ops_api.masterdata.service import time_zone
from ops_api.settings import Settings
from ops_api.tasks.service import (
    COUNT,
    LOT_SOLD,
    PARKED,
    RESERVATION_SHORT,
    SERIAL_ODD,
    TaskDraft,
    open_tasks,
)
from policies.domain.errors import StoretwinError, UnknownLocation, UnknownSku
from policies.domain.ledger import MovementKind


@dataclass(frozen=True)
class Sale:
    """One receipt line with its times in whole seconds of UTC since 1970.

    `location` and `sku` are as sent; `row` is the line's number in its batch;
    `claimed_at` is the device's own time, `occurred_at` the same on our clock.
    """

    row: int
    event_id: str
    location: str
    sku: str
    quantity: int
    occurred_at: int
    unit_price_cents: int = 0
    basket: str = ""
    device: str = ""
    sequence: int = 0
    lot: str = ""
    claimed_at: int = 0
    serial: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """What makes two sendings of the same id the same event."""
        return digest(
            self.location,
            self.sku,
            self.quantity,
            self.unit_price_cents,
            self.basket,
            self.device,
            self.sequence,
            self.lot,
            self.claimed_at,
            *([self.serial] if self.serial else []),
        )


@dataclass(frozen=True)
class Poster:
    """Who posts, when, and where they may."""

    actor: str
    device: str
    now: int
    reach: frozenset[str] | None
    settings: Settings
    listeners: tuple[StockListener, ...] = ()


LineResult = dict[str, Any]


def post_sales(
    connection: Connection, sales: list[Sale], poster: Poster, *, force: bool = False
) -> list[LineResult]:
    """Post the new ones of `sales`; answers in the order given.

    Parameters
    ----------
    force : these were parked and a person has approved them: post them, whatever their age
    """
    answers: dict[int, LineResult] = {}
    fresh = sales if force else _new_ones(connection, sales, answers)
    skus = known_skus(connection, {sale.sku for sale in fresh})
    places = known_locations(connection, {sale.location for sale in fresh})
    good: list[tuple[Sale, str]] = []
    parked: list[tuple[Sale, StoretwinError | None]] = []
    for sale in fresh:
        try:
            _check(sale, skus, places, poster)
        except (UnknownSku, UnknownLocation) as error:
            if force:
                raise
            parked.append((sale, error))
        except StoretwinError as error:
            answers[sale.row] = refused(sale.row, sale.event_id, error)
        else:
            old = is_too_old(sale.occurred_at, poster.now, poster.settings.past_tolerance_s)
            if old and not force:
                parked.append((sale, None))
            else:
                good.append((sale, skus[sale.sku]))
                answers[sale.row] = _line(sale, "created")
    if force:
        _posted_after_all(connection, [sale.event_id for sale, _ in good])
    else:
        _remember(connection, [sale for sale, _ in good], poster, status=201)
    _park(connection, parked, poster, answers)
    if good:
        _write(connection, good, poster)
    _refuse_twins(fresh, sales, answers)
    return [answers[sale.row] for sale in sales]


def _refuse_twins(fresh: list[Sale], sales: list[Sale], answers: dict[int, LineResult]) -> None:
    """What was refused is refused again in the same batch: "duplicate" would say it is there."""
    lost = {sale.event_id: answers[sale.row] for sale in fresh}
    lost = {name: line for name, line in lost.items() if line["status"] == "refused"}
    for sale in sales if lost else ():
        if sale.event_id in lost and answers[sale.row]["status"] == "duplicate":
            answers[sale.row] = lost[sale.event_id] | {"row": sale.row}


def _new_ones(
    connection: Connection, sales: list[Sale], answers: dict[int, LineResult]
) -> list[Sale]:
    ids = [sale.event_id for sale in sales]
    rows = connection.execute(
        select(IDEMPOTENCY.c.key, IDEMPOTENCY.c.body_sha256).where(
            among(connection, IDEMPOTENCY.c.key, ids)
        )
    )
    seen = {row.key: row.body_sha256 for row in rows}
    fresh = []
    for sale in sales:
        sha = seen.get(sale.event_id)
        if sha is None:
            seen[sale.event_id] = sale.fingerprint
            fresh.append(sale)
        elif sha == sale.fingerprint:
            answers[sale.row] = _line(sale, "duplicate")
        else:
            error = IdempotencyMismatch(
                "this event id came before with other content",
                field="event_id",
                row=sale.row,
                remedy="give every new event a new id",
            )
            answers[sale.row] = refused(sale.row, sale.event_id, error) | {"status": "conflict"}
    return fresh


def _check(sale: Sale, skus: dict[str, str], places: set[str], poster: Poster) -> None:
    if poster.reach is not None and sale.location not in poster.reach:
        raise SiteDenied(
            f"no sales may be posted at {sale.location} with this log-in",
            field="location",
            row=sale.row,
            remedy="post with a token of that location",
            facts={"location": sale.location},
        )
    if sale.location not in places:
        raise UnknownLocation(
            f"no location {sale.location!r}",
            field="location",
            row=sale.row,
            remedy="a task was opened: add the location, then post the line from there",
        )
    if sale.sku not in skus:
        raise UnknownSku(
            f"no SKU {sale.sku!r}",
            field="sku",
            row=sale.row,
            remedy="a task was opened: add the SKU, then post the line from there",
        )
    check_not_ahead(sale.occurred_at, poster.now, poster.settings.future_tolerance_s, row=sale.row)


def _write(connection: Connection, good: list[tuple[Sale, str]], poster: Poster) -> Posted:
    good = sorted(good, key=lambda item: (item[0].occurred_at, item[0].device, item[0].sequence))
    cells = [(sale.location, sku) for sale, sku in good]
    shelves = Shelves.read(connection, cells, since=good[0][0].occurred_at)
    values = []
    odd: list[TaskDraft] = []
    tz = time_zone(connection) if shelves.lots else "UTC"
    for (sale, _), cell in zip(good, cells, strict=True):
        stamp = Stamp(
            sale.occurred_at, poster.now, poster.actor, sale.device or poster.device, sale.basket
        )
        sold = shelves.take(
            MovementKind.SELL,
            stamp,
            sale.event_id,
            cell,
            "CUSTOMER",
            sale.quantity,
            lot=sale.lot,
            serial=_known_serial(connection, sale, cell, odd) if sale.serial else "",
        )
        values += [_value(made, sale) for made in sold]
        odd += _odd_lots(shelves, sold, tz)
    overrun = shelves.overrun_reservations()
    touched = shrink_reservations(connection, overrun) if overrun else []
    posted = post(connection, shelves.rows, release=overrun, listeners=poster.listeners)
    insert_rows(connection, SALE_VALUES, values)
    cause = good[0][0].event_id
    drafts = [TaskDraft(COUNT, place, sku) for place, sku in sorted(shelves.short)]
    drafts += [TaskDraft(RESERVATION_SHORT, key[0], key[1], doc) for doc, key in touched]
    open_tasks(connection, drafts + odd, at=poster.now, cause=cause)
    _tell(connection, good, poster, found=len(shelves.short))
    return posted


def _known_serial(
    connection: Connection, sale: Sale, cell: tuple[str, str], odd: list[TaskDraft]
) -> str:
    """The serial where the book has it here; else the sale is recorded without, with a task."""
    found = serial_of(connection, cell[1], sale.serial)
    if found is not None and found.location == cell[0] and sale.quantity == 1:
        return sale.serial
    odd.append(TaskDraft(SERIAL_ODD, cell[0], cell[1], sale.serial))
    return ""


def _odd_lots(shelves: Shelves, sold: list[Row], tz: str) -> list[TaskDraft]:
    """A till's sale is never refused: one of a held or expired lot opens a task."""
    out = []
    for made in sold:
        if not made["lot"]:
            continue
        expires_on, on_hold = shelves.lots.get((made["sku"], made["lot"]), (None, False))
        over = expires_on is not None and expires_on < day_in(tz, made["occurred_at"])
        if on_hold or over:
            out.append(TaskDraft(LOT_SOLD, made["from_location"], made["sku"], made["lot"]))
    return out


def _tell(
    connection: Connection, good: list[tuple[Sale, str]], poster: Poster, *, found: int
) -> None:
    by_place: dict[str, int] = {}
    for sale, _ in good:
        by_place[sale.location] = by_place.get(sale.location, 0) + 1
    record_audit(
        connection,
        "sales.post",
        recorded_at=poster.now,
        actor=poster.actor,
        device=poster.device,
        location=next(iter(by_place)) if len(by_place) == 1 else "",
        detail={"lines": len(good), "cells_short": found, "first": good[0][0].event_id},
    )
    for place, lines in sorted(by_place.items()):
        announce(
            connection,
            "sales.posted",
            {"location": place, "lines": lines},
            recorded_at=poster.now,
            location=place,
        )


def _value(made: Row, sale: Sale) -> dict[str, Any]:
    return {
        "movement_id": made["movement_id"],
        "unit_price_cents": sale.unit_price_cents,
        "basket": sale.basket,
    }


def _remember(
    connection: Connection, sales: Iterable[Sale], poster: Poster, *, status: int
) -> None:
    rows = [
        {
            "key": sale.event_id,
            "body_sha256": sale.fingerprint,
            "actor": poster.actor,
            "recorded_at": poster.now,
            "status": status,
            "answer": "",
        }
        for sale in sales
    ]
    insert_rows(connection, IDEMPOTENCY, rows)


def _posted_after_all(connection: Connection, keys: list[str]) -> None:
    """Parked ids become posted ones; one that was posted meanwhile ends the transaction."""
    changed = connection.execute(
        update(IDEMPOTENCY)
        .where(among(connection, IDEMPOTENCY.c.key, keys), IDEMPOTENCY.c.status == 202)
        .values(status=201)
    )
    if changed.rowcount != len(keys):
        raise IdempotencyMismatch("this sale is posted already", field="event_id")


def _park(
    connection: Connection,
    parked: list[tuple[Sale, StoretwinError | None]],
    poster: Poster,
    answers: dict[int, LineResult],
) -> None:
    _remember(connection, (sale for sale, _ in parked), poster, status=202)
    for sale, error in parked:
        payload = {"event": "sale", "sale": asdict(sale), "code": error.code if error else "OLD"}
        place = sale.location if not isinstance(error, UnknownLocation) else ""
        draft = TaskDraft(PARKED, place, "", sale.event_id, payload)
        open_tasks(connection, [draft], at=poster.now, cause=sale.event_id)
        answer = refused(sale.row, sale.event_id, error) if error else _line(sale, "parked")
        if error is None:
            answer |= {
                "detail": "the event is older than the service accepts by itself",
                "field": "occurred_at",
                "remedy": "a manager can post it from the task",
            }
        answers[sale.row] = answer | {"status": "parked"}


def _line(sale: Sale, status: str) -> LineResult:
    return {"row": sale.row, "event_id": sale.event_id, "status": status}


def refused(row: int, event_id: str | None, error: StoretwinError) -> LineResult:
    """Answer for a line that was not recorded."""
    return {
        "row": row,
        "event_id": event_id,
        "status": "refused",
        "code": error.code,
        "detail": error.detail,
        "field": error.field,
        "remedy": error.remedy,
        "retryable": error.code in RETRYABLE,
    }


def summary(lines: list[LineResult]) -> dict[str, Any]:
    """Counts by status, and the lines."""
    counts: dict[str, int] = {}
    for line in lines:
        counts[line["status"]] = counts.get(line["status"], 0) + 1
    return {"counts": counts, "lines": lines}


def payload_sale(text: str) -> Sale:
    """The sale in a parked task's payload."""
    return Sale(**json.loads(text)["sale"])
