"""The database: metadata, engines, and the two kinds of transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, MetaData, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from ops_api.errors import Busy

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
T = TypeVar("T")
_READ = "storetwin_read"
_RETRY_STATES = frozenset({"40001", "40P01"})
_ATTEMPTS = 5


def make_engine(url: str, *, busy_timeout_ms: int = 5_000) -> Engine:
    """An engine with the settings that the write path relies on."""
    if not url.startswith("sqlite"):
        return create_engine(url, isolation_level="READ COMMITTED", pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": busy_timeout_ms / 1000})

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        # The driver must not open transactions by itself: BEGIN is emitted below.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={busy_timeout_ms}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get(_READ, False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One write transaction: commits at the end, rolls back on any error."""
    try:
        with engine.begin() as connection:
            yield connection
    except OperationalError as error:
        raise _busy(error) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One read transaction: a snapshot, no lock on the writer."""
    try:
        with engine.connect().execution_options(**{_READ: True}) as connection, connection.begin():
            yield connection
    except OperationalError as error:
        raise _busy(error) from error


def write_with_retry(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Run `work` in a write transaction; again where another writer got in between."""
    for attempt in range(_ATTEMPTS):
        try:
            with writing(engine) as connection:
                return work(connection)
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None)
            raced = isinstance(error, IntegrityError) or state in _RETRY_STATES
            if not raced or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.005 * 2**attempt)
    raise AssertionError("unreachable")


def _busy(error: OperationalError) -> Exception:
    text = str(error.orig)
    if "locked" in text or "busy" in text or "connect" in text:
        return Busy("the database is busy; nothing was recorded", remedy="send it again")
    return error
