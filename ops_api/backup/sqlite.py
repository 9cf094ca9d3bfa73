"""SQLite by its online backup: the service goes on writing meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import NullPool, create_engine, make_url

from ops_api.backup.manifest import Facts, Manifest, facts_of
from policies.domain.errors import InvalidInput

FILE = "data.sqlite"
_WAIT_S = 30.0


def dump(url: str, folder: Path) -> tuple[Facts, str]:
    """Copy the database at `url` into `folder`; the facts of the copy and its file's name."""
    source = _path(url)
    if not source.is_file():
        raise InvalidInput(f"no database {source}", field="--db", remedy="check the address")
    target = folder / FILE
    with _open(source) as old, closing(sqlite3.connect(target)) as new:
        # One step: a copy in pieces would begin anew with each write in between.
        old.backup(new)
        new.execute("PRAGMA journal_mode=DELETE")
    return _facts(target), FILE


def holds_data(url: str) -> bool:
    """Whether the database at `url` has any row of any table."""
    path = _path(url)
    if not path.exists() or path.stat().st_size == 0:
        return False
    with _open(path) as found:
        names = found.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        return any(
            found.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone()  # noqa: S608 -- its own names
            for (name,) in names
            if name != "alembic_version"
        )


def load(url: str, folder: Path, manifest: Manifest) -> Facts:
    """Put the backup in the place of the database at `url`, in one transaction of its own.

    Raises
    ------
    InvalidInput
        The data are not what the manifest says; nothing was replaced.
    """
    source = folder / Path(manifest.file).name
    _check(source, manifest)
    target = _path(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _open(source) as old, closing(sqlite3.connect(target, timeout=_WAIT_S)) as new:
        old.backup(new)
    return _facts(target)


def _check(path: Path, manifest: Manifest) -> None:
    with _open(path) as found:
        sound = found.execute("PRAGMA integrity_check(1)").fetchone()[0]
    facts = _facts(path)
    if sound != "ok" or facts != Facts(manifest.schema, manifest.movements, manifest.head_hash):
        raise InvalidInput(
            "the data are not what the manifest says; nothing was replaced",
            field="head_hash",
            remedy="take another backup",
        )


def _facts(path: Path) -> Facts:
    engine = create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(_address(path), uri=True), poolclass=NullPool
    )
    with engine.connect() as connection:
        return facts_of(connection)


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(_address(path), uri=True, timeout=_WAIT_S)) as connection:
        yield connection


def _address(path: Path) -> str:
    return f"file:{quote(str(path.resolve()))}?mode=ro"


def _path(url: str) -> Path:
    name = make_url(url).database
    if not name or name == ":memory:":
        raise InvalidInput("the database has no file", field="--db", remedy="give sqlite:///path")
    return Path(name)
