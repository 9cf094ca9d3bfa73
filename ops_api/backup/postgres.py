"""PostgreSQL by its own tools: pg_dump of one snapshot, pg_restore in one transaction."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, inspect, make_url, text

from ops_api.backup.manifest import Facts, Manifest, facts_of
from ops_api.database import make_engine, reading
from ops_api.ledger.schema import trigger_names
from policies.domain.errors import InvalidInput, StoretwinError

FILE = "data.pgdump"
_DEBIAN = Path("/usr/lib/postgresql")
_HEAD_HASH = (
    "SELECT encode(sha256(convert_to(coalesce(string_agg(chain || chr(31) || hash || chr(30), '' "
    "ORDER BY chain COLLATE \"C\"), ''), 'UTF8')), 'hex') FROM chain_heads"
)


class ToolFailed(StoretwinError):
    """A program of PostgreSQL is missing or ended with an error."""

    code = "TOOL_FAILED"


def dump(url: str, folder: Path) -> tuple[Facts, str]:
    """Dump the database at `url` into `folder`; the facts of the snapshot and the file's name."""
    program = _tool("pg_dump")
    engine = make_engine(url)
    try:
        with reading(engine) as connection:
            # The facts and the dump are of the same instant, whatever is written meanwhile.
            facts = facts_of(connection)
            snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
            _run(
                [program, "--format=custom", "--no-owner", "--no-privileges",
                 f"--snapshot={snapshot}", f"--file={folder / FILE}", *_address(url)],
                url,
            )  # fmt: skip
    finally:
        engine.dispose()
    return facts, FILE


def holds_data(url: str) -> bool:
    """Whether the database at `url` has any row of any table."""
    engine = make_engine(url)
    try:
        with reading(engine) as connection:
            return any(
                connection.execute(text(f"SELECT 1 FROM {name} LIMIT 1")).first()  # noqa: S608
                for name in _tables(connection)
                if name != '"alembic_version"'
            )
    finally:
        engine.dispose()


def load(url: str, folder: Path, manifest: Manifest) -> Facts:
    """Put the backup in the place of the database at `url`, in one transaction.

    The transaction ends by comparing what it loaded with the manifest: where they differ,
    or anything fails before, the database is as it was.
    """
    restore, shell = _tool("pg_restore"), _tool("psql")
    engine = make_engine(url)
    try:
        with reading(engine) as connection:
            doomed = _tables(connection)
        engine.dispose()
        reader = [
            restore, "--no-owner", "--no-privileges", "--file=-",
            str(folder / Path(manifest.file).name),
        ]  # fmt: skip
        writer = [
            shell, "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1",
            "--output=/dev/null", *_address(url), f"--command={_first(doomed)}", "--file=-",
            f"--command={_last(manifest)}",
        ]  # fmt: skip
        _pipe(reader, writer, url)
        # A database that was just filled has no statistics, and plans without them are slow.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
        with reading(engine) as connection:
            return facts_of(connection)
    finally:
        engine.dispose()


def _first(doomed: list[str]) -> str:
    drops = [f"DROP TABLE IF EXISTS {name} CASCADE;" for name in doomed]
    drops.append("DROP FUNCTION IF EXISTS storetwin_refuse() CASCADE;")
    return " ".join(["SET client_min_messages = warning;", *drops])


def _last(manifest: Manifest) -> str:
    """Raises inside the transaction where rows, ends of chains or triggers are missing."""
    head = manifest.head_hash
    if not (len(head) == 64 and head.isascii() and head.isalnum()):
        raise InvalidInput("the manifest's hash is none", field="head_hash")
    names = ", ".join(f"'{name}'" for name in trigger_names("postgresql"))
    triggers = f"(SELECT count(*) FROM pg_trigger WHERE tgname IN ({names}))"  # noqa: S608
    return (
        "SET search_path = public; DO $check$ BEGIN "  # noqa: S608 -- our own values
        f"IF (SELECT count(*) FROM movements) <> {int(manifest.movements)} "
        f"OR ({_HEAD_HASH}) <> '{head}' OR {triggers} <> {len(trigger_names('postgresql'))} "
        "THEN RAISE EXCEPTION 'the data are not what the manifest says'; END IF; END $check$"
    )


def _tables(connection: Connection) -> list[str]:
    quote = connection.dialect.identifier_preparer.quote_identifier
    return [quote(name) for name in sorted(inspect(connection).get_table_names())]


def _address(url: str) -> list[str]:
    """The database as arguments; a password never stands on a command line."""
    # The driver is an extra: a service on SQLite runs without it.
    import psycopg.conninfo  # noqa: PLC0415

    parts = make_url(url)
    known = {
        "host": parts.host, "port": parts.port, "user": parts.username, "dbname": parts.database,
    }  # fmt: skip
    more = {name: str(value) for name, value in parts.query.items()}
    wanted = {name: value for name, value in {**known, **more}.items() if value is not None}
    return ["--no-password", f"--dbname={psycopg.conninfo.make_conninfo('', **wanted)}"]


def _pipe(reader: list[str], writer: list[str], url: str) -> None:
    with subprocess.Popen(reader, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as source:  # noqa: S603
        try:
            _run(writer, url, source.stdout)
        finally:
            if source.stdout is not None:
                source.stdout.close()
        said = source.stderr.read().decode(errors="replace") if source.stderr is not None else ""
    if source.returncode:
        raise ToolFailed(f"pg_restore: {said.strip()[-500:]}", field="pg_restore")


def _run(command: list[str], url: str, source: IO[bytes] | None = None) -> None:
    password = make_url(url).password
    secret = {"PGPASSWORD": str(password)} if password is not None else {}
    done = subprocess.run(  # noqa: S603 -- PostgreSQL's own programs, no shell
        command,
        env={**os.environ, **secret},
        stdin=subprocess.DEVNULL if source is None else source,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        name = Path(command[0]).name
        raise ToolFailed(
            f"{name}: {done.stderr.strip()[-500:] or done.returncode}",
            field=name,
            remedy="nothing was replaced; mend what it says and try again",
        )


def _tool(name: str) -> str:
    """The newest installed: it reads every older server."""
    found = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    where = str(found[-1]) if found else shutil.which(name)
    if where is None:
        raise ToolFailed(
            f"{name} is not installed",
            field=name,
            remedy="install PostgreSQL's client programs, as new as the server",
        )
    return where
