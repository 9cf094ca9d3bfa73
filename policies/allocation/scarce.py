"""Which SKUs of which warehouse are short: the part that every allocation shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.network import IntArray
from policies.domain.view import NetworkView


@dataclass(frozen=True)
class Scarce:
    """One warehouse's SKUs that don't suffice.

    Attributes
    ----------
    rows : (S,) stores, skus : (N,) axis indices
    want : (S, N) int32, free : (N,) int32, pack : (N,) int32
    """

    rows: npt.NDArray[np.intp]
    skus: npt.NDArray[np.intp]
    want: IntArray
    free: IntArray
    pack: IntArray


def in_order_of_id(view: NetworkView, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """`rows` sorted by location id: of two equal stores the same one is first on any axis."""
    ids = view.network.locations.ids
    return np.array(sorted(rows.tolist(), key=ids.__getitem__), dtype=np.intp)


def divide(view: NetworkView, wanted: IntArray, share: Callable[[Scarce], IntArray]) -> IntArray:
    """(L, K) int32 granted: all that is wanted where it suffices, else what `share` says."""
    source = view.network.locations.source
    granted = np.zeros(wanted.shape, dtype=np.int32)
    for warehouse in view.network.warehouses:
        rows = in_order_of_id(view, np.flatnonzero((source == warehouse) & view.review_due))
        free = np.maximum(view.on_hand[warehouse] - view.reserved[warehouse], 0)
        want = wanted[rows]
        short = np.flatnonzero(want.sum(axis=0, dtype=np.int64) > free)
        granted[rows] = want
        if short.size:
            pack = view.network.skus.pack_size[short]
            scarce = Scarce(rows, short, np.ascontiguousarray(want[:, short]), free[short], pack)
            granted[np.ix_(rows, short)] = share(scarce)
    return granted
