"""An imported history as series of daily sales, the busiest first."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt

import numpy as np
import numpy.typing as npt
import pandas as pd

from policies.domain.errors import InvalidInput
from policies.forecasting.series import Float32s, Floats, Ints, SeriesPanel
from policies.forecasting.unconstrain import HourlyUnconstrain
from scenarios.history.day_plan import DayPlan, day_plan
from scenarios.history.importer import History

LEVELS = ("store-sku", "store-category")
DAY_SECONDS = 86_400
HOUR_SECONDS = 3_600


def series_of(
    history: History, *, level: str, series: int, until_day: int, first_origin: int
) -> SeriesPanel:
    """The `series` that sold most before `first_origin`, over days 0 … `until_day` - 1.

    A stock-out counts for the share of a day that the chain sells in its hours; of a
    category, for the mean of what its SKUs that ever sold in the store lost. A promotion is
    the depth of the price cut (1 where the source tells only that there was one), of a
    category the mean over those SKUs.

    Raises
    ------
    InvalidInput
        For an unknown level, no series, or sales that are all zero.
    """
    if level not in LEVELS:
        raise InvalidInput(
            f"no level {level!r}", field="level", remedy=f"choose {' or '.join(LEVELS)}"
        )
    if series < 1:
        raise InvalidInput(f"{series} series", field="series", remedy="give at least 1")
    groups, categories = _categories(history)
    item = groups if level == "store-category" else np.arange(len(groups))
    width = int(item.max(initial=-1)) + 1
    sums = _sums(history, item, width, until_day)
    keys, table = sums
    before = table[:, :first_origin].sum(axis=1, dtype=np.float64)
    if not len(keys) or before.max(initial=0) <= 0:
        raise InvalidInput(
            "no series sold anything before the first origin",
            field="history",
            remedy="give a history with sales in its first days",
        )
    order = np.argsort(-before, kind="stable")[:series]
    order = order[before[order] > 0]
    keys, sold = keys[order], table[order]
    store, member = keys // width, keys % width
    hours = np.tile(hours_of(history, first_origin), (len(keys), 1))
    index = _Cells(history, item, width, keys, until_day, hours)
    if history.stockouts is not None and len(history.stockouts):
        # A second look, with the hours of each category where they were in stock.
        hours = _hours_in_stock(index, sold[:, :first_origin], groups, item)
        index = _Cells(history, item, width, keys, until_day, hours)
    names = categories if level == "store-category" else list(history.receipts.sku_ids)
    plan = _plan(history, until_day)
    return SeriesPanel(
        sold=sold,
        in_stock=(1.0 - index.out_of_stock()).astype(np.float32),
        promotion=index.promotions().astype(np.float32),
        holiday=plan.holiday,
        first_weekday=history.start_date.weekday(),
        store=store,
        group=groups[member] if level == "store-sku" else member,
        names=tuple(
            f"{history.receipts.store_ids[s]} / {names[m]}"
            for s, m in zip(store.tolist(), member.tolist(), strict=True)
        ),
        festival=plan.festival,
    )


def labels_of(history: History, panel: SeriesPanel) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(store, category) of each series, by name."""
    _, categories = _categories(history)
    stores = history.receipts.store_ids
    return (
        tuple(stores[s] for s in panel.store.tolist()),
        tuple(categories[g] for g in panel.group.tolist()),
    )


def days_of(history: History) -> int:
    """Days from the first to the last with a sale."""
    return int(history.receipts.t_s.max(initial=-1)) // DAY_SECONDS + 1


def hours_of(history: History, until_day: int) -> Floats:
    """(24,) share of the chain's units by hour of the day, of the days before `until_day`."""
    t, units = history.receipts.t_s, history.receipts.quantity
    early = t < until_day * DAY_SECONDS
    hour = t[early] % DAY_SECONDS // HOUR_SECONDS
    out = np.bincount(hour, units[early], minlength=24).astype(np.float64)
    return np.asarray(out / max(out.sum(), 1.0))


def _categories(history: History) -> tuple[Ints, list[str]]:
    """((K,) category number of each SKU of the receipts, names); the finest there is."""
    items = history.items
    column = next((name for name in ("subcategory", "category") if name in items), None)
    if column is None:
        return np.zeros(len(history.receipts.sku_ids), dtype=np.int64), ["all"]
    of = dict(zip(items["sku_id"].astype(str), items[column].astype(str), strict=True))
    told = [of.get(sku, "") for sku in history.receipts.sku_ids]
    names = sorted(set(told))
    number = {name: i for i, name in enumerate(names)}
    return np.array([number[name] for name in told], dtype=np.int64), names


