"""Rows of the ledger in bulk: frames of bounded size, by COPY where the database has it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pandas as pd
from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, select

from ops_api.bulk import array
from ops_api.ledger.rows import ACTUAL
from ops_api.ledger.schema import CHAIN_HEADS, MOVEMENTS, SALE_VALUES

ROWS = 1_000_000
"""Rows of one frame, about 100 MB."""

_TYPES = {
    "seq": "int64",
    "kind": "int8",
    "sku": "str",
    "from_location": "str",
    "to_location": "str",
    "quantity": "int64",
    "occurred_at": "int64",
    "recorded_at": "int64",
    "price": "int64",
    "is_book": "int8",
}


def rows_written(connection: Connection) -> int:
    """Movements that are in the ledger for this transaction: each chain counts its own.

    The highest row number is no such mark: it does not move when a row that was numbered
    earlier comes to light.
    """
    heads = CHAIN_HEADS.c
    total = connection.execute(
        select(func.sum(heads.seq)).where(heads.chain.not_like("audit:%"))
    ).scalar()
    return int(total or 0)


def chain_counts(connection: Connection) -> dict[str, int]:
    """Rows of each location's chain."""
    heads = CHAIN_HEADS.c
    found = connection.execute(
        select(heads.chain, heads.seq).where(heads.chain.not_like("audit:%"))
    )
    return {row.chain: int(row.seq) for row in found}


def earliest(connection: Connection, after: dict[str, int], upto: dict[str, int]) -> int | None:
    """When the first of the book rows that chains gained occurred; None if they gained none.

    Parameters
    ----------
    after, upto : rows by chain; those numbered above the one, up to the other, are asked for

    Returns
    -------
    int or None, seconds of UTC since 1970
    """
    m = MOVEMENTS.c
    if not after:
        query = select(func.min(m.occurred_at)).where(_is_book())
        first: int | None = connection.execute(query).scalar()
        return first
    names = [name for name, seq in upto.items() if seq > after.get(name, 0)]
    if not names:
        return None
    columns = (names, [after.get(name, 0) for name in names], [upto[name] for name in names])
    if _can_copy(connection):
        grown = "unnest(%s::text[], %s::bigint[], %s::bigint[]) AS k(chain, low, high)"
        lists: tuple[str, ...] = tuple(array(part) for part in columns)
    else:
        grown = (
            "(SELECT json_extract(value, '$[0]') AS chain, json_extract(value, '$[1]') AS low, "
            "json_extract(value, '$[2]') AS high FROM json_each(?)) AS k"
        )
        lists = (json.dumps(list(zip(*columns, strict=True))),)
    # One walk of the chain's own index for each: a join might scan the whole ledger.
    told = connection.exec_driver_sql(_FIRST_OF_EACH.format(grown=grown), lists).scalar()
    return None if told is None else int(told)


# The actual ledger's book, as ACTUAL and visibility 0 say elsewhere.
_FIRST_OF_EACH = """
SELECT min(first) FROM (
    SELECT (
        SELECT min(m.occurred_at) FROM movements m WHERE m.chain = k.chain
        AND m.chain_seq > k.low AND m.chain_seq <= k.high
        AND m.run_id = 'actual' AND m.visibility = 0
    ) AS first FROM {grown}
) AS each_chain
"""


def rows_between(connection: Connection, start: int, end: int) -> pd.DataFrame:
    """Book rows that occurred in [start, end), seconds of UTC since 1970, in no order.

    The columns are those of :func:`batches`.
    """
    m = MOVEMENTS.c
    query = _chosen().where(m.occurred_at >= start, m.occurred_at < end, _is_book())
    return _copied(connection, query) if _can_copy(connection) else _fetched(connection, query)


def batches(
    connection: Connection, wanted: ColumnElement[bool], rows: int = ROWS
) -> Iterator[pd.DataFrame]:
    """The movements of a condition in the order of their numbers, frame after frame.

    Columns: seq, kind, sku, from_location, to_location, quantity, occurred_at and
    recorded_at (whole seconds of UTC since 1970), price (cents per unit a till took, else
    0), is_book (1 for what counts in the book of the actual ledger).
    """
    last = -1
    while True:
        part = _query(and_(wanted, MOVEMENTS.c.seq > last)).limit(rows)
        frame = _copied(connection, part) if _can_copy(connection) else _fetched(connection, part)
        if len(frame):
            last = int(frame.seq.iloc[-1])
            yield frame
        if len(frame) < rows:
            return


def _query(wanted: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    return _chosen().where(wanted).order_by(MOVEMENTS.c.seq)


def _is_book() -> ColumnElement[bool]:
    """Rows of the actual ledger that the book shows."""
    return and_(MOVEMENTS.c.run_id == ACTUAL, MOVEMENTS.c.visibility == 0)


def _chosen() -> Select[tuple[object, ...]]:
    m = MOVEMENTS.c
    out: Select[tuple[object, ...]] = select(
        m.seq,
        m.kind,
        m.sku,
        m.from_location,
        m.to_location,
        m.quantity,
        m.occurred_at,
        m.recorded_at,
        func.coalesce(SALE_VALUES.c.unit_price_cents, 0).label("price"),
        case((_is_book(), 1), else_=0).label("is_book"),
    ).select_from(MOVEMENTS.outerjoin(SALE_VALUES, SALE_VALUES.c.movement_id == m.movement_id))
    return out


def _can_copy(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _copied(connection: Connection, query: Select[tuple[object, ...]]) -> pd.DataFrame:
    """Through COPY: no Python object for a row."""
    told = query.compile(dialect=connection.dialect)
    raw = connection.connection.dbapi_connection
    sink = io.BytesIO()
    with (
        raw.cursor() as cursor,  # type: ignore[union-attr]
        cursor.copy(f"COPY ({told}) TO STDOUT (FORMAT CSV)", told.params) as copy,
    ):
        for block in copy:
            sink.write(block)
    sink.seek(0)
    # Empty text is no missing value here, and a SKU called "NA" is a SKU.
    return pd.read_csv(
        sink, names=list(_TYPES), dtype=_TYPES, keep_default_na=False, na_filter=False
    )


def _fetched(connection: Connection, query: Select[tuple[object, ...]]) -> pd.DataFrame:
    rows = connection.execute(query).fetchall()
    return pd.DataFrame(list(map(tuple, rows)), columns=list(_TYPES))
