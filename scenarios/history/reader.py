"""Reads the files of a history under a mapping and leaves its columns and tables."""

from __future__ import annotations

import datetime as dt
import fnmatch
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from policies.domain.errors import ImportRefused
from scenarios.history import complete_journey
from scenarios.history.columns import ColumnWriter, Written
from scenarios.history.flags import FlagWriter
from scenarios.history.mapping import KINDS, Mapping
from scenarios.history.report import ImportReport
from scenarios.history.sales import Context, SalesReader
from scenarios.history.sieve import columns_of, period_columns
from scenarios.history.sources import Batch, batches, header, require, table_batches
from scenarios.history.tables import PriceList, date_of, read_side_table

Tell = Callable[[int, int], None]
SPREAD_NOTE = (
    "times within an hour or a day are not recorded: units are spread evenly over it, with a "
    "phase from a hash of store, SKU and begin"
)


def read_history(
    mapping: Mapping, files: Sequence[Path], folder: Path, tell: Tell
) -> tuple[ImportReport, dt.date]:
    """Write columns and tables into `folder`; returns the report and the first day.

    Raises
    ------
    ImportRefused
        With file, field, row and remedy.
    """
    named = _assigned(mapping, files)
    context = Context(mapping, ImportReport())
    frames = {}
    for name in mapping.tables:
        if mapping.tables[name].package or named[name]:
            frames[name], unwanted = read_side_table(
                name, mapping, named[name], complete_journey.read_table
            )
            _learn(context, name, frames[name], unwanted)
    if "prices" in frames:
        calendar = frames.get("calendar", pd.DataFrame())
        context.prices = PriceList(frames["prices"], calendar, context.stores, context.skus)
    flags = FlagWriter(mapping.sales.flags, folder)
    writer = ColumnWriter(folder)
    other = _OtherLines(folder)
    for batch, reader in _sales_batches(mapping, named["sales"], context, flags, tell):
        rows, sieve, kept = reader.rows(batch)
        names = context.stores.names(), context.skus.names()
        receipts = np.isin(rows["kind"], (KINDS.index("sale"), KINDS.index("void")))
        writer.add(rows[receipts])
        other.add(rows[~receipts], names)
        if flags.columns():
            flags.add(batch, sieve.keep, kept, names)
    report = context.report
    if report.read == 0:
        raise ImportRefused("the files hold no data row", field="file", row=1, remedy="give data")
    if not report.kept_as.get("sale"):
        reasons = {**report.rejected, **{k: n for k, n in report.kept_as.items() if n}}
        raise ImportRefused(
            "no line of the files is a sale",
            field="sales",
            remedy=f"what the {report.read} rows are: {reasons}",
        )
    written = writer.finish(context.stores.names(), context.skus.names())
    other.close()
    tables = flags.close()
    for name, frame in frames.items():
        if name not in {"items", "prices"}:
            frame.to_parquet(folder / f"{name}.parquet", index=False)
            tables[name] = len(frame)
    _items(context, frames.get("items"), written).to_parquet(folder / "items.parquet", index=False)
    _conclude(report, mapping, written, tables)
    return report, dt.date(1970, 1, 1) + dt.timedelta(written.start_day)


def _assigned(mapping: Mapping, files: Sequence[Path]) -> dict[str, list[Path]]:
    """Files of each table: by the pattern of its name, what is left to the sales."""
    named: dict[str, list[Path]] = {name: [] for name in (*mapping.tables, "sales")}
    patterns = {name: table.files for name, table in mapping.tables.items()}
    patterns["sales"] = mapping.sales.files
    for path in files:
        for name, pattern in patterns.items():
            if pattern and fnmatch.fnmatch(path.name, pattern):
                named[name].append(path)
                break
        else:
            raise ImportRefused(
                f"{path.name} fits no table of mapping {mapping.name}",
                field="file",
                remedy=f"names that fit: {', '.join(p for p in patterns.values() if p)}",
            )
    if not named["sales"] and not mapping.sales.package:
        raise ImportRefused(
            f"mapping {mapping.name} needs a sales file",
            field="file",
            remedy=f"give a file whose name fits {mapping.sales.files}",
        )
    if mapping.sales.package and files:
        raise ImportRefused(
            f"mapping {mapping.name} reads an installed package and takes no file",
            field="file",
            remedy="leave the file out",
        )
    return named


def _learn(context: Context, name: str, frame: pd.DataFrame, unwanted: dict[str, str]) -> None:
    """Number the ids of an items or stores table, so that unknown ones stand out."""
    if name == "items":
        context.skus.encode(pa.array(frame["sku_id"], pa.string()))
        context.known_skus = len(context.skus)
        context.unwanted = {context.skus.number[sku]: why for sku, why in unwanted.items()}
    elif name == "stores":
        context.stores.encode(pa.array(frame["store_id"], pa.string()))
        context.known_stores = len(context.stores)


