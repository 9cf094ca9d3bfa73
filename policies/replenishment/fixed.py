"""Policies with given numbers: theory tables and simple stores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.decision import Reason
from policies.domain.errors import InvalidInput
from policies.domain.network import IntArray
from policies.domain.view import NetworkView
from policies.replenishment.packs import whole_packs

_UP = 1e-9
"""Any part of a case is ordered as a case."""


@dataclass(frozen=True)
class FixedBaseStock:
    """Order up to `level` units of inventory position, at most `cap` at once.

    Parameters
    ----------
    level : int ≥ 0
    cap : int > 0 or None
    """

    level: int
    cap: int | None = None

    def __post_init__(self) -> None:
        if self.level < 0:
            raise InvalidInput(f"level is {self.level}", field="level")
        if self.cap is not None and self.cap <= 0:
            raise InvalidInput(f"cap is {self.cap}", field="cap")

    def order_quantity(self, view: NetworkView) -> tuple[IntArray, npt.NDArray[np.int8]]:
        """(wanted, reason), each (L, K)."""
        gap = np.maximum(self.level - view.inventory_position, 0)
        reason = np.full(gap.shape, Reason.BELOW_BASE_STOCK, dtype=np.int8)
        if self.cap is not None:
            reason[gap > self.cap] = Reason.BASE_STOCK_CAPPED
            gap = np.minimum(gap, self.cap)
        gap = np.where(view.may_order, gap, 0)
        return whole_packs(gap, view.network.skus.pack_size, _UP), reason


@dataclass(frozen=True)
class FixedReorderPoint:
    """(s, S): at a position of `reorder_point` or less, order up to `level`.

    Parameters
    ----------
    reorder_point : int, s; may be negative where demand waits
    level : int > `reorder_point`, S
    """

    reorder_point: int
    level: int

    def __post_init__(self) -> None:
        if self.level <= self.reorder_point:
            raise InvalidInput(
                f"level {self.level} is not above the reorder point {self.reorder_point}",
                field="level",
                remedy="give S above s",
            )

    def order_quantity(self, view: NetworkView) -> tuple[IntArray, npt.NDArray[np.int8]]:
        """(wanted, reason), each (L, K)."""
        position = view.inventory_position
        due = view.may_order & (position <= self.reorder_point)
        gap = np.where(due, self.level - position, 0)
        wanted = whole_packs(gap, view.network.skus.pack_size, _UP)
        return wanted, np.full(wanted.shape, Reason.BELOW_REORDER_POINT, dtype=np.int8)


@dataclass(frozen=True)
class ConstantOrder:
    """The same `quantity` at every review, whatever the stock."""

    quantity: int

    def __post_init__(self) -> None:
        if self.quantity < 0:
            raise InvalidInput(f"quantity is {self.quantity}", field="quantity")

    def order_quantity(self, view: NetworkView) -> tuple[IntArray, npt.NDArray[np.int8]]:
        """(wanted, reason), each (L, K)."""
        gap = np.where(view.may_order, self.quantity, 0)
        wanted = whole_packs(gap, view.network.skus.pack_size, _UP)
        return wanted, np.full(wanted.shape, Reason.CONSTANT_ORDER, dtype=np.int8)
