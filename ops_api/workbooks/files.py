"""Reading and writing .xlsx and CSV in bounded memory."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.datavalidation import DataValidation

from ops_api.errors import BatchTooLarge
from ops_api.workbooks.columns import FLAG, RISKY, WHOLE, Column
from policies.domain.errors import InvalidInput

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv"
MOST_ROWS = 200_000
_MOST_UNPACKED_BYTES = 400_000_000
_MOST_RATIO = 200
_MOST_PARTS = 500
_MOST_SHARED = 20_000
_GREY = PatternFill("solid", fgColor="FFE7E6E6")


def write_xlsx(
    columns: Sequence[Column], rows: Iterable[Sequence[Any]], tongue: str = "en"
) -> bytes:
    """A workbook of one sheet: headings, validation, codes as text, no formula.

    Parameters
    ----------
    rows : values in the order of `columns`
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet("data")
    sheet.freeze_panes = "A2"
    for i, column in enumerate(columns):
        letter = get_column_letter(i + 1)
        sheet.column_dimensions[letter].width = 18
        rule = _validation(column)
        if rule is not None:
            rule.add(f"{letter}2:{letter}{MOST_ROWS}")
            sheet.data_validations.append(rule)
    head = []
    for column in columns:
        cell = WriteOnlyCell(sheet, column.title(tongue))
        cell.font = Font(bold=True)
        if column.is_locked:
            cell.fill = _GREY
        head.append(cell)
    sheet.append(head)
    texts = [column.kind not in (WHOLE, FLAG) for column in columns]
    for row in rows:
        sheet.append(
            [
                _text_cell(sheet, value) if is_text and isinstance(value, str) else value
                for value, is_text in zip(row, texts, strict=True)
            ]
        )
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _text_cell(sheet: Any, value: str) -> Any:
    """Digits stay text with their zeros, and nothing that a person typed runs as a formula."""
    if not value.isprintable():
        # A workbook is XML, which knows no control characters.
        value = ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", value)
    risky = value.startswith(RISKY)
    if not risky and not value.isdigit():
        return value
    cell = WriteOnlyCell(sheet, None)
    # Set apart from the constructor, which would take a leading = for a formula.
    cell._value, cell.data_type = (f"'{value}" if risky else value), "s"
    if not risky:
        cell.number_format = "@"
    return cell


def _validation(column: Column) -> Any:
    if column.kind == WHOLE and not column.is_locked:
        rule = DataValidation(
            type="whole",
            operator="between",
            formula1=str(column.least),
            formula2=str(column.most),
            allow_blank=True,
        )
    elif column.kind == FLAG or column.choices:
        choices = ("TRUE", "FALSE") if column.kind == FLAG else column.choices
        rule = DataValidation(type="list", formula1=f'"{",".join(choices)}"', allow_blank=True)
    else:
        return None
    rule.error = f"{column.name}: {column.least} – {column.most}"[:200]
    return rule


def read_xlsx(content: bytes) -> Iterator[tuple[Any, ...]]:
    """Rows of the first sheet; formulas come as their text, for the reader to refuse.

    Raises
    ------
    InvalidInput
        It is no workbook.
    BatchTooLarge
        It unpacks to more than a workbook of this size honestly would.
    """
    _check_zip(content)
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False)
        sheet = book.worksheets[0]
    except (InvalidFileException, KeyError, ValueError, IndexError, zipfile.BadZipFile) as error:
        raise _unreadable(error) from None
    # What the file says of its size is not to be trusted.
    sheet.reset_dimensions()
    try:
        yield from _bounded(sheet.iter_rows(values_only=True, max_col=200))
    except (ValueError, KeyError, TypeError, SyntaxError, zipfile.BadZipFile) as error:
        if isinstance(error, InvalidInput):
            raise
        raise _unreadable(error) from None
    finally:
        book.close()


def _check_zip(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError) as error:
        raise _unreadable(error) from None
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > _MOST_PARTS or unpacked > _MOST_UNPACKED_BYTES:
        raise _bomb()
    for part in parts:
        if part.file_size > 1_000_000 and part.file_size > _MOST_RATIO * part.compress_size:
            raise _bomb()


def write_csv(
    columns: Sequence[Column], rows: Iterable[Sequence[Any]], tongue: str, encoding: str
) -> bytes:
    """CSV for spreadsheets: UTF-8 with a mark, or GB18030; no cell runs as a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([column.title(tongue) for column in columns])
    for row in rows:
        writer.writerow([_harmless(value) for value in row])
    return out.getvalue().encode("utf-8-sig" if encoding == "utf-8" else encoding)


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(RISKY) else value


def read_csv(content: bytes) -> Iterator[tuple[Any, ...]]:
    """Rows of a CSV in UTF-8 (with or without mark), UTF-16 with mark, or GB18030.

    Raises
    ------
    InvalidInput
    """
    text = _decoded(content)
    head = text.split("\n", 1)[0]
    delimiter = max((",", ";", "\t"), key=head.count)
    try:
        yield from _bounded(map(tuple, csv.reader(io.StringIO(text), delimiter=delimiter)))
    except csv.Error as error:
        raise InvalidInput(f"the CSV can't be read: {error}", field="file") from None


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        tries: tuple[str, ...] = ("utf-16",)
    else:
        tries = ("utf-8-sig", "gb18030")
    for encoding in tries:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" in text:
            break
        return text
    raise InvalidInput(
        "the text is neither UTF-8 nor GB18030",
        field="file",
        remedy="save it as CSV UTF-8 or as .xlsx",
    )


def read_rows(content: bytes, media_type: str) -> list[tuple[Any, ...]]:
    """All rows of a file, headings first."""
    rows = list(read_xlsx(content) if media_type == XLSX else read_csv(content))
    if not rows:
        raise InvalidInput("the file is empty", field="file")
    return rows


def _bounded(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    # Categories and numbers repeat: one object each, or 100,000 rows would not fit.
    texts: dict[str, str] = {}
    numbers: dict[int, int] = {}
    for i, row in enumerate(rows):
        if i > MOST_ROWS:
            raise BatchTooLarge(
                f"the file has more than {MOST_ROWS} rows", field="file", remedy="split it"
            )
        if len(texts) > _MOST_SHARED:
            texts.clear()
            numbers.clear()
        yield tuple(
            texts.setdefault(value, value)
            if type(value) is str
            else numbers.setdefault(value, value)
            if type(value) is int
            else value
            for value in row
        )


def _bomb() -> BatchTooLarge:
    return BatchTooLarge(
        "the workbook unpacks to far more than its size",
        field="file",
        remedy="save it anew from the spreadsheet program, or split it",
    )


def _unreadable(error: Exception) -> InvalidInput:
    return InvalidInput(
        f"this is no readable workbook: {type(error).__name__}",
        field="file",
        remedy="send an .xlsx or CSV file",
    )
