"""Which rows of a batch stay, and under which single reason each other one left."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from policies.domain.errors import ImportRefused
from scenarios.history.cells import number, text
from scenarios.history.mapping import Rule, Test
from scenarios.history.report import EXAMPLES, ImportReport
from scenarios.history.sources import Batch

Mask = npt.NDArray[np.bool_]


class Sieve:
    """Rows of a batch that are still kept.

    Parameters
    ----------
    batch : Batch
    report : counts what falls through
    refuse : an unreadable value ends the import (True) or loses its row (False)
    """

    def __init__(self, batch: Batch, report: ImportReport, *, refuse: bool) -> None:
        self.batch, self.report, self.refuse = batch, report, refuse
        self.keep: Mask = np.ones(batch.table.num_rows, dtype=np.bool_)

    def drop(self, rows: Mask, reason: str) -> None:
        """Reject rows; one that already left keeps its first reason."""
        fresh = rows & self.keep
        count = int(fresh.sum())
        if count:
            at = np.flatnonzero(fresh)[:EXAMPLES]
            self.report.reject(reason, count, [self._example(int(i)) for i in at])
            self.keep &= ~fresh

    def unreadable(self, rows: Mask, field: str, column: str, what: str, remedy: str) -> None:
        """Refuse or reject rows whose cell of `column` is not `what`."""
        rows = rows & self.keep
        if not rows.any():
            return
        if self.refuse:
            at = int(np.argmax(rows))
            raise ImportRefused(
                f"{self.batch.file}: {self._cell(column, at)!r} in column {column!r} is {what}",
                field=field,
                row=self.batch.first_row + at,
                remedy=remedy + '; or set bad_values = "reject" to leave such rows out',
            )
        self.drop(rows, f"{column} is {what}")

    def _cell(self, column: str, at: int) -> object:
        names = self.batch.table.schema.names
        return self.batch.column(column)[at].as_py() if column in names else None

    def _example(self, at: int) -> dict[str, object]:
        names = self.batch.table.schema.names[:12]
        cells = {name: self._cell(name, at) for name in names}
        # Reports are written as JSON: times and the like as they print.
        plain = {
            n: c if isinstance(c, str | int | float | None) else str(c) for n, c in cells.items()
        }
        return {"row": self.batch.first_row + at, **plain}


def fits(rule: Rule, batch: Batch) -> Mask:
    """(N,) bool: rows that pass all tests of `rule`."""
    out: Mask = np.ones(batch.table.num_rows, dtype=np.bool_)
    for test in rule.when:
        out &= _passes(test, batch.column(test.column))
    return out


def _passes(test: Test, column: pa.Array) -> Mask:
    out: Mask = np.ones(len(column), dtype=np.bool_)
    if test.equals is not None or test.matches is not None:
        words, _ = text(column)
        if test.equals is not None:
            out &= _true(pc.is_in(words, value_set=pa.array(test.equals, pa.string())))
        if test.matches is not None:
            out &= _true(pc.match_substring_regex(words, test.matches))
    if (test.above, test.below, test.at_most) != (None, None, None):
        value, bad = number(column)
        value = np.where(bad, 0.0, value)
        out &= ~bad
        out &= True if test.above is None else value > test.above
        out &= True if test.below is None else value < test.below
        out &= True if test.at_most is None else value <= test.at_most
    return out


def _true(column: pa.Array) -> Mask:
    return np.asarray(pc.fill_null(column, False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def columns_of(rules: tuple[Rule, ...]) -> list[str]:
    """Source columns the rules look at."""
    return [test.column for rule in rules for test in rule.when]


def period_columns(names: list[str], pattern: str) -> list[tuple[int, str]]:
    """(number, column) of each column that the pattern fits, by number."""
    found = [(re.fullmatch(pattern, name), name) for name in names]
    return sorted((int(match.group(1)), name) for match, name in found if match)
