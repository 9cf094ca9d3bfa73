"""The sales panel while it grows: newest day last, bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.forecast import SalesPanel
from policies.domain.stock import SLOW_WINDOW_DAYS

_MOST = 32_767


@njit(cache=True)
def _narrow(wide: npt.NDArray[np.int32], narrow: npt.NDArray[Any]) -> bool:
    """Copy units into a row that may be of 16 bits; False where they do not fit."""
    more = np.int32(0)
    for place in range(wide.shape[0]):
        source, target = wide[place], narrow[place]
        for k in range(len(source)):
            # The bits above 15 say what a maximum would, in one vector instruction.
            more |= source[k] & np.int32(~_MOST)
            target[k] = source[k]
    return bool(more == 0 or narrow.itemsize >= 4)


class GrowingPanel:
    """Units sold and out-of-stock shares of the last days, as posted by tills.

    Rows lie in one block that is refilled from its end when it is full, so the newest
    `keep` days are always one contiguous slice. They are 16-bit numbers until a day
    sells more than that of one SKU (weighed goods are counted in grams): memory that is
    new each day costs more than all receipts of the day.

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
        most = 0 if history is None else int(history.max(initial=0))
        dtype = np.int16 if most <= _MOST else np.int32
        self._sold: npt.NDArray[Any] = np.empty((capacity, *shape), dtype=dtype)
        self.sold_today = np.zeros(shape, dtype=np.int32)
        self._out = np.empty((capacity, *shape), dtype=np.uint8)
        self._out[:known] = 0
        if history is not None and known:
            self._sold[:known] = history[len(history) - known :]
        self._next = known

    def __getstate__(self) -> dict[str, Any]:
        """Without rows that nobody reads again; see `__setstate__`."""
        first = max(self._next - self._reach, 0)
        state = vars(self) | {"_next": self._next - first, "_capacity": len(self._sold)}
        rows = slice(first, self._next)
        return state | {"_sold": self._sold[rows], "_out": self._out[rows]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        capacity = state.pop("_capacity")
        for name in ("_sold", "_out"):
            rows = state[name]
            state[name] = np.empty((capacity, *rows.shape[1:]), dtype=rows.dtype)
            state[name][: len(rows)] = rows
        vars(self).update(state)

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
            self._next = kept
        self._next += 1
        self.sold_today[:] = 0
        self.out_today[:] = 0

    def keep_today(self, first: int = 0, end: int | None = None) -> None:
        """Copy `sold_today` (L, K) int32, the working row, into the panel as it is now.

        Only locations `first` … `end` − 1, if these are given.
        """
        row = self._next - 1
        if not _narrow(self.sold_today[first:end], self._sold[row, first:end]):
            self._sold = self._sold.astype(np.int32)
            self._sold[row, first:end] = self.sold_today[first:end]

    @property
    def out_today(self) -> npt.NDArray[np.uint8]:
        """(L, K) uint8, today's out-of-stock shares, to be written at closing."""
        out: npt.NDArray[np.uint8] = self._out[self._next - 1]
        return out

    def sold_before(self, days: int) -> npt.NDArray[Any] | None:
        """(L, K) integer, units sold on the day so many before today; None = not known."""
        row = self._next - 1 - days
        return self._sold[row] if row >= 0 and days < self._reach else None

    def leaving(self) -> npt.NDArray[Any] | None:
        """(L, K) integer, the row that leaves the slow-mover window today; None = none yet."""
        row = self._next - 1 - SLOW_WINDOW_DAYS
        return self._sold[row] if row >= 0 else None

    def window_sum(self) -> npt.NDArray[np.int32]:
        """(L, K) int32, units sold over the last slow-mover window of the history."""
        recent = self._sold[max(self._next - SLOW_WINDOW_DAYS, 0) : self._next]
        return np.asarray(recent.sum(axis=0, dtype=np.int32))

    def view(self, last_day: int) -> SalesPanel:
        """Read-only panel for a forecaster; its newest row is `last_day` as it is now."""
        self.keep_today()
        rows = slice(self._next - self.days, self._next)
        sold, out = self._sold[rows].view(), self._out[rows].view()
        sold.flags.writeable = False
        out.flags.writeable = False
        return SalesPanel(last_day, sold, out)

    def history(self) -> npt.NDArray[Any]:
        """(H, L, K) integer, a copy of the newest days, for a warm start."""
        rows = slice(max(self._next - self._reach + 1, 0), self._next)
        return self._sold[rows].copy()
