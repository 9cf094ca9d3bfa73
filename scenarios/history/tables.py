"""The contract's smaller tables: items, stores, stock-outs, promotions, calendar, prices."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from policies.domain.errors import BadBarcode, ImportRefused
from policies.domain.identifiers import gtin14
from scenarios.history.cells import Codes, TimeReader, number, text
from scenarios.history.coordinates import to_wgs84
from scenarios.history.mapping import Mapping, SideTable, check_zone
from scenarios.history.sieve import columns_of, fits
from scenarios.history.sources import Batch, batches, header, require, table_batches

_NUMBERS = {
    "items": ("pack_size", "unit_cost", "shelf_life_days", "mass_g", "volume_cm3"),
    "stores": ("lat", "lon"),
    "promotions": ("depth",),
    "prices": ("price",),
}
_TIMES = {"stockouts": ("start", "end"), "promotions": ("start", "end"), "calendar": ("date",)}
_KEYS = {"items": "sku_id", "stores": "store_id", "calendar": "date"}
Tables = Callable[[str], pa.Table]


def read_side_table(
    name: str, mapping: Mapping, files: Sequence[Path], package: Tables
) -> tuple[pd.DataFrame, dict[str, str]]:
    """(table in the contract's columns, key -> reason of rows its rules reject).

    Raises
    ------
    ImportRefused
        For a missing column, an unreadable value, a duplicate key, a wrong barcode.
    """
    rule = mapping.tables[name]
    parts = [
        _read_batch(name, rule, mapping, batch)
        for batch in _batches(name, rule, mapping, files, package)
    ]
    if not parts:
        return pd.DataFrame({column: [] for column in rule.columns}), {}
    table = pd.concat([part for part, _ in parts], ignore_index=True)
    if name in _KEYS:
        _no_duplicates(table, name, _KEYS[name])
    if name == "items" and "gtin" in table:
        table["gtin"] = _gtins(table)
    if name == "stores":
        _check_stores(table, rule)
    unwanted = {key: why for _, reasons in parts for key, why in reasons.items()}
    return table.drop(columns="row"), unwanted


def _batches(
    name: str, rule: SideTable, mapping: Mapping, files: Sequence[Path], package: Tables
) -> Any:
    wanted: dict[str, str] = {}
    for key, source in rule.columns.items():
        for column in [source] if isinstance(source, str) else source:
            wanted[column] = f"columns.{key}"
    wanted |= dict.fromkeys(columns_of(rule.reject), "reject")
    if rule.package:
        table = package(rule.package)
        require(table.schema.names, wanted, rule.package, name)
        yield from table_batches(rule.package, table, list(wanted))
    for path in files:
        require(header(path, mapping.file), wanted, path.name, name)
        yield from batches(path, mapping.file, list(wanted), lambda _: None)


def _read_batch(
    name: str, rule: SideTable, mapping: Mapping, batch: Batch
) -> tuple[pd.DataFrame, dict[str, str]]:
    out: dict[str, Any] = {"row": np.arange(batch.table.num_rows) + batch.first_row}
    for key, source in rule.columns.items():
        where = f"{name}.columns.{key}"
        if key in _NUMBERS.get(name, ()):
            out[key] = _numbers(batch, str(source), where, mapping)
        elif key in _TIMES.get(name, ()):
            out[key] = _times(batch, str(source), where, mapping)
        else:
            out[key] = _words(batch, [source] if isinstance(source, str) else source)
    table = pd.DataFrame(out)
    unwanted: dict[str, str] = {}
    for one in rule.reject:
        for key in table.loc[fits(one, batch), _KEYS.get(name, "sku_id")]:
            unwanted.setdefault(key, one.reject or "rejected by a rule")
    return table, unwanted


def _words(batch: Batch, sources: Sequence[str]) -> list[str]:
    """Text of the first of several columns that has any."""
    columns = [text(batch.column(source))[0].to_pylist() for source in sources]
    return [next((cell for cell in row if cell), "") for row in zip(*columns, strict=True)]


def _numbers(batch: Batch, source: str, where: str, mapping: Mapping) -> npt.NDArray[np.float64]:
    values, bad = number(batch.column(source), mapping.file.decimal)
    _, empty = text(batch.column(source))
    _refuse(batch, bad & ~empty, source, where, "is no number")
    return np.where(empty, np.nan, values)


def _times(batch: Batch, source: str, where: str, mapping: Mapping) -> npt.NDArray[Any]:
    times = TimeReader(mapping.sales.zone, mapping.tz, mapping.sales.time_formats)
    local, _, bad = times.read(batch.column(source))
    _refuse(batch, bad, source, where, "is no date or time")
    return local.astype("datetime64[s]")


def _refuse(batch: Batch, bad: npt.NDArray[np.bool_], source: str, where: str, what: str) -> None:
    if bad.any():
        at = int(np.argmax(bad))
        raise ImportRefused(
            f"{batch.file}: {batch.column(source)[at].as_py()!r} in column {source!r} {what}",
            field=where,
            row=batch.first_row + at,
            remedy="mend the value",
        )


def _no_duplicates(table: pd.DataFrame, name: str, key: str) -> None:
    again = table[key].duplicated()
    if again.any():
        at = int(np.argmax(again.to_numpy()))
        first = int(np.argmax((table[key] == table[key].iloc[at]).to_numpy()))
        raise ImportRefused(
            f"{key} {str(table[key].iloc[at])!r} stands twice in {name}, first in row "
            f"{table['row'].iloc[first]}",
            field=f"{name}.{key}",
            row=int(table["row"].iloc[at]),
            remedy="keep one row of it",
        )


def _gtins(table: pd.DataFrame) -> list[str]:
    out = []
    for row, code in zip(table["row"], table["gtin"], strict=True):
        try:
            out.append(gtin14(code) if code else "")
        except BadBarcode as fault:
            raise ImportRefused(
                fault.detail, field="items.gtin", row=int(row), remedy="mend the barcode"
            ) from None
    return out


def _check_stores(table: pd.DataFrame, rule: SideTable) -> None:
    for zone in set(table["tz"]) - {""} if "tz" in table else ():
        check_zone(zone, "stores.tz")
    if {"lat", "lon"} <= set(table.columns):
        wrong = (table.lat.abs() > 90) | (table.lon.abs() > 180)
        if wrong.any():
            at = int(np.argmax(wrong.to_numpy()))
            raise ImportRefused(
                f"{table.lat[at]}, {table.lon[at]} is no place on earth",
                field="stores.columns.lat",
                row=int(table["row"].iloc[at]),
                remedy="degrees, latitude within ± 90; swap lat and lon?",
            )
        table["lat"], table["lon"] = to_wgs84(
            table.lat.to_numpy(), table.lon.to_numpy(), rule.coordinates
        )


class PriceList:
    """Prices by store, SKU and week, looked up for whole columns.

    Parameters
    ----------
    prices : columns store_id, sku_id, week, price (currency units)
    calendar : columns date, week: which week a date belongs to
    stores, skus : Codes that the sales use too
    """

    def __init__(
        self, prices: pd.DataFrame, calendar: pd.DataFrame, stores: Codes, skus: Codes
    ) -> None:
        if "week" not in calendar:
            raise ImportRefused(
                "a price list by week needs the calendar that names each date's week",
                field="calendar.columns.week",
                remedy="give the calendar file",
            )
        weeks = {week: i for i, week in enumerate(dict.fromkeys(calendar["week"]))}
        day = calendar["date"].to_numpy().astype("datetime64[D]").astype(np.int64)
        order = np.argsort(day)
        self._day, self._week = day[order], calendar["week"].map(weeks).to_numpy()[order]
        week = prices["week"].map(weeks)
        known = week.notna().to_numpy()
        key = _key(
            stores.encode(pa.array(prices["store_id"]))[known],
            skus.encode(pa.array(prices["sku_id"]))[known],
            week[known].to_numpy().astype(np.int64),
        )
        order = np.argsort(key)
        self._keys = key[order]
        cents = np.rint(100 * prices["price"].to_numpy()[known]).astype(np.int64)
        self._cents = cents[order]

    def look_up(self, rows: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
        """(N,) cents; 0 where the list has no price."""
        if not len(self._keys) or not len(rows):
            return np.zeros(len(rows), dtype=np.int64)
        day = np.searchsorted(self._day, rows["t"] // 86_400, side="right") - 1
        key = _key(rows["store"], rows["sku"], self._week[np.maximum(day, 0)])
        at = np.minimum(np.searchsorted(self._keys, key), len(self._keys) - 1)
        return np.where((self._keys[at] == key) & (day >= 0), self._cents[at], 0)


def _key(
    store: npt.NDArray[Any], sku: npt.NDArray[Any], week: npt.NDArray[Any]
) -> npt.NDArray[np.int64]:
    """One number for (store < 2^20, SKU < 2^28, week < 2^14)."""
    return np.asarray(
        (store.astype(np.int64) << 42) | (sku.astype(np.int64) << 14) | week.astype(np.int64)
    )


def date_of(day: int) -> str:
    """ISO date of a day counted from 1970-01-01."""
    return (dt.date(1970, 1, 1) + dt.timedelta(day)).isoformat()
