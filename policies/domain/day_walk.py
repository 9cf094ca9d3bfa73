"""The projector of :mod:`policies.domain.panel`, one day at a time.

What a day's facts rest on is the stock at its start, its own rows, and the sales of the 55
days before it. Whoever carries these from day to day reads each row of a ledger once and
holds one day of it, however long the ledger is; the facts are the same to the last unit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.facts import SKU_FACTS
from policies.domain.ledger import MovementColumns, MovementKind
from policies.domain.network import DAY_SECONDS, Network
from policies.domain.panel import FactBook, cell_events, sales_facts
from policies.domain.stock import is_slow, through_day

Ints = npt.NDArray[np.int64]
_NO_END = 2**62
"""Whoever gives one day's rows gives none after it."""
_STOCK_FACTS = (
    "ranged_sku_days",
    "in_stock_sku_days",
    "open_sku_seconds",
    "in_stock_open_sku_seconds",
    "closing_stock_units",
    "closing_stock_cents",
    "in_transit_cents",
    "slow_stock_cents",
    "stock_change_cents",
)


@dataclass(frozen=True)
class DayChange:
    """What one day changed, in the cells that its rows touch.

    Attributes
    ----------
    cell : (N,) int64, location times the number of SKUs plus SKU, ascending
    stock, moving : (N,) int64, units that the record, and the goods on the way there, grew by
    sold : (N,) int64, units sold, reversed sales included
    """

    cell: Ints
    stock: Ints
    moving: Ints
    sold: Ints

    @classmethod
    def of(cls, rows: MovementColumns, network: Network) -> DayChange:
        """The changes of a day's rows."""
        places, skus = network.shape
        quantity = rows.quantity.astype(np.int64)
        cells, amounts, which = [], [], []
        for codes, sign in ((rows.to_location, 1), (rows.from_location, -1)):
            real, moving = codes >= 0, codes <= -1_000
            road = (-1_000 - codes[moving].astype(np.int64)) % places
            for place, mask, column in ((codes[real].astype(np.int64), real, 0), (road, moving, 1)):
                cells.append(place * skus + rows.sku[mask])
                amounts.append(sign * quantity[mask])
                which.append(np.full(len(place), column))
        sale = rows.kind == MovementKind.SELL
        cells.append(rows.from_location[sale].astype(np.int64) * skus + rows.sku[sale])
        amounts.append(quantity[sale])
        which.append(np.full(int(sale.sum()), 2))
        cell, position = np.unique(np.concatenate(cells), return_inverse=True)
        out = np.zeros((3, len(cell)), dtype=np.int64)
        np.add.at(out, (np.concatenate(which), position), np.concatenate(amounts))
        return cls(cell, out[0], out[1], out[2])


@dataclass(frozen=True)
class Standing:
    """What the next day begins with; (L·K,) int64 arrays that are never changed in place.

    Attributes
    ----------
    stock, moving : units of each record, and on the way there
    sold : units sold in the 56 days up to the last one
    """

    stock: Ints
    moving: Ints
    sold: Ints

    @classmethod
    def empty(cls, network: Network) -> Standing:
        """Before the first row."""
        zero = np.zeros(network.shape[0] * network.shape[1], dtype=np.int64)
        return cls(zero, zero, zero)

    def after(self, change: DayChange, left: Ints | DayChange | None) -> Standing:
        """With a day added, and the sales of the day 56 days before it (`left`) gone."""
        return self._moved(change, left, 1)

    def before(self, change: DayChange, left: Ints | DayChange | None) -> Standing:
        """The inverse of :meth:`after`."""
        return self._moved(change, left, -1)

    def _moved(self, change: DayChange, left: Ints | DayChange | None, sign: int) -> Standing:
        stock, moving, sold = self.stock.copy(), self.moving.copy(), self.sold.copy()
        stock[change.cell] += sign * change.stock
        moving[change.cell] += sign * change.moving
        sold[change.cell] += sign * change.sold
        if isinstance(left, DayChange):
            sold[left.cell] -= sign * left.sold
        elif left is not None:
            sold -= sign * left
        return replace(self, stock=stock, moving=moving, sold=sold)


