"""Posting of sales: one transaction for the lines of one or many requests, an answer for each.

On PostgreSQL four statements, however many lines there are: what is known and the ends of
the chains (locked); the shelves (locked); all rows; the safety lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, update

from ops_api.bulk import Piece, among, insert_rows, inserted
from ops_api.errors import IdempotencyMismatch, SiteDenied
from ops_api.ledger.chain import AUDIT_FIELDS, Heads, head_pieces, link_rows, read_heads
from ops_api.ledger.clocks import check_not_ahead, is_too_old
from ops_api.ledger.rows import Row, Stamp
from ops_api.ledger.schema import AUDIT, IDEMPOTENCY, OUTBOX, SALE_VALUES
from ops_api.ledger.serials import serial_of
from ops_api.ledger.shelf import Shelves, shrink_reservations
from ops_api.ledger.write import audit_row, outbox_row, post
from ops_api.lots.rules import day_in
from ops_api.masterdata.service import time_zone
from ops_api.sales.known import Known
from ops_api.sales.lines import Job, LineResult, Poster, Sale, answer_line, refused
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
class _Good:
    """A sale that will be posted, the id of its SKU, and the number of its request."""

    sale: Sale
    sku: str
    job: int


def post_sales(
    connection: Connection, sales: list[Sale], poster: Poster, *, force: bool = False
) -> list[LineResult]:
    """Post the new ones of `sales`; answers in the order given.

    Parameters
    ----------
    force : these were parked and a person has approved them: post them, whatever their age
    """
    return post_jobs(connection, [Job(sales, poster)], force=force)[0]


def post_jobs(
    connection: Connection, jobs: Sequence[Job], *, force: bool = False
) -> list[list[LineResult]]:
    """Post the new lines of several requests at once; no two may share an event id.

    Raises
    ------
    StoretwinError
        Only where the whole transaction can't be; what is wrong with a line is its answer.
    """
    known = Known.read(connection, jobs)
    answers: list[dict[int, LineResult]] = [{} for _ in jobs]
    good: list[_Good] = []
    for number, job in enumerate(jobs):
        fresh = job.sales if force else _new_ones(job.sales, known, answers[number])
        parked: list[tuple[Sale, StoretwinError | None]] = []
        for sale in fresh:
            _sort(sale, job.poster, known, answers[number], good, parked, number, force=force)
        _park(connection, parked, job.poster, answers[number])
        _refuse_twins(fresh, job.sales, answers[number])
    if force:
        _posted_after_all(connection, [item.sale.event_id for item in good])
    if good:
        # One piece for all requests: a statement's text must not depend on their number.
        keys = [] if force else [_key(item.sale, jobs[item.job].poster, 201) for item in good]
        _write(connection, good, jobs, known.heads, inserted(connection, IDEMPOTENCY, keys))
    return [[mine[sale.row] for sale in job.sales] for mine, job in zip(answers, jobs, strict=True)]


def _sort(
    sale: Sale,
    poster: Poster,
    known: Known,
    answers: dict[int, LineResult],
    good: list[_Good],
    parked: list[tuple[Sale, StoretwinError | None]],
    job: int,
    *,
    force: bool,
) -> None:
    """To the good ones, the parked ones, or to the answers as refused."""
    try:
        _check(sale, known, poster)
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
            good.append(_Good(sale, known.skus[sale.sku], job))
            answers[sale.row] = answer_line(sale, "created")


def _refuse_twins(fresh: list[Sale], sales: list[Sale], answers: dict[int, LineResult]) -> None:
    """What was refused is refused again in the same batch: "duplicate" would say it is there."""
    lost = {
        sale.event_id: answers[sale.row]
        for sale in fresh
        if answers[sale.row]["status"] == "refused"
    }
    for sale in sales if lost else ():
        if sale.event_id in lost and answers[sale.row]["status"] == "duplicate":
            answers[sale.row] = lost[sale.event_id] | {"row": sale.row}


def _new_ones(sales: list[Sale], known: Known, answers: dict[int, LineResult]) -> list[Sale]:
    seen = known.keys
    fresh = []
    for sale in sales:
        sha = seen.get(sale.event_id)
        if sha is None:
            seen[sale.event_id] = sale.fingerprint
            fresh.append(sale)
        elif sha == sale.fingerprint:
            answers[sale.row] = answer_line(sale, "duplicate")
        else:
            error = IdempotencyMismatch(
                "this event id came before with other content",
                field="event_id",
                row=sale.row,
                remedy="give every new event a new id",
            )
            answers[sale.row] = refused(sale.row, sale.event_id, error) | {"status": "conflict"}
    return fresh


def _check(sale: Sale, known: Known, poster: Poster) -> None:
    if poster.reach is not None and sale.location not in poster.reach:
        raise SiteDenied(
            f"no sales may be posted at {sale.location} with this log-in",
            field="location",
            row=sale.row,
            remedy="post with a token of that location",
            facts={"location": sale.location},
        )
    if sale.location not in known.places:
        raise UnknownLocation(
            f"no location {sale.location!r}",
            field="location",
            row=sale.row,
            remedy="a task was opened: add the location, then post the line from there",
        )
    if sale.sku not in known.skus:
        raise UnknownSku(
            f"no SKU {sale.sku!r}",
            field="sku",
            row=sale.row,
            remedy="a task was opened: add the SKU, then post the line from there",
        )
    check_not_ahead(sale.occurred_at, poster.now, poster.settings.future_tolerance_s, row=sale.row)


def _write(
    connection: Connection,
    good: list[_Good],
    jobs: Sequence[Job],
    heads: Heads,
    pieces: list[Piece],
) -> None:
    good.sort(key=lambda item: (item.sale.occurred_at, item.sale.device, item.sale.sequence))
    first = good[0].sale
    cells = [(item.sale.location, item.sku) for item in good]
    going: dict[tuple[str, str], int] = {}
    for item, cell in zip(good, cells, strict=True):
        going[cell] = going.get(cell, 0) + item.sale.quantity
    shelves = Shelves.read(connection, going, first.occurred_at, going=going, is_locked=True)
    values = []
    odd: list[TaskDraft] = []
    tz = time_zone(connection) if shelves.lots else "UTC"
    for item, cell in zip(good, cells, strict=True):
        sale, poster = item.sale, jobs[item.job].poster
        device = sale.device or poster.device
        stamp = Stamp(sale.occurred_at, poster.now, poster.actor, device, sale.basket)
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
        if shelves.lots:
            odd += _odd_lots(shelves, sold, tz)
    overrun = shelves.overrun_reservations()
    touched = shrink_reservations(connection, overrun) if overrun else []
    pieces += inserted(connection, SALE_VALUES, values)
    pieces += _told(connection, good, jobs, shelves, heads)
    post(
        connection,
        shelves.rows,
        release=overrun,
        listeners=jobs[0].poster.listeners,
        heads=heads,
        more=pieces,
        near=shelves.near,
    )
    drafts = [TaskDraft(COUNT, place, sku) for place, sku in sorted(shelves.short)]
    drafts += [TaskDraft(RESERVATION_SHORT, key[0], key[1], doc) for doc, key in touched]
    now = jobs[good[0].job].poster.now
    open_tasks(connection, drafts + odd, at=now, cause=first.event_id)


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


def _told(
    connection: Connection,
    good: list[_Good],
    jobs: Sequence[Job],
    shelves: Shelves,
    heads: Heads,
) -> list[Piece]:
    """The audit trail's row of each request, and one for the outbox of each place."""
    mine: dict[int, list[_Good]] = {}
    by_place: dict[str, int] = {}
    for item in good:
        mine.setdefault(item.job, []).append(item)
        by_place[item.sale.location] = by_place.get(item.sale.location, 0) + 1
    trail = []
    for number, items in sorted(mine.items()):
        poster = jobs[number].poster
        places = {item.sale.location for item in items}
        short = shelves.short & {(item.sale.location, item.sku) for item in items}
        trail.append(
            audit_row(
                "sales.post",
                recorded_at=poster.now,
                actor=poster.actor,
                device=poster.device,
                location=places.pop() if len(places) == 1 else "",
                detail={
                    "lines": len(items),
                    "cells_short": len(short),
                    "first": items[0].sale.event_id,
                },
            )
        )
    chains = {row["chain"] for row in trail}
    heads |= read_heads(connection, sorted(chains - heads.keys())) if chains - heads.keys() else {}
    link_rows(trail, AUDIT_FIELDS, heads)
    now = jobs[good[0].job].poster.now
    outbox = [
        outbox_row(
            "sales.posted", {"location": place, "lines": lines}, recorded_at=now, location=place
        )
        for place, lines in sorted(by_place.items())
    ]
    return [
        *inserted(connection, AUDIT, trail),
        *head_pieces(connection, {name: heads[name] for name in chains}),
        *inserted(connection, OUTBOX, outbox),
    ]


