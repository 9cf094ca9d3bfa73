"""Day rows that also say when a SKU was out of stock, promoted, or the day a holiday."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from scenarios.history.cells import number
from scenarios.history.mapping import DayFlags
from scenarios.history.sources import Batch

HOURS = 24
Rows = npt.NDArray[np.void]
_TIME = pa.timestamp("s")


class FlagWriter:
    """Collects the flags of store × SKU × day rows into the contract's tables.

    Stock-outs are written as whole hours, [start, end) in local wall clock; one that goes
    on past midnight continues as the next day's row.
    """

    def __init__(self, flags: DayFlags, folder: Path) -> None:
        self.flags, self.folder = flags, folder
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._days: dict[int, int] = {}

    def columns(self) -> list[str]:
        """Source columns that are needed."""
        f = self.flags
        return [c for c in (f.stockout_bits, f.promotion, f.price_share, f.holiday) if c]

    def add(self, batch: Batch, keep: npt.NDArray[np.bool_], kept: Rows, names: Any) -> None:
        """Take the flags of a batch's kept rows (`names`: (store names, SKU names))."""
        f = self.flags
        if f.stockout_bits:
            bits = number(batch.column(f.stockout_bits))[0][keep].astype(np.int64)
            self._stockouts(bits, kept, names)
        if f.promotion:
            self._promotions(batch, keep, kept, names)
        if f.holiday:
            flag = number(batch.column(f.holiday))[0][keep] > 0
            day, first = np.unique(kept["t"] // 86_400, return_index=True)
            self._days |= dict(zip(day.tolist(), flag[first].tolist(), strict=True))

    def close(self) -> dict[str, int]:
        """Close the files; returns the rows of each table."""
        counts = {}
        if self._days:
            days = sorted(self._days)
            table = {
                "date": pa.array([day * 86_400 for day in days], _TIME),
                "holiday": pa.array([bool(self._days[day]) for day in days]),
            }
            self._write("calendar", table)
        for name, writer in self._writers.items():
            writer.close()
            counts[name] = pq.read_metadata(self.folder / f"{name}.parquet").num_rows
        return counts

    def _stockouts(self, bits: npt.NDArray[np.int64], kept: Rows, names: Any) -> None:
        out = (bits[:, None] >> np.arange(HOURS)) & 1
        edge = np.diff(np.pad(out, ((0, 0), (1, 1))), axis=1)
        # Both come row by row and in order inside a row, so that they pair up.
        row, start = np.nonzero(edge == 1)
        _, end = np.nonzero(edge == -1)
        midnight = kept["t"][row] // 86_400 * 86_400
        self._write(
            "stockouts",
            {
                **_who(kept[row], names),
                "start": pa.array(midnight + start * 3600, _TIME),
                "end": pa.array(midnight + end * 3600, _TIME),
            },
        )

    def _promotions(
        self, batch: Batch, keep: npt.NDArray[np.bool_], kept: Rows, names: Any
    ) -> None:
        f = self.flags
        on = number(batch.column(f.promotion))[0][keep] > 0
        share = np.full(len(kept), np.nan)
        if f.price_share:
            share = number(batch.column(f.price_share))[0][keep]
        midnight = kept["t"][on] // 86_400 * 86_400
        self._write(
            "promotions",
            {
                **_who(kept[on], names),
                "start": pa.array(midnight, _TIME),
                "end": pa.array(midnight + 86_400, _TIME),
                "depth": pa.array(1.0 - share[on]),
            },
        )

    def _write(self, name: str, columns: dict[str, pa.Array]) -> None:
        table = pa.table(columns)
        if name not in self._writers:
            self._writers[name] = pq.ParquetWriter(self.folder / f"{name}.parquet", table.schema)
        self._writers[name].write_table(table)


def _who(rows: Rows, names: Any) -> dict[str, pa.Array]:
    """Store and SKU names of rows, as dictionary columns."""
    stores, skus = names
    return {
        "store_id": pa.DictionaryArray.from_arrays(pa.array(rows["store"]), pa.array(stores)),
        "sku_id": pa.DictionaryArray.from_arrays(pa.array(rows["sku"]), pa.array(skus)),
    }
