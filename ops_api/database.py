"""The database: metadata, engines, and the two kinds of transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, MetaData, create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError, OperationalError

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
_SNAPSHOT: dict[str, dict[str, Any]] = {
    "sqlite": {_READ: True},
    "postgresql": {_READ: True, "isolation_level": "REPEATABLE READ"},
}
_RETRY_STATES = frozenset({"40001", "40P01"})
_ATTEMPTS = 8
_LEFT_AT, _FRESH_S = "storetwin_left_at", 0.5
# Tables that write each hour are small when a statement is first planned: a plan kept from
# then would read them whole for weeks. Planning anew costs 0.1 ms; disks seek for free now.
_PLANS = "-c plan_cache_mode=force_custom_plan -c random_page_cost=1.1"
# Where each statement is known, reaches its rows by an index and runs hundreds of times a second,
# planning is most of the work. With no choice left but the index a kept plan can't turn bad.
_KEPT_PLANS = (
    "-c plan_cache_mode=force_generic_plan -c random_page_cost=1.1 -c jit=off "
    "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
)
# The server is away, full or shutting down (08, 53, 57P0x), or a lock was not to be had.
_GONE_CLASSES = frozenset({"08", "53"})
_GONE_STATES = frozenset({"55P03", "57P01", "57P02", "57P03"})
# SQLite says it in words: another writer, a full disk, a file that may not grow.
_GONE_WORDS = ("locked", "busy", "connect", "disk is full", "disk I/O", "unable to open")


def make_engine(url: str, *, busy_timeout_ms: int = 5_000) -> Engine:
    """An engine with the settings that the write path relies on."""
    if not url.startswith("sqlite"):
        return _postgresql(url, busy_timeout_ms)
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


def engine_of_writers(engine: Engine, *, busy_timeout_ms: int = 5_000) -> Engine:
    """An engine on the same database for the statements of :mod:`ops_api.bulk` alone.

    On PostgreSQL its connections keep the plans of statements; it ends with `engine`. SQLite
    has one writer and plans nothing anew: there it is `engine` itself.
    """
    if engine.dialect.name == "sqlite":
        return engine
    url = engine.url.render_as_string(hide_password=False)
    out = _postgresql(url, busy_timeout_ms, plans=_KEPT_PLANS, pool_size=2)

    @event.listens_for(engine, "engine_disposed")
    def _end(_engine: Engine) -> None:
        out.dispose()

    return out


def _postgresql(
    url: str, busy_timeout_ms: int, *, plans: str = _PLANS, pool_size: int = 16
) -> Engine:
    engine = create_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_size=pool_size,
        max_overflow=16,
        pool_timeout=busy_timeout_ms / 1000,
        pool_use_lifo=True,
        connect_args={
            "connect_timeout": 5,
            "options": f"-c lock_timeout={busy_timeout_ms} -c timezone=UTC {plans}",
        },
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        # A sum of integers is an integer here, as it is in SQLite.
        connection.adapters.register_loader("numeric", _WholeNumbers)

    # A connection that died with the server is found dead when it is taken, not when used;
    # one that was used a moment ago needs no question.
    @event.listens_for(engine, "checkin")
    def _leave(_connection: Any, record: Any) -> None:
        record.info[_LEFT_AT] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _take(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get(_LEFT_AT, 0.0) < _FRESH_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except Exception as error:
            raise DisconnectionError from error

    return engine


class _WholeNumbers:
    """Reads PostgreSQL's numeric, which sums of bigint come as; no column has fractions."""

    format = 0

    def __init__(self, _oid: int, _context: Any = None) -> None:
        pass

    def load(self, data: Any) -> int:
        """The number in its text form."""
        return int(bytes(data))


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
    options = _SNAPSHOT[engine.dialect.name]
    try:
        with engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection
    except OperationalError as error:
        raise _busy(error) from error


@contextmanager
def looking(engine: Engine) -> Iterator[Connection]:
    """For one statement that needs no transaction around it."""
    if engine.dialect.name == "sqlite":
        with reading(engine) as connection:
            yield connection
        return
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
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
            deadlocked = state in _RETRY_STATES
            if not (deadlocked or isinstance(error, IntegrityError)):
                raise
            if attempt == _ATTEMPTS - 1:
                raise (_busy_now() if deadlocked else error) from error
            time.sleep(0.005 * 2**attempt)
    raise AssertionError("unreachable")


def _busy(error: OperationalError) -> Exception:
    text = str(error.orig)
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if state in _RETRY_STATES:
        # Whoever writes tries again; its text speaks of processes that are blocked.
        return error
    gone = state[:2] in _GONE_CLASSES or state in _GONE_STATES
    if gone or any(word in text for word in _GONE_WORDS):
        return _busy_now()
    return error


def _busy_now() -> Busy:
    return Busy("the database is busy; nothing was recorded", remedy="send it again")
