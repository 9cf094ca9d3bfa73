"""Compiled work on age classes: which units left, which came, which expire tonight.

Stock between two touches only falls, by sales and shrink, and nothing fresh is put down.
Units from the old end and units from the young end then commute: whatever the order of
the customers, the same classes are left. So ages are settled at touches, by sums, and
stay exact to the receipt line without a word in the receipt kernel.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from twin.arrays import Int32s, Int64s, Master, Stock
from twin.draws import uniform
from twin.touches import WRITE_OFF_CENTS, WRITE_OFF_UNITS


class AgeClasses(NamedTuple):
    """Stock by the day of its expiry, for SKUs that expire.

    Attributes
    ----------
    units : (L, P, M) int32, on hand by expiry day modulo M (in truth, not in the book)
    held : (L, P) int32, their sum
    taken : (L, P) int64, units that have left so far
    member : (P,) int32, the SKU of each row
    row : (K,) int32, the row of a SKU, −1 = it does not expire
    life : (P,) int32, days of sale from the receipt of fresh goods
    key : (L,) uint64, draws whether a unit's customer takes the youngest
    youngest_share : float, share of units taken from the young end (LIFO)
    """

    units: npt.NDArray[np.int32]
    held: Int32s
    taken: Int64s
    member: Int32s
    row: Int32s
    life: Int32s
    key: npt.NDArray[np.uint64]
    youngest_share: float


@njit(cache=True)
def take_oldest(classes: Int32s, oldest: int, units: int) -> None:
    """Take `units` from the classes in order of expiry, the slot of day `oldest` first."""
    size = len(classes)
    slot = oldest % size
    for _ in range(size):
        if units == 0:
            return
        gone = min(classes[slot], units)
        classes[slot] -= gone
        units -= gone
        slot = slot + 1 if slot + 1 < size else 0


@njit(cache=True)
def take_youngest(classes: Int32s, oldest: int, units: int) -> None:
    """The same from the other end."""
    size = len(classes)
    slot = (oldest + size - 1) % size
    for _ in range(size):
        if units == 0:
            return
        gone = min(classes[slot], units)
        classes[slot] -= gone
        units -= gone
        slot = slot - 1 if slot > 0 else size - 1


@njit(cache=True)
def take(
    classes: Int32s, oldest: int, gone: int, first: int, base: Any, key: np.uint64, share: float
) -> None:
    """Take `gone` > 0 units from the classes of one cell, by what their customers want.

    Unit n that leaves is drawn by (place, SKU, n): the same customer wants the youngest
    whatever the policy. It takes rows, not tuples of arrays: passing one costs more.
    """
    young = 0
    if share >= 1.0:
        young = gone
    elif share > 0.0:
        for n in range(first, first + gone):
            if uniform(key, base + n) < share:
                young += 1
    take_youngest(classes, oldest, young)
    take_oldest(classes, oldest, gone - young)


@njit(cache=True)
def settle_rows(
    ages: AgeClasses, place: int, sku: Int32s, oldest: int, physical: Int32s, change: Int32s
) -> int:
    """Settle the SKUs of a load to what was there before stock moved by `change` (n,).

    Returns
    -------
    int, position of a SKU whose stock appeared; −1 = none
    """
    held, taken = ages.held[place], ages.taken[place]
    key, share = ages.key[place], ages.youngest_share
    for i in range(len(sku)):
        p = ages.row[sku[i]]
        if p < 0:
            continue
        gone = held[p] - (physical[sku[i]] - change[i])
        if gone < 0:
            return i
        if gone > 0:
            base = np.int64(sku[i]) << 36
            take(ages.units[place, p], oldest, gone, taken[p], base, key, share)
            held[p] -= gone
            taken[p] += gone
    return -1


@njit(cache=True)
def expiring_lines(row: Int32s, sku: Int32s) -> Int32s:
    """(m,) positions of a load's lines whose SKU expires."""
    many = 0
    for i in range(len(sku)):
        many += row[sku[i]] >= 0
    lines = np.empty(many, dtype=np.int32)
    n = 0
    for i in range(len(sku)):
        if row[sku[i]] >= 0:
            lines[n] = i
            n += 1
    return lines


