"""The compiled closing of a day: stock facts, time in stock, sums, and conservation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from twin.arrays import Int32s, Int64s, Master, Stock

Uint8s = npt.NDArray[np.uint8]

DAYBOOK: tuple[str, ...] = (
    "units_sold",
    "cost_of_goods_sold_cents",
    "ranged_sku_days",
    "in_stock_sku_days",
    "open_sku_seconds",
    "in_stock_open_sku_seconds",
    "closing_stock_units",
    "closing_stock_cents",
    "in_transit_cents",
    "slow_stock_cents",
    "latent_records",
    "latent_records_right",
)
"""Columns of the day book; an in-stock column is filled for stores only."""


@njit(cache=True)
def close_stores(
    day: int,
    first: int,
    end: int,
    stock: Stock,
    sold: Int32s,
    leaving: Int32s,
    window: Int32s,
    out_share: Uint8s,
    daybook: Int64s,
    by_source: Int64s,
    master: Master,
    slow_window_days: int,
    slow_cover_days: int,
    is_gapless: int,
) -> tuple[int, int]:
    """Close the day of the stores among locations `first` … `end` − 1.

    Writes their stock facts and moves their slow-mover window.

    Parameters
    ----------
    day : int, day number that ends
    sold : (L, K) int32, units sold on the day
    leaving : (L, K) int32, units sold on the day that leaves the window; (0, 0) = none yet
    window : (L, K) int32, units sold in the window, moved on by the day; a warehouse's
        is the sum of the stores it serves
    out_share : (L, K) uint8, filled with percent of the open time without book stock
    daybook : (L, C, 12) int64, columns as in :data:`DAYBOOK`, filled
    by_source : (2, W + 1, K) int64, the day's sales of each warehouse's stores are added
        to the first, those that leave the window to the second; the last row is stores
        without a warehouse
    is_gapless : int, 1 where nothing can part book and truth, so that the gap need not
        be read to know that they are equal

    Returns
    -------
    (int, int), a (location, SKU) whose stock does not balance; (−1, −1) = all do
    """
    bad = (-1, -1)
    out = np.zeros(sold.shape[1], dtype=np.int32)
    for place in range(first, end):
        if not master.is_store[place]:
            continue
        mine, source = window[place], master.supplier[place]
        _add(mine, sold[place], 1)
        _sum(by_source[0, source], sold[place])
        if len(leaving):
            _add(mine, leaving[place], -1)
            _add(stock.expected[place], leaving[place], -1)
            _sum(by_source[1, source], leaving[place])
        if not _balances(stock, place, mine, is_gapless):
            bad = (place, _leak(stock, place, mine))
        _facts(
            day,
            stock,
            place,
            sold[place],
            mine,
            out_share,
            daybook,
            master,
            slow_window_days,
            slow_cover_days,
            out,
        )
    return bad


@njit(cache=True)
def close_warehouses(
    day: int,
    stock: Stock,
    sold: Int32s,
    window: Int32s,
    out_share: Uint8s,
    daybook: Int64s,
    by_source: Int64s,
    master: Master,
    slow_window_days: int,
    slow_cover_days: int,
    is_gapless: int,
) -> tuple[int, int]:
    """The same for warehouses, after all stores: what they sold is in `by_source`."""
    bad = (-1, -1)
    skus = sold.shape[1]
    none = np.zeros(skus, dtype=np.int32)
    w = 0
    for place in range(sold.shape[0]):
        if master.is_store[place]:
            continue
        for k in range(skus):
            window[place, k] += by_source[0, w, k] - by_source[1, w, k]
        if not _balances(stock, place, none, is_gapless):
            bad = (place, _leak(stock, place, none))
        _facts(
            day,
            stock,
            place,
            sold[place],
            window[place],
            out_share,
            daybook,
            master,
            slow_window_days,
            slow_cover_days,
            none,
        )
        w += 1
    return bad


@njit(cache=True)
def _add(a: Int32s, b: Int32s, sign: int) -> None:
    for k in range(len(a)):
        a[k] += np.int32(sign) * b[k]


@njit(cache=True)
def _sum(a: Int64s, b: Int32s) -> None:
    for k in range(len(a)):
        a[k] += b[k]


@njit(cache=True)
def _balances(stock: Stock, place: int, window: Int32s, is_gapless: int) -> bool:
    """Whether book and truth are what the movements make of them, for every SKU."""
    book, physical = stock.book[place], stock.physical[place]
    expected, gap = stock.expected[place], stock.gap[place]
    wrong = np.int32(0)
    for k in range(len(book)):
        wrong |= (expected[k] - window[k]) ^ book[k]
        wrong |= physical[k] & np.int32(-2147483648)
    if is_gapless:
        for k in range(len(book)):
            wrong |= book[k] ^ physical[k]
    else:
        for k in range(len(book)):
            wrong |= (book[k] - physical[k]) ^ gap[k]
    return bool(wrong == 0)


@njit(cache=True)
def _leak(stock: Stock, place: int, window: Int32s) -> int:
    """A SKU that does not balance."""
    for k in range(len(window)):
        book, physical = stock.book[place, k], stock.physical[place, k]
        if stock.expected[place, k] - window[k] != book or physical < 0:
            return k
        if book - physical != stock.gap[place, k]:
            return k
    return -1


@njit(cache=True)
def _facts(
    day: int,
    stock: Stock,
    place: int,
    sold: Int32s,
    window: Int32s,
    out_share: Uint8s,
    daybook: Int64s,
    master: Master,
    slow_window_days: int,
    slow_cover_days: int,
    out: Int32s,
) -> None:
    """One location's row of the day book, category by category; `out` is room for K."""
    opens = day * 86_400 + master.opens[place]
    open_s = master.closes[place] - master.opens[place]
    is_store = master.is_store[place]
    if is_store:
        listed = master.listed[place]
        until = opens + open_s
        _out_seconds(stock, place, opens, until, open_s, listed, out, out_share[place])
    for c in range(len(master.first) - 1):
        lo, hi = master.first[c], master.first[c + 1]
        member = master.member[lo:hi]
        row = daybook[place, c]
        row[:] = 0
        if hi - lo and member[-1] - member[0] == hi - lo - 1:
            # SKUs of one category that lie together are read as a stretch, which the
            # compiler turns into vector instructions.
            a, b = member[0], member[-1] + 1
            _stretch(
                row,
                stock.book[place, a:b],
                sold[a:b],
                window[a:b],
                master.cost[a:b],
                slow_window_days,
                slow_cover_days,
            )
            if is_store:
                _stocked(
                    row,
                    stock.book[place, a:b],
                    stock.physical[place, a:b],
                    master.listed[place, a:b],
                    out[a:b],
                )
        else:
            _stretch(
                row,
                stock.book[place][member],
                sold[member],
                window[member],
                master.cost[member],
                slow_window_days,
                slow_cover_days,
            )
            if is_store:
                _stocked(
                    row,
                    stock.book[place][member],
                    stock.physical[place][member],
                    master.listed[place][member],
                    out[member],
                )
        if stock.on_road[place]:
            for k in member:
                row[8] += np.int64(stock.transit[place, k]) * master.cost[k]
        if is_store:
            row[4] = row[2] * open_s
            row[5] += row[4]
    if stock.risen[place]:
        stock.out_today[place][:] = 0
        stock.risen[place] = 0


