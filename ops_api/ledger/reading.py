"""Rows of the ledger in bulk: frames of bounded size, by COPY where the database has it."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pandas as pd
from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, select

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
    m = MOVEMENTS.c
    is_book = and_(m.run_id == ACTUAL, m.visibility == 0)
    out: Select[tuple[object, ...]] = (
        select(
            m.seq,
            m.kind,
            m.sku,
            m.from_location,
            m.to_location,
            m.quantity,
            m.occurred_at,
            m.recorded_at,
            func.coalesce(SALE_VALUES.c.unit_price_cents, 0).label("price"),
            case((is_book, 1), else_=0).label("is_book"),
        )
        .select_from(MOVEMENTS.outerjoin(SALE_VALUES, SALE_VALUES.c.movement_id == m.movement_id))
        .where(wanted)
        .order_by(m.seq)
    )
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