def facts_of_day(
    network: Network,
    rows: MovementColumns,
    day: int,
    before: Standing,
    after: Standing,
    *,
    is_first: bool,
) -> npt.NDArray[np.int64]:
    """(L, C, len(SKU_FACTS)) facts that the ledger's rows of one day carry.

    Parameters
    ----------
    rows : MovementColumns, the book rows that occurred on the day
    before, after : Standing, at the day's start and at its end
    is_first : whether the ledger begins on this day: its opening is no build-up of stock
    """
    book = FactBook(network, 1, day)
    sales_facts(book, rows)
    places, skus = network.shape
    opened = before.stock
    if is_first:
        first = rows.kind == MovementKind.OPENING
        opened = opened.copy()
        cell = rows.to_location[first].astype(np.int64) * skus + rows.sku[first]
        np.add.at(opened, cell, rows.quantity[first].astype(np.int64))
    window = after.sold.reshape(places, skus).copy()
    for warehouse in network.warehouses:
        window[warehouse] = window[network.locations.source == warehouse].sum(axis=0)
    stores = network.locations.source >= 0
    cell, at, signed, _ = cell_events(rows, places, skus)
    opens = network.locations.opens_s.astype(np.int64)
    totals = _one_day(
        cell,
        at - day * DAY_SECONDS,
        signed,
        before.stock.reshape(places, skus),
        after.stock.reshape(places, skus),
        opened.reshape(places, skus),
        before.moving.reshape(places, skus),
        after.moving.reshape(places, skus),
        is_slow(after.stock, window.ravel()).reshape(places, skus),
        network.listed & stores[:, None],
        opens,
        network.locations.closes_s.astype(np.int64),
        book.category.astype(np.int64),
        book.cost,
        len(network.skus.categories),
    )
    for i, name in enumerate(_STOCK_FACTS):
        book.sku[0, ..., SKU_FACTS.index(name)] = totals[..., i]
    out: npt.NDArray[np.int64] = book.sku[0]
    return out


@njit(cache=True)
def _one_day(
    cell: Ints,
    at: Ints,
    signed: Ints,
    stock: Ints,
    closing: Ints,
    opened: Ints,
    moving_before: Ints,
    moving: Ints,
    slow: npt.NDArray[np.bool_],
    listed: npt.NDArray[np.bool_],
    opens_s: Ints,
    closes_s: Ints,
    category: Ints,
    cost: Ints,
    categories: int,
) -> Ints:
    """(L, C, 9) sums of :data:`_STOCK_FACTS` over a day's records."""
    places, skus = stock.shape
    out = np.zeros((places, categories, 9), dtype=np.int64)
    i = 0
    for place in range(places):
        opens, closes = opens_s[place], closes_s[place]
        for sku in range(skus):
            key = place * skus + sku
            _, in_stock, i = through_day(
                cell, at, signed, i, key, stock[place, sku], opens, closes, _NO_END
            )
            end = closing[place, sku]
            to = out[place, category[sku]]
            if listed[place, sku]:
                to[0] += 1
                to[1] += end > 0
                to[2] += closes - opens
                to[3] += in_stock
            to[4] += end
            to[5] += end * cost[sku]
            to[6] += moving[place, sku] * cost[sku]
            if slow[place, sku]:
                to[7] += end * cost[sku]
            grown = end + moving[place, sku] - opened[place, sku] - moving_before[place, sku]
            to[8] += grown * cost[sku]
    return out


def percent_out_of_stock(
    network: Network, rows: MovementColumns, day: int, stock: Ints, as_of_s: int
) -> tuple[npt.NDArray[np.uint8], Ints]:
    """Percent of a day's open time that a store's listed record stood at 0, and stock after it.

    Parameters
    ----------
    rows : MovementColumns, the book rows that occurred on the day, none after `as_of_s`
    stock : (L·K,) int64, at the day's start
    as_of_s : int; of its own day only the time gone by counts

    Returns
    -------
    (L, K) uint8 and (L·K,) int64
    """
    cell, at, signed, _ = cell_events(rows, *network.shape)
    after = stock.copy()
    stores = network.locations.source >= 0
    percent = _out_of_stock(
        cell,
        at - day * DAY_SECONDS,
        signed,
        after.reshape(network.shape),
        network.listed & stores[:, None],
        network.locations.opens_s.astype(np.int64),
        network.locations.closes_s.astype(np.int64),
        as_of_s - day * DAY_SECONDS,
    )
    return percent, after


@njit(cache=True)
def _out_of_stock(
    cell: Ints,
    at: Ints,
    signed: Ints,
    stock: Ints,
    listed: npt.NDArray[np.bool_],
    opens_s: Ints,
    closes_s: Ints,
    now_s: int,
) -> npt.NDArray[np.uint8]:
    """(L, K) percent; `stock` is carried to the end of the rows."""
    places, skus = stock.shape
    out = np.zeros((places, skus), dtype=np.uint8)
    i = 0
    for place in range(places):
        opens, closes = opens_s[place], closes_s[place]
        to_come = min(max(closes - now_s, 0), closes - opens)
        for sku in range(skus):
            key = place * skus + sku
            held, in_stock, i = through_day(
                cell, at, signed, i, key, stock[place, sku], opens, closes, _NO_END
            )
            stock[place, sku] = held
            if listed[place, sku]:
                missing = closes - opens - in_stock
                if held <= 0:
                    missing -= to_come
                out[place, sku] = 100 * missing // max(closes - opens, 1)
    return out
