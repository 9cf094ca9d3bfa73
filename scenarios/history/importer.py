"""``import_history``: one door for every source, with a cache keyed by content."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from policies.domain.errors import ImportRefused
from policies.domain.receipts import ReceiptColumns
from scenarios.history import complete_journey
from scenarios.history.columns import open_receipts
from scenarios.history.report import ImportReport

Tell = Callable[[int, int], None]
FORMAT = 2
"""Raised when the files of an imported history change their form."""


@dataclass(frozen=True)
class History:
    """An imported history.

    Attributes
    ----------
    receipts : ReceiptColumns, memory-mapped
    items : DataFrame with sku_id, category, name and what else the source gave
    start_date : date of second 0
    tz : IANA zone of the seconds
    report : ImportReport
    data_sha256 : str, hash of the source's content and the mapping
    """

    receipts: ReceiptColumns
    items: pd.DataFrame
    start_date: dt.date
    tz: str
    report: ImportReport
    data_sha256: str


def import_history(
    mapping: str | Path,
    files: Sequence[Path],
    out: Path,
    progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Read a history into `out` and report on every row.

    The folder appears whole or not at all; importing the same content again returns the
    report of the first time.

    Parameters
    ----------
    mapping : name of a ready mapping, or path of a mapping file
    files : source files (none for ``complete-journey``)
    out : folder to write
    progress : callable (done, whole), optional

    Raises
    ------
    ImportRefused
        With file, field, row and remedy.
    """
    tell = progress or (lambda done, whole: None)
    key = _content_key(mapping, files)
    record = out / "history.json"
    if record.exists() and json.loads(record.read_text())["data_sha256"] == key:
        return ImportReport.load(out / "report.json")
    work = out.with_name(out.name + ".part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        report = _read(mapping, files, work, tell)
        report.check()
        report.write(work / "report.json")
        (work / "history.json").write_text(
            json.dumps(
                {
                    "data_sha256": key,
                    "start_date": report.notes["start_date"],
                    "tz": report.notes["tz"],
                }
            )
        )
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    shutil.rmtree(out, ignore_errors=True)
    work.rename(out)
    return report


def open_history(folder: Path) -> History:
    """The history of a folder that :func:`import_history` wrote."""
    record = folder / "history.json"
    if not record.exists():
        raise ImportRefused(
            f"{folder} holds no imported history", field="history", remedy="run storetwin import"
        )
    about = json.loads(record.read_text())
    return History(
        open_receipts(folder),
        pd.read_parquet(folder / "items.parquet"),
        dt.date.fromisoformat(about["start_date"]),
        about["tz"],
        ImportReport.load(folder / "report.json"),
        about["data_sha256"],
    )


def _read(mapping: str | Path, files: Sequence[Path], work: Path, tell: Tell) -> ImportReport:
    if mapping == "complete-journey":
        return complete_journey.import_complete_journey(work)
    raise ImportRefused(f"no mapping {str(mapping)!r}", field="mapping")


def _content_key(mapping: str | Path, files: Sequence[Path]) -> str:
    sha = hashlib.sha256(f"{FORMAT}|{mapping}".encode())
    if mapping == "complete-journey":
        try:
            sha.update(complete_journey.data_version().encode())
        except ModuleNotFoundError:
            sha.update(b"absent")
    for path in files:
        with path.open("rb") as file:
            sha.update(hashlib.file_digest(file, "sha256").digest())
    return sha.hexdigest()
