"""How far a list that follows row numbers may be handed out: below what is still in flight.

A row gets its number when it is written and is seen when its transaction ends. A client
that goes on behind the highest number it saw would never be given a row that was numbered
before and came to light after.
"""

from __future__ import annotations

import time

from sqlalchemy import Connection, Table, func, select, text

from ops_api.database import looking

PATIENCE_S = 0.05
"""Longest wait for writers; a write takes a few milliseconds."""
_STEP_S = 0.005
_FAR = 100_000
"""Rows that are looked through for the first missing number."""

_SEQUENCE = text("SELECT pg_get_serial_sequence(:table, 'seq')")
# A transaction that took a number holds this lock on the sequence until it has ended, and
# gives it back only after others see what it wrote.
_WRITERS = text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' "
    "AND relation = CAST(:sequence AS regclass) AND mode = 'RowExclusiveLock' AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def settled_up_to(connection: Connection, table: Table, after: int, *, whole: bool = False) -> int:
    """The highest row number at or below which no further row will come to light.

    To be asked before `connection` reads anything: its snapshot must be younger than what
    is found here. SQLite has one writer, its rows come to light in the order of numbers.

    Parameters
    ----------
    connection : Connection of a read transaction
    table : Table with a running number ``seq``
    after : int, number that the reader stands at
    whole : the list is read to its end in this snapshot and not followed: nothing is kept back

    Returns
    -------
    int, at least `after`; no more than the last number where a slow writer is waited for
    """
    if whole or connection.dialect.name != "postgresql":
        top = connection.execute(select(func.max(table.c.seq))).scalar()
        return max(after, int(top or 0))
    with looking(connection.engine) as apart:
        sequence = apart.execute(_SEQUENCE, {"table": table.name}).scalar()
        # Numbers given out from here on are above the last one: their writers don't matter.
        # The database names the sequence itself, quoted where it must be.
        given = text(
            f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"  # noqa: S608
        )
        last = int(apart.execute(given).scalar() or 0)
        waited_for = _writers(apart, sequence)
        deadline = time.monotonic() + PATIENCE_S
        while waited_for and time.monotonic() < deadline:
            time.sleep(_STEP_S)
            waited_for &= _writers(apart, sequence)
    if not waited_for:
        return max(after, last)
    # Whatever is in flight is missing among the numbers: go as far as none is missing.
    seq = table.c.seq
    behind = select(seq).where(seq > after, seq <= last).order_by(seq).limit(_FAR).subquery()
    numbered = select(
        behind.c.seq, func.row_number().over(order_by=behind.c.seq).label("place")
    ).subquery()
    end = select(func.max(numbered.c.seq)).where(numbered.c.seq == numbered.c.place + after)
    return int(connection.execute(end).scalar() or after)


def _writers(connection: Connection, sequence: object) -> set[str]:
    """Transactions in flight that took a number."""
    return {row[0] for row in connection.execute(_WRITERS, {"sequence": sequence})}
