"""The compiled kernel: every receipt line in its true order.

All quantities are integers. A *tally* is the day's facts of a location by category,
columns as in :data:`TALLY`; the recorder copies it to the day facts at closing. Column
numbers live in this file on purpose: a compiled cache is keyed by its source file only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from twin.draws import uniform

Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

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


class Stock(NamedTuple):
    """(L, K) int32 arrays of one run.

    Attributes
    ----------
    physical, book : what sells, and what the system believes
    waiting : demanded and still owed (backorders)
    transit, on_order : shipped to / ordered for the location and not received
    reserved : approved to leave and still here
    expected : opening and movements other than sales, plus the sales that have left the
        slow-mover window with a minus: `expected` − window = `book` when nothing leaks
    gap : book − physical by the latent events alone
    zero_since : when the book last became 0
    out_today : open seconds without book stock on this day, up to the last rise
    on_road : (L,) int64, units of all SKUs in transit to the location
    risen : (L,) int8, whether `out_today` of the location has anything but 0
    """

    physical: Int32s
    book: Int32s
    waiting: Int32s
    transit: Int32s
    on_order: Int32s
    reserved: Int32s
    expected: Int32s
    gap: Int32s
    zero_since: Int32s
    out_today: Int32s
    on_road: Int64s
    risen: Int8s


class Master(NamedTuple):
    """What the network says of SKUs and locations.

    Attributes
    ----------
    category, cost, price, pack : (K,) int32
    member, first : SKUs by category: `member[first[c]:first[c + 1]]`
    opens, closes : (L,) int32, seconds after midnight
    is_store : (L,) bool
    listed : (L, K) bool
    supplier : (L,) int32, position of a store's warehouse among warehouses, else W
    """

    category: Int32s
    cost: Int32s
    price: Int32s
    pack: Int32s
    member: Int32s
    first: Int32s
    opens: Int32s
    closes: Int32s
    is_store: Bools
    listed: Bools
    supplier: Int32s


class Lines(NamedTuple):
    """Receipt lines as in ``ReceiptColumns``; `location[s]` is store s on the axis."""

    offsets: Int64s
    t: Int32s
    sku: Int32s
    quantity: Int32s
    price: Int32s
    location: Int32s


class Frailty(NamedTuple):
    """Shrink, mis-scans and backorders; keys are (S,) uint64."""

    shrink: float
    misscan: float
    backorders: bool
    shrink_key: npt.NDArray[np.uint64]
    misscan_key: npt.NDArray[np.uint64]


class Mode(NamedTuple):
    """Switches: whether totals are kept (after the warm-up), whether rows are traced."""

    counts: bool
    trace: bool


class Totals(NamedTuple):
    """(K,) int64 after the warm-up: lost units, and units booked on another SKU."""

    lost: Int64s
    misposted: Int64s


class Rows(NamedTuple):
    """Buffer of traced rows."""

    kind: Int8s
    sku: Int32s
    quantity: Int32s
    at: Int32s


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
    rows : where SELL, AUTO_FOUND and SHRINK rows are traced, three for a line at most

    Returns
    -------
    int, rows written
    """
    place = lines.location[s]
    begin, end = cursor[s], lines.offsets[s + 1]
    if frailty.misscan > 0.0 or frailty.shrink > 0.0 or mode.trace:
        written, stop = _with_frailty(
            lines, s, begin, until, stock, sold, tally, master, frailty, totals, mode, rows
        )
        cursor[s] = stop
        return int(written)
    # The same without mis-scans, shrink and rows, on this store's rows alone: 5 x faster,
    # and 3 x again where the rows are walked into the cache first.
    t, skus, quantity, price = lines.t, lines.sku, lines.quantity, lines.price
    physical, book, sold_here = stock.physical[place], stock.book[place], sold[place]
    mine, category = tally[place], master.category
    ahead = begin + len(physical) // 16
    if ahead < end and t[ahead] <= until and _fetch(physical, book, sold_here) < 0:
        return 0  # never: units are not negative
    i = begin
    while i < end and t[i] <= until:
        sku = np.uint32(skus[i])  # unsigned: no test for counting from the end
        wanted = quantity[i]
        have = physical[sku]
        served = min(wanted, have)
        if served < wanted:
            _miss(
                lines,
                i,
                place,
                skus[i],
                wanted - served,
                stock,
                mine,
                master,
                frailty,
                totals,
                mode,
            )
        if served > 0:
            physical[sku] = have - served
            mine[category[sku], REVENUE] += np.int64(served) * price[i]
            left = book[sku] - served
            if left > 0:
                book[sku] = left
                sold_here[sku] += served
            else:
                _post(place, skus[i], served, t[i], stock, sold, mode, rows, 0)
        i += 1
    cursor[s] = i
    return 0


@njit(cache=True)
def _fetch(a: Int32s, b: Int32s, c: Int32s) -> int:
    """Touch each cache line of three rows in order, so that random reads then hit."""
    total = 0
    for i in range(0, len(a), 16):
        total += a[i] + b[i] + c[i]
    return total


