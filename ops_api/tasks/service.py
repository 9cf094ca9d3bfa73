"""Opening and closing tasks."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select, update

from ops_api.ledger.rows import derived_id
from ops_api.tasks.tables import TASKS

COUNT = "count"
OVER_SHORT = "difference"
PARKED = "parked"
RESERVATION_SHORT = "reservation_short"
LOT_SOLD = "lot_sold"
"""A till sold from a lot that is on hold or expired; the document is the lot."""
SERIAL_ODD = "serial_elsewhere"
"""A till sold a serial that the book has elsewhere; the document is the serial."""
RECALL = "recall"
"""Take a recalled lot off the shelf; the document is the lot."""


@dataclass(frozen=True)
class TaskDraft:
    """A task to open; a second one for the same thing while it is open changes nothing."""

    kind: str
    location: str
    sku: str = ""
    document_id: str = ""
    payload: dict[str, Any] = field(default_factory=dict)

    @property
    def open_for(self) -> str:
        """What there may be only one open task for."""
        return "|".join((self.kind, self.location, self.sku, self.document_id))


def open_tasks(connection: Connection, drafts: Iterable[TaskDraft], *, at: int, cause: str) -> int:
    """Open those that are not open yet; returns how many are new.

    Parameters
    ----------
    cause : the event or key the tasks follow from; their ids are derived from it
    """
    wanted = {draft.open_for: draft for draft in drafts}
    if not wanted:
        return 0
    known = connection.execute(select(TASKS.c.open_for).where(TASKS.c.open_for.in_(list(wanted))))
    for row in known:
        wanted.pop(row.open_for)
    if wanted:
        connection.execute(
            insert(TASKS),
            [
                {
                    "id": "T-" + derived_id("task", cause, name)[:18],
                    "kind": draft.kind,
                    "state": "open",
                    "location": draft.location,
                    "sku": draft.sku,
                    "document_id": draft.document_id,
                    "created_at": at,
                    "closed_at": None,
                    "closed_by": "",
                    "payload": json.dumps(draft.payload, ensure_ascii=False, sort_keys=True),
                    "open_for": name,
                }
                for name, draft in wanted.items()
            ],
        )
    return len(wanted)


def close_tasks(
    connection: Connection, drafts: Iterable[TaskDraft], *, at: int, actor: str
) -> None:
    """Close the open tasks for these things, as what was asked has been done."""
    names = [draft.open_for for draft in drafts]
    if names:
        connection.execute(
            update(TASKS)
            .where(TASKS.c.open_for.in_(names))
            .values(state="done", closed_at=at, closed_by=actor, open_for=None)
        )
