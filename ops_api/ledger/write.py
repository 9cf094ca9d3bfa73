"""The one way into the ledger: movements, balances, audit and outbox in one transaction.

Balance rows are changed in sorted key order by a conditional UPDATE (out) or an upsert
(in); nothing is read, computed and written back, so two writers can't lose an update.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from ops_api.bulk import Piece, arrays, columns_of, inserted, write_pieces
from ops_api.errors import InsufficientStock
from ops_api.ledger.chain import (
    AUDIT_FIELDS,
    MOVEMENT_FIELDS,
    Heads,
    append_links,
    head_pieces,
    link_rows,
    read_heads,
)
from ops_api.ledger.periods import mark_late
from ops_api.ledger.rows import ACTUAL, Row, has_balance, is_transit
from ops_api.ledger.schema import AUDIT, BALANCES, MOVEMENTS, OUTBOX
from ops_api.ledger.serials import place_serials
from ops_api.wire import tell

Key = tuple[str, str, str, str]
"""(location, sku, lot, condition) of a balance row."""

StockListener = Callable[[Connection, "Posted"], None]
"""Called inside the transaction after balances changed; must not block."""


@dataclass
class Posted:
    """Where one write changed the book, or what of it is for sale.

    Attributes
    ----------
    recorded_at : int, whole seconds of UTC since 1970
    cells : the (location, sku) with another stock, or with a lot that was held or freed
    near : the only (location, sku) that may have crossed their safety line; None: any
    """

    recorded_at: int
    cells: Collection[tuple[str, str]]
    near: Collection[tuple[str, str]] | None = None


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
    heads: Heads | None = None,
    more: Sequence[Piece] = (),
    near: Collection[tuple[str, str]] | None = None,
) -> None:
    """Write movements and move balances.

    Parameters
    ----------
    release : units per balance row whose reservation ends with this write
    heads : locked ends of the rows' chains, where they are read already; moved on here
    more : what else is written with the rows, in the same statement
    near : for the listeners, see :class:`Posted`

    Raises
    ------
    InsufficientStock
        More goes out of a balance row than is free there; the transaction must end.
    SerialElsewhere
        A serial is not where its row takes it from.
    """
    if not rows:
        return
    chains = sorted({row["chain"] for row in rows})
    if heads is None:
        heads = read_heads(connection, chains)
    link_rows(rows, MOVEMENT_FIELDS, heads)
    place_serials(connection, rows)
    mark_late(connection, rows)
    ends = {name: heads[name] for name in chains}
    pieces = [
        *inserted(connection, MOVEMENTS, rows),
        *head_pieces(connection, ends),
        *more,
    ]
    changes = balance_changes(rows)
    move_balances(connection, changes, release or {}, pieces)
    net: dict[tuple[str, str], int] = {}
    for (place, sku, _lot, _condition), difference in changes.items():
        if not is_transit(place):
            net[place, sku] = net.get((place, sku), 0) + difference
    cells = [cell for cell, difference in net.items() if difference]
    hear(connection, listeners, Posted(rows[0]["recorded_at"], cells, near))


def hear(connection: Connection, listeners: Sequence[StockListener], posted: Posted) -> None:
    """Each listener looks at what was changed, in the transaction that changed it."""
    for listener in listeners:
        listener(connection, posted)


def move_balances(
    connection: Connection,
    changes: dict[Key, int],
    release: dict[Key, int],
    pieces: Sequence[Piece] = (),
) -> None:
    """Apply net changes in sorted key order.

    Parameters
    ----------
    pieces : what is written with it, in the same statement where the database can
    """
    out = []
    come_in = []
    for key in sorted({*changes, *release}):
        difference, freed = changes.get(key, 0), release.get(key, 0)
        if difference < 0 or freed:
            out.append((key, max(-difference, 0), freed))
        if difference > 0:
            come_in.append(dict(zip(_UPSERTED, (*key, difference), strict=True)))
    taken = []
    if out and connection.dialect.name == "postgresql":
        rows = [dict(zip(_TAKEN, (*key, units, freed), strict=True)) for key, units, freed in out]
        taken = [(_TAKE_ARRAYS, columns_of(rows, _TAKEN))]
    brought = inserted(
        connection,
        BALANCES,
        come_in,
        _UPSERTED[:-1],
        "on_hand = balances.on_hand + excluded.on_hand",
    )
    if out and not taken:
        _take_singly(connection, out)
    # A row that loses its reservation and gains stock can't be changed twice in one statement.
    apart = bool(release and brought)
    done = write_pieces(connection, [*taken, *pieces, *([] if apart else brought)])
    if taken and done[0] != len(out):
        _refuse(connection, out)
    if apart:
        write_pieces(connection, brought)


_UPSERTED = ("location", "sku", "lot", "condition", "on_hand")
_TAKEN = ("location", "sku", "lot", "condition", "out", "freed")
# Rows are locked in key order before any is changed, whatever plan the join gets. All are
# lowered or none, so that after a refusal the rows still say what is free.
_TAKE_ARRAYS = f"""
UPDATE balances b SET on_hand = b.on_hand - t.out, reserved = b.reserved - t.freed
FROM (
    WITH t AS MATERIALIZED (
        SELECT * FROM unnest({arrays(BALANCES, _TAKEN[:4])}, %s::bigint[], %s::bigint[])
            AS t({", ".join(_TAKEN)})
    ), locked AS MATERIALIZED (
        SELECT t.*, b.on_hand, b.reserved FROM balances b
        JOIN t USING (location, sku, lot, condition)
        ORDER BY 1, 2, 3, 4 FOR UPDATE OF b
    )
    SELECT * FROM locked WHERE (SELECT count(*) FROM t) = (
        SELECT count(*) FROM locked l
        WHERE l.reserved >= l.freed AND l.on_hand - l.reserved + l.freed >= l.out
    )
) t
WHERE b.location = t.location AND b.sku = t.sku AND b.lot = t.lot AND b.condition = t.condition
"""  # noqa: S608 -- names of our own columns
_TAKE_ONE = """
UPDATE balances SET on_hand = on_hand - ?, reserved = reserved - ?
WHERE location = ? AND sku = ? AND lot = ? AND condition = ?
AND reserved >= ? AND on_hand - reserved + ? >= ?
"""


def _take_singly(connection: Connection, out: list[tuple[Key, int, int]]) -> None:
    """SQLite: row by row, under the one writer's lock."""
    rows = [(units, freed, *key, freed, freed, units) for key, units, freed in out]
    connection.exec_driver_sql("SAVEPOINT taking")
    if tell(connection, _TAKE_ONE, rows) == len(out):
        connection.exec_driver_sql("RELEASE taking")
        return
    # Back to what was before, to say which row is short and what is free there.
    connection.exec_driver_sql("ROLLBACK TO taking")
    connection.exec_driver_sql("RELEASE taking")
    _refuse(connection, out)


