"""Receipt lines grouped into whole baskets, the unit that is drawn.

A basket is drawn whole because what customers buy together must stay together:
lines drawn one by one would lose the correlation between SKUs.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.network import DAY_SECONDS, BoolArray, IntArray
from policies.domain.receipts import ReceiptColumns


@dataclass(frozen=True)
class Baskets:
    """Baskets of all stores; lines of basket ``b`` are rows ``first[b]:first[b + 1]``.

    Attributes
    ----------
    store : (B,) int32, position in the receipts' `store_ids`
    day : (B,) int32, day number of the first line
    second : (B,) int32, seconds after midnight of the first line
    first : (B + 1,) int64
    line_s : (N,) int32, seconds since midnight of the basket's day
    sku, quantity, price : (N,) int32
    """

    store: IntArray
    day: IntArray
    second: IntArray
    first: npt.NDArray[np.int64]
    line_s: IntArray
    sku: IntArray
    quantity: IntArray
    price: IntArray

    def __len__(self) -> int:
        return len(self.store)

    @cached_property
    def basket_of_line(self) -> IntArray:
        """(N,) int32: the basket each line belongs to."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.first))

    def units(self, listed: BoolArray | None = None) -> npt.NDArray[np.int64]:
        """(B,) int64: units in each basket, of the `listed` (K,) SKUs where given."""
        amount = self.quantity if listed is None else self.quantity * listed[self.sku]
        return np.bincount(self.basket_of_line, weights=amount, minlength=len(self)).astype(
            np.int64
        )

    def take(self, rows: npt.NDArray[np.integer]) -> Baskets:
        """The baskets at `rows`, in that order."""
        sizes = np.diff(self.first)[rows]
        first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        line = np.repeat(self.first[rows] - first[:-1], sizes) + np.arange(first[-1])
        return Baskets(
            self.store[rows],
            self.day[rows],
            self.second[rows],
            first,
            self.line_s[line],
            self.sku[line],
            self.quantity[line],
            self.price[line],
        )


def group(receipts: ReceiptColumns) -> Baskets:
    """Baskets of `receipts`, sorted by store and basket number.

    A line of an unknown basket (−1) is a basket of its own.
    """
    store = np.repeat(np.arange(len(receipts.store_ids), dtype=np.int32), np.diff(receipts.offsets))
    number = receipts.basket.astype(np.int64)
    unknown = np.flatnonzero(number < 0)
    number[unknown] = -1 - unknown
    order = np.lexsort((receipts.t_s, number, store))
    store, number, t_s = store[order], number[order], np.asarray(receipts.t_s)[order]
    head = np.ones(len(order), dtype=bool)
    head[1:] = (np.diff(store) != 0) | (np.diff(number) != 0)
    start = np.flatnonzero(head)
    day = t_s[start] // DAY_SECONDS
    first = np.append(start, len(order)).astype(np.int64)
    midnight = np.repeat(day * DAY_SECONDS, np.diff(first))
    return Baskets(
        store[start],
        day.astype(np.int32),
        (t_s[start] - day * DAY_SECONDS).astype(np.int32),
        first,
        (t_s - midnight).astype(np.int32),
        np.asarray(receipts.sku)[order].astype(np.int32),
        np.asarray(receipts.quantity)[order].astype(np.int32),
        np.asarray(receipts.unit_price_cents)[order].astype(np.int32),
    )


def ungroup(
    baskets: Baskets,
    drawn: list[tuple[IntArray, IntArray]],
    listed: BoolArray,
    store_ids: tuple[str, ...],
    sku_ids: tuple[str, ...],
) -> ReceiptColumns:
    """Receipt columns of drawn baskets, each moved to its day with its real minute.

    Parameters
    ----------
    drawn : for each store (rows of `baskets`, target day numbers)
    listed : (S, K) bool; a line of a SKU the store does not list is left out
    """
    sizes = np.diff(baskets.first)
    room = [int(sizes[rows].sum()) for rows, _ in drawn]
    total = sum(room)
    t_s, sku, quantity, price, number = (np.empty(total, dtype=np.int32) for _ in range(5))
    offsets = np.zeros(len(store_ids) + 1, dtype=np.int64)
    at = 0
    for i, (rows, days) in enumerate(drawn):
        order = np.argsort(
            days.astype(np.int64) * DAY_SECONDS + baskets.second[rows], kind="stable"
        )
        end = at + room[i]
        part = (t_s[at:end], sku[at:end], quantity[at:end], price[at:end], number[at:end])
        used, in_order = _copy_lines(
            rows[order], days[order], baskets.first, baskets.line_s, baskets.sku,
            baskets.quantity, baskets.price, listed[i], *part,
        )  # fmt: skip
        if not in_order:
            again = np.argsort(part[0][:used], kind="stable")
            for column in part:
                column[:used] = column[:used][again]
        at += used
        offsets[i + 1] = at
    columns = (t_s[:at], sku[:at], quantity[:at], price[:at], number[:at])
    return ReceiptColumns(store_ids, sku_ids, offsets, *columns)


@njit(cache=True)
def _copy_lines(
    rows: IntArray,
    days: IntArray,
    first: npt.NDArray[np.int64],
    line_s: IntArray,
    sku: IntArray,
    quantity: IntArray,
    price: IntArray,
    listed: BoolArray,
    out_t: IntArray,
    out_sku: IntArray,
    out_q: IntArray,
    out_p: IntArray,
    out_b: IntArray,
) -> tuple[int, bool]:
    at = 0
    in_order = True
    for i in range(len(rows)):
        midnight = days[i] * DAY_SECONDS
        for line in range(first[rows[i]], first[rows[i] + 1]):
            if not listed[sku[line]]:
                continue
            out_t[at] = midnight + line_s[line]
            if at > 0 and out_t[at] < out_t[at - 1]:
                in_order = False
            out_sku[at] = sku[line]
            out_q[at] = quantity[line]
            out_p[at] = price[line]
            out_b[at] = i
            at += 1
    return at, in_order


def thin(receipts: ReceiptColumns, share: float, rng: np.random.Generator) -> ReceiptColumns:
    """Keep each basket with probability `share`: a household panel of the same till."""
    baskets = group(receipts)
    kept = baskets.take(np.flatnonzero(rng.random(len(baskets)) < share))
    stores = len(receipts.store_ids)
    rows = np.searchsorted(kept.store, np.arange(stores + 1))
    drawn = [
        (np.arange(a, b, dtype=np.int32), kept.day[a:b])
        for a, b in itertools.pairwise(rows.tolist())
    ]
    everything = np.ones((stores, len(receipts.sku_ids)), dtype=bool)
    return ungroup(kept, drawn, everything, receipts.store_ids, receipts.sku_ids)


def with_quantity_one(receipts: ReceiptColumns) -> ReceiptColumns:
    """The same lines, each split into lines of one unit at the same second."""
    quantity = np.asarray(receipts.quantity)
    line = np.repeat(np.arange(receipts.lines), quantity)
    ends = np.concatenate([[0], np.cumsum(quantity, dtype=np.int64)])
    return ReceiptColumns(
        receipts.store_ids,
        receipts.sku_ids,
        ends[receipts.offsets],
        np.asarray(receipts.t_s)[line],
        np.asarray(receipts.sku)[line],
        np.ones(len(line), dtype=np.int32),
        np.asarray(receipts.unit_price_cents)[line],
        np.asarray(receipts.basket)[line],
    )
