"""The sales panel while it grows: newest day last, bounded memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from policies.domain.forecast import SalesPanel
from policies.domain.stock import SLOW_WINDOW_DAYS


class GrowingPanel:
    """Units sold and out-of-stock shares of the last days, as posted by tills.

    Rows lie in one block that is refilled from its end when it is full, so the newest
    `keep` days are always one contiguous slice.

    Parameters
    ----------
    shape : (L, K)
    keep : int, days a forecaster may see
    days : int, days that will be simulated
    history : (H, L, K) integer array or None, days before the first, newest last
    """

    def __init__(
        self,
        shape: tuple[int, int],
        keep: int,
        days: int,
        history: npt.NDArray[np.integer] | None,
    ) -> None:
        self.keep = max(keep, 1)
        self._reach = max(self.keep, SLOW_WINDOW_DAYS) + 1
        known = 0 if history is None else min(len(history), self._reach)
        capacity = min(known + days, 2 * self._reach)
        self._sold = np.zeros((capacity, *shape), dtype=np.int32)
        self._out = np.zeros((capacity, *shape), dtype=np.uint8)
        if history is not None and known:
            self._sold[:known] = history[len(history) - known :]
        self._next = known

    @property
    def days(self) -> int:
        """Days that a forecaster sees, today's included once it has begun."""
        return min(self._next, self.keep)

    def begin_day(self) -> None:
        """Open a row of zeros for a new day."""
        if self._next == len(self._sold):
            kept = self._reach - 1
            self._sold[:kept] = self._sold[self._next - kept :]
            self._out[:kept] = self._out[self._next - kept :]
            self._sold[kept:] = 0
            self._out[kept:] = 0
            self._next = kept
        self._next += 1

    @property
    def sold_today(self) -> npt.NDArray[np.int32]:
        """(L, K) int32, today's row, to be written."""
        out: npt.NDArray[np.int32] = self._sold[self._next - 1]
        return out

    @property
    def out_today(self) -> npt.NDArray[np.uint8]:
        """(L, K) uint8, today's out-of-stock shares, to be written at closing."""
        out: npt.NDArray[np.uint8] = self._out[self._next - 1]
        return out

    def leaving(self) -> npt.NDArray[np.int32] | None:
        """(L, K) int32, the row that leaves the slow-mover window today; None = none yet."""
        row = self._next - 1 - SLOW_WINDOW_DAYS
        return self._sold[row] if row >= 0 else None

    def window_sum(self) -> npt.NDArray[np.int32]:
        """(L, K) int32, units sold over the last slow-mover window of the history."""
        recent = self._sold[max(self._next - SLOW_WINDOW_DAYS, 0) : self._next]
        return np.asarray(recent.sum(axis=0, dtype=np.int32))

    def view(self, last_day: int) -> SalesPanel:
        """Read-only panel for a forecaster; its newest row is `last_day`."""
        rows = slice(self._next - self.days, self._next)
        sold, out = self._sold[rows].view(), self._out[rows].view()
        sold.flags.writeable = False
        out.flags.writeable = False
        return SalesPanel(last_day, sold, out)

    def history(self) -> npt.NDArray[np.int32]:
        """(H, L, K) int32, a copy of the newest days, for a warm start."""
        rows = slice(max(self._next - self._reach + 1, 0), self._next)
        return self._sold[rows].copy()
