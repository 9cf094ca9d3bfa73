"""A chain's recorded stock-outs: beside its receipts, from the history they came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from policies.domain.receipts import ReceiptColumns
from scenarios.history.importer import History
from twin.demand.unconstrained import Stockouts, no_stockouts

FILE = "stockouts.npz"
_COLUMNS = ("store", "sku", "start_s", "end_s")


def stockouts_of(history: History, panel: ReceiptColumns) -> Stockouts | None:
    """A history's stock-outs of the stores and SKUs of `panel`; None = it records none."""
    table = history.stockouts
    if table is None or not len(table):
        return None
    store, sku = (
        pd.Index(names).get_indexer(pd.Index(table[column].astype(str)))
        for names, column in ((panel.store_ids, "store_id"), (panel.sku_ids, "sku_id"))
    )
    start = np.datetime64(history.start_date)
    begin, end = (
        ((table[name].to_numpy("datetime64[s]") - start) / np.timedelta64(1, "s")).astype(np.int64)
        for name in ("start", "end")
    )
    begin = np.maximum(begin, 0)
    mine = (store >= 0) & (sku >= 0) & (end > begin)
    columns = (np.asarray(column, dtype=np.int64)[mine] for column in (store, sku, begin, end))
    return Stockouts(*columns)


def save_stockouts(stockouts: Stockouts, chain: Path) -> None:
    """Write them into a chain's folder, whose hash they are part of."""
    np.savez(chain / "panel" / FILE, **{name: getattr(stockouts, name) for name in _COLUMNS})


def load_stockouts(chain: Path) -> Stockouts:
    """The stock-outs of a chain's folder.

    Raises
    ------
    ScenarioInvalid
        It has none.
    """
    path = chain / "panel" / FILE
    if not path.exists():
        raise no_stockouts(f"the chain in {chain}")
    with np.load(path) as columns:
        return Stockouts(*(columns[name] for name in _COLUMNS))
