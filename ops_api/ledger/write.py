"""The one way into the ledger: movements, balances, audit and outbox in one transaction.

Balance rows are changed in sorted key order by a conditional UPDATE (out) or an upsert
(in); nothing is read, computed and written back, so two writers can't lose an update.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ops_api.errors import InsufficientStock
from ops_api.ledger.chain import AUDIT_FIELDS, MOVEMENT_FIELDS, append_links
from ops_api.ledger.periods import mark_late
from ops_api.ledger.rows import ACTUAL, Row, has_balance, is_transit
from ops_api.ledger.schema import AUDIT, BALANCES, MOVEMENTS, OUTBOX
from ops_api.ledger.serials import place_serials

Key = tuple[str, str, str, str]
"""(location, sku, lot, condition) of a balance row."""

StockListener = Callable[[Connection, "Posted"], None]
"""Called inside the transaction after balances changed; must not block."""


@dataclass
class Posted:
    """What one write did to the book.

    Attributes
    ----------
    changed : dict of (location, sku) to int, net change of good and damaged stock
    recorded_at : int, whole seconds of UTC since 1970
    """

    recorded_at: int
    changed: dict[tuple[str, str], int] = field(default_factory=dict)


def balance_changes(rows: Iterable[Row]) -> dict[Key, int]:
    """Net change of each balance row. Goods in transit have one condition: good."""
    out: dict[Key, int] = {}
    for row in rows:
        if row["run_id"] != ACTUAL or row["visibility"] != 0:
            continue
        for place, sign in ((row["from_location"], -1), (row["to_location"], 1)):
            if has_balance(place):
                condition = "good" if is_transit(place) else row["condition"]
                key = (place, row["sku"], row["lot"], condition)
                out[key] = out.get(key, 0) + sign * row["quantity"]
    return out


def post(
    connection: Connection,
    rows: Sequence[Row],
    *,
    release: dict[Key, int] | None = None,
    listeners: Sequence[StockListener] = (),
) -> Posted:
    """Write movements and move balances.

    Parameters
    ----------
    release : units per balance row whose reservation ends with this write

    Raises
    ------
    InsufficientStock
        More goes out of a balance row than is free there; the transaction must end.
    SerialElsewhere
        A serial is not where its row takes it from.
    """
    if not rows:
        return Posted(0)
    append_links(connection, rows, MOVEMENT_FIELDS)
    connection.execute(insert(MOVEMENTS), list(rows))
    place_serials(connection, rows)
    mark_late(connection, rows)
    changes = balance_changes(rows)
    move_balances(connection, changes, release or {})
    posted = Posted(rows[0]["recorded_at"])
    for (place, sku, _lot, _condition), difference in changes.items():
        if not is_transit(place) and difference:
            cell = (place, sku)
            posted.changed[cell] = posted.changed.get(cell, 0) + difference
    for listener in listeners:
        listener(connection, posted)
    return posted


_TAKE = (
    update(BALANCES)
    .where(
        BALANCES.c.location == bindparam("b_location"),
        BALANCES.c.sku == bindparam("b_sku"),
        BALANCES.c.lot == bindparam("b_lot"),
        BALANCES.c.condition == bindparam("b_condition"),
        BALANCES.c.reserved >= bindparam("b_release"),
        BALANCES.c.on_hand - BALANCES.c.reserved + bindparam("b_release") >= bindparam("b_out"),
    )
    .values(
        on_hand=BALANCES.c.on_hand - bindparam("b_out"),
        reserved=BALANCES.c.reserved - bindparam("b_release"),
    )
)


def move_balances(connection: Connection, changes: dict[Key, int], release: dict[Key, int]) -> None:
    """Apply net changes in sorted key order."""
    out = []
    come_in = []
    for key in sorted({*changes, *release}):
        difference, freed = changes.get(key, 0), release.get(key, 0)
        if difference < 0 or freed:
            out.append((key, max(-difference, 0), freed))
        if difference > 0:
            come_in.append((key, difference))
    if out:
        _take(connection, out)
    if come_in:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(BALANCES)
        statement = statement.on_conflict_do_update(
            index_elements=["location", "sku", "lot", "condition"],
            set_={"on_hand": BALANCES.c.on_hand + statement.excluded.on_hand},
        )
        connection.execute(
            statement,
            [
                {"location": k[0], "sku": k[1], "lot": k[2], "condition": k[3], "on_hand": q}
                for k, q in come_in
            ],
        )


def _take(connection: Connection, out: list[tuple[Key, int, int]]) -> None:
    parameters = [
        {
            "b_location": key[0],
            "b_sku": key[1],
            "b_lot": key[2],
            "b_condition": key[3],
            "b_out": quantity,
            "b_release": freed,
        }
        for key, quantity, freed in out
    ]
    nested = connection.begin_nested()
    if connection.execute(_TAKE, parameters).rowcount == len(out):
        nested.commit()
        return
    # Back to what was before, to say which row is short and what is free there.
    nested.rollback()
    for key, quantity, freed in out:
        on_hand, reserved = balance(connection, key)
        free = on_hand - reserved + freed
        if reserved < freed or free < quantity:
            raise InsufficientStock(
                f"{key[0]} has {free} free of SKU {key[1]}, {quantity} were asked",
                field="quantity",
                row=key[1],
                remedy=f"take at most {free}, or count the shelf if more lie there",
                facts={"location": key[0], "sku": key[1], "free": free, "wanted": quantity},
            )
    raise InsufficientStock("stock is not free", field="quantity", remedy="look at the stock again")


def balance(connection: Connection, key: Key) -> tuple[int, int]:
    """(on hand, reserved) of one balance row."""
    found = connection.execute(
        select(BALANCES.c.on_hand, BALANCES.c.reserved).where(
            BALANCES.c.location == key[0],
            BALANCES.c.sku == key[1],
            BALANCES.c.lot == key[2],
            BALANCES.c.condition == key[3],
        )
    ).first()
    return (int(found.on_hand), int(found.reserved)) if found else (0, 0)


def reserve(connection: Connection, key: Key, quantity: int) -> bool:
    """Promise `quantity` of a balance row; False where less is free."""
    statement = (
        update(BALANCES)
        .where(
            BALANCES.c.location == key[0],
            BALANCES.c.sku == key[1],
            BALANCES.c.lot == key[2],
            BALANCES.c.condition == key[3],
            BALANCES.c.on_hand - BALANCES.c.reserved >= quantity,
        )
        .values(reserved=BALANCES.c.reserved + quantity)
    )
    return connection.execute(statement).rowcount == 1


def record_audit(
    connection: Connection,
    action: str,
    *,
    recorded_at: int,
    actor: str,
    device: str = "",
    location: str = "",
    subject: str = "",
    detail: dict[str, Any] | None = None,
) -> None:
    """One row of the audit trail, linked to the one before it at the same location."""
    row = {
        "recorded_at": recorded_at,
        "actor": actor,
        "device": device,
        "action": action,
        "location": location,
        "subject": subject,
        "detail": json.dumps(detail or {}, sort_keys=True, ensure_ascii=False),
        "chain": f"audit:{location}",
    }
    append_links(connection, [row], AUDIT_FIELDS)
    connection.execute(insert(AUDIT), [row])


def announce(
    connection: Connection,
    topic: str,
    payload: dict[str, Any],
    *,
    recorded_at: int,
    location: str = "",
) -> None:
    """One outbox row: what others shall hear, exactly if the transaction commits."""
    connection.execute(
        insert(OUTBOX),
        [
            {
                "topic": topic,
                "location": location,
                "recorded_at": recorded_at,
                "payload": json.dumps(payload, sort_keys=True, ensure_ascii=False),
            }
        ],
    )
