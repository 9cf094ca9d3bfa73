"""The compiled kernel of one-for-one orders: lines of stages under continuous review.

Each unit demanded is ordered at once by every stage above the customer. A stage that has
none owes it and ships it the second it can. Lead times are constant, so a lane is a queue
of arrival times, and receipt lines and arrivals of a SKU are merged in true order.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import njit

from twin.arrays import Int32s, Int64s, Lines, Master, Stock
from twin.kernel import BACKORDERED, REVENUE
from twin.touches import (
    CAME_LINES,
    CAME_RIGHT,
    CAME_SHIPPED,
    CASES,
    FILLED_LATE,
    FILLED_LINES,
    FILLED_UNITS,
    LATE_REVENUE,
    ORDER_LINES,
    ORDER_UNITS,
    PURCHASE_LINES,
    RECEIVED,
    empty_seconds,
)


class Pipes(NamedTuple):
    """What is ordered and on the road between stages.

    Attributes
    ----------
    arrives : (L, K, Q) int64, ring of arrival times of units on the way to a location
    head, size : (L, K) int32, of each ring
    owed : (L, K) int32, units a location owes the one below it
    lead_s : (L,) int32, seconds from shipment to receipt at a location
    above, below : (L,) int32, neighbours; −1 = the supplier above, the customer below
    """

    arrives: Int64s
    head: Int32s
    size: Int32s
    owed: Int32s
    lead_s: Int32s
    above: Int32s
    below: Int32s


# Helpers are inlined and take arrays: a call with tuples of arrays costs half a
# microsecond, and a demand is some ten events.


@njit(cache=True)
def advance_line(  # noqa: PLR0912, PLR0915  one loop: see above
    lines: Lines,
    cursor: Int64s,
    s: int,
    until: int,
    stock: Stock,
    sold: Int32s,
    tally: Int64s,
    events: Int64s,
    master: Master,
    pipes: Pipes,
) -> bool:
    """Everything up to `until` in the line that ends in store `s`; False = a ring is full."""
    store, end = int(lines.location[s]), lines.offsets[s + 1]
    t, sku, quantity, price = lines.t, lines.sku, lines.quantity, lines.price
    physical, book, expected, sales = stock.physical, stock.book, stock.expected, sold
    waiting, transit, on_order = stock.waiting, stock.transit, stock.on_order
    zero_since, on_road, out_today, risen = (
        stock.zero_since,
        stock.on_road,
        stock.out_today,
        stock.risen,
    )
    arrives, head, size, owed = pipes.arrives, pipes.head, pipes.size, pipes.owed
    lead_s, above, below = pipes.lead_s, pipes.above, pipes.below
    category, prices, opens, closes = master.category, master.price, master.opens, master.closes
    i, last, room = cursor[s], physical.shape[1], arrives.shape[2]
    while True:
        # A receipt line, or after the last one each SKU's arrivals up to now.
        is_line = i < end and t[i] <= until
        if is_line:
            k, now = int(sku[i]), int(t[i])
        elif last > 0:
            last -= 1
            k, now = last, int(until)
        else:
            break
        c = category[k]
        while True:
            place, at = _next(store, k, now, arrives, head, size, above)
            if place < 0:
                break
            _take_in(place, k, head, size, on_order, transit, on_road, expected, above, room)
            _note_receipt(events[place, c], above[place] >= 0)
            if book[place, k] == 0:
                out = empty_seconds(zero_since[place, k], opens[place], closes[place], at)
                out_today[place, k] += out
                risen[place] |= out > 0
                zero_since[place, k] = at
            to = below[place]
            if to < 0 and waiting[place, k] > 0:
                waiting[place, k] -= 1
                sales[place, k] += 1
                events[place, c, FILLED_LATE] += 1
                events[place, c, LATE_REVENUE] += prices[k]
            elif to >= 0 and owed[place, k] > 0:
                # In and out again in the same second.
                owed[place, k] -= 1
                expected[place, k] -= 1
                if not _send(to, k, at, arrives, head, size, lead_s, transit, on_road, above):
                    return False
            else:
                physical[place, k] += 1
                book[place, k] += 1
        for _ in range(quantity[i] if is_line else 0):
            if physical[store, k] > 0:
                _take_out(store, k, now, physical, book, zero_since)
                sales[store, k] += 1
                tally[store, c, REVENUE] += price[i]
            else:
                waiting[store, k] += 1
                tally[store, c, BACKORDERED] += 1
            place = store
            while place >= 0:
                origin = above[place]
                on_order[place, k] += 1
                is_there = origin < 0 or physical[origin, k] > 0
                _note_order(events[place, c], origin < 0, is_there)
                if not is_there:
                    owed[origin, k] += 1
                elif not _send(place, k, now, arrives, head, size, lead_s, transit, on_road, above):
                    return False
                elif origin >= 0:
                    _take_out(origin, k, now, physical, book, zero_since)
                    expected[origin, k] -= 1
                place = origin
        i += is_line
    cursor[s] = i
    return True


@njit(cache=True, inline="always")
def _next(
    store: int, k: int, now: int, arrives: Int64s, head: Int32s, size: Int32s, above: Int32s
) -> tuple[int, int]:
    """(location, time) of the line's next arrival up to `now`; of a second, the top's first."""
    place, first, at = store, -1, now
    while place >= 0:
        if size[place, k] > 0 and arrives[place, k, head[place, k]] <= at:
            first, at = place, arrives[place, k, head[place, k]]
        place = above[place]
    return first, at


@njit(cache=True, inline="always")
def _take_in(
    place: int,
    k: int,
    head: Int32s,
    size: Int32s,
    on_order: Int32s,
    transit: Int32s,
    on_road: Int64s,
    expected: Int32s,
    above: Int32s,
    room: int,
) -> None:
    """A unit is off the road."""
    head[place, k] = (head[place, k] + 1) % room
    size[place, k] -= 1
    on_order[place, k] -= 1
    expected[place, k] += 1
    if above[place] >= 0:
        transit[place, k] -= 1
        on_road[place] -= 1


@njit(cache=True, inline="always")
def _send(
    to: int,
    k: int,
    at: int,
    arrives: Int64s,
    head: Int32s,
    size: Int32s,
    lead_s: Int32s,
    transit: Int32s,
    on_road: Int64s,
    above: Int32s,
) -> bool:
    """A unit sets off for `to`; False where its ring is full."""
    room = arrives.shape[2]
    is_full = size[to, k] == room
    arrives[to, k, (head[to, k] + size[to, k]) % room] = at + lead_s[to]
    size[to, k] += 1
    if above[to] >= 0:
        transit[to, k] += 1
        on_road[to] += 1
    return not is_full


@njit(cache=True, inline="always")
def _take_out(
    place: int, k: int, at: int, physical: Int32s, book: Int32s, zero_since: Int32s
) -> None:
    physical[place, k] -= 1
    book[place, k] -= 1
    if book[place, k] == 0:
        zero_since[place, k] = at


@njit(cache=True, inline="always")
def _note_receipt(event: Int64s, is_from_us: bool) -> None:  # noqa: FBT001
    if is_from_us:
        event[CAME_LINES] += 1
        event[CAME_SHIPPED] += 1
        event[CAME_RIGHT] += 1
    event[RECEIVED] += 1
    event[CASES] += 1


@njit(cache=True, inline="always")
def _note_order(event: Int64s, is_purchase: bool, is_filled: bool) -> None:  # noqa: FBT001
    event[ORDER_UNITS] += 1
    event[ORDER_LINES] += 1
    event[PURCHASE_LINES] += is_purchase
    event[FILLED_UNITS] += is_filled
    event[FILLED_LINES] += is_filled
