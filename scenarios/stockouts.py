"""A chain's recorded stock-outs: beside its receipts, from the history they came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from policies.domain.receipts import ReceiptColumns
from scenarios.history.importer import History
from scenarios.history.network import store_id
from twin.demand.unconstrained import Stockouts, no_stockouts

FILE = "stockouts.npz"
_COLUMNS = ("store", "sku", "start_s", "end_s")


def stockouts_of(history: History, panel: ReceiptColumns) -> Stockouts | None:
    """A history's stock-outs of the stores and SKUs of `panel`; None = it records none.

    Stores are called as in the network that was built from the history, or as in the history.
    """
    table = history.stockouts
    if table is None or not len(table):
        return None
    named = table["store_id"].astype(str)
    store = pd.Index(panel.store_ids).get_indexer(pd.Index(named.map(store_id)))
    if (store < 0).all():
        store = pd.Index(panel.store_ids).get_indexer(pd.Index(named))
    sku = pd.Index(panel.sku_ids).get_indexer(pd.Index(table["sku_id"].astype(str)))
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
