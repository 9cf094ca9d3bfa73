"""A live network as the start of a run: "what happens from tonight on if …"."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from policies.domain.decision import SUPPLIER
from policies.domain.network import DAY_SECONDS, IntArray, Network
from policies.domain.view import NetworkView
from twin.scenario import Opening

Rows = npt.NDArray[np.int64]


def opening_of(
    view: NetworkView,
    *,
    sold: npt.NDArray[np.integer] | None = None,
    physical: IntArray | None = None,
) -> Opening:
    """The state that `view` shows, for a run that begins on the next day.

    A view says how much is open for a place and not which document it is in: goods that a
    warehouse has shipped, and those it has promised, come next morning, those of a supplier
    after the middle of its lead times. A book below 0 (sold before it was booked in) begins
    at 0.

    Parameters
    ----------
    view : NetworkView
    sold : (H, L, K) integer or None, the sales panel up to the view's day, newest last
    physical : (L, K) int32 or None, what is there in truth where that is known; the book
    """
    network = view.network
    day = view.as_of_s // DAY_SECONDS + 1
    book = np.maximum(view.on_hand, 0).astype(np.int32)
    there = book.copy() if physical is None else np.array(physical, dtype=np.int32)
    lines = [np.zeros((0, 5), dtype=np.int64)]
    for place in range(network.shape[0]):
        origin = int(network.locations.source[place])
        on_road = view.in_transit[place] if origin >= 0 else np.zeros_like(view.on_order[place])
        ordered = view.on_order[place] - on_road
        morning = day * DAY_SECONDS + int(network.locations.receives_from_s[place])
        if origin < 0:
            due = morning + (_lead_days(network) - 1) * DAY_SECONDS
            lines.append(_rows(SUPPLIER, place, ordered, due))
            continue
        # What is promised leaves now, as far as it is there.
        leaves = np.minimum(ordered, np.minimum(book[origin], there[origin]))
        book[origin] -= leaves
        there[origin] -= leaves
        due = np.full(network.shape[1], morning, dtype=np.int64)
        lines.append(_rows(origin, place, on_road + leaves, due))
    return Opening(book, there, np.concatenate(lines), sold, _expiring(view, there, day))


def _lead_days(network: Network) -> Rows:
    """(K,) the middle of each SKU's supplier lead times, at least a day."""
    table = network.suppliers.lead_time_days
    middle = np.array([max(int(np.median(days)), 1) if len(days) else 1 for days in table])
    out: Rows = middle[network.skus.category].astype(np.int64)
    return out


def _rows(origin: int, place: int, units: IntArray, due_s: Rows) -> Rows:
    sku = np.flatnonzero(units > 0)
    ends = [np.full(len(sku), end) for end in (origin, place)]
    return np.stack([*ends, sku, units[sku], due_s[sku]], axis=1).astype(np.int64)


def _expiring(view: NetworkView, there: IntArray, day: int) -> Rows:
    """Units by their last day of sale, the soonest first, as far as the stock goes."""
    if view.expires is None:
        return np.zeros((0, 4), dtype=np.int64)
    # Oldest first, what is not there any more is taken off the end.
    ends = np.minimum(np.cumsum(view.expires, axis=2, dtype=np.int64), there[..., None])
    units = np.diff(ends, axis=2, prepend=0)
    place, sku, ahead = np.nonzero(units)
    return np.stack([place, sku, day + ahead, units[place, sku, ahead]], axis=1).astype(np.int64)
