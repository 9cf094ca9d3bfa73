"""Hourly and daily totals to single lines, evenly and by rule, never by chance.

A row of n units over a span becomes min(n, 1,000) lines, k-th at (k + u) / lines of the
span. The phase u in [0, 1) is a hash of store, SKU and begin, so that single units of
thousands of SKUs don't all fall on the same second, and the same file gives the same
seconds. Within its hour or day a line's time is therefore an assumption; reports say so.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MOST_LINES = 1_000
Rows = npt.NDArray[np.void]
Spice = npt.NDArray[np.uint64]


def spread(rows: Rows, span_s: int, store_spice: Spice, sku_spice: Spice) -> Rows:
    """Single lines of `rows` (dtype ``ROW``) whose `t` is where their span begins.

    Parameters
    ----------
    rows : sales with units in `quantity`
    span_s : seconds of the span
    store_spice, sku_spice : checksum of each store's and SKU's name, by number
    """
    if not len(rows):
        return rows
    lines = np.minimum(np.abs(rows["quantity"]), MOST_LINES).astype(np.int64)
    phase = _phase(store_spice[rows["store"]], sku_spice[rows["sku"]], rows["t"])
    source = np.repeat(np.arange(len(rows)), lines)
    k = np.arange(len(source)) - np.repeat(np.cumsum(lines) - lines, lines)
    out = rows[source]
    share, rest = np.divmod(np.abs(rows["quantity"]), lines)
    out["quantity"] = (share[source] + (k < rest[source])) * np.sign(rows["quantity"])[source]
    out["t"] += np.floor((k + phase[source]) * span_s / lines[source]).astype(np.int64)
    out["instant"] = out["t"]
    return out


def _phase(store: Spice, sku: Spice, begin: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(N,) in [0, 1): SplitMix64's finalizer over the three."""
    z = (store << np.uint64(32)) ^ sku ^ (begin.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(((z ^ (z >> np.uint64(31))) >> np.uint64(11)) / float(1 << 53))
