"""Receipt lines as columns: what history, generators and the twin exchange."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput


@dataclass(frozen=True)
class ReceiptColumns:
    """Receipt lines of all stores, grouped by store, time-sorted inside a store.

    Lines of store ``i`` are rows ``offsets[i]:offsets[i + 1]``. The arrays may be
    memory maps; they are read, never written.

    Attributes
    ----------
    store_ids : tuple of str, length S
    sku_ids : tuple of str, length K
    offsets : (S + 1,) int64
    t_s : (N,) int32, seconds of local wall clock since the history's day 0
    sku : (N,) int32, index into `sku_ids`
    quantity : (N,) int32 > 0, base units
    unit_price_cents : (N,) int32, price paid for one base unit, after discount
    basket : (N,) int32, number of the receipt inside its store; -1 = unknown
    """

    store_ids: tuple[str, ...]
    sku_ids: tuple[str, ...]
    offsets: npt.NDArray[np.int64]
    t_s: npt.NDArray[np.int32]
    sku: npt.NDArray[np.int32]
    quantity: npt.NDArray[np.int32]
    unit_price_cents: npt.NDArray[np.int32]
    basket: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        size = len(self.t_s)
        if len(self.offsets) != len(self.store_ids) + 1 or int(self.offsets[-1]) != size:
            raise InvalidInput("offsets do not cover the lines", field="receipts.offsets")
        for name in ("sku", "quantity", "unit_price_cents", "basket"):
            if len(getattr(self, name)) != size:
                raise InvalidInput(f"{name} is not as long as t_s", field=f"receipts.{name}")

    @property
    def lines(self) -> int:
        """Number of receipt lines."""
        return len(self.t_s)

    def store(self, i: int) -> slice:
        """Rows of store number `i`."""
        return slice(int(self.offsets[i]), int(self.offsets[i + 1]))