@njit(cache=True)
def _stretch(
    row: Int64s,
    book: Int32s,
    sold: Int32s,
    window: Int32s,
    cost: Int32s,
    slow_window_days: int,
    slow_cover_days: int,
) -> None:
    gone = goods = units = cents = slow = np.int64(0)
    for k in range(len(book)):
        price = np.int64(cost[k])
        worth = book[k] * price
        gone += sold[k]
        goods += sold[k] * price
        units += book[k]
        cents += worth
        is_slow = np.int64(book[k]) * slow_window_days > np.int64(window[k]) * slow_cover_days
        slow += worth if is_slow else np.int64(0)
    row[0], row[1], row[6], row[7], row[9] = gone, goods, units, cents, slow


@njit(cache=True)
def _stocked(
    row: Int64s, book: Int32s, physical: Int32s, listed: npt.NDArray[np.bool_], out: Int32s
) -> None:
    gone = np.int64(0)
    for k in range(len(out)):
        gone += out[k]
    ranged = stocked = right = np.int32(0)
    for k in range(len(book)):
        is_listed = np.int32(listed[k])
        ranged += is_listed
        stocked += is_listed if book[k] > 0 else np.int32(0)
        right += is_listed if book[k] == physical[k] else np.int32(0)
    row[2], row[3], row[5], row[10], row[11] = ranged, stocked, -gone, ranged, right