@njit(cache=True)
def load_up(
    ages: AgeClasses,
    place: int,
    sku: Int32s,
    shipped: Int32s,
    oldest: int,
    lines: Int32s,
    out: Int32s,
) -> None:
    """Goods leave oldest first; `out` (m, M) is filled by days after `oldest`.

    `lines` (m,) as of :func:`expiring_lines`.
    """
    size = ages.units.shape[2]
    for n in range(len(lines)):
        i = lines[n]
        p = ages.row[sku[i]]
        left = shipped[i]
        slot = oldest % size
        for ahead in range(size):
            if left == 0:
                break
            gone = min(ages.units[place, p, slot], left)
            ages.units[place, p, slot] -= gone
            out[n, ahead] = gone
            left -= gone
            slot = slot + 1 if slot + 1 < size else 0
        ages.held[place, p] -= shipped[i]


@njit(cache=True)
def put_down(
    ages: AgeClasses,
    place: int,
    sku: Int32s,
    there: Int32s,
    lines: Int32s,
    came: Int32s,
    since: int,
    oldest: int,
) -> None:
    """Put `there` (n,) units down; `came` (m, M) are their classes, `since` days ago.

    A row of `came` that holds nothing is fresh, and so is every line where `came` has no
    row at all. Goods past their day wait for tonight's expiry. A unit that is missing is
    one of the oldest.
    """
    size = ages.units.shape[2]
    for n in range(len(lines)):
        i = lines[n]
        if there[i] == 0:
            continue
        p = ages.row[sku[i]]
        ages.held[place, p] += there[i]
        known = 0
        if len(came):
            for ahead in range(size):
                known += came[n, ahead]
        if known == 0:
            slot = (oldest + ages.life[p] - 1) % size
            ages.units[place, p, slot] += there[i]
            continue
        missing = known - there[i]
        for ahead in range(size):
            units = came[n, ahead]
            if units == 0:
                continue
            lost = min(units, max(missing, 0))
            missing -= lost
            slot = (oldest + max(ahead - since, 0)) % size
            ages.units[place, p, slot] += units - lost


@njit(cache=True)
def expire(
    ages: AgeClasses,
    oldest: int,
    now: int,
    stock: Stock,
    tally: Int64s,
    master: Master,
    quantity: Int32s,
    found: Int32s,
) -> tuple[int, int]:
    """Write off what ends its life today, everywhere.

    Whoever clears the shelf scans each unit: what the book did not have is found first,
    as at a till, and so the book never falls below 0.

    Parameters
    ----------
    quantity, found : (L, P) int32, filled with units written off and found

    Returns
    -------
    (int, int), a (location, SKU) whose stock appeared; (−1, −1) = none
    """
    bad = (-1, -1)
    slot = oldest % ages.units.shape[2]
    share = ages.youngest_share
    for place in range(ages.units.shape[0]):
        held, taken, key = ages.held[place], ages.taken[place], ages.key[place]
        physical, book = stock.physical[place], stock.book[place]
        for p in range(len(ages.member)):
            k = ages.member[p]
            quantity[place, p] = found[place, p] = 0
            classes = ages.units[place, p]
            left = held[p] - physical[k]
            if left > 0:
                take(classes, oldest, left, taken[p], np.int64(k) << 36, key, share)
                held[p] -= left
                taken[p] += left
            elif left < 0:
                bad = (place, int(k))
            gone = classes[slot]
            if gone == 0:
                continue
            classes[slot] = 0
            held[p] -= gone
            booked = min(gone, book[k])
            physical[k] -= gone
            book[k] -= booked
            stock.expected[place, k] -= booked
            stock.gap[place, k] += gone - booked
            if booked > 0 and book[k] == 0:
                stock.zero_since[place, k] = now
            c = master.category[k]
            tally[place, c, WRITE_OFF_UNITS] += gone
            tally[place, c, WRITE_OFF_CENTS] += np.int64(gone) * master.cost[k]
            quantity[place, p], found[place, p] = gone, gone - booked
    return bad
