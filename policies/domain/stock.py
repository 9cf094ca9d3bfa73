"""The one projector: ledger → balances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.errors import InvalidInput
from policies.domain.ledger import VIRTUAL_NAMES, MovementColumns

Ints = npt.NDArray[np.int64]
SLOW_WINDOW_DAYS = 56
SLOW_COVER_DAYS = 180


@dataclass(frozen=True)
class Balances:
    """Stock by place at one moment.

    Attributes
    ----------
    on_hand : (L, K) int64, at real locations
    in_transit : (L, K) int64, on the way to a location
    virtual : dict of location code -> (K,) int64, suppliers, customers, losses, counts
    """

    on_hand: npt.NDArray[np.int64]
    in_transit: npt.NDArray[np.int64]
    virtual: dict[int, npt.NDArray[np.int64]]


def project(
    movements: MovementColumns,
    locations: int,
    skus: int,
    as_of_s: int | None = None,
    known_at_s: int | None = None,
) -> Balances:
    """Balances of the book at `as_of_s` as known at `known_at_s` (default the same).

    With no `as_of_s` every given row counts, latent rows included.

    Since each row adds at one end what it takes at the other, all places of a SKU,
    virtual ones included, sum to 0.

    Raises
    ------
    InvalidInput
        If a row names a place that the ledger does not have.
    """
    rows = movements if as_of_s is None else movements.known(as_of_s, known_at_s)
    codes = np.concatenate([rows.to_location, rows.from_location]).astype(np.int64)
    sku = np.concatenate([rows.sku, rows.sku]).astype(np.int64)
    signed = np.concatenate([rows.quantity.astype(np.int64), -rows.quantity.astype(np.int64)])
    real = codes >= 0
    on_hand = _sum_by(codes[real] * skus + sku[real], signed[real], locations * skus)
    moving = codes <= -1_000
    destination = (-1_000 - codes[moving]) % locations
    in_transit = _sum_by(destination * skus + sku[moving], signed[moving], locations * skus)
    virtual = {}
    for code in np.unique(codes[~real & ~moving]):
        if int(code) not in VIRTUAL_NAMES:
            raise InvalidInput(f"no place has the code {int(code)}", field="location")
        at = codes == code
        virtual[int(code)] = _sum_by(sku[at], signed[at], skus)
    return Balances(on_hand.reshape(locations, skus), in_transit.reshape(locations, skus), virtual)


def _sum_by(
    keys: npt.NDArray[np.int64], amounts: npt.NDArray[np.int64], size: int
) -> npt.NDArray[np.int64]:
    """Integer sums per key; `np.add.at` is exact where float weights are not."""
    out = np.zeros(size, dtype=np.int64)
    np.add.at(out, keys, amounts)
    return out


def is_slow(
    on_hand: npt.NDArray[np.integer], sold_in_window: npt.NDArray[np.integer]
) -> npt.NDArray[np.bool_]:
    """Whether a record is a slow mover: cover above 180 days by the last 56 days' sales.

    No sale in the window is infinite cover. For a warehouse `sold_in_window` is the
    sum of the stores it serves. Shapes broadcast.
    """
    cover_is_long = on_hand.astype(np.int64) * SLOW_WINDOW_DAYS > (
        sold_in_window.astype(np.int64) * SLOW_COVER_DAYS
    )
    out: npt.NDArray[np.bool_] = cover_is_long & (on_hand > 0)
    return out


@njit(cache=True, inline="always")
def through_day(
    cell: Ints,
    at: Ints,
    signed: Ints,
    i: int,
    key: int,
    held: int,
    opens: int,
    closes: int,
    end: int,
) -> tuple[int, int, int]:
    """One record's rows from the `i`-th on, up to the time `end`.

    Returns
    -------
    (units held after them, open seconds with any, number of the next row)
    """
    since, in_stock = opens, 0
    while i < len(cell) and cell[i] == key and at[i] < end:
        moment = min(max(at[i], opens), closes)
        if held > 0:
            in_stock += moment - since
        since = moment
        held += signed[i]
        i += 1
    if held > 0:
        in_stock += closes - since
    return held, in_stock, i
