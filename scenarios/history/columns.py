"""Receipt columns on disk: bucketed writing in bounded memory, memory-mapped reading."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from policies.domain.errors import ImportRefused
from policies.domain.receipts import ReceiptColumns
from scenarios.history.voids import SALE, Voided, cancel_voids

ROW = np.dtype(
    [
        ("store", "<i4"),
        ("sku", "<i4"),
        ("quantity", "<i4"),
        ("price", "<i4"),
        ("t", "<i8"),
        ("instant", "<i8"),
        ("basket", "<i8"),
        ("kind", "i1"),
    ]
)
"""`t`: seconds of local wall clock since 1970; `instant`: of UTC, orders repeated hours;
`basket`: any number that tells receipts of a store apart, -1 = unknown; `kind`: index
into ``mapping.KINDS``."""
FIELDS = (
    ("t_s", "t"),
    ("sku", "sku"),
    ("quantity", "quantity"),
    ("unit_price_cents", "price"),
    ("basket", "basket"),
)
PIECE_ROWS = 2_000_000
DAY_SECONDS = 86_400
Rows = npt.NDArray[np.void]


@dataclass
class Written:
    """What :meth:`ColumnWriter.finish` found and wrote.

    Attributes
    ----------
    stores, skus : ids with at least one line, in the columns' order
    lines : int, receipt lines
    start_day, last_day : int, days since 1970 of the first and last line
    absent_days : days since 1970 between them without a line
    voided : Voided
    """

    stores: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()
    lines: int = 0
    start_day: int = 0
    last_day: int = 0
    absent_days: list[int] = field(default_factory=list)
    voided: Voided = field(default_factory=Voided)


@dataclass(frozen=True)
class _Segment:
    """Sorted lines of one store inside a bucket's sorted file."""

    store: int
    bucket: int
    first: int
    count: int


