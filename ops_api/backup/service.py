"""Back up into a folder, and restore from it: whole, checked, or not at all."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from pathlib import Path
from types import ModuleType

from sqlalchemy import make_url

from ops_api.backup import postgres, sqlite
from ops_api.backup.manifest import Facts, Manifest, read_manifest, write_manifest
from ops_api.migrations.run import knows
from policies.domain.errors import InvalidInput

_KINDS: dict[str, ModuleType] = {"sqlite": sqlite, "postgresql": postgres}


class NotEmpty(InvalidInput):
    """The database has rows that a restore would destroy."""


class RestoreDiffers(InvalidInput):
    """What was restored is not what was backed up."""


def back_up(url: str, folder: Path, made_at: dt.datetime) -> Manifest:
    """Copy the database at `url` into the new folder `folder`, while it is in use.

    Parameters
    ----------
    made_at : aware time for the manifest

    Raises
    ------
    InvalidInput
        The folder is there already, or the database is none of the service.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInput(f"{folder} is there already", field="--out", remedy="name a new folder")
    kind = _kind(url)
    # A backup that was cut off never has the name of a whole one.
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        facts, file = _KINDS[kind].dump(url, partial)
        made = write_manifest(partial, facts, kind, file, made_at.isoformat())
        for path in (*partial.iterdir(), partial):
            _to_disk(path)
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
        _to_disk(folder.resolve().parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return made


def restore(url: str, folder: Path, *, replace: bool = False) -> Manifest:
    """Put the backup in `folder` into the database at `url`.

    Parameters
    ----------
    replace : destroy what the database holds now

    Raises
    ------
    NotEmpty
        The database has rows, and `replace` is False.
    InvalidInput
        The backup is damaged, of another database, or newer than this version.
    RestoreDiffers
        The restored ledger's hash is another than the backed-up one's.
    """
    manifest = read_manifest(folder)
    kind = _kind(url)
    if manifest.database != kind:
        raise InvalidInput(
            f"the backup is of {manifest.database}, the database is {kind}",
            field="--db",
            remedy=f"restore into {manifest.database}",
        )
    if not knows(url, manifest.schema):
        raise InvalidInput(
            f"the backup's schema {manifest.schema!r} is unknown here",
            field="schema",
            remedy="use the version that wrote it, or a newer one",
        )
    if not replace and _KINDS[kind].holds_data(url):
        raise NotEmpty(
            "the database holds data", field="--db", remedy="give an empty one, or --replace"
        )
    facts: Facts = _KINDS[kind].load(url, folder, manifest)
    if facts != Facts(manifest.schema, manifest.movements, manifest.head_hash):
        raise RestoreDiffers(
            f"the restored ledger ends in {facts.head_hash}, the backup says {manifest.head_hash}",
            field="head_hash",
            remedy="somebody wrote meanwhile: stop the service and restore again",
        )
    return manifest


def _kind(url: str) -> str:
    kind = make_url(url).get_backend_name()
    if kind not in _KINDS:
        raise InvalidInput(f"{kind} is not backed up", field="--db", remedy="sqlite or postgresql")
    return kind


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
