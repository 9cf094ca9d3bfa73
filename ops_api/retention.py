"""What is only kept for a while: read out, sent or asked again, then removed in small steps.

Facts stay: movements, the audit trail and documents are never removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, exists, select, tuple_

from ops_api.database import reading, write_with_retry
from ops_api.ledger.schema import IDEMPOTENCY, OUTBOX
from ops_api.webhooks.tables import DELIVERIES
from ops_api.workbooks.tables import IMPORTS
from policies.domain.errors import InvalidInput

_DAY_S = 86_400
_STEP = 2_000
"""Rows of one transaction: no writer waits long."""
_LEAST_KEYS = 30


@dataclass(frozen=True)
class Retention:
    """Days that each kind of row is kept.

    Attributes
    ----------
    messages : delivered webhook messages, and those given up
    keys : answers to idempotency keys; a device that sends again later is told nothing new
    files : workbooks that people sent in, with the answers beside the rows
    """

    messages: int = 30
    keys: int = 90
    files: int = 365

    def __post_init__(self) -> None:
        for name, least in (("messages", 1), ("keys", _LEAST_KEYS), ("files", 1)):
            if getattr(self, name) < least:
                raise InvalidInput(
                    f"{getattr(self, name)} days", field=name, remedy=f"{least} days or more"
                )


def prune(engine: Engine, keep: Retention, now: int) -> dict[str, int]:
    """Remove what is older than `keep` says; rows removed of each table.

    Interrupted, it goes on where it stood. What still waits for a receiver stays.

    Parameters
    ----------
    now : int, seconds of UTC since 1970
    """
    d, o = DELIVERIES.c, OUTBOX.c
    sent = now - keep.messages * _DAY_S
    waits = exists().where(d.seq == o.seq, d.state == "waiting")
    jobs: list[tuple[Table, ColumnElement[bool]]] = [
        (DELIVERIES, (d.state != "waiting") & (d.done_at < sent)),
        (OUTBOX, (o.delivered_at < sent) & ~waits),
        (IDEMPOTENCY, IDEMPOTENCY.c.recorded_at < now - keep.keys * _DAY_S),
        (IMPORTS, IMPORTS.c.recorded_at < now - keep.files * _DAY_S),
    ]
    return {table.name: _sweep(engine, table, old) for table, old in jobs}


def _sweep(engine: Engine, table: Table, old: ColumnElement[bool]) -> int:
    """Walk the table once by its key and remove what is old."""
    key = tuple_(*table.primary_key.columns)
    last: tuple[Any, ...] | None = None
    removed = 0
    while True:
        wanted = select(*table.primary_key.columns).where(old)
        if last is not None:
            wanted = wanted.where(key > last)
        page = wanted.order_by(*table.primary_key.columns).limit(_STEP)
        with reading(engine) as connection:
            found = [tuple(row) for row in connection.execute(page)]
        if not found:
            return removed
        last = found[-1]

        def step(connection: Connection, rows: list[tuple[Any, ...]] = found) -> int:
            # Asked once more: a message may have been put back in between.
            return int(connection.execute(delete(table).where(key.in_(rows), old)).rowcount)

        removed += write_with_retry(engine, step)