def _sums(
    history: History, item: npt.NDArray[np.int64], width: int, until_day: int
) -> tuple[Ints, Float32s]:
    """((N,) keys store · width + item, (N, D) units), store by store."""
    receipts = history.receipts
    keys, tables = [], []
    for number in range(len(receipts.store_ids)):
        rows = receipts.store(number)
        day = receipts.t_s[rows] // DAY_SECONDS
        inside = day < until_day
        member = item[receipts.sku[rows][inside]]
        found, at = np.unique(member, return_inverse=True)
        units = np.bincount(
            at * until_day + day[inside],
            receipts.quantity[rows][inside],
            minlength=len(found) * until_day,
        )
        keys.append(number * width + found)
        # Whole units below 2^24 are exact; as doubles all SKUs of a chain took 2.4 GB.
        tables.append(units.reshape(len(found), until_day).astype(np.float32))
    if not keys:
        return np.zeros(0, dtype=np.int64), np.zeros((0, until_day), dtype=np.float32)
    return np.concatenate(keys), np.concatenate(tables)


def _at(sums: Floats, row: Ints, seconds: Ints) -> Floats:
    """(N,) share of a day's sales before a second of it, by the series' hours (S, 25)."""
    hour = np.minimum(seconds // HOUR_SECONDS, 23)
    part = (seconds - hour * HOUR_SECONDS) / HOUR_SECONDS
    low, high = sums[row, hour], sums[row, hour + 1]
    return np.asarray(low + part * (high - low))


def _hours_in_stock(cells: _Cells, sold: Float32s, groups: Ints, item: Ints) -> Floats:
    """(S, 24) share of each hour by the series' category, had it been in stock all day.

    `sold` (S, D) are the days that may be looked at. An hour without stock tells nothing;
    a chain's plain sums would take evenings that are often sold out for quiet ones.
    """
    days = sold.shape[1]
    receipts, width = cells.history.receipts, cells.width
    store = np.repeat(np.arange(len(receipts.store_ids)), np.diff(receipts.offsets))
    row = cells.row_of(store * width + item[receipts.sku])
    day = receipts.t_s // DAY_SECONDS
    mine = (row >= 0) & (day < days)
    hour = receipts.t_s[mine] % DAY_SECONDS // HOUR_SECONDS
    cell = (row[mine].astype(np.int64) * days + day[mine]) * 24 + hour
    units = np.bincount(cell, receipts.quantity[mine], len(sold) * days * 24)
    # A whole hour counts as in stock from its middle on.
    gone = np.stack([cells.out_of_stock_in(h, days) for h in range(24)], axis=2)
    member = cells.keys % width
    by_item = np.zeros(width, dtype=np.int64)
    by_item[item] = groups
    series = np.repeat(np.arange(len(sold)), days)
    restored = HourlyUnconstrain().restore(
        units.reshape(-1, 24).astype(np.float64),
        gone.reshape(-1, 24) < 0.5,
        series,
        by_item[member][series],
    )
    return np.asarray(restored.profile[by_item[member]])


class _Cells:
    """Side tables spread over the chosen series and days."""

    def __init__(
        self, history: History, item: Ints, width: int, keys: Ints, until_day: int, hours: Floats
    ) -> None:
        self.history, self.keys, self.days = history, keys, until_day
        self.hours = hours
        self.order = np.argsort(keys)
        self.store = {name: i for i, name in enumerate(history.receipts.store_ids)}
        self.sku = {name: i for i, name in enumerate(history.receipts.sku_ids)}
        self.item, self.width = item, width
        self.start = np.datetime64(history.start_date)
        self.members = self._members()

    def out_of_stock(self) -> Floats:
        """(S, D) share of a day's usual sales that fell into hours without stock."""
        out = np.zeros((len(self.keys), self.days))
        table = self.history.stockouts
        if table is None or not len(table):
            return out
        row = self._rows(table)
        begin, end = (self._seconds(table[name]) for name in ("start", "end"))
        sums = np.zeros((len(self.hours), 25))
        np.cumsum(self.hours, axis=1, out=sums[:, 1:])
        first, last = begin // DAY_SECONDS, (end - 1) // DAY_SECONDS
        for step in range(int((last - first).max(initial=0)) + 1):
            day = first + step
            midnight = day * DAY_SECONDS
            until = _at(sums, row, np.clip(end - midnight, 0, DAY_SECONDS))
            lost = until - _at(sums, row, np.clip(begin - midnight, 0, DAY_SECONDS))
            fits = (row >= 0) & (day >= 0) & (day < self.days) & (day <= last)
            np.add.at(out, (row[fits], day[fits]), lost[fits])
        return np.minimum(out / self.members[:, None], 1.0)

    def out_of_stock_in(self, hour: int, days: int) -> Floats:
        """(S, D) share of an hour without stock, of the first `days` days."""
        only = np.zeros((len(self.keys), 24))
        only[:, hour] = 1.0
        cells = copy.copy(self)
        cells.hours, cells.days = only, days
        return cells.out_of_stock()

    def promotions(self) -> Floats:
        """(S, D) depth of the price cut, by days."""
        out = np.zeros((len(self.keys), self.days))
        table = self.history.table("promotions")
        if table is None or not len(table):
            return out
        row = self._rows(table)
        depth = np.ones(len(table))
        if "depth" in table:
            told = table["depth"].to_numpy(dtype=np.float64)
            depth = np.where(np.isfinite(told), np.clip(told, 0.0, 1.0), 1.0)
        begin, end = (self._seconds(table[name]) for name in ("start", "end"))
        first, last = begin // DAY_SECONDS, (end - 1) // DAY_SECONDS
        for step in range(int((last - first).max(initial=0)) + 1):
            day = first + step
            fits = (row >= 0) & (day >= 0) & (day < self.days) & (day <= last)
            np.add.at(out, (row[fits], day[fits]), depth[fits])
        return np.minimum(out / self.members[:, None], 1.0)

    def _rows(self, table: pd.DataFrame) -> Ints:
        """(N,) series of each row of a table, -1 where it is none of the chosen."""
        store = table["store_id"].astype(str).map(self.store).to_numpy(dtype=np.float64)
        sku = table["sku_id"].astype(str).map(self.sku).to_numpy(dtype=np.float64)
        known = np.isfinite(store) & np.isfinite(sku)
        key = np.full(len(table), -1, dtype=np.int64)
        key[known] = (
            store[known].astype(np.int64) * self.width + self.item[sku[known].astype(np.int64)]
        )
        return self.row_of(key)

    def row_of(self, key: Ints) -> Ints:
        """(N,) series of keys, -1 for what is none of the chosen."""
        at = np.minimum(np.searchsorted(self.keys[self.order], key), len(self.keys) - 1)
        found = self.order[at]
        return np.where(self.keys[found] == key, found, -1)

    def _seconds(self, column: pd.Series) -> Ints:
        told = column.to_numpy().astype("datetime64[s]") - self.start.astype("datetime64[s]")
        return np.asarray(told.astype(np.int64))

    def _members(self) -> Floats:
        """(S,) SKUs of a series that its store ever sold."""
        receipts = self.history.receipts
        out = np.ones(len(self.keys))
        for number in np.unique(self.keys // self.width).tolist():
            ever = np.unique(receipts.sku[receipts.store(number)])
            count = np.bincount(self.item[ever], minlength=self.width)
            mine = self.keys // self.width == number
            out[mine] = count[self.keys[mine] % self.width]
        return np.maximum(out, 1.0)


def _plan(history: History, days: int) -> DayPlan:
    """The country's calendar, with the source's own holidays where it tells them."""
    plan = day_plan(history.country, history.start_date, days)
    table = history.table("calendar")
    if table is None or "holiday" not in table:
        return plan
    told = dict(zip(pd.to_datetime(table["date"]).dt.date, table["holiday"], strict=True))
    dates = (history.start_date + dt.timedelta(day) for day in range(days))
    flags = np.array([bool(told.get(day, False)) for day in dates], dtype=np.bool_)
    return dataclasses.replace(plan, holiday=flags)


def whole_days(history: History, days: int) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """((S,) keys store · SKUs + SKU ascending, (S,) category, (S, D) in stock throughout)."""
    groups, _ = _categories(history)
    width = len(groups)
    keys, _ = _sums(history, np.arange(width), width, days)
    even = np.full((len(keys), 24), 1 / 24)
    index = _Cells(history, np.arange(width), width, keys, days, even)
    return keys, groups[keys % max(width, 1)], index.out_of_stock() <= 0


def hourly_cells(
    history: History, days: int
) -> tuple[Ints, Ints, npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """((S,) keys store · SKUs + SKU, (S,) category, (S, D, 24) units, (S, D, 24) out)."""
    groups, _ = _categories(history)
    width = max(len(groups), 1)
    keys, _ = _sums(history, np.arange(width), width, days)
    cells = _Cells(history, np.arange(width), width, keys, days, np.zeros((len(keys), 24)))
    receipts = history.receipts
    store = np.repeat(np.arange(len(receipts.store_ids)), np.diff(receipts.offsets))
    row = cells.row_of(store * width + receipts.sku)
    day, second = np.divmod(receipts.t_s, DAY_SECONDS)
    mine = (row >= 0) & (day < days)
    cell = (row[mine] * days + day[mine]) * 24 + second[mine] // HOUR_SECONDS
    units = np.bincount(cell, receipts.quantity[mine], len(keys) * days * 24)
    out = np.stack([cells.out_of_stock_in(h, days) > 0.5 for h in range(24)], axis=2)
    return keys, groups[keys % width], units.reshape(-1, days, 24).astype(np.float32), out
