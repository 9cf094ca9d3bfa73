"""Compiled steps of the receipt kernel: a till's posting, and customers who take another SKU."""

from __future__ import annotations

from typing import Any

from numba import njit

from twin.arrays import Frailty, Int32s, Master, Stock
from twin.draws import uniform

SWITCHED = 1 << 40
"""Added to a line's number for draws about a SKU that was taken instead of another."""


@njit(cache=True)
def post(
    sku: int,
    served: int,
    at: int,
    book: Int32s,
    expected: Int32s,
    gap: Int32s,
    zero_since: Int32s,
    sold: Int32s,
) -> int:
    """A till's sale: never refused, and never below an empty book; returns what was found."""
    left = book[sku] - served
    found = 0
    if left <= 0:
        if book[sku] > 0:
            zero_since[sku] = at
        found = -left
        expected[sku] += found
        gap[sku] += found
        left = 0
    book[sku] = left
    sold[sku] += served
    return int(found)


@njit(cache=True)
def take_another(
    sku: Any,
    short: Any,
    number: int,
    s: int,
    front: Int32s,
    master: Master,
    frailty: Frailty,
) -> tuple[int, int]:
    """(SKU, units) of the same category that a customer takes for what is not there.

    One of the SKU's own row of the matrix; without a row the first that is there from a
    drawn place of the category on. (−1, 0) = none.
    """
    key, c = frailty.switch_key[s], master.category[sku]
    if len(frailty.row_first):
        begin, end = frailty.row_first[sku], frailty.row_first[sku + 1]
        for j in range(begin, end):
            if uniform(key, 2 * number) < frailty.row_share[j]:
                other = frailty.row_to[j]
                if front[other] > 0:
                    return int(other), int(min(short, front[other]))
                return -1, 0
        if end > begin:
            return -1, 0
    if uniform(key, 2 * number) >= frailty.switch_share[c]:
        return -1, 0
    begin = master.first[c]
    size = master.first[c + 1] - begin
    start = int(uniform(key, 2 * number + 1) * size)
    for step in range(size):
        other = master.member[begin + (start + step) % size]
        if other != sku and front[other] > 0:
            return int(other), int(min(short, front[other]))
    return -1, 0


@njit(cache=True)
def sell_another(
    sku: int,
    units: int,
    at: Any,
    number: int,
    s: int,
    place: int,
    stock: Stock,
    front: Int32s,
    sold: Int32s,
    frailty: Frailty,
) -> tuple[int, int]:
    """Sell `units` of a SKU that was taken for another one: (units found, units shrunk)."""
    physical, book, gap = stock.physical[place], stock.book[place], stock.gap[place]
    expected, zero_since = stock.expected[place], stock.zero_since[place]
    physical[sku] -= units
    if frailty.has_shelf:
        front[sku] -= units
    found, gone = post(sku, units, at, book, expected, gap, zero_since, sold), 0
    if frailty.shrink > 0.0:
        u = uniform(frailty.shrink_key[s], number + SWITCHED)
        gone = min(int(frailty.shrink * units + u), int(physical[sku]))
        physical[sku] -= gone
        front[sku] = min(front[sku], physical[sku])
        gap[sku] += gone
    return int(found), gone


@njit(cache=True)
def shelf_of(stock: Stock, place: int, is_open: bool) -> Any:  # noqa: FBT001  compiled
    """(K,) int32, a store's shelf, which holds no more than there is and is not astray.

    Where `is_open` all the rest is on it.
    """
    shelf, physical, stray = stock.shelf[place], stock.physical[place], stock.stray[place]
    for k in range(len(shelf)):
        there = physical[k]
        if len(stray):
            there -= min(stray[k], there)
        shelf[k] = there if is_open else min(shelf[k], there)
    return shelf
