"""One at a time: a named lock in the database that outlives no process."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from ops_api.database import write_with_retry
from ops_api.errors import Busy
from ops_api.planning.tables import PLANNER_LOCK

LEASE_S = 3_600


@contextmanager
def held(engine: Engine, name: str, now: int) -> Iterator[None]:
    """Hold the lock `name` for the length of the block.

    A lock whose process is gone (on this machine), or that is an hour old, is taken over.

    Parameters
    ----------
    now : whole seconds of UTC since 1970

    Raises
    ------
    Busy
        Someone else holds it.
    """
    holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
    write_with_retry(engine, lambda connection: _take(connection, name, holder, now))
    try:
        yield
    finally:
        write_with_retry(engine, lambda connection: _give_back(connection, name, holder))


def _take(connection: Connection, name: str, holder: str, now: int) -> None:
    lock = PLANNER_LOCK.c
    found = connection.execute(
        select(PLANNER_LOCK).where(lock.name == name).with_for_update()
    ).first()
    if found is None:
        try:
            with connection.begin_nested():
                connection.execute(
                    insert(PLANNER_LOCK).values(name=name, holder=holder, taken_at=now)
                )
        except IntegrityError:
            raise _taken(name, "another") from None
        return
    if found.holder and now - found.taken_at < LEASE_S and _is_alive(found.holder):
        raise _taken(name, found.holder)
    connection.execute(
        update(PLANNER_LOCK).where(lock.name == name).values(holder=holder, taken_at=now)
    )


def _give_back(connection: Connection, name: str, holder: str) -> None:
    lock = PLANNER_LOCK.c
    connection.execute(
        update(PLANNER_LOCK).where(lock.name == name, lock.holder == holder).values(holder="")
    )


def _is_alive(holder: str) -> bool:
    host, _, rest = holder.partition(":")
    pid = rest.partition(":")[0]
    if host != socket.gethostname() or not pid.isdigit():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _taken(name: str, holder: str) -> Busy:
    return Busy(f"{name} is under way ({holder})", field="lock", row=name, remedy="wait for it")
