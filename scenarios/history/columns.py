"""Receipt columns on disk: bucketed writing in bounded memory, memory-mapped reading."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from policies.domain.receipts import ReceiptColumns

ROW = np.dtype(
    [
        ("store", "<i4"),
        ("t", "<i4"),
        ("sku", "<i4"),
        ("quantity", "<i4"),
        ("price", "<i4"),
        ("basket", "<i4"),
        ("order", "<i8"),
    ]
)
"""`order` keeps rows of the same second in the order they were read."""
FIELDS = (
    ("t_s", "t"),
    ("sku", "sku"),
    ("quantity", "quantity"),
    ("unit_price_cents", "price"),
    ("basket", "basket"),
)


class ColumnWriter:
    """Takes rows in any order and leaves per-store, time-sorted columns.

    Rows go to one of `buckets` files by store; each bucket is sorted alone, so memory
    holds one bucket at a time whatever the length of the history.
    """

    def __init__(self, folder: Path, buckets: int = 64) -> None:
        self.folder, self.buckets = folder, buckets
        self.parts = folder / "parts"
        self.parts.mkdir(parents=True)
        self.rows = 0

    def add(self, rows: npt.NDArray[np.void]) -> None:
        """Append rows of dtype ``ROW`` (their `order` is set here)."""
        rows["order"] = self.rows + np.arange(len(rows))
        self.rows += len(rows)
        bucket = rows["store"] % self.buckets
        for number in np.unique(bucket):
            with (self.parts / f"{number}.bin").open("ab") as file:
                rows[bucket == number].tofile(file)

    def finish(self, store_ids: Iterable[str], sku_ids: Iterable[str]) -> None:
        """Sort bucket by bucket into the final columns and drop the parts."""
        stores, skus = tuple(store_ids), tuple(sku_ids)
        count = np.zeros(len(stores), dtype=np.int64)
        for number in range(self.buckets):
            count += np.bincount(self._bucket(number)["store"], minlength=len(stores))
        offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        np.save(self.folder / "offsets.npy", offsets)
        columns = {
            name: np.lib.format.open_memmap(
                self.folder / f"{name}.npy", mode="w+", dtype=np.int32, shape=(max(self.rows, 0),)
            )
            for name, _ in FIELDS
        }
        for number in range(self.buckets):
            rows = self._bucket(number)
            rows = rows[np.lexsort((rows["order"], rows["t"], rows["store"]))]
            for store in np.unique(rows["store"]):
                mine = rows[rows["store"] == store]
                where = slice(int(offsets[store]), int(offsets[store + 1]))
                for name, source in FIELDS:
                    columns[name][where] = mine[source]
            (self.parts / f"{number}.bin").unlink(missing_ok=True)
        for column in columns.values():
            column.flush()
        self.parts.rmdir()
        (self.folder / "ids.json").write_text(json.dumps({"stores": stores, "skus": skus}))

    def _bucket(self, number: int) -> npt.NDArray[np.void]:
        path = self.parts / f"{number}.bin"
        return np.fromfile(path, dtype=ROW) if path.exists() else np.zeros(0, dtype=ROW)


def save_receipts(receipts: ReceiptColumns, folder: Path) -> None:
    """Write columns that are already sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "offsets.npy", receipts.offsets)
    for name, _ in FIELDS:
        np.save(folder / f"{name}.npy", np.asarray(getattr(receipts, name), dtype=np.int32))
    ids = {"stores": receipts.store_ids, "skus": receipts.sku_ids}
    (folder / "ids.json").write_text(json.dumps(ids))


def open_receipts(folder: Path) -> ReceiptColumns:
    """Memory-mapped columns of a folder."""
    ids = json.loads((folder / "ids.json").read_text())
    columns = {name: _mapped(folder / f"{name}.npy") for name, _ in FIELDS}
    offsets = np.load(folder / "offsets.npy")
    return ReceiptColumns(tuple(ids["stores"]), tuple(ids["skus"]), offsets, **columns)


def _mapped(path: Path) -> npt.NDArray[np.int32]:
    # An empty file can't be mapped.
    array: npt.NDArray[np.int32] = (
        np.load(path, mmap_mode="r") if path.stat().st_size > 128 else (np.load(path))
    )
    return array
