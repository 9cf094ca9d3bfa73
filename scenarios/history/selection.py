"""Which stores and SKUs of a history a network is made of, and who lists what.

Only the weeks of selection are looked at, so that nothing of later weeks leaks into what
is tuned. Stores are read one by one; memory holds one store's lines and a table of the
chosen stores by all SKUs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.errors import ImportRefused
from policies.domain.receipts import ReceiptColumns
from scenarios.history.splits import first_day, last_day

CLUSTERS = 3
CLUSTER_SHARE = 1 / 3
DAY_SECONDS = 86_400
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Selection:
    """Chosen stores and SKUs.

    Attributes
    ----------
    stores : (S,) int64, store numbers of the history, ascending
    skus : (K,) int64, SKU numbers of the history, ascending
    listed : (S, K) bool, the assortments
    price_cents : (K,) int64, revenue over units in the weeks; 0 = no price recorded
    units : (S,) float64, units each store sold of the chosen SKUs in the weeks
    lines, outside : int, receipt lines of the chosen cells over the whole history, and how
        many more fell on a SKU that the store does not list
    """

    stores: Ints
    skus: Ints
    listed: npt.NDArray[np.bool_]
    price_cents: Ints
    units: Floats
    lines: int
    outside: int


def select(receipts: ReceiptColumns, stores: int, skus: int, weeks: tuple[int, int]) -> Selection:
    """The stores with most lines in `weeks`, and the SKUs with most lines in those stores.

    A store lists an SKU if it sold it in `weeks`, or if at least a third of the stores of
    its cluster did (clusters: thirds of the stores by lines). The second rule stands for
    goods on a shelf that a household panel happened not to buy there. Lines of other SKUs
    are left out and counted; in Complete Journey they are 0.02 % of all lines.

    Raises
    ------
    ImportRefused
        Where the history sells in fewer stores or fewer SKUs.
    """
    whole = len(receipts.sku_ids)
    spans = [_window(receipts, i, weeks) for i in range(len(receipts.store_ids))]
    lines = np.array([span.stop - span.start for span in spans])
    chosen = best(lines, stores, "stores")
    count = np.stack([np.bincount(receipts.sku[spans[i]], minlength=whole) for i in chosen])
    goods = best(count.sum(axis=0), skus, "skus")
    units, revenue, sold = np.zeros(whole), np.zeros(whole), np.zeros(stores)
    for row, i in enumerate(chosen):
        sku, quantity = receipts.sku[spans[i]], receipts.quantity[spans[i]].astype(np.float64)
        units += np.bincount(sku, quantity, whole)
        paid = quantity * receipts.unit_price_cents[spans[i]]
        revenue += np.bincount(sku, paid, whole)
        sold[row] = np.bincount(sku, quantity, whole)[goods].sum()
    listed = _listed(count[:, goods] > 0, lines[chosen])
    number = np.full(whole, -1)
    number[goods] = np.arange(skus)
    inside = outside = 0
    for row, i in enumerate(chosen):
        sku = number[receipts.sku[receipts.store(i)]]
        ours = listed[row][sku[sku >= 0]]
        inside += int(ours.sum())
        outside += int((~ours).sum())
    price = np.round(revenue[goods] / units[goods]).astype(np.int64)
    return Selection(chosen, goods, listed, price, sold, inside, outside)


def chosen_receipts(
    receipts: ReceiptColumns, selection: Selection, store_ids: tuple[str, ...]
) -> ReceiptColumns:
    """The whole history of the chosen cells, in the selection's order."""
    number = np.full(len(receipts.sku_ids), -1, dtype=np.int32)
    number[selection.skus] = np.arange(len(selection.skus), dtype=np.int32)
    offsets = np.zeros(len(selection.stores) + 1, dtype=np.int64)
    parts: list[list[npt.NDArray[np.int32]]] = []
    for row, i in enumerate(selection.stores):
        rows = receipts.store(int(i))
        sku = number[receipts.sku[rows]]
        keep = (sku >= 0) & selection.listed[row][sku]
        parts.append(
            [
                receipts.t_s[rows][keep],
                sku[keep],
                receipts.quantity[rows][keep],
                receipts.unit_price_cents[rows][keep],
                receipts.basket[rows][keep],
            ]
        )
        offsets[row + 1] = offsets[row] + int(keep.sum())
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    ids = tuple(receipts.sku_ids[k] for k in selection.skus)
    return ReceiptColumns(store_ids, ids, offsets, *columns)


def best(amount: npt.NDArray[np.integer], count: int, what: str) -> Ints:
    """The `count` numbers with the largest amounts, ascending; ties by number."""
    selling = int((amount > 0).sum())
    if selling < count:
        raise ImportRefused(
            f"the history sells in {selling} {what}, {count} were asked for",
            field=what,
            remedy=f"ask for fewer {what}",
        )
    return np.sort(np.argsort(-amount, kind="stable")[:count]).astype(np.int64)


def _window(receipts: ReceiptColumns, store: int, weeks: tuple[int, int]) -> slice:
    """Rows of a store's lines in the weeks; lines are sorted by time."""
    rows = receipts.store(store)
    t = receipts.t_s[rows]
    low = np.searchsorted(t, first_day(weeks[0]) * DAY_SECONDS)
    high = np.searchsorted(t, (last_day(weeks[1]) + 1) * DAY_SECONDS)
    return slice(rows.start + int(low), rows.start + int(high))


def _listed(sold: npt.NDArray[np.bool_], lines: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """(S, K): what the store or a third of its cluster sold."""
    rank = np.argsort(np.argsort(-lines, kind="stable"), kind="stable")
    cluster = rank * min(CLUSTERS, len(lines)) // len(lines)
    listed = sold.copy()
    for number in np.unique(cluster):
        mine = cluster == number
        listed[mine] |= sold[mine].mean(axis=0) >= CLUSTER_SHARE
    return listed
