"""What a column of a sheet holds, and how a cell becomes a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from policies.domain.errors import InvalidInput

TEXT, WHOLE, FLAG = "text", "whole", "flag"
_TRUE = frozenset({"true", "1", "yes", "是", "y"})
_FALSE = frozenset({"false", "0", "no", "否", "n"})
RISKY = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so would be run as a formula by a spreadsheet."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    kind : "text" (codes keep their zeros), "whole" number or "flag"
    is_locked : whether the sheet shows it and an import refuses another value
    choices : the only texts allowed, if any
    """

    name: str
    zh: str
    kind: str = TEXT
    is_locked: bool = False
    least: int = 0
    most: int = 2_000_000_000
    choices: tuple[str, ...] = ()
    titles: frozenset[str] = field(init=False, repr=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "titles", frozenset({self.name, self.zh}))

    def title(self, tongue: str) -> str:
        """Heading in a language."""
        return self.zh if tongue == "zh" else self.name


def by_heading(columns: tuple[Column, ...], headings: list[Any]) -> dict[int, Column]:
    """Which column each position holds; headings may be in either language, in any order.

    Raises
    ------
    InvalidInput
        A heading stands twice, or one that every import needs is missing.
    """
    known = {title: column for column in columns for title in column.titles}
    out: dict[int, Column] = {}
    for i, heading in enumerate(headings):
        column = known.get(str(heading or "").strip())
        if column is None:
            continue
        if column in out.values():
            raise InvalidInput(f"the column {column.name} stands twice", field=column.name, row=1)
        out[i] = column
    names = {column.name for column in out.values()}
    missing = [column.name for column in columns if column.is_locked and column.name not in names]
    if missing:
        raise InvalidInput(
            f"the column {missing[0]} is missing",
            field=missing[0],
            row=1,
            remedy="begin with the file that the export gives",
        )
    return out


def value_of(column: Column, cell: Any) -> Any:
    """A cell as the column's kind; None where it is empty.

    Raises
    ------
    InvalidInput
    """
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    text = str(cell).strip()
    if column.kind == FLAG:
        return _flag(column, text)
    if column.kind == WHOLE:
        return _whole(column, cell, text)
    if text.startswith("'") and text[1:].startswith(RISKY):
        text = text[1:]
    if isinstance(cell, float) and cell.is_integer():
        text = str(int(cell))
    if column.choices and text not in column.choices:
        raise InvalidInput(
            f"{text[:40]!r} is none of {', '.join(column.choices)[:200]}", field=column.name
        )
    if len(text) > 400 or any(ord(letter) < 32 for letter in text):
        raise InvalidInput("the text is too long or holds control characters", field=column.name)
    return text


def typed(columns: Mapping[int, Column], cells: tuple[Any, ...]) -> dict[str, Any]:
    """Values by column name of one row; the first bad cell raises :class:`InvalidInput`."""
    return {
        column.name: value_of(column, cells[i] if i < len(cells) else None)
        for i, column in columns.items()
    }


def _flag(column: Column, text: str) -> bool:
    low = text.lower()
    if low in _TRUE:
        return True
    if low in _FALSE:
        return False
    raise InvalidInput(f"{text[:40]!r} is neither yes nor no", field=column.name)


def _whole(column: Column, cell: Any, text: str) -> int:
    if isinstance(cell, float):
        number = int(cell) if cell.is_integer() else None
    else:
        body = text.removeprefix("-").removesuffix(".0")
        number = int(text.removesuffix(".0")) if body.isascii() and body.isdigit() else None
    if number is None or isinstance(cell, bool):
        raise InvalidInput(f"{text[:40]!r} is no whole number", field=column.name)
    if not column.least <= number <= column.most:
        raise InvalidInput(
            f"{number} is not between {column.least} and {column.most}", field=column.name
        )
    return number
