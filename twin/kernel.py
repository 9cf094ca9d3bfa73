"""The compiled kernel: every receipt line in its true order.

All quantities are integers. A *tally* is the day's facts of a location by category,
columns as in :data:`TALLY`; the recorder copies it to the day facts at closing. Column
numbers live in this file on purpose: a compiled cache is keyed by its source file only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from twin.arrays import Frailty, Int32s, Int64s, Lines, Master, Mode, Rows, Stock, Totals
from twin.draws import uniform
from twin.posting import post, sell_another, shelf_of, take_another

TALLY: tuple[str, ...] = (
    "revenue_cents",
    "units_lost",
    "margin_lost_cents",
    "shrink_cents",
    "units_backordered",  # not a fact: demand that waits
)
REVENUE, LOST, MARGIN_LOST, SHRINK_CENTS, BACKORDERED = range(5)

SELL, AUTO_FOUND, SHRINK = 3, 10, 12
"""Kinds of traced rows, as in ``policies.domain.ledger.MovementKind`` (tested)."""


@njit(cache=True)
def advance(
    lines: Lines,
    cursor: Int64s,
    s: int,
    until: int,
    stock: Stock,
    sold: Int32s,
    tally: Int64s,
    master: Master,
    frailty: Frailty,
    totals: Totals,
    mode: Mode,
    rows: Rows,
) -> int:
    """Serve or lose every line of store `s` with t ≤ `until`, in true order.

    Parameters
    ----------
    cursor : (S,) int64, next line of each store; moved on
    sold : (L, K) int32, units sold on this day, as posted by tills
    tally : (L, C, T) int64
    rows : where SELL, AUTO_FOUND and SHRINK rows are traced, three for a line at most and
        three more where customers take another SKU

    Returns
    -------
    int, rows written
    """
    place = lines.location[s]
    begin, end = cursor[s], lines.offsets[s + 1]
    if mode.trace or frailty.switches or frailty.has_shelf:
        written, stop = _traced(
            lines, s, begin, until, stock, sold, tally, master, frailty, totals, mode, rows
        )
        cursor[s] = stop
        return int(written)
    cursor[s] = _untraced(
        lines.t,
        lines.sku,
        lines.quantity,
        lines.price,
        begin,
        end,
        until,
        lines.before[s] - lines.offsets[s],
        stock.physical[place],
        stock.book[place],
        stock.waiting[place],
        stock.expected[place],
        stock.gap[place],
        stock.zero_since[place],
        sold[place],
        tally[place],
        master.category,
        master.cost,
        master.first,
        master.member,
        totals.lost,
        totals.misposted,
        frailty.misscan,
        frailty.misscan_key[s],
        frailty.shrink,
        frailty.shrink_key[s],
        frailty.backorders,
        mode.counts,
    )
    return 0


@njit(cache=True)
def _untraced(  # noqa: PLR0912  one loop: see below
    t: Int32s,
    skus: Int32s,
    quantity: Int32s,
    price: Int32s,
    i: int,
    end: int,
    until: int,
    before: int,
    physical: Int32s,
    book: Int32s,
    waiting: Int32s,
    expected: Int32s,
    gap: Int32s,
    zero_since: Int32s,
    sold: Int32s,
    mine: Int64s,
    category: Int32s,
    cost: Int32s,
    first: Int32s,
    member: Int32s,
    lost: Int64s,
    misposted: Int64s,
    misscan: float,
    misscan_key: np.uint64,
    shrink: float,
    shrink_key: np.uint64,
    *switches: bool,
) -> int:
    """`_traced` without rows; returns the next line.

    5 × faster on one store's rows alone, and 3 × again where the rows are walked into
    the cache first. Everything stands in one loop: a call with all the arrays costs more
    than twenty lines. Mis-scans and shrink are rare: what they touch is read only then.
    """
    backorders, counts = switches
    ahead = i + len(physical) // 16
    if ahead < end and t[ahead] <= until and _fetch(physical, book, sold) < 0:
        return i  # never: units are not negative
    while i < end and t[i] <= until:
        sku = np.uint32(skus[i])  # unsigned: no test for counting from the end
        wanted = quantity[i]
        served = min(wanted, physical[sku])
        if served < wanted:
            short = np.int64(wanted - served)
            c = category[sku]
            if backorders:
                waiting[sku] += short
                mine[c, BACKORDERED] += short
            else:
                mine[c, LOST] += short
                mine[c, MARGIN_LOST] += short * (np.int64(price[i]) - cost[sku])
                if counts:
                    lost[sku] += short
        if served > 0:
            physical[sku] -= served
            mine[category[sku], REVENUE] += np.int64(served) * price[i]
            posted = sku
            if misscan > 0.0 and uniform(misscan_key, 2 * (before + i)) < misscan:
                posted = np.uint32(_another(sku, before + i, misscan_key, category, first, member))
                gap[sku] += served
                gap[posted] -= served
                if counts:
                    misposted[sku] += served
                    misposted[posted] -= served
            left = book[posted] - served
            if left <= 0:
                if book[posted] > 0:
                    zero_since[posted] = t[i]
                # What the book did not have, the till found: the book ends at 0.
                expected[posted] -= left
                gap[posted] -= left
                left = 0
            book[posted] = left
            sold[posted] += served
            if shrink > 0.0:
                gone = np.int64(shrink * served + uniform(shrink_key, before + i))
                if gone > 0:
                    gone = min(gone, np.int64(physical[sku]))
                    physical[sku] -= gone
                    gap[sku] += gone
                    mine[category[sku], SHRINK_CENTS] += gone * cost[sku]
        i += 1
    return i


@njit(cache=True)
def _fetch(a: Int32s, b: Int32s, c: Int32s) -> int:
    """Touch each cache line of three rows in order, so that random reads then hit."""
    total = 0
    for i in range(0, len(a), 16):
        total += a[i] + b[i] + c[i]
    return total


@njit(cache=True)
def _traced(  # noqa: PLR0912, PLR0915  one loop: see above
    lines: Lines,
    s: int,
    begin: int,
    until: int,
    stock: Stock,
    sold: Int32s,
    tally: Int64s,
    master: Master,
    frailty: Frailty,
    totals: Totals,
    mode: Mode,
    rows: Rows,
) -> tuple[int, int]:
    """(rows written, next line): as `advance`, with traced rows; one line of code for each fact."""
    # Helpers take rows, not tuples of arrays: passing a tuple costs half a microsecond.
    place = lines.location[s]
    physical, book, gap = stock.physical[place], stock.book[place], stock.gap[place]
    waiting, expected = stock.waiting[place], stock.expected[place]
    zero_since, sold_here, mine = stock.zero_since[place], sold[place], tally[place]
    front = physical
    if frailty.has_shelf:
        front = shelf_of(stock, place, frailty.is_open)
    written = 0
    i = begin
    end = lines.offsets[s + 1]
    while i < end and lines.t[i] <= until:
        sku, at = lines.sku[i], lines.t[i]
        number = lines.before[s] + i - lines.offsets[s]
        c, wanted = master.category[sku], lines.quantity[i]
        served = min(wanted, front[sku])
        short = np.int64(wanted - served)
        totals.behind[sku] += min(short, physical[sku] - front[sku]) * mode.counts
        other, taken = -1, 0
        if short > 0 and frailty.switches:
            other, taken = take_another(sku, short, number, s, front, master, frailty)
            short -= taken
        if short > 0 and frailty.backorders:
            waiting[sku] += short
            mine[c, BACKORDERED] += short
        elif short > 0:
            mine[c, LOST] += short
            mine[c, MARGIN_LOST] += short * (np.int64(lines.price[i]) - master.cost[sku])
            totals.lost[sku] += short * mode.counts
        if served > 0:
            physical[sku] -= served
            if frailty.has_shelf:
                front[sku] -= served
            mine[c, REVENUE] += np.int64(served) * lines.price[i]
            posted = sku
            if frailty.misscan > 0.0:
                key = frailty.misscan_key[s]
                posted = _posted(
                    sku, number, key, frailty.misscan, master.category, master.first, master.member
                )
                gap[sku] += served
                gap[posted] -= served
                totals.misposted[sku] += served * mode.counts
                totals.misposted[posted] -= served * mode.counts
            found = post(posted, served, at, book, expected, gap, zero_since, sold_here)
            if mode.trace:
                written = _write(rows, written, AUTO_FOUND, posted, found, at)
                written = _write(rows, written, SELL, posted, served, at)
            if frailty.shrink > 0.0:
                u = uniform(frailty.shrink_key[s], number)
                gone = min(int(frailty.shrink * served + u), physical[sku])
                physical[sku] -= gone
                front[sku] = min(front[sku], physical[sku])
                gap[sku] += gone
                mine[c, SHRINK_CENTS] += np.int64(gone) * master.cost[sku]
                if mode.trace:
                    written = _write(rows, written, SHRINK, sku, gone, at)
        if taken > 0:
            # Demand stays with the SKU that was wanted; the sale is that of the other one.
            totals.switched[sku] += taken * mode.counts
            totals.switched[other] -= taken * mode.counts
            found, gone = sell_another(
                other, taken, at, number, s, place, stock, front, sold_here, frailty
            )
            mine[c, REVENUE] += taken * np.int64(master.price[other])
            mine[c, SHRINK_CENTS] += gone * np.int64(master.cost[other])
            if mode.trace:
                written = _write(rows, written, AUTO_FOUND, other, found, at)
                written = _write(rows, written, SELL, other, taken, at)
                written = _write(rows, written, SHRINK, other, gone, at)
        i += 1
    return written, i


@njit(cache=True)
def _write(rows: Rows, i: int, kind: int, sku: int, quantity: int, at: int) -> int:
    """Trace a row of more than nothing; returns how many there are now."""
    if quantity <= 0:
        return i
    rows.kind[i] = kind
    rows.sku[i] = sku
    rows.quantity[i] = quantity
    rows.at[i] = at
    return i + 1


@njit(cache=True)
def _posted(
    sku: int,
    number: int,
    key: np.uint64,
    rate: float,
    category: Int32s,
    first: Int32s,
    member: Int32s,
) -> int:
    """The SKU that a till posts: now and then another one of the category."""
    if uniform(key, 2 * number) >= rate:
        return int(sku)
    return int(_another(sku, number, key, category, first, member))


@njit(cache=True)
def _another(
    sku: Any, number: int, key: np.uint64, category: Int32s, first: Int32s, member: Int32s
) -> int:
    """What is scanned in place of `sku`."""
    begin = first[category[sku]]
    size = first[category[sku] + 1] - begin
    return int(member[begin + int(uniform(key, 2 * number + 1) * size)])


@njit(cache=True)
def advance_all(
    lines: Lines,
    cursor: Int64s,
    first: int,
    end: int,
    until: int,
    stock: Stock,
    sold: Int32s,
    tally: Int64s,
    master: Master,
    frailty: Frailty,
    totals: Totals,
    mode: Mode,
    rows: Rows,
) -> None:
    """Stores number `first` … `end` − 1 up to `until`, in turn; not for traced runs."""
    for s in range(first, end):
        advance(lines, cursor, s, until, stock, sold, tally, master, frailty, totals, mode, rows)