def _sales_batches(
    mapping: Mapping, files: Sequence[Path], context: Context, flags: FlagWriter, tell: Tell
) -> Iterator[tuple[Batch, SalesReader]]:
    sales = mapping.sales
    wanted = {}
    for key, source in sales.columns.items():
        for column in [source] if isinstance(source, str) else source:
            wanted[column] = f"columns.{key}"
    wanted |= dict.fromkeys(columns_of(sales.rules), "rules")
    wanted |= dict.fromkeys(flags.columns(), "flags")
    wanted |= {column: f"item.{key}" for key, column in sales.item.items()}
    if sales.package:
        table = complete_journey.read_table(sales.package)
        require(table.schema.names, wanted, sales.package, "sales")
        reader = SalesReader(context)
        for batch in table_batches(sales.package, table, list(wanted)):
            yield batch, reader
            tell(batch.first_row + batch.table.num_rows - 1, table.num_rows)
        return
    whole, done = sum(path.stat().st_size for path in files), 0
    for path in files:
        names = header(path, mapping.file, sales.query)
        require(names, wanted, path.name, "sales")
        periods = []
        if sales.wide is not None:
            periods = [column for _, column in period_columns(names, sales.wide.columns)]
            if not periods:
                raise ImportRefused(
                    f"{path.name} has no column like {sales.wide.columns}",
                    field="sales.wide.columns",
                    row="header",
                    remedy=f"its columns are {', '.join(names[:40])}",
                )
        read = [done]

        def advance(count: int, read: list[int] = read) -> None:
            read[0] += count
            tell(min(read[0], whole), whole)

        # Formats of times are settled file by file.
        reader = SalesReader(context)
        columns = list(dict.fromkeys([*wanted, *periods]))
        for batch in batches(path, mapping.file, columns, advance, sales.query):
            yield batch, reader
        done += path.stat().st_size


class _OtherLines:
    """Returns and adjustments: kept beside the receipts, never dropped."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "other_lines.parquet"
        self._writer: pq.ParquetWriter | None = None

    def add(self, rows: Any, names: tuple[list[str], list[str]]) -> None:
        """Append rows."""
        if not len(rows):
            return
        stores, skus = np.array(names[0], dtype=object), np.array(names[1], dtype=object)
        table = pa.table(
            {
                "store_id": pa.array(stores[rows["store"]], pa.string()),
                "sku_id": pa.array(skus[rows["sku"]], pa.string()),
                "time": pa.array(rows["t"], pa.timestamp("s")),
                "kind": pa.array([KINDS[kind] for kind in rows["kind"]], pa.string()),
                "quantity": rows["quantity"],
                "unit_price_cents": rows["price"],
            }
        )
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)

    def close(self) -> None:
        """Finish the file, if there is one."""
        if self._writer is not None:
            self._writer.close()


def _items(context: Context, frame: pd.DataFrame | None, written: Written) -> pd.DataFrame:
    """Every sold SKU with what is known of it."""
    out = pd.DataFrame({"sku_id": list(written.skus)})
    if frame is not None:
        out = out.merge(frame, on="sku_id", how="left")
    rows = [context.attributes.get(context.skus.number[sku]) for sku in written.skus]
    for position, name in enumerate(context.mapping.sales.item):
        if name not in out:
            out[name] = [None if row is None else row[position] for row in rows]
    for name in ("category", "name", "size"):
        given = out[name] if name in out else pd.Series([""] * len(out))
        out[name] = given.fillna("").astype(str)
    if "subcategory" in out:
        out["subcategory"] = out["subcategory"].fillna("").astype(str)
    return out


def _conclude(
    report: ImportReport, mapping: Mapping, written: Written, tables: dict[str, int]
) -> None:
    """Move voids to their reasons and fill in what is known at the end only."""
    for reason, count in written.voided.counts.items():
        report.reject(reason, count, written.voided.examples[reason])
        report.kept -= count
        kind = "sale" if reason.startswith("sale") else "void"
        report.kept_as[kind] = report.kept_as.get(kind, 0) - count
    report.kept_as = {kind: count for kind, count in report.kept_as.items() if count}
    report.stores, report.skus = len(written.stores), len(written.skus)
    report.lines = written.lines
    report.first, report.last = date_of(written.start_day), date_of(written.last_day)
    report.notes = {
        "start_date": report.first,
        "tz": mapping.tz,
        "dates_without_a_line": [date_of(day) for day in written.absent_days],
        "side_tables": tables,
        **mapping.notes,
    }
    sales = mapping.sales
    if sales.wide is not None or "date" in sales.columns:
        report.notes["assumed_times"] = SPREAD_NOTE
    if sales.fraction == "scale":
        report.notes["scale"] = f"one unit = {sales.scale:g} of the source's"
