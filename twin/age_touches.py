"""Compiled work on age classes: which units left, which came, which expire tonight.

Stock between two touches only falls, by sales and shrink, and nothing fresh is put down.
Units from the old end and units from the young end then commute: whatever the order of
the customers, the same classes are left. So ages are settled at touches, by sums, and
stay exact to the receipt line without a word in the receipt kernel.
"""

from __future__ import annotations

from typing import NamedTuple

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
    for ahead in range(size):
        slot = (oldest + ahead) % size
        gone = min(classes[slot], units)
        classes[slot] -= gone
        units -= gone
        if units == 0:
            return


@njit(cache=True)
def take_youngest(classes: Int32s, oldest: int, units: int) -> None:
    """The same from the other end."""
    size = len(classes)
    for ahead in range(size - 1, -1, -1):
        slot = (oldest + ahead) % size
        gone = min(classes[slot], units)
        classes[slot] -= gone
        units -= gone
        if units == 0:
            return


@njit(cache=True)
def settle(ages: AgeClasses, place: int, p: int, oldest: int, there: int) -> bool:
    """Take off what customers took since the last touch; False where stock appeared.

    Unit n that leaves is drawn by (place, SKU, n): the same customer wants the youngest
    whatever the policy.
    """
    gone = ages.held[place, p] - there
    if gone <= 0:
        return bool(gone == 0)
    share, first = ages.youngest_share, ages.taken[place, p]
    young = 0
    if share >= 1.0:
        young = gone
    elif share > 0.0:
        base = int(ages.member[p]) << 36
        for n in range(first, first + gone):
            if uniform(ages.key[place], base + n) < share:
                young += 1
    classes = ages.units[place, p]
    take_youngest(classes, oldest, young)
    take_oldest(classes, oldest, gone - young)
    ages.held[place, p] = there
    ages.taken[place, p] = first + gone
    return True


@njit(cache=True)
def settle_rows(
    ages: AgeClasses, place: int, sku: Int32s, oldest: int, physical: Int32s, change: Int32s
) -> int:
    """Settle the SKUs of a load to what was there before stock moved by `change` (n,).

    Returns
    -------
    int, position of a SKU whose stock appeared; −1 = none
    """
    for i in range(len(sku)):
        p = ages.row[sku[i]]
        if p >= 0 and not settle(ages, place, p, oldest, physical[sku[i]] - change[i]):
            return i
    return -1


@njit(cache=True)
def load_up(
    ages: AgeClasses, place: int, sku: Int32s, shipped: Int32s, oldest: int, out: Int32s
) -> None:
    """Goods leave oldest first; `out` (n, M) is filled by days after `oldest`."""
    size = ages.units.shape[2]
    for i in range(len(sku)):
        p = ages.row[sku[i]]
        if p < 0:
            continue
        left = shipped[i]
        for ahead in range(size):
            slot = (oldest + ahead) % size
            gone = min(ages.units[place, p, slot], left)
            ages.units[place, p, slot] -= gone
            out[i, ahead] = gone
            left -= gone
        ages.held[place, p] -= shipped[i]


@njit(cache=True)
def put_down(
    ages: AgeClasses,
    place: int,
    sku: Int32s,
    there: Int32s,
    came: Int32s,
    since: int,
    oldest: int,
) -> None:
    """Put `there` (n,) units down; `came` (n, M) are their classes, `since` days ago.

    A row of `came` that holds nothing is fresh. Goods past their day wait for tonight's
    expiry. A unit that is missing is one of the oldest.
    """
    size = ages.units.shape[2]
    for i in range(len(sku)):
        p = ages.row[sku[i]]
        if p < 0 or there[i] == 0:
            continue
        known = 0
        for ahead in range(size):
            known += came[i, ahead]
        missing = known - there[i]
        for ahead in range(size):
            units = came[i, ahead]
            lost = min(units, max(missing, 0))
            missing -= lost
            slot = (oldest + max(ahead - since, 0)) % size
            ages.units[place, p, slot] += units - lost
        if known == 0:
            slot = (oldest + ages.life[p] - 1) % size
            ages.units[place, p, slot] += there[i]
        ages.held[place, p] += there[i]


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
    for place in range(ages.units.shape[0]):
        for p in range(len(ages.member)):
            k = ages.member[p]
            quantity[place, p] = found[place, p] = 0
            if not settle(ages, place, p, oldest, stock.physical[place, k]):
                bad = (place, int(k))
            gone = ages.units[place, p, slot]
            if gone == 0:
                continue
            ages.units[place, p, slot] = 0
            ages.held[place, p] -= gone
            booked = min(gone, stock.book[place, k])
            stock.physical[place, k] -= gone
            stock.book[place, k] -= booked
            stock.expected[place, k] -= booked
            stock.gap[place, k] += gone - booked
            if booked > 0 and stock.book[place, k] == 0:
                stock.zero_since[place, k] = now
            c = master.category[k]
            tally[place, c, WRITE_OFF_UNITS] += gone
            tally[place, c, WRITE_OFF_CENTS] += np.int64(gone) * master.cost[k]
            quantity[place, p], found[place, p] = gone, gone - booked
    return bad