@njit(cache=True, error_model="numpy")
def _out_seconds(
    stock: Stock,
    place: int,
    opens: int,
    until: int,
    open_s: int,
    listed: npt.NDArray[np.bool_],
    out: Int32s,
    out_share: Uint8s,
) -> None:
    """Fill `out` (K,) with seconds without book stock, `out_share` with percent of `open_s`.

    The seconds are those from `opens` to `until`.

    Without branches: where a store is out of many SKUs a branch is guessed wrong again
    and again. The quotient is exact in single precision before it is rounded down: its
    dividend is below 2^24, and it is nearer to a whole number than half a step only if
    it is one.
    """
    book, since = stock.book[place], stock.zero_since[place]
    first, last = np.int32(opens), np.int32(until)
    for k in range(len(out)):
        seconds = max(last - max(since[k], first), np.int32(0))
        out[k] = seconds if book[k] == 0 else np.int32(0)
    if stock.risen[place]:
        rose = stock.out_today[place]
        for k in range(len(out)):
            out[k] += rose[k]
    for k in range(len(out)):
        out[k] = out[k] if listed[k] else np.int32(0)
    whole = np.float32(max(open_s, 1))
    for k in range(len(out)):
        out_share[k] = np.uint8(np.int32(np.float32(100 * out[k]) / whole))


@njit(cache=True)
def out_so_far(now: int, stock: Stock, out_share: Uint8s, master: Master) -> None:
    """Fill percent of today's open time without book stock, up to `now`; stores only."""
    midnight = now // 86_400 * 86_400
    out = np.zeros(out_share.shape[1], dtype=np.int32)
    for place in range(out_share.shape[0]):
        if not master.is_store[place]:
            continue
        opens, closes = midnight + master.opens[place], midnight + master.closes[place]
        until, listed = min(now, closes), master.listed[place]
        _out_seconds(stock, place, opens, until, closes - opens, listed, out, out_share[place])


@njit(cache=True)
def worth_by_category(stock: Stock, master: Master, out: Int64s) -> None:
    """(L, C) int64 cents: book and goods on the way, at cost."""
    out[:] = 0
    for place in range(out.shape[0]):
        for k in range(stock.book.shape[1]):
            units = np.int64(stock.book[place, k]) + stock.transit[place, k]
            out[place, master.category[k]] += units * master.cost[k]


@njit(cache=True)
def copy_columns(facts: Int64s, source: Int64s, columns: Int64s) -> None:
    """`facts[l, c, columns[i]] = source[l, c, i]`; a negative column is left out."""
    for place in range(source.shape[0]):
        for c in range(source.shape[1]):
            for i in range(source.shape[2]):
                if columns[i] >= 0:
                    facts[place, c, columns[i]] = source[place, c, i]


@njit(cache=True)
def sum_by_category(
    values: npt.NDArray[np.float32], master: Master, out: npt.NDArray[np.float64]
) -> None:
    """Sum (L, K) values into (L, C)."""
    for place in range(values.shape[0]):
        mine = values[place]
        for c in range(len(master.first) - 1):
            total = 0.0
            for j in range(master.first[c], master.first[c + 1]):
                total += mine[master.member[j]]
            out[place, c] = total
