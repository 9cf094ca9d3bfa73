"""Documents beside the ledger, as columns: what day facts need and movements do not say.

Times are seconds since day 0; −1 means "has not happened". Row orders are free.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

from policies.domain.columns import frozen

Ints = npt.NDArray[np.int64]


def _none() -> Ints:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class _Columns:
    """Equal-length int64 columns, read-only."""

    def __post_init__(self) -> None:
        for item in fields(self):
            object.__setattr__(self, item.name, frozen(getattr(self, item.name), np.int64))


@dataclass(frozen=True)
class TransferLines(_Columns):
    """Warehouse → store and store → store lines.

    `ordered` was approved, `shipped` left at the first promise, `received` arrived
    good; `need_s` is the decision that detected the need, `shipped_s` when the line
    left or was cut to 0, `received_s` when it was received.
    """

    origin: Ints = field(default_factory=_none)
    destination: Ints = field(default_factory=_none)
    sku: Ints = field(default_factory=_none)
    ordered: Ints = field(default_factory=_none)
    shipped: Ints = field(default_factory=_none)
    received: Ints = field(default_factory=_none)
    need_s: Ints = field(default_factory=_none)
    shipped_s: Ints = field(default_factory=_none)
    received_s: Ints = field(default_factory=_none)


@dataclass(frozen=True)
class PurchaseLines(_Columns):
    """Supplier order lines; `location` is where the goods go."""

    location: Ints = field(default_factory=_none)
    sku: Ints = field(default_factory=_none)
    ordered: Ints = field(default_factory=_none)
    received: Ints = field(default_factory=_none)
    ordered_s: Ints = field(default_factory=_none)
    received_s: Ints = field(default_factory=_none)


@dataclass(frozen=True)
class CountLines(_Columns):
    """Blind first-pass count lines, of the random sample and of counts by risk."""

    location: Ints = field(default_factory=_none)
    sku: Ints = field(default_factory=_none)
    expected: Ints = field(default_factory=_none)
    counted: Ints = field(default_factory=_none)
    at_s: Ints = field(default_factory=_none)
    is_risk: Ints = field(default_factory=_none)


@dataclass(frozen=True)
class Stops(_Columns):
    """Truck stops; metres, seconds and starts of a tour are shared among its stops.

    `starts_micro` of one tour sum to 1,000,000; `empty_metres` are those of `metres` that
    were driven back without goods.
    """

    location: Ints = field(default_factory=_none)
    at_s: Ints = field(default_factory=_none)
    metres: Ints = field(default_factory=_none)
    seconds: Ints = field(default_factory=_none)
    starts_micro: Ints = field(default_factory=_none)
    is_on_time: Ints = field(default_factory=_none)
    empty_metres: Ints = field(default_factory=_none)


@dataclass(frozen=True)
class Documents:
    """All documents of a ledger."""

    transfers: TransferLines = field(default_factory=TransferLines)
    purchases: PurchaseLines = field(default_factory=PurchaseLines)
    counts: CountLines = field(default_factory=CountLines)
    stops: Stops = field(default_factory=Stops)


def share_integer(total: int, weights: npt.NDArray[np.floating] | Ints) -> Ints:
    """(n,) int64 parts of `total` in proportion to `weights`, summing to it exactly.

    Largest remainders get the odd units; equal parts where all weights are 0.
    """
    size = len(weights)
    if size == 0:
        return _none()
    scale = np.asarray(weights, dtype=np.float64)
    scale = np.ones(size) if scale.sum() <= 0 else scale
    exact = total * scale / scale.sum()
    out: Ints = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - out), kind="stable")
    out[order[: total - int(out.sum())]] += 1
    return out
