"""Tuples of arrays that the compiled kernels work on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


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
    shelf : what of `physical` customers reach; (L, 0) where that is all of it
    stray : what of `physical` lies where nobody looks, as far as it goes; (L, 0) = nothing
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
    shelf: Int32s
    stray: Int32s


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
    """Receipt lines as in ``ReceiptColumns``; `location[s]` is store s on the axis.

    `before` (S,) is how many lines each store had in stretches before this one.
    """

    offsets: Int64s
    t: Int32s
    sku: Int32s
    quantity: Int32s
    price: Int32s
    location: Int32s
    before: Int64s


class Frailty(NamedTuple):
    """Shrink, mis-scans, backorders and substitution; keys are (S,) uint64.

    `has_shelf` says whether customers reach less than there is, `is_open` whether only what
    is astray is out of their reach, `switches` whether anybody
    takes another SKU for one that is not there, and `switch_share` (C,) float64 how many do
    by category. A SKU with a row of its own, `row_to[row_first[k]:row_first[k + 1]]`, is
    substituted by these with the cumulated shares `row_share`; `row_first` is (K + 1,), or
    empty where no SKU has a row.
    """

    shrink: float
    misscan: float
    backorders: bool
    shrink_key: npt.NDArray[np.uint64]
    misscan_key: npt.NDArray[np.uint64]
    has_shelf: bool
    is_open: bool
    switches: bool
    switch_share: npt.NDArray[np.float64]
    switch_key: npt.NDArray[np.uint64]
    row_first: Int32s
    row_to: Int32s
    row_share: npt.NDArray[np.float64]


class Mode(NamedTuple):
    """Switches: whether totals are kept (after the warm-up), whether rows are traced."""

    counts: bool
    trace: bool


class Totals(NamedTuple):
    """(K,) int64 after the warm-up: lost units, and units booked on another SKU.

    `switched` is units that were wanted of a SKU and taken of another one, where they stand
    with a minus. `behind` is units that customers did not find although the store had them.
    """

    lost: Int64s
    misposted: Int64s
    switched: Int64s
    behind: Int64s


class Rows(NamedTuple):
    """Buffer of traced rows."""

    kind: Int8s
    sku: Int32s
    quantity: Int32s
    at: Int32s
