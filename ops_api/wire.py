"""Statements of the write path straight through the driver, inside SQLAlchemy's transaction.

SQLAlchemy describes the columns of every result, and psycopg looks for placeholders in a
long text at each call: for a single sale that took longer than the statements themselves.
Errors come as SQLAlchemy's, so that whoever retries or answers "busy" sees no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

_TEXTS = 512


def ask(connection: Connection, text: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows of a statement.

    Parameters
    ----------
    text : with ``%s`` for a parameter on PostgreSQL (and no other per cent sign), ``?`` on SQLite
    """
    raw = _driver(connection)
    try:
        if connection.dialect.name == "postgresql":
            import psycopg  # noqa: PLC0415 -- an extra: SQLite needs none

            with psycopg.RawCursor(raw) as cursor:
                found: list[tuple[Any, ...]] = cursor.execute(
                    _numbered(text), parameters
                ).fetchall()
                return found
        return list(raw.execute(text, parameters))
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, text, error) from error


def tell(connection: Connection, text: str, rows: Sequence[Any]) -> int:
    """Rows that SQLite changed, the statement run once for each of `rows`."""
    raw = _driver(connection)
    try:
        return int(raw.executemany(text, rows).rowcount)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, text, error) from error


def _driver(connection: Connection) -> Any:
    """The driver's connection, in a transaction that SQLAlchemy knows of.

    It begins one of itself with the first statement that it sees, and these it does not see:
    SQLite would write at once what a rollback is to undo.
    """
    if not connection.in_transaction():
        connection.begin()
    return connection.connection.driver_connection


def _told(connection: Connection, text: str, error: Exception) -> BaseException:
    dialect = connection.dialect
    raw = connection.connection.dbapi_connection
    is_lost = dialect.is_disconnect(error, raw, None)  # type: ignore[arg-type]
    if is_lost:
        connection.invalidate(error)
    return DBAPIError.instance(
        text,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=is_lost,
        dialect=dialect,
    )


@lru_cache(maxsize=_TEXTS)
def _numbered(text: str) -> bytes:
    """The text with ``$1``, ``$2``, … as PostgreSQL itself numbers parameters."""
    first, *rest = text.split("%s")
    if "%" in first or any("%" in part for part in rest):
        raise ValueError("a per cent sign that is no parameter")
    told = [first, *(f"${number}{part}" for number, part in enumerate(rest, 1))]
    return "".join(told).encode()