class ColumnWriter:
    """Takes rows in any order and leaves per-store, time-sorted columns.

    Rows go to one of `buckets` files by store. Each bucket is sorted alone, a large one in
    pieces of whole days, so that memory does not grow with the history even if it has one
    store only.
    """

    def __init__(self, folder: Path, buckets: int = 64) -> None:
        self.folder, self.buckets = folder, buckets
        self.parts = folder / "parts"
        self.parts.mkdir(parents=True)
        self._days: set[int] = set()

    def add(self, rows: Rows) -> None:
        """Append rows of dtype ``ROW``."""
        sold = rows["t"][rows["kind"] == SALE]
        self._days.update(np.unique(sold // DAY_SECONDS).tolist())
        bucket = rows["store"] % self.buckets
        order = np.argsort(bucket, kind="stable")
        ends = np.cumsum(np.bincount(bucket, minlength=self.buckets))
        for number, end in enumerate(ends):
            first = ends[number - 1] if number else 0
            if end > first:
                with (self.parts / f"{number}.bin").open("ab") as file:
                    rows[order[first:end]].tofile(file)

    def finish(self, store_ids: Sequence[str], sku_ids: Sequence[str]) -> Written:
        """Cancel voids, sort, write the final columns and drop the parts.

        Parameters
        ----------
        store_ids, sku_ids : names of the numbers in the rows
        """
        out = Written(start_day=min(self._days), last_day=max(self._days))
        out.absent_days = sorted(set(range(out.start_day, out.last_day)) - self._days)
        if (out.last_day - out.start_day + 1) * DAY_SECONDS > np.iinfo(np.int32).max:
            raise ImportRefused(
                "the history spans more than 68 years", field="ts", remedy="mend or reject dates"
            )
        used = np.zeros(len(sku_ids), dtype=np.bool_)
        segments: list[_Segment] = []
        for number in range(self.buckets):
            segments += self._sort_bucket(number, out, used)
        stores = sorted({s.store for s in segments}, key=lambda i: natural(store_ids[i]))
        skus = sorted(np.flatnonzero(used).tolist(), key=lambda i: natural(sku_ids[i]))
        sku_number = np.full(len(sku_ids), -1, dtype=np.int32)
        sku_number[skus] = np.arange(len(skus))
        out.stores = tuple(store_ids[i] for i in stores)
        out.skus = tuple(sku_ids[i] for i in skus)
        out.lines = self._write(segments, stores, sku_number)
        for path in self.parts.iterdir():
            path.unlink()
        self.parts.rmdir()
        ids = {"stores": out.stores, "skus": out.skus}
        (self.folder / "ids.json").write_text(json.dumps(ids, ensure_ascii=False))
        return out

    def _sort_bucket(
        self, number: int, out: Written, used: npt.NDArray[np.bool_]
    ) -> Iterator[_Segment]:
        """Write a bucket's sorted segments; returns where they stand."""
        at = 0
        baskets: dict[int, int] = {}
        with (self.parts / f"{number}.sorted").open("wb") as file:
            for piece in self._pieces(number):
                rows = piece[_time_order(piece)]
                edges = np.flatnonzero(np.diff(rows["store"])) + 1
                for mine in np.split(rows, edges):
                    sales, voided = cancel_voids(mine)
                    out.voided.add(voided)
                    if not len(sales):
                        continue
                    store = int(sales["store"][0])
                    code, seen = _numbered(sales["basket"], baskets.get(store, 0))
                    baskets[store] = seen
                    used[sales["sku"]] = True
                    second = sales["t"] - out.start_day * DAY_SECONDS
                    for values in (second, sales["sku"], sales["quantity"], sales["price"], code):
                        values.astype("<i4").tofile(file)
                    yield _Segment(store, number, at, len(sales))
                    at += len(sales)
        (self.parts / f"{number}.bin").unlink(missing_ok=True)

    def _pieces(self, number: int) -> Iterator[Rows]:
        """A bucket's rows of sales and voids, in ranges of whole days where it is large."""
        path = self.parts / f"{number}.bin"
        if not path.exists():
            return
        # Read by pieces and not mapped: mapped pages would count as memory in use.
        size = path.stat().st_size // ROW.itemsize
        if size <= PIECE_ROWS:
            yield np.fromfile(path, ROW)
            return
        step = max(1, size // 100_000)
        sample = np.sort(np.concatenate([part["t"][::step] for part in _parts(path, size)]))
        cuts = np.linspace(0, len(sample) - 1, -(-size // PIECE_ROWS) + 2).astype(int)[1:-1]
        days = np.unique(sample[cuts] // DAY_SECONDS).tolist()
        limits = [np.iinfo(np.int64).min, *days, np.iinfo(np.int64).max]
        for low, high in pairwise(limits):
            taken = []
            for part in _parts(path, size):
                day = part["t"] // DAY_SECONDS
                taken.append(part[(day >= low) & (day < high)])
            piece = np.concatenate(taken)
            if len(piece):
                yield piece

    def _write(
        self, segments: list[_Segment], stores: list[int], sku_number: npt.NDArray[np.int32]
    ) -> int:
        """Copy the segments store by store into the column files; returns the lines."""
        by_store: dict[int, list[_Segment]] = {}
        for segment in segments:
            by_store.setdefault(segment.store, []).append(segment)
        count = [sum(s.count for s in by_store[store]) for store in stores]
        np.save(self.folder / "offsets.npy", np.concatenate([[0], np.cumsum(count)]).astype("<i8"))
        lines = sum(count)
        with column_files(self.folder, lines) as files:
            for segment in (s for store in stores for s in by_store[store]):
                path = self.parts / f"{segment.bucket}.sorted"
                # A segment holds its five columns one after the other.
                block = np.fromfile(
                    path, "<i4", len(FIELDS) * segment.count, offset=4 * len(FIELDS) * segment.first
                ).reshape(len(FIELDS), segment.count)
                block[1] = sku_number[block[1]]
                for file, column in zip(files, block, strict=True):
                    column.tofile(file)
        return lines


def natural(name: str) -> tuple[int, int, str]:
    """Sort key: whole numbers by value, then everything else by text."""
    return (0, int(name), name) if name.isascii() and name.isdigit() else (1, 0, name)


def _parts(path: Path, size: int) -> Iterator[Rows]:
    """The rows of a file, some at a time."""
    for first in range(0, size, PIECE_ROWS):
        yield np.fromfile(path, ROW, PIECE_ROWS, offset=first * ROW.itemsize)


def _time_order(rows: Rows) -> npt.NDArray[np.int64]:
    """Stable order by store, wall clock and, where clocks repeat an hour, true time."""
    offset = rows["t"] - rows["instant"]
    keys: tuple[Any, ...] = (rows["t"], rows["store"])
    if len(rows) and (offset != offset[0]).any():
        keys = (rows["instant"], *keys)
    return np.lexsort(keys)


def _numbered(basket: npt.NDArray[np.int64], first: int) -> tuple[npt.NDArray[np.int64], int]:
    """(numbers from `first` in order of appearance, next number); -1 stays -1."""
    known = basket >= 0
    code = np.full(len(basket), -1, dtype=np.int64)
    number, names = pd.factorize(basket[known])
    code[known] = number + first
    return code, first + len(names)


@contextmanager
def column_files(folder: Path, lines: int) -> Iterator[list[IO[bytes]]]:
    """The five column files of `lines` lines, open for appending int32 after int32."""
    header = {"descr": "<i4", "fortran_order": False, "shape": (lines,)}
    with ExitStack() as stack:
        paths = [folder / f"{name}.npy" for name, _ in FIELDS]
        files: list[IO[bytes]] = [stack.enter_context(path.open("wb")) for path in paths]
        for file in files:
            np.lib.format.write_array_header_1_0(file, header)
        yield files


def save_receipts(receipts: ReceiptColumns, folder: Path) -> None:
    """Write columns that are already sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "offsets.npy", receipts.offsets)
    for name, _ in FIELDS:
        np.save(folder / f"{name}.npy", np.asarray(getattr(receipts, name), dtype=np.int32))
    ids = {"stores": receipts.store_ids, "skus": receipts.sku_ids}
    (folder / "ids.json").write_text(json.dumps(ids, ensure_ascii=False))


def open_receipts(folder: Path) -> ReceiptColumns:
    """Memory-mapped columns of a folder."""
    ids = json.loads((folder / "ids.json").read_text(encoding="utf-8"))
    columns = {name: _mapped(folder / f"{name}.npy") for name, _ in FIELDS}
    offsets = np.load(folder / "offsets.npy")
    return ReceiptColumns(tuple(ids["stores"]), tuple(ids["skus"]), offsets, **columns)


def _mapped(path: Path) -> npt.NDArray[np.int32]:
    # An empty file can't be mapped.
    array: npt.NDArray[np.int32] = (
        np.load(path, mmap_mode="r") if path.stat().st_size > 128 else np.load(path)
    )
    return array
