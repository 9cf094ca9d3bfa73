"""Source files as batches of columns: CSV, Parquet, a SQLite query, an installed package.

Text files are read as text, so that a value which is no number is found with its row and
not guessed at. Memory holds one batch, whatever the length of the file.
"""

from __future__ import annotations

import io
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from policies.domain.errors import ImportRefused
from scenarios.history.mapping import FileForm, nearest

BATCH_ROWS = 1 << 18
BLOCK_BYTES = 8 << 20
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Batch:
    """Some rows of a source.

    Attributes
    ----------
    file : str, name for messages
    first_row : int, number of the first row; the first data row of a file is 1
    table : RecordBatch with the wanted columns
    """

    file: str
    first_row: int
    table: pa.RecordBatch

    def column(self, name: str) -> pa.Array:
        """A column by its source name."""
        return self.table.column(self.table.schema.names.index(name))


def header(path: Path, form: FileForm, query: str = "") -> list[str]:
    """Column names of a source file.

    Raises
    ------
    ImportRefused
        For a file that is empty or can't be read.
    """
    if path.suffix in {".parquet", ".pq"}:
        return list(_parquet(path).schema_arrow.names)
    if path.suffix in {".sqlite", ".db"}:
        with _database(path) as base:
            cursor = _ask(base, path, f"SELECT * FROM ({query}) LIMIT 0")  # noqa: S608
            return [column[0] for column in cursor.description]
    with path.open("rb") as file:
        first = file.readline()
    if not first.strip():
        raise ImportRefused(f"{path.name} is empty", field="file", row=1, remedy="give data")
    return list(_csv(path, io.BytesIO(first), form, None).schema.names)


def batches(
    path: Path, form: FileForm, columns: Sequence[str], advance: Advance, query: str = ""
) -> Iterator[Batch]:
    """The rows of a file with `columns` only; `advance` is told the bytes read."""
    if path.suffix in {".parquet", ".pq"}:
        yield from _numbered(path.name, _parquet_batches(path, columns, advance))
    elif path.suffix in {".sqlite", ".db"}:
        yield from _numbered(path.name, _rows(path, query, columns))
        advance(path.stat().st_size)
    else:
        with path.open("rb", buffering=0) as file:
            counted = _Counted(file, advance)
            reader = _csv(path, counted, form, list(columns))
            yield from _numbered(path.name, _guarded(path, reader))


def table_batches(name: str, table: pa.Table, columns: Sequence[str]) -> Iterator[Batch]:
    """The rows of a table in memory."""
    yield from _numbered(name, table.select(list(columns)).to_batches(max_chunksize=BATCH_ROWS))


def require(names: Sequence[str], wanted: dict[str, str], file: str, where: str) -> None:
    """Refuse a file that lacks a column the mapping names (`wanted`: column -> key)."""
    for column, key in wanted.items():
        if column not in names:
            raise ImportRefused(
                f"{file} has no column {column!r}{nearest(column, names)}",
                field=f"{where}.{key}",
                row="header",
                remedy=f"its columns are {', '.join(names[:40])}",
            )


def _numbered(name: str, parts: Any) -> Iterator[Batch]:
    row = 1
    for part in parts:
        if part.num_rows:
            yield Batch(name, row, part)
            row += part.num_rows


class _Counted(io.RawIOBase):
    """A file that says how far it was read."""

    def __init__(self, file: Any, advance: Advance) -> None:
        self._file, self._advance = file, advance

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As the file does."""
        count: int = self._file.readinto(buffer)
        self._advance(count)
        return count


def _csv(path: Path, file: Any, form: FileForm, columns: list[str] | None) -> Any:
    options: dict[str, Any] = {"include_columns": columns} if columns else {}
    if columns:
        options["column_types"] = dict.fromkeys(columns, pa.string())
    try:
        return pa_csv.open_csv(
            pa.PythonFile(file, mode="r"),
            read_options=pa_csv.ReadOptions(
                use_threads=False, block_size=BLOCK_BYTES, encoding=form.encoding
            ),
            parse_options=pa_csv.ParseOptions(delimiter=form.delimiter, newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(strings_can_be_null=False, **options),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError) as fault:
        raise _unreadable(path, fault) from None


def _guarded(path: Path, reader: Any) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except (pa.ArrowInvalid, UnicodeDecodeError) as fault:
        raise _unreadable(path, fault) from None


def _unreadable(path: Path, fault: Exception) -> ImportRefused:
    text = str(fault).splitlines()[0]
    row = re.search(r"[Rr]ow #(\d+)", text)
    encoding = isinstance(fault, UnicodeDecodeError) or "UTF8" in text or "UTF-8" in text
    return ImportRefused(
        f"{path.name} can't be read: {text}",
        field="file.encoding" if encoding else "file",
        row=int(row.group(1)) - 1 if row else None,
        remedy='set encoding under [file], for example "latin-1"'
        if encoding
        else "check delimiter, quotes and the number of fields of that row",
    )


def _parquet(path: Path) -> Any:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as fault:
        text = str(fault).splitlines()[0]
        raise ImportRefused(f"{path.name} is no Parquet file: {text}", field="file") from None


def _parquet_batches(
    path: Path, columns: Sequence[str], advance: Advance
) -> Iterator[pa.RecordBatch]:
    file = _parquet(path)
    rows = max(file.metadata.num_rows, 1)
    # Wide rows make smaller batches, so that memory does not grow with their columns.
    size = max(1_024, min(BATCH_ROWS, (4 << 20) // max(len(columns), 1)))
    for part in file.iter_batches(size, columns=list(columns)):
        advance(path.stat().st_size * part.num_rows // rows)
        yield part


def _database(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def _ask(base: sqlite3.Connection, path: Path, query: str) -> sqlite3.Cursor:
    try:
        return base.execute(query)
    except sqlite3.Error as fault:
        raise ImportRefused(
            f"{path.name}: {fault}", field="sales.query", remedy="a SELECT of the sales"
        ) from None


def _rows(path: Path, query: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    names = ", ".join(f'"{column}"' for column in columns)
    # The query is the user's own, over the user's own file, opened for reading only.
    with _database(path) as base:
        cursor = _ask(base, path, f"SELECT {names} FROM ({query})")  # noqa: S608
        while rows := cursor.fetchmany(BATCH_ROWS // 4):
            # As text like a CSV file's: SQLite's columns have no fixed type.
            text = [[None if v is None else str(v) for v in column] for column in zip(*rows)]  # noqa: B905
            yield pa.RecordBatch.from_arrays(
                [pa.array(column, pa.string()) for column in text], list(columns)
            )
