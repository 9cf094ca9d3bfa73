"""The two databases of the service's tests: SQLite files, and a PostgreSQL of our own.

PostgreSQL runs from the system's packages on a free loopback port in a temporary folder,
as an unprivileged user, and ends with the process. Where it is absent, tests on it skip
and say why; ``STORETWIN_NEED_POSTGRES=1`` turns that into a failure.
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url

KINDS = ("sqlite", "postgresql")
_DEBIAN = Path("/usr/lib/postgresql")
_USER = "postgres"
_names = itertools.count(1)


def absence() -> str:
    """Why PostgreSQL can't run here; empty where it can."""
    if _binaries() is None:
        return "PostgreSQL is absent: apt-get install -y postgresql"
    if os.geteuid() == 0 and not (shutil.which("runuser") and _has_user()):
        return f"PostgreSQL refuses to run as root, and there is no user {_USER} to run it as"
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg is absent: install the postgres extra"
    return ""


class Cluster:
    """A PostgreSQL server of our own on a loopback port.

    Parameters
    ----------
    durable : whether commits reach the disk, as in production; tests that kill it need that
    inside : folder to live in; the system's temporary one by default
    """

    def __init__(self, *, durable: bool = False, inside: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="storetwin-pg-", dir=inside))
        self.data = self.folder / "data"
        self._as: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, _USER)
            self._as = ["runuser", "-u", _USER, "--"]
        self.port = _free_port()
        self._durable = durable
        self._run("initdb", "-D", self.data, "-U", _USER, "-A", "trust", "-E", "UTF8", "-N")
        self.start()

    def start(self) -> None:
        """Start (again) and wait until it answers."""
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "max_connections": 100,
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "timezone": "UTC",
            "fsync": "on" if self._durable else "off",
            "synchronous_commit": "on" if self._durable else "off",
            "deadlock_timeout": "200ms",
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        log = self.folder / "log"
        self._run("pg_ctl", "-D", self.data, "-l", log, "-o", options, "-w", "-t", "60", "start")

    def kill(self) -> None:
        """End it at once, as a power cut would: no checkpoint, no goodbye."""
        postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        children = _children(postmaster)
        for process in (postmaster, *children):
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + 20
        while any(Path(f"/proc/{process}").exists() for process in (postmaster, *children)):
            assert time.monotonic() < deadline, "PostgreSQL did not end"
            time.sleep(0.02)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """End it and remove its folder."""
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "stop", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """SQLAlchemy address of a database."""
        return f"postgresql+psycopg://{_USER}@127.0.0.1:{self.port}/{database}"

    def create(self, template: str = "template1") -> str:
        """A new database, a copy of `template`; its address."""
        name = f"t{next(_names)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database whoever is still in it."""
        self.sql(f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")

    def sql(self, statement: str) -> None:
        """One statement outside of any transaction."""
        import psycopg

        address = f"host=127.0.0.1 port={self.port} user={_USER} dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement)

    def _run(self, program: str, *arguments: object, check: bool = True) -> None:
        folder = _binaries()
        assert folder is not None
        done = subprocess.run(
            [*self._as, str(folder / program), *map(str, arguments)],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")


_kinds = ["sqlite"]
_open: list[Engine] = []


@contextmanager
def on(which: str) -> Iterator[None]:
    """Databases are made on this kind inside the block, and end with it."""
    if which == "postgresql":
        cluster()
    _kinds.append(which)
    try:
        with closing():
            yield
    finally:
        _kinds.pop()


@contextmanager
def closing() -> Iterator[None]:
    """Engines handed over inside the block end with it."""
    before = len(_open)
    try:
        yield
    finally:
        while len(_open) > before:
            engine = _open.pop()
            engine.dispose()
            if engine.dialect.name == "postgresql":
                cluster().drop(engine.url.render_as_string(hide_password=False))


def close_later(engine: Engine) -> None:
    """End this engine, and its database on a shared server, with the test or its module."""
    _open.append(engine)


def kind() -> str:
    """The kind of database that tests are on."""
    return _kinds[-1]


def empty(folder: Any) -> str:
    """Address of a database without tables."""
    return cluster().create() if kind() == "postgresql" else f"sqlite:///{folder}/empty.db"


@cache
def cluster() -> Cluster:
    """The cluster that the tests of this process share; skips where there can be none."""
    need_postgres()
    made = Cluster()
    atexit.register(made.stop)
    return made


def need_postgres() -> None:
    """Skip, or fail where it is asked for, if PostgreSQL is absent."""
    why = absence()
    if why and os.environ.get("STORETWIN_NEED_POSTGRES") == "1":
        pytest.fail(why)
    if why:
        pytest.skip(why)


def _binaries() -> Path | None:
    found = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    path = shutil.which("initdb")
    return Path(path).parent if path else None


def _has_user() -> bool:
    import pwd

    return any(entry.pw_name == _USER for entry in pwd.getpwall())


def _children(process: int) -> list[int]:
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(part) for part in path.read_text().split()] if path.exists() else []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
