"""Cells to values: text, numbers and times of a batch, each fault with its row.

A converter returns values and a mask of the rows it could not read; what happens to
those (the import is refused, or the row rejected) is decided by the caller.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from scenarios.history.clock import local_seconds, utc_seconds

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Seconds = npt.NDArray[np.int64]
_NONE = ("", "NA", "NULL", "null", "NaN", "nan", "None")


def text(column: pa.Array) -> tuple[pa.Array, Mask]:
    """(trimmed strings, rows without one)."""
    out = column if pa.types.is_string(column.type) else pc.cast(column, pa.string())
    out = pc.utf8_trim_whitespace(out)
    empty = pc.fill_null(pc.equal(out, ""), True)
    return out, _mask(empty)


def number(column: pa.Array, decimal: str = ".") -> tuple[Floats, Mask]:
    """(float64, rows that are no finite number)."""
    if not pa.types.is_string(column.type):
        values = pc.cast(column, pa.float64())
    else:
        clean = pc.utf8_trim_whitespace(column)
        if decimal != ".":
            clean = pc.replace_substring(clean, decimal, ".")
        try:
            values = pc.cast(clean, pa.float64())
        except pa.ArrowInvalid:
            values = pa.array([_float(cell) for cell in clean.to_pylist()], pa.float64())
    out = np.asarray(pc.fill_null(values, np.nan).to_numpy(zero_copy_only=False))
    return out, ~np.isfinite(out)


def _float(cell: str | None) -> float | None:
    try:
        return float(cell) if cell not in {None, *_NONE} else None  # type: ignore[arg-type]
    except ValueError:
        return None


class TimeReader:
    """Times of one source: (local seconds, instants in UTC, unreadable rows).

    Parameters
    ----------
    zone : "local", "offset" or an IANA name: what the written times mean
    chain_zone : zone of the wall clock that is wanted
    formats : strptime formats; the first that reads a whole batch is kept for the source,
        so that 01/02 can't mean January in one batch and February in the next
    """

    def __init__(self, zone: str, chain_zone: str, formats: Sequence[str] = ()) -> None:
        self.zone, self.chain_zone = zone, chain_zone
        self._formats = ("", *formats)
        self._kept: str | None = None

    def read(self, column: pa.Array) -> tuple[Seconds, Seconds, Mask]:
        """Convert a batch."""
        written, bad, aware = self._seconds(column)
        if aware:
            instant = written
            return local_seconds(instant, self.chain_zone), instant, bad
        if self.zone in {"local", self.chain_zone}:
            return written, written, bad
        instant = utc_seconds(written, self.zone)
        return local_seconds(instant, self.chain_zone), instant, bad

    def _seconds(self, column: pa.Array) -> tuple[Seconds, Mask, bool]:
        kind = column.type
        if pa.types.is_timestamp(kind):
            return (*_epoch(column), kind.tz is not None)
        if pa.types.is_date(kind):
            return (*_epoch(pc.cast(column, pa.timestamp("s"))), False)
        if not pa.types.is_string(kind):
            column = pc.cast(column, pa.string())
        clean = pc.utf8_trim_whitespace(column)
        aware = self.zone == "offset"
        for form in self._formats if self._kept is None else (self._kept,):
            parsed = _parse(clean, form, aware)
            if parsed is not None and parsed.null_count == 0:
                self._kept = form
                return (*_epoch(parsed), aware)
        # No format reads the whole batch: the first wanted one says which rows are at fault.
        form = self._kept if self._kept is not None else self._formats[-1]
        return (*_epoch(_parse_each(clean, form, aware)), aware)


def _parse(column: pa.Array, form: str, aware: bool) -> pa.Array | None:  # noqa: FBT001
    try:
        if form:
            return pc.strptime(column, format=form, unit="s", error_is_null=True)
        return pc.cast(column, pa.timestamp("us", tz="UTC" if aware else None))
    except pa.ArrowInvalid:
        return None


def _parse_each(column: pa.Array, form: str, aware: bool) -> pa.Array:  # noqa: FBT001
    kind = pa.timestamp("us", tz="UTC" if aware else None)
    parts = []
    for cell in column:
        one = _parse(pa.array([cell.as_py()], pa.string()), form, aware)
        parts.append(pa.nulls(1, kind) if one is None else pc.cast(one, kind))
    return pa.concat_arrays(parts)


def _epoch(column: pa.Array) -> tuple[Seconds, Mask]:
    bad = _mask(pc.is_null(column))
    # Whole seconds, rounded down; a fraction of a second orders nothing we keep.
    micros = pc.cast(column, pa.timestamp("us", tz=column.type.tz), safe=False)
    out = pc.fill_null(pc.cast(micros, pa.int64()), 0).to_numpy(zero_copy_only=False)
    return np.asarray(out // 1_000_000, dtype=np.int64), bad


class Codes:
    """Numbers of names in the order they were first met."""

    def __init__(self) -> None:
        self.number: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.number)

    def names(self) -> list[str]:
        """Names by number."""
        return list(self.number)

    def encode(self, names: pa.Array) -> npt.NDArray[np.int32]:
        """(N,) int32 number of each name."""
        coded = pc.dictionary_encode(pc.fill_null(names, ""))
        known = np.array(
            [
                self.number.setdefault(name, len(self.number))
                for name in coded.dictionary.to_pylist()
            ],
            dtype=np.int32,
        )
        return known[_indices(coded)] if len(known) else np.zeros(0, dtype=np.int32)

    def spice(self) -> npt.NDArray[np.uint64]:
        """(N,) uint64 checksum of each name: the same whatever the order they came in."""
        return np.array([zlib.crc32(name.encode()) for name in self.number], dtype=np.uint64)

    def find(self, names: Any) -> npt.NDArray[np.int64]:
        """(N,) number of each name, -1 where it is unknown."""
        return np.array([self.number.get(str(name), -1) for name in names], dtype=np.int64)


def fingerprints(columns: Sequence[pa.Array]) -> Seconds:
    """(N,) int64 ≥ 0: equal for equal cells (64-bit hash of the joined text)."""
    import pandas as pd  # noqa: PLC0415 -- heavy; only importers of baskets need it

    joined = columns[0]
    if len(columns) > 1:
        joined = pc.binary_join_element_wise(*columns, "\x1f")
    coded = pc.dictionary_encode(pc.fill_null(joined, ""))
    each = pd.util.hash_array(np.array(coded.dictionary.to_pylist(), dtype=object))
    positive = (each & np.uint64(0x7FFFFFFFFFFFFFFF)).astype(np.int64)
    return positive[_indices(coded)] if len(positive) else np.zeros(0, dtype=np.int64)


def _indices(coded: pa.DictionaryArray) -> npt.NDArray[np.int32]:
    return np.asarray(coded.indices.to_numpy(zero_copy_only=False), dtype=np.int32)


def _mask(column: pa.Array) -> Mask:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.bool_)
