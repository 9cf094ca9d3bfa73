"""What a backup says about itself: enough to know, before and after, that it is whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, select

from ops_api.ledger.chain import head_hash
from ops_api.ledger.schema import MOVEMENTS
from policies.domain.errors import InvalidInput

NAME = "manifest.json"
FORMAT = 1
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """A backup's own account, of the same instant as its data.

    Attributes
    ----------
    database : "sqlite" or "postgresql"
    schema : revision of the migrations
    movements : int, rows of the ledger
    head_hash : over the ends of all hash chains, as ``check-ledger`` prints it
    file, bytes, sha256 : the data beside the manifest
    made_at : ISO 8601, aware
    """

    database: str
    schema: str
    movements: int
    head_hash: str
    file: str
    bytes: int
    sha256: str
    made_at: str
    format: int = FORMAT


@dataclass(frozen=True)
class Facts:
    """What a database holds at one instant."""

    schema: str
    movements: int
    head_hash: str


def facts_of(connection: Connection) -> Facts:
    """Facts of the snapshot that `connection` sees.

    Raises
    ------
    InvalidInput
        It is no database of the service.
    """
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None:
        raise InvalidInput(
            "the database has no schema of the service",
            field="--db",
            remedy="check the address",
        )
    rows = connection.scalar(select(func.count()).select_from(MOVEMENTS))
    return Facts(revision, int(rows or 0), head_hash(connection))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    sha = hashlib.sha256()
    with path.open("rb") as source:
        while piece := source.read(_CHUNK):
            sha.update(piece)
    return sha.hexdigest()


def write_manifest(folder: Path, facts: Facts, database: str, file: str, made_at: str) -> Manifest:
    """The manifest of the data in `folder`."""
    data = folder / file
    made = Manifest(
        database=database,
        schema=facts.schema,
        movements=facts.movements,
        head_hash=facts.head_hash,
        file=file,
        bytes=data.stat().st_size,
        sha256=sha256_of(data),
        made_at=made_at,
    )
    (folder / NAME).write_text(json.dumps(asdict(made), indent=2) + "\n")
    return made


def read_manifest(folder: Path) -> Manifest:
    """The manifest in `folder`, once the data beside it was found to be what it says.

    Raises
    ------
    InvalidInput
        There is none, it is of another kind, or the data differ.
    """
    path = folder / NAME
    if not path.is_file():
        raise InvalidInput(
            f"no backup in {folder}", field="--from", remedy="give the folder that backup wrote"
        )
    try:
        values = json.loads(path.read_text())
        found = Manifest(**values)
    except (ValueError, TypeError):
        raise InvalidInput(
            "the manifest can't be read", field=NAME, remedy="take another backup"
        ) from None
    if found.format != FORMAT:
        raise InvalidInput(
            f"the backup is of format {found.format}", field="format", remedy="use a newer version"
        )
    # The name comes from a file: it stays in its folder.
    data = folder / Path(found.file).name
    if not data.is_file():
        raise InvalidInput(f"no file {data}", field="file", remedy="take another backup")
    if data.stat().st_size != found.bytes or sha256_of(data) != found.sha256:
        raise InvalidInput(
            f"{data.name} is not what the manifest says: it was changed or cut off",
            field="sha256",
            remedy="take another backup",
        )
    return found
