"""Many rows in one statement whose text never varies: arrays on PostgreSQL, JSON on SQLite.

A list of 100 parameters is parsed anew for every length, and 100 inserts are 100 round
trips of work; one statement over arrays is prepared once and costs a tenth.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from operator import itemgetter
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
    select,
)

from ops_api.wire import ask, tell

Rows = Sequence[dict[str, Any]]
Piece = tuple[str, Any]
"""A statement that changes rows, in the words of the driver, and its parameters."""


def among(
    connection: Connection, what: ColumnElement[Any], values: Iterable[Any]
) -> ColumnElement[bool]:
    """`what IN values` for any number of values."""
    listed = list(values)
    if connection.dialect.name == "postgresql":
        bound = bindparam(None, listed, type_=ARRAY(what.type), unique=True)
        out: ColumnElement[bool] = what == func.any(bound)
        return out
    each = func.json_each(bindparam(None, json.dumps(listed), unique=True)).table_valued("value")
    return what.in_(select(column("value")).select_from(each))


def insert_rows(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows that all have the columns of the first."""
    write_pieces(connection, inserted(connection, table, rows))


def upsert_rows(
    connection: Connection, table: Table, rows: Rows, keys: tuple[str, ...], change: str
) -> None:
    """Insert rows, or where the key is there already, change it.

    Parameters
    ----------
    change : the SET clause in SQL, ``excluded`` being the row that was to be inserted
    """
    write_pieces(connection, inserted(connection, table, rows, keys, change))


def inserted(
    connection: Connection, table: Table, rows: Rows, keys: tuple[str, ...] = (), change: str = ""
) -> list[Piece]:
    """What :func:`insert_rows` or :func:`upsert_rows` would do, for :func:`write_pieces`."""
    if not rows:
        return []
    names = tuple(rows[0])
    conflict = f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {change}" if change else ""
    if connection.dialect.name == "postgresql":
        return [(_insert(table, names) + conflict, columns_of(rows, names))]
    return [(_single(table, names) + conflict, list(map(itemgetter(*names), rows)))]


def write_pieces(connection: Connection, pieces: Sequence[Piece]) -> list[int]:
    """Rows that each piece changed; on PostgreSQL all go in one statement, one way there and back.

    They see the tables as they were before, and no two may change the same row.
    """
    if connection.dialect.name != "postgresql":
        return [tell(connection, text, rows) for text, rows in pieces]
    if not pieces:
        return []
    text = _together(tuple(text for text, _ in pieces))
    parameters = tuple(value for _, values in pieces for value in values)
    return list(ask(connection, text, parameters)[0])


@lru_cache(maxsize=512)
def _together(texts: tuple[str, ...]) -> str:
    named = ", ".join(f"w{i} AS ({text} RETURNING 1)" for i, text in enumerate(texts))
    counts = ", ".join(f"(SELECT count(*) FROM w{i})" for i in range(len(texts)))  # noqa: S608
    return f"WITH {named} SELECT {counts}"


def columns_of(rows: Rows, names: Sequence[str]) -> tuple[str, ...]:
    """One array in PostgreSQL's text form for each column of text or of whole numbers.

    The driver's own dumper looks at each element with a regular expression: a third of the
    time of a batch.
    """
    return tuple(array([row[name] for row in rows]) for name in names)


def array(values: Sequence[Any]) -> str:
    """One array in PostgreSQL's text form."""
    kinds = set(map(type, values))
    if kinds == {int}:
        return "{" + ",".join(map(str, values)) + "}"
    if kinds == {str}:
        told = '","'.join(values)
        # As many quotes as were put in between, and no backslash: nothing to escape.
        if "\\" not in told and told.count('"') == 2 * (len(values) - 1):
            return '{"' + told + '"}'
    return "{" + ",".join(map(_quoted, values)) + "}"


def _quoted(value: Any) -> str:
    if value is None:
        return "NULL"
    text = str(value)
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def listed(connection: Connection, values: Sequence[Any]) -> str:
    """A list as one parameter of a statement in the words of the driver; see :func:`unlist`."""
    return array(values) if connection.dialect.name == "postgresql" else json.dumps(values)


def listed_cells(
    connection: Connection, cells: Sequence[tuple[str, str]], units: Mapping[Any, int] | None = None
) -> tuple[str, ...]:
    """(location, SKU) pairs as the parameters of one ``CELLS(?)``; see :func:`unlist`.

    Parameters
    ----------
    units : a number that goes with some pairs; 0 with the others
    """
    known = units or {}
    rows = [(place, sku, known.get((place, sku), 0)) for place, sku in cells]
    if connection.dialect.name == "postgresql":
        return tuple(array([row[axis] for row in rows]) for axis in range(3))
    return (json.dumps(rows),)


def unlist(connection: Connection, text: str) -> str:
    """A statement for this database: ``ANY(?)`` takes a list of text, ``FOR UPDATE`` locks.

    ``CELLS(?)`` is a query of ``location``, ``sku`` and ``told``, the number with them. ``?``
    is a parameter everywhere. SQLite has one writer and knows no locks on rows.
    """
    return _told(connection.dialect.name, text)


@cache
def _told(dialect: str, text: str) -> str:
    if dialect == "postgresql":
        cells = "SELECT * FROM unnest(?::text[], ?::text[], ?::bigint[]) AS c(location, sku, told)"
        text = text.replace("CELLS(?)", cells).replace("ANY(?)", "ANY(?::text[])")
        return text.replace("?", "%s")
    cells = (
        "SELECT value ->> 0 AS location, value ->> 1 AS sku, value ->> 2 AS told FROM json_each(?)"
    )
    text = text.replace("CELLS(?)", cells).replace(
        "= ANY(?)", "IN (SELECT value FROM json_each(?))"
    )
    return re.sub(r"FOR UPDATE( OF \w+)?", "", text)


def arrays(table: Table, names: Sequence[str]) -> str:
    """``%s::text[], …``: the parameters of an unnest, typed as the table's columns are."""
    return ", ".join(f"%s::{_type(table, name)}[]" for name in names)


@cache
def _single(table: Table, names: tuple[str, ...]) -> str:
    holes = ", ".join("?" * len(names))
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({holes})"  # noqa: S608


@cache
def _insert(table: Table, names: tuple[str, ...]) -> str:
    told = ", ".join(names)
    return f"INSERT INTO {table.name} ({told}) SELECT * FROM unnest({arrays(table, names)})"  # noqa: S608


def _type(table: Table, name: str) -> str:
    kind = table.c[name].type
    if isinstance(kind, SmallInteger):
        return "smallint"
    return "bigint" if isinstance(kind, (BigInteger, Integer)) else "text"