@njit(cache=True)
def _with_frailty(
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
    """(rows written, next line): as `advance`, with mis-scans, shrink and traced rows."""
    place = lines.location[s]
    physical = stock.physical[place]
    mine = tally[place]
    written = 0
    i = begin
    end = lines.offsets[s + 1]
    while i < end and lines.t[i] <= until:
        sku = lines.sku[i]
        wanted = lines.quantity[i]
        served = min(wanted, physical[sku])
        if served < wanted:
            _miss(lines, i, place, sku, wanted - served, stock, mine, master, frailty, totals, mode)
        if served > 0:
            physical[sku] -= served
            mine[master.category[sku], REVENUE] += np.int64(served) * lines.price[i]
            posted = sku
            if frailty.misscan > 0.0:
                posted = _posted(lines, s, i, place, served, stock, master, frailty, totals, mode)
            written = _post(place, posted, served, lines.t[i], stock, sold, mode, rows, written)
            if frailty.shrink > 0.0:
                written = _shrink(
                    lines, s, i, place, served, stock, mine, master, frailty, mode, rows, written
                )
        i += 1
    return written, i


@njit(cache=True)
def _miss(
    lines: Lines,
    i: int,
    place: int,
    sku: int,
    short: int,
    stock: Stock,
    mine: Int64s,
    master: Master,
    frailty: Frailty,
    totals: Totals,
    mode: Mode,
) -> None:
    """Units that are not there: they wait, or are lost with the margin of this line."""
    c = master.category[sku]
    if frailty.backorders:
        stock.waiting[place, sku] += short
        mine[c, BACKORDERED] += short
        return
    mine[c, LOST] += short
    mine[c, MARGIN_LOST] += np.int64(short) * (np.int64(lines.price[i]) - master.cost[sku])
    if mode.counts:
        totals.lost[sku] += short


@njit(cache=True)
def _post(
    place: int,
    sku: int,
    served: int,
    at: int,
    stock: Stock,
    sold: Int32s,
    mode: Mode,
    rows: Rows,
    written: int,
) -> int:
    """A till's sale: never refused, and never below an empty book."""
    have = stock.book[place, sku]
    left = have - served
    if left <= 0:
        if have > 0:
            stock.zero_since[place, sku] = at
        if left < 0:
            stock.expected[place, sku] -= left
            stock.gap[place, sku] -= left
            if mode.trace:
                _write(rows, written, AUTO_FOUND, sku, -left, at)
                written += 1
            left = 0
    stock.book[place, sku] = left
    sold[place, sku] += served
    if mode.trace:
        _write(rows, written, SELL, sku, served, at)
        written += 1
    return int(written)


@njit(cache=True)
def _write(rows: Rows, i: int, kind: int, sku: int, quantity: int, at: int) -> None:
    rows.kind[i] = kind
    rows.sku[i] = sku
    rows.quantity[i] = quantity
    rows.at[i] = at


@njit(cache=True)
def _shrink(
    lines: Lines,
    s: int,
    i: int,
    place: int,
    served: int,
    stock: Stock,
    mine: Int64s,
    master: Master,
    frailty: Frailty,
    mode: Mode,
    rows: Rows,
    written: int,
) -> int:
    """Units that vanish beside a sale; their mean is `frailty.shrink` per unit sold."""
    sku = lines.sku[i]
    u = uniform(frailty.shrink_key[s], i - lines.offsets[s])
    gone = min(int(frailty.shrink * served + u), stock.physical[place, sku])
    if gone <= 0:
        return written
    stock.physical[place, sku] -= gone
    stock.gap[place, sku] += gone
    mine[master.category[sku], SHRINK_CENTS] += np.int64(gone) * master.cost[sku]
    if mode.trace:
        _write(rows, written, SHRINK, sku, gone, lines.t[i])
        written += 1
    return int(written)


@njit(cache=True)
def _posted(
    lines: Lines,
    s: int,
    i: int,
    place: int,
    served: int,
    stock: Stock,
    master: Master,
    frailty: Frailty,
    totals: Totals,
    mode: Mode,
) -> int:
    """The SKU that a till posts: now and then another one of the category."""
    sku = lines.sku[i]
    number = i - lines.offsets[s]
    if uniform(frailty.misscan_key[s], 2 * number) >= frailty.misscan:
        return int(sku)
    first = master.first[master.category[sku]]
    size = master.first[master.category[sku] + 1] - first
    pick = int(uniform(frailty.misscan_key[s], 2 * number + 1) * size)
    posted = master.member[first + pick]
    stock.gap[place, sku] += served
    stock.gap[place, posted] -= served
    if mode.counts:
        totals.misposted[sku] += served
        totals.misposted[posted] -= served
    return int(posted)


@njit(cache=True)
def advance_all(
    lines: Lines,
    cursor: Int64s,
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
    """Every store up to `until`, one after the other; not for traced runs."""
    for s in range(len(cursor)):
        advance(lines, cursor, s, until, stock, sold, tally, master, frailty, totals, mode, rows)
