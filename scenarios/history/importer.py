"""``import_history``: one door for every source, with a cache keyed by content."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from policies.domain.errors import ImportRefused
from policies.domain.receipts import ReceiptColumns
from scenarios.history import complete_journey
from scenarios.history.columns import open_receipts
from scenarios.history.mapping import Mapping, load_mapping
from scenarios.history.reader import read_history
from scenarios.history.report import ImportReport

FORMAT = 4
"""Raised when the files of an imported history change their form."""
META = "meta.json"


@dataclass(frozen=True)
class History:
    """An imported history.

    Attributes
    ----------
    receipts : ReceiptColumns, memory-mapped; seconds of local wall clock since
        `start_date`'s midnight
    items : DataFrame with sku_id, category, name and what else the source gave
    start_date : date of second 0
    tz : IANA zone of the seconds
    report : ImportReport
    data_sha256 : str, hash of the source's content and the mapping
    folder : Path or None, where the history's files are
    country, currency : str, ISO codes the mapping declares ("" = not declared)
    """

    receipts: ReceiptColumns
    items: pd.DataFrame
    start_date: dt.date
    tz: str
    report: ImportReport
    data_sha256: str
    folder: Path | None = None
    country: str = "US"
    currency: str = "USD"

    def table(self, name: str) -> pd.DataFrame | None:
        """A side table (stores, stockouts, promotions, calendar, other_lines), or None."""
        path = None if self.folder is None else self.folder / f"{name}.parquet"
        return pd.read_parquet(path) if path is not None and path.exists() else None

    @property
    def stores(self) -> pd.DataFrame | None:
        """store_id, name, lat, lon (WGS-84) and what else the source gave, or None."""
        return self.table("stores")

    @property
    def stockouts(self) -> pd.DataFrame | None:
        """store_id, sku_id, start, end (local wall clock, end exclusive), or None."""
        return self.table("stockouts")


def import_history(
    mapping: str | Path,
    files: Sequence[Path],
    out: Path,
    progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Read a history into `out` and report on every row.

    The folder appears whole or not at all; importing the same content again returns the
    report of the first time. Row numbers in errors and examples count data rows from 1,
    the header not counted.

    Parameters
    ----------
    mapping : name of a ready mapping, or path of a mapping file
    files : source files (none for ``complete-journey``)
    out : folder to write
    progress : callable (done, whole), optional; bytes of the files

    Raises
    ------
    ImportRefused
        With file, field, row and remedy.
    """
    tell = progress or (lambda done, whole: None)
    rule = load_mapping(mapping)
    files = [_existing(Path(path)) for path in files]
    known = _read_meta(out)
    sources = [_fingerprint(path, known) for path in files]
    key = _content_key(rule, sources)
    if known.get("data_sha256") == key:
        return ImportReport.load(out / "report.json")
    work = out.with_name(out.name + ".part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        report, start = read_history(rule, files, work, tell)
        report.check()
        report.write(work / "report.json")
        meta = {
            "data_sha256": key, "sources": sources, "mapping": rule.name,
            "start_date": start.isoformat(), "tz": rule.tz, "country": rule.country,
            "currency": rule.currency,
        }  # fmt: skip
        (work / META).write_text(json.dumps(meta, ensure_ascii=False, indent=1))
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    shutil.rmtree(out, ignore_errors=True)
    work.rename(out)
    return report


def open_history(folder: Path) -> History:
    """The history of a folder that :func:`import_history` wrote."""
    about = _read_meta(folder)
    if not about:
        raise ImportRefused(
            f"{folder} holds no imported history", field="history", remedy="run storetwin import"
        )
    return History(
        open_receipts(folder),
        pd.read_parquet(folder / "items.parquet"),
        dt.date.fromisoformat(about["start_date"]),
        about["tz"],
        ImportReport.load(folder / "report.json"),
        about["data_sha256"],
        folder,
        about["country"],
        about["currency"],
    )


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ImportRefused(f"no file {path}", field="file", remedy="check the path")
    if path.stat().st_size == 0:
        raise ImportRefused(f"{path.name} is empty", field="file", row=1, remedy="give data")
    return path


def _read_meta(out: Path) -> dict[str, Any]:
    path = out / META
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _fingerprint(path: Path, known: dict[str, Any]) -> dict[str, Any]:
    """Content hash of a file; one whose size and times are unchanged is not read again."""
    stat = path.stat()
    seen = {"path": str(path.resolve()), "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    for old in known.get("sources", []):
        if {name: old[name] for name in seen} == seen:
            return dict(old)
    with path.open("rb") as file:
        return {**seen, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _content_key(rule: Mapping, sources: list[dict[str, Any]]) -> str:
    sha = hashlib.sha256(f"{FORMAT}|{rule.sha256}".encode())
    if rule.sales.package:
        sha.update(complete_journey.data_version().encode())
    for source in sources:
        # The name counts: it decides which table a file is.
        sha.update(f"|{Path(source['path']).name}|{source['sha256']}".encode())
    return sha.hexdigest()
