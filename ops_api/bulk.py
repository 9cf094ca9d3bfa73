"""Many rows in one statement whose text never varies: arrays on PostgreSQL, JSON on SQLite.

A list of 100 parameters is parsed anew for every length, and 100 inserts are 100 round
trips of work; one statement over arrays is prepared once and costs a tenth.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    SmallInteger,
    Table,
    bindparam,
    column,
    func,
    insert,
    select,
)

Rows = Sequence[dict[str, Any]]


def among(
    connection: Connection, what: ColumnElement[Any], values: Iterable[Any]
) -> ColumnElement[bool]:
    """`what IN values` for any number of values."""
    listed = list(values)
    if connection.dialect.name == "postgresql":
        array = bindparam(None, listed, type_=ARRAY(what.type), unique=True)
        out: ColumnElement[bool] = what == func.any(array)
        return out
    each = func.json_each(bindparam(None, json.dumps(listed), unique=True)).table_valued("value")
    return what.in_(select(column("value")).select_from(each))


def insert_rows(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows that all have the columns of the first."""
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.execute(insert(table), list(rows))
        return
    names = tuple(rows[0])
    connection.exec_driver_sql(_insert(table, names), columns_of(rows, names))


def upsert_rows(
    connection: Connection, table: Table, rows: Rows, keys: tuple[str, ...], change: str
) -> None:
    """Insert rows, or where the key is there already, change it.

    Parameters
    ----------
    change : the SET clause in SQL, ``excluded`` being the row that was to be inserted
    """
    if not rows:
        return
    names = tuple(rows[0])
    conflict = f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {change}"
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_insert(table, names) + conflict, columns_of(rows, names))
        return
    holes = ", ".join(f":{name}" for name in names)
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({holes}){conflict}",  # noqa: S608
        list(rows),
    )


def columns_of(rows: Rows, names: Sequence[str]) -> tuple[str, ...]:
    """One array in PostgreSQL's text form for each column of text or of whole numbers.

    The driver's own dumper looks at each element with a regular expression: a third of the
    time of a batch.
    """
    return tuple(_array([row[name] for row in rows]) for name in names)


def _array(values: list[Any]) -> str:
    if all(type(value) is int for value in values):
        return "{" + ",".join(map(str, values)) + "}"
    told = [_quoted(value) for value in values]
    return "{" + ",".join(told) + "}"


def _quoted(value: Any) -> str:
    if value is None:
        return "NULL"
    text = str(value)
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def arrays(table: Table, names: Sequence[str]) -> str:
    """``%s::text[], …``: the parameters of an unnest, typed as the table's columns are."""
    return ", ".join(f"%s::{_type(table, name)}[]" for name in names)


@cache
def _insert(table: Table, names: tuple[str, ...]) -> str:
    told = ", ".join(names)
    return f"INSERT INTO {table.name} ({told}) SELECT * FROM unnest({arrays(table, names)})"  # noqa: S608


def _type(table: Table, name: str) -> str:
    kind = table.c[name].type
    if isinstance(kind, SmallInteger):
        return "smallint"
    return "bigint" if isinstance(kind, (BigInteger, Integer)) else "text"
