"""Compiled touches of stock beside selling: order, ship, receive, count.

The facts they make are kept in an *event tally* of their own, (L, C, T) int64 with the
columns of :data:`EVENTS`. Column numbers live in this file on purpose: a compiled cache
is keyed by its source file only.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from twin.arrays import Int32s, Int64s, Master, Stock

EVENTS: tuple[str, ...] = (
    "order_units",
    "filled_units",
    "order_lines",
    "filled_lines",
    "transfer_lines_received",
    "transfer_lines_right",
    "transfer_units_shipped",
    "transfer_units_off",
    "replenishment_lines",
    "replenishment_seconds",
    "units_received",
    "cases_received",
    "purchase_lines",
    "count_lines",
    "count_lines_right",
    "count_loss_cents",
    "count_gain_cents",
    "units_filled_late",  # not a fact: sales of earlier demand
    "late_revenue_cents",  # not a fact: what those sales took
    "receipt_shrink_cents",  # not a fact: units missing in a delivery that was booked in full
    "write_off_units",
    "write_off_cents",
    "warehouse_cases",
    "risk_count_lines",
)
ORDER_UNITS, FILLED_UNITS, ORDER_LINES, FILLED_LINES = 0, 1, 2, 3
CAME_LINES, CAME_RIGHT, CAME_SHIPPED, CAME_OFF, NEED_LINES, NEED_SECONDS = 4, 5, 6, 7, 8, 9
RECEIVED, CASES, PURCHASE_LINES = 10, 11, 12
COUNTED, COUNTED_RIGHT, COUNT_LOSS, COUNT_GAIN = 13, 14, 15, 16
FILLED_LATE, LATE_REVENUE, MISSING_CENTS = 17, 18, 19
WRITE_OFF_UNITS, WRITE_OFF_CENTS, WAREHOUSE_CASES, RISK_COUNTED = 20, 21, 22, 23
SAMPLED = slice(COUNTED, COUNTED_RIGHT + 1)
"""Columns that a count of a random sample fills."""


@njit(cache=True)
def empty_seconds(zero_since: int, opens: int, closes: int, now: int) -> int:
    """Open seconds of this day since a book fell to 0, until it rises `now`."""
    midnight = now // 86_400 * 86_400
    return int(max(min(now, midnight + closes) - max(zero_since, midnight + opens), 0))


@njit(cache=True)
def order(origin: int, destination: int, sku: Int32s, quantity: Int32s, stock: Stock) -> None:
    """Approve lines: they are on order at once, and reserved at an origin of ours."""
    for i in range(len(sku)):
        stock.on_order[destination, sku[i]] += quantity[i]
        if origin >= 0:
            stock.reserved[origin, sku[i]] += quantity[i]


@njit(cache=True)
def note_purchases(destination: int, sku: Int32s, tally: Int64s, master: Master) -> None:
    """Count supplier order lines where the goods go."""
    for i in range(len(sku)):
        tally[destination, master.category[sku[i]], PURCHASE_LINES] += 1


@njit(cache=True)
def ship(
    origin: int,
    destination: int,
    sku: Int32s,
    ordered: Int32s,
    shipped: Int32s,
    now: int,
    stock: Stock,
    tally: Int64s,
    master: Master,
    mass: Int32s,
) -> tuple[int, int, int]:
    """Goods leave `origin`: what is there and in the book, up to what was ordered.

    `shipped` (n,) int32 is filled in. What is not shipped is cut, not owed. Returns the
    units, the cases, and the grams by the `mass` (K,) of a unit.
    """
    units = cases = grams = np.int64(0)
    for i in range(len(sku)):
        k = sku[i]
        leaves = min(ordered[i], stock.physical[origin, k], stock.book[origin, k])
        shipped[i] = leaves
        stock.reserved[origin, k] -= ordered[i]
        stock.on_order[destination, k] -= ordered[i] - leaves
        c = master.category[k]
        tally[destination, c, ORDER_UNITS] += ordered[i]
        tally[destination, c, FILLED_UNITS] += leaves
        tally[destination, c, ORDER_LINES] += 1
        if leaves == ordered[i]:
            tally[destination, c, FILLED_LINES] += 1
        if leaves > 0:
            units += leaves
            pack = np.uint32(master.pack[k])
            cases += (np.uint32(leaves) + pack - np.uint32(1)) // pack
            grams += np.int64(leaves) * mass[k]
            stock.transit[destination, k] += leaves
            stock.on_road[destination] += leaves
            stock.physical[origin, k] -= leaves
            stock.expected[origin, k] -= leaves
            left = stock.book[origin, k] - leaves
            stock.book[origin, k] = left
            if left == 0:
                stock.zero_since[origin, k] = now
    return int(units), int(cases), int(grams)


@njit(cache=True)
def cut(
    origin: int,
    destination: int,
    sku: Int32s,
    ordered: Int32s,
    stock: Stock,
    tally: Int64s,
    master: Master,
) -> None:
    """Approved lines that no truck takes: ordered, and nothing filled."""
    for i in range(len(sku)):
        stock.reserved[origin, sku[i]] -= ordered[i]
        stock.on_order[destination, sku[i]] -= ordered[i]
        c = master.category[sku[i]]
        tally[destination, c, ORDER_UNITS] += ordered[i]
        tally[destination, c, ORDER_LINES] += 1


@njit(cache=True)
def fall_short(place: int, sku: Int32s, ordered: Int32s, sent: Int32s, stock: Stock) -> None:
    """What a supplier does not send of an order is on order no more."""
    for i in range(len(sku)):
        stock.on_order[place, sku[i]] -= ordered[i] - sent[i]


@njit(cache=True)
def receive(
    origin: int,
    place: int,
    sku: Int32s,
    ordered: Int32s,
    shipped: Int32s,
    error: Int32s,
    late: Int32s,
    need_s: int,
    now: int,
    stock: Stock,
    sold: Int32s,
    tally: Int64s,
    master: Master,
) -> None:
    """Add a delivery from `origin` (−1 = a supplier) to the stock of `place`.

    Parameters
    ----------
    error : (n,) int32 in {−1, 0, 1}
        −1: one unit is there and not booked. +1: one unit is booked and not there.
    late : (n,) int32, filled with the units that served waiting demand at once
    need_s : int, when the need was detected; −1 = not known
    """
    for i in range(len(sku)):
        k = sku[i]
        came = shipped[i]
        c = master.category[k]
        late[i] = 0
        stock.on_order[place, k] -= came
        if came == 0:
            continue
        booked = came - 1 if error[i] < 0 else came
        there = came - 1 if error[i] > 0 else came
        if origin >= 0:
            stock.transit[place, k] -= came
            stock.on_road[place] -= came
            tally[place, c, CAME_LINES] += 1
            tally[place, c, CAME_SHIPPED] += came
            tally[place, c, CAME_OFF] += came - booked
            if booked == came and came == ordered[i]:
                tally[place, c, CAME_RIGHT] += 1
            if need_s >= 0:
                tally[place, c, NEED_LINES] += 1
                tally[place, c, NEED_SECONDS] += now - need_s
        tally[place, c, MISSING_CENTS] += np.int64(came - there) * master.cost[k]
        tally[place, c, RECEIVED] += booked
        pack = np.uint32(master.pack[k])  # unsigned: divides faster, and rounds up all the same
        cases = (np.uint32(booked) + pack - np.uint32(1)) // pack
        tally[place, c, CASES] += cases
        if origin >= 0 and not master.is_store[origin]:
            tally[place, c, WAREHOUSE_CASES] += cases
        if booked > 0 and stock.book[place, k] == 0:
            since = stock.zero_since[place, k]
            out = empty_seconds(since, master.opens[place], master.closes[place], now)
            stock.out_today[place, k] += out
            stock.risen[place] |= out > 0
        stock.physical[place, k] += there
        stock.book[place, k] += booked
        stock.expected[place, k] += booked
        stock.gap[place, k] += booked - there
        owed = min(stock.waiting[place, k], stock.physical[place, k], stock.book[place, k])
        if owed > 0:
            late[i] = owed
            stock.waiting[place, k] -= owed
            stock.physical[place, k] -= owed
            stock.book[place, k] -= owed
            if stock.book[place, k] == 0:
                stock.zero_since[place, k] = now
            sold[place, k] += owed
            tally[place, c, FILLED_LATE] += owed
            tally[place, c, LATE_REVENUE] += np.int64(owed) * master.price[k]


@njit(cache=True)
def count(
    place: int,
    sku: Int32s,
    wrong: Int32s,
    difference: Int32s,
    now: int,
    stock: Stock,
    tally: Int64s,
    master: Master,
) -> None:
    """Blind count of some SKUs: the book is set to what was counted.

    `wrong` (n,) int32 is what the person miscounts of each, and `difference` (n,) int32 is
    filled with counted − book as found.
    """
    for i in range(len(sku)):
        k = sku[i]
        c = master.category[k]
        counted = max(stock.physical[place, k] + wrong[i], 0)
        found = counted - stock.book[place, k]
        difference[i] = found
        tally[place, c, COUNTED] += 1
        if found == 0:
            tally[place, c, COUNTED_RIGHT] += 1
            continue
        worth = np.int64(found) * master.cost[k]
        if found > 0:
            tally[place, c, COUNT_GAIN] += worth
            if stock.book[place, k] == 0:
                since = stock.zero_since[place, k]
                out = empty_seconds(since, master.opens[place], master.closes[place], now)
                stock.out_today[place, k] += out
                stock.risen[place] |= out > 0
        else:
            tally[place, c, COUNT_LOSS] -= worth
            if counted == 0:
                stock.zero_since[place, k] = now
        stock.book[place, k] += found
        stock.expected[place, k] += found
        stock.gap[place, k] += found


@njit(cache=True)
def take_away(
    place: int,
    sku: Int32s,
    units: Int32s,
    found: Int32s,
    is_thrown: bool,  # noqa: FBT001  compiled: no keyword arguments
    now: int,
    stock: Stock,
    tally: Int64s,
    master: Master,
) -> None:
    """Goods leave for good and are not sold; those that are thrown away are written off.

    `found` (n,) int32 is filled with the units that the book did not have.
    """
    for i in range(len(sku)):
        k, gone = sku[i], units[i]
        booked = min(gone, stock.book[place, k])
        found[i] = gone - booked
        stock.physical[place, k] -= gone
        stock.book[place, k] -= booked
        stock.expected[place, k] -= booked
        stock.gap[place, k] += gone - booked
        if booked > 0 and stock.book[place, k] == 0:
            stock.zero_since[place, k] = now
        if is_thrown:
            c = master.category[k]
            tally[place, c, WRITE_OFF_UNITS] += gone
            tally[place, c, WRITE_OFF_CENTS] += np.int64(gone) * master.cost[k]


@njit(cache=True)
def take_back(
    place: Int32s,
    sku: Int32s,
    good: Int32s,
    damaged: Int32s,
    now: int,
    stock: Stock,
    tally: Int64s,
    master: Master,
) -> None:
    """Goods that customers bring back: the good ones are for sale, the others written off.

    Parameters
    ----------
    place, sku, good, damaged : (n,) int32, units of each
    """
    for i in range(len(sku)):
        at, k = place[i], sku[i]
        c = master.category[k]
        tally[at, c, WRITE_OFF_UNITS] += damaged[i]
        tally[at, c, WRITE_OFF_CENTS] += np.int64(damaged[i]) * master.cost[k]
        if good[i] == 0:
            continue
        if stock.book[at, k] == 0:
            out = empty_seconds(stock.zero_since[at, k], master.opens[at], master.closes[at], now)
            stock.out_today[at, k] += out
            stock.risen[at] |= out > 0
        stock.physical[at, k] += good[i]
        stock.book[at, k] += good[i]
        stock.expected[at, k] += good[i]
