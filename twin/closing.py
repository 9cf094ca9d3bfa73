"""The compiled closing of a day: stock facts, time in stock, sums, and conservation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from twin.kernel import Int32s, Int64s, Master, Mode, Stock

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


@njit(cache=True)
def close_day(
    day: int,
    stock: Stock,
    sold: Int32s,
    window: Int32s,
    out_share: npt.NDArray[np.uint8],
    daybook: Int64s,
    sold_total: Int64s,
    master: Master,
    slow_window_days: int,
    slow_cover_days: int,
    mode: Mode,
) -> tuple[int, int]:
    """Write the day's stock facts and start the next day.

    Parameters
    ----------
    day : int, day number that ends
    sold : (L, K) int32, units sold on the day
    window : (L, K) int32, units sold in the slow-mover window up to and with the day;
        a warehouse's is the sum of the stores it serves
    out_share : (L, K) uint8, filled with percent of the open time without book stock
    daybook : (L, C, 12) int64, columns as in :data:`DAYBOOK`, filled
    sold_total : (K,) int64, added to after the warm-up

    Returns
    -------
    (int, int), a (location, SKU) whose stock does not balance; (−1, −1) = all do
    """
    bad_place, bad_sku = -1, -1
    for place in range(sold.shape[0]):
        opens = day * 86_400 + master.opens[place]
        closes = day * 86_400 + master.closes[place]
        open_s = closes - opens
        is_store = master.is_store[place]
        for c in range(len(master.first) - 1):
            units = cents = goods = gone = moving = slow = np.int64(0)
            listed = stocked = right = out_seconds = np.int64(0)
            for j in range(master.first[c], master.first[c + 1]):
                k = master.member[j]
                book = stock.book[place, k]
                today = sold[place, k]
                cost = np.int64(master.cost[k])
                expected = stock.expected[place, k] - today
                stock.expected[place, k] = expected
                physical = stock.physical[place, k]
                if expected != book or book - physical != stock.gap[place, k] or physical < 0:
                    bad_place, bad_sku = place, k
                units += book
                cents += book * cost
                gone += today
                goods += today * cost
                moving += stock.transit[place, k] * cost
                if np.int64(book) * slow_window_days > np.int64(window[place, k]) * slow_cover_days:
                    slow += book * cost
                if is_store:
                    if mode.counts:
                        sold_total[k] += today
                    if master.listed[place, k]:
                        out = stock.out_today[place, k]
                        listed += 1
                        if book > 0:
                            stocked += 1
                        else:
                            since = max(stock.zero_since[place, k], opens)
                            out += max(closes - since, 0)
                        out_seconds += out
                        out_share[place, k] = 100 * out // open_s
                        if physical == book:
                            right += 1
                    stock.out_today[place, k] = 0
            row = daybook[place, c]
            row[0], row[1], row[2], row[3] = gone, goods, listed, stocked
            row[4], row[5] = listed * open_s, listed * open_s - out_seconds
            row[6], row[7], row[8], row[9] = units, cents, moving, slow
            row[10], row[11] = listed, right
    return bad_place, bad_sku


@njit(cache=True)
def out_so_far(now: int, stock: Stock, out_share: npt.NDArray[np.uint8], master: Master) -> None:
    """Fill percent of today's open time without book stock, up to `now`; stores only."""
    midnight = now // 86_400 * 86_400
    for place in range(out_share.shape[0]):
        if not master.is_store[place]:
            continue
        opens, closes = midnight + master.opens[place], midnight + master.closes[place]
        for k in range(out_share.shape[1]):
            if not master.listed[place, k]:
                continue
            out = stock.out_today[place, k]
            if stock.book[place, k] == 0:
                out += max(min(now, closes) - max(stock.zero_since[place, k], opens), 0)
            out_share[place, k] = 100 * out // (closes - opens)