def _refuse(connection: Connection, out: list[tuple[Key, int, int]]) -> None:
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
    row = audit_row(
        action,
        recorded_at=recorded_at,
        actor=actor,
        device=device,
        location=location,
        subject=subject,
        detail=detail,
    )
    append_links(connection, [row], AUDIT_FIELDS)
    write_pieces(connection, inserted(connection, AUDIT, [row]))


def audit_row(
    action: str,
    *,
    recorded_at: int,
    actor: str,
    device: str = "",
    location: str = "",
    subject: str = "",
    detail: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A row of the audit trail with its chain named and not yet linked."""
    return {
        "recorded_at": recorded_at,
        "actor": actor,
        "device": device,
        "action": action,
        "location": location,
        "subject": subject,
        "detail": json.dumps(detail or {}, sort_keys=True, ensure_ascii=False),
        "chain": f"audit:{location}",
    }


def announce(
    connection: Connection,
    topic: str,
    payload: dict[str, Any],
    *,
    recorded_at: int,
    location: str = "",
) -> None:
    """One outbox row: what others shall hear, exactly if the transaction commits."""
    row = outbox_row(topic, payload, recorded_at=recorded_at, location=location)
    write_pieces(connection, inserted(connection, OUTBOX, [row]))


def outbox_row(
    topic: str, payload: dict[str, Any], *, recorded_at: int, location: str = ""
) -> dict[str, Any]:
    """A row that others shall hear of."""
    return {
        "topic": topic,
        "location": location,
        "recorded_at": recorded_at,
        "payload": json.dumps(payload, sort_keys=True, ensure_ascii=False),
    }
