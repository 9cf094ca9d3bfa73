"""Batches of a sales table to rows of receipts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from scenarios.history.cells import Codes, TimeReader, fingerprints, number, text
from scenarios.history.columns import ROW, Rows
from scenarios.history.mapping import KINDS, Mapping
from scenarios.history.report import ImportReport
from scenarios.history.sieve import Sieve, fits
from scenarios.history.sources import Batch
from scenarios.history.spread import spread
from scenarios.history.tables import PriceList
from scenarios.history.wide import period_rows, unit_matrix

SALE, RETURN = KINDS.index("sale"), KINDS.index("return")
DAY_SECONDS = 86_400
INT32_MAX = np.iinfo(np.int32).max
Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


@dataclass
class Context:
    """What all batches of an import share.

    Attributes
    ----------
    mapping : Mapping
    report : ImportReport
    stores, skus : Codes, numbers of ids in the order they were met
    known_stores, known_skus : int, ids below were in the stores or items table; 0 = no table
    unwanted : reason by number of an SKU that the items table's rules reject
    prices : PriceList or None
    attributes : number of an SKU -> values of ``sales.item``, from the row that named it first
    """

    mapping: Mapping
    report: ImportReport
    stores: Codes = field(default_factory=Codes)
    skus: Codes = field(default_factory=Codes)
    known_stores: int = 0
    known_skus: int = 0
    unwanted: dict[int, str] = field(default_factory=dict)
    prices: PriceList | None = None
    attributes: dict[int, tuple[Any, ...]] = field(default_factory=dict)


class SalesReader:
    """Turns the batches of one file into rows."""

    def __init__(self, context: Context) -> None:
        self.context, self.mapping = context, context.mapping
        sales = self.mapping.sales
        self.times = TimeReader(sales.zone, self.mapping.tz, sales.time_formats)

    def rows(self, batch: Batch) -> tuple[Rows, Sieve, Rows]:
        """(rows of dtype ``ROW``, the sieve, one row per source row before spreading)."""
        sales, report = self.mapping.sales, self.context.report
        sieve = Sieve(batch, report, refuse=sales.bad_values == "refuse")
        report.read += batch.table.num_rows
        out = np.zeros(batch.table.num_rows, dtype=ROW)
        self._rounding = np.zeros(batch.table.num_rows)
        self._places(batch, sieve, out)
        span = self._times(batch, sieve, out)
        kind = self._kinds(batch, sieve)
        if sales.wide is not None:
            units, periods = unit_matrix(batch, sieve, self.mapping)
        else:
            self._quantities(batch, sieve, out, kind)
            self._baskets(batch, out)
        self._known(sieve, out)
        out["kind"] = kind
        kept = out[sieve.keep]
        report.kept += len(kept)
        sold = sieve.keep & (kind == SALE)
        report.rounded_cents += float(self._rounding[sold].sum())
        for number_, count in enumerate(np.bincount(kept["kind"], minlength=len(KINDS))):
            name = KINDS[number_]
            report.kept_as[name] = report.kept_as.get(name, 0) + int(count)
        lines = kept
        if sales.wide is not None:
            lines = period_rows(kept, units[sieve.keep], periods, sales.wide, sales.from_hour)
        if self.context.prices is not None:
            lines["price"] = self.context.prices.look_up(lines)
        return self._spread(lines, span), sieve, kept

    def _places(self, batch: Batch, sieve: Sieve, out: Rows) -> None:
        context = self.context
        for name, codes in (("store_id", context.stores), ("sku_id", context.skus)):
            words, empty = text(self._column(batch, name))
            source = self._source(name)
            sieve.unreadable(empty, f"sales.columns.{name}", source, "empty", "give an id")
            out["store" if name == "store_id" else "sku"] = codes.encode(words)
        if self.mapping.sales.item:
            self._describe(batch, out["sku"])

    def _describe(self, batch: Batch, sku: npt.NDArray[np.int32]) -> None:
        """Keep the attributes of SKUs that this batch names first."""
        known = self.context.attributes
        found, first = np.unique(sku, return_index=True)
        fresh = [(int(k), i) for k, i in zip(found, first, strict=True) if int(k) not in known]
        rows = pa.array([i for _, i in fresh], pa.int64())
        columns = self.mapping.sales.item.values()
        cells = [text(batch.column(column).take(rows))[0].to_pylist() for column in columns]
        for (k, _), values in zip(fresh, zip(*cells, strict=True), strict=True):
            known[k] = values

    def _times(self, batch: Batch, sieve: Sieve, out: Rows) -> int:
        """Fill the times; returns the seconds over which a row's units are spread."""
        sales = self.mapping.sales
        if sales.wide is not None and sales.wide.period == "day":
            return (sales.to_hour - sales.from_hour) * 3600
        name = "ts" if "ts" in sales.columns else "date"
        local, instant, bad = self.times.read(self._column(batch, name))
        sieve.unreadable(
            bad,
            f"sales.columns.{name}",
            self._source(name),
            "no date or time",
            "mend the value, or set time_formats and zone under [sales]",
        )
        span = 0
        if name == "date":
            local = local // DAY_SECONDS * DAY_SECONDS
            if "hour" in sales.columns:
                hour, wrong = number(self._column(batch, "hour"))
                wrong |= ~((hour >= 0) & (hour < 24))
                source = self._source("hour")
                sieve.unreadable(wrong, "sales.columns.hour", source, "no hour", "give 0 … 23")
                local, span = local + np.where(wrong, 0, hour).astype(np.int64) * 3600, 3600
            elif sales.wide is not None:
                span = 3600
            else:
                local = local + sales.from_hour * 3600
                span = (sales.to_hour - sales.from_hour) * 3600
            instant = local
        out["t"], out["instant"] = local, instant
        return span

    def _kinds(self, batch: Batch, sieve: Sieve) -> npt.NDArray[np.int8]:
        """(N,) kind of each row; a rule that rejects drops it."""
        sales = self.mapping.sales
        kind = np.full(batch.table.num_rows, -1, dtype=np.int8)
        for rule in sales.rules:
            rows = fits(rule, batch)
            if rule.reject is not None:
                sieve.drop(rows & (kind < 0), rule.reject)
            else:
                kind[rows & (kind < 0)] = KINDS.index(rule.kind or "sale")
        if "kind" in sales.columns:
            words, _ = text(self._column(batch, "kind"))
            coded = pc.dictionary_encode(pc.fill_null(words, ""))
            names = coded.dictionary.to_pylist()
            each = np.array([self._kind_of(name) for name in names], dtype=np.int8)
            found = each[coded.indices.to_numpy(zero_copy_only=False)] if names else kind
            sieve.unreadable(
                (found < 0) & (kind < 0),
                "sales.columns.kind",
                self._source("kind"),
                f"none of the kinds {', '.join(sales.kinds or KINDS)}",
                "name it under [sales.kinds]",
            )
            kind = np.where(kind < 0, found, kind).astype(np.int8)
        return np.where(kind < 0, SALE, kind).astype(np.int8)

    def _kind_of(self, name: str) -> int:
        contract = self.mapping.sales.kinds.get(name, name if not self.mapping.sales.kinds else "")
        return KINDS.index(contract) if contract in KINDS else -1

    def _quantities(
        self, batch: Batch, sieve: Sieve, out: Rows, kind: npt.NDArray[np.int8]
    ) -> None:
        """Whole units in the base unit, prices in cents per unit."""
        sales = self.mapping.sales
        source = self._source("qty")
        amount, bad = number(self._column(batch, "qty"), self.mapping.file.decimal)
        sieve.unreadable(bad, "sales.columns.qty", source, "no number", "mend the value")
        amount = np.where(bad, 0.0, amount)
        units = amount * self._factor(batch)
        whole = np.rint(units)
        if sales.fraction == "refuse" or sales.weight_units:
            remedy = 'set fraction = "grams" (weighed goods) or "scale" under [sales]'
            uneven = (np.abs(units - whole) > 1e-6) & ~self._weighed(batch)
            sieve.unreadable(uneven, "sales.columns.qty", source, "not a whole number", remedy)
        too_many = np.abs(whole) > INT32_MAX
        sieve.unreadable(too_many, "sales.columns.qty", source, "beyond 2^31", "mend the value")
        sieve.drop(amount == 0, "quantity is 0")
        sieve.drop(whole == 0, "quantity rounds to 0")
        below = (whole < 0) & (kind == SALE)
        if sales.negative == "reject":
            sieve.drop(below, "quantity below 0")
        kind[below] = RETURN
        # An adjustment may go either way; every other kind says its direction by itself.
        signed = np.where(kind == KINDS.index("adjust"), whole, np.abs(whole))
        out["quantity"] = np.where(too_many, 0, signed)
        out["price"] = self._prices(batch, sieve, amount, whole)

    def _factor(self, batch: Batch) -> Floats:
        """(N,) base units of one of the source's."""
        sales = self.mapping.sales
        factor = np.full(batch.table.num_rows, 1.0 / sales.scale)
        if "unit" in sales.columns and sales.weight_units:
            words, _ = text(self._column(batch, "unit"))
            for name, grams in sales.weight_units.items():
                factor[_true(pc.equal(words, name))] = grams
        elif sales.fraction == "grams" and not sales.weight_units:
            factor[:] = 1_000.0
        return factor

    def _weighed(self, batch: Batch) -> npt.NDArray[np.bool_]:
        """(N,) rows that may have a fraction."""
        sales = self.mapping.sales
        if "unit" not in sales.columns or not sales.weight_units:
            return np.zeros(batch.table.num_rows, dtype=np.bool_)
        words, _ = text(self._column(batch, "unit"))
        return _true(pc.is_in(words, value_set=pa.array(list(sales.weight_units), pa.string())))

    def _prices(self, batch: Batch, sieve: Sieve, amount: Floats, units: Floats) -> Longs:
        """(N,) cents per base unit after discount; 0 where the source has none."""
        sales, decimal = self.mapping.sales, self.mapping.file.decimal
        name = next((n for n in ("unit_price", "line_value") if n in sales.columns), None)
        if name is None:
            return np.zeros(len(units), dtype=np.int64)
        value, bad = number(self._column(batch, name), decimal)
        sieve.unreadable(bad, f"sales.columns.{name}", self._source(name), "no number", "mend it")
        value = np.where(bad, 0.0, value)
        per_line = value * np.abs(amount) if name == "unit_price" else np.abs(value)
        if "discount" in sales.columns and name == "unit_price":
            less, bad = number(self._column(batch, "discount"), decimal)
            per_line = per_line - np.where(bad, 0.0, np.abs(less))
        with np.errstate(divide="ignore", invalid="ignore"):
            cents = np.rint(100 * per_line / np.abs(units))
        cents = np.where(np.isfinite(cents), cents, 0.0)
        sieve.drop(cents < 0, "price below 0")
        sieve.drop(cents > INT32_MAX, "price beyond 2^31 cents")
        self._rounding = cents * np.abs(units) - 100 * per_line
        return np.clip(cents, 0, INT32_MAX).astype(np.int64)

    def _baskets(self, batch: Batch, out: Rows) -> None:
        source = self.mapping.sales.columns.get("basket_id")
        if source is None:
            out["basket"] = -1
            return
        names = [source] if isinstance(source, str) else source
        mark = fingerprints([text(batch.column(name))[0] for name in names])
        # Tills begin again at 1: the same number on another day is another receipt.
        day = (out["t"] // DAY_SECONDS).astype(np.uint64)
        mixed = mark.astype(np.uint64) + day * np.uint64(0x9E3779B97F4A7C15)
        out["basket"] = (mixed & np.uint64(0x7FFFFFFFFFFFFFFF)).astype(np.int64)

    def _known(self, sieve: Sieve, out: Rows) -> None:
        context = self.context
        if context.known_stores:
            sieve.drop(out["store"] >= context.known_stores, "unknown store")
        if context.known_skus and self.mapping.sales.unknown_skus == "reject":
            sieve.drop(out["sku"] >= context.known_skus, "unknown SKU")
        for reason in dict.fromkeys(context.unwanted.values()):
            those = [sku for sku, why in context.unwanted.items() if why == reason]
            sieve.drop(np.isin(out["sku"], those), reason)

    def _spread(self, rows: Rows, span: int) -> Rows:
        if not span:
            return rows
        return spread(rows, span, self.context.stores.spice(), self.context.skus.spice())

    def _column(self, batch: Batch, name: str) -> pa.Array:
        sales = self.mapping.sales
        if name in sales.constants:
            return pa.array([sales.constants[name]] * batch.table.num_rows, pa.string())
        return batch.column(self._source(name))

    def _source(self, name: str) -> str:
        source = self.mapping.sales.columns.get(name, name)
        return source if isinstance(source, str) else source[0]


def _true(column: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.fill_null(column, False).to_numpy(zero_copy_only=False), dtype=np.bool_)