def _value(made: Row, sale: Sale) -> dict[str, Any]:
    return {
        "movement_id": made["movement_id"],
        "unit_price_cents": sale.unit_price_cents,
        "basket": sale.basket,
    }


def _key(sale: Sale, poster: Poster, status: int) -> dict[str, Any]:
    """The row that knows the sale's event id from now on."""
    return {
        "key": sale.event_id,
        "body_sha256": sale.fingerprint,
        "actor": poster.actor,
        "recorded_at": poster.now,
        "status": status,
        "answer": "",
    }


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
    insert_rows(connection, IDEMPOTENCY, [_key(sale, poster, 202) for sale, _ in parked])
    for sale, error in parked:
        payload = {"event": "sale", "sale": asdict(sale), "code": error.code if error else "OLD"}
        place = sale.location if not isinstance(error, UnknownLocation) else ""
        draft = TaskDraft(PARKED, place, "", sale.event_id, payload)
        open_tasks(connection, [draft], at=poster.now, cause=sale.event_id)
        answer = refused(sale.row, sale.event_id, error) if error else answer_line(sale, "parked")
        if error is None:
            answer |= {
                "detail": "the event is older than the service accepts by itself",
                "field": "occurred_at",
                "remedy": "a manager can post it from the task",
            }
        answers[sale.row] = answer | {"status": "parked"}
