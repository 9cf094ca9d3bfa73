"""Compiled queues of a checkout: Kiefer–Wolfowitz with people who give up.

Source: Kiefer & Wolfowitz (1955); for abandonment the offered wait of Baccelli, Boyer &
Hébuterne (1984): who would wait longer than his patience leaves and takes no lane's time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]


@njit(cache=True)
def queue(
    arrives: Floats,
    service: Floats,
    patience: Floats,
    open_lanes: npt.NDArray[np.int64],
    period_s: float,
    wait: Floats,
    gave_up: npt.NDArray[np.bool_],
) -> None:
    """First come, first served at the open lanes.

    Parameters
    ----------
    arrives : (n,) seconds, ascending
    service, patience : (n,) seconds
    open_lanes : (H,) ≥ 1, lanes open in each period of the day, cyclic
    period_s : length of a period, seconds; a lane that closes finishes whom it serves
    wait : (n,) filled: seconds until a lane is free, also for those who leave before
    gave_up : (n,) filled
    """
    free = np.zeros(open_lanes.max())
    for i in range(len(arrives)):
        at = arrives[i]
        lanes = open_lanes[int(at / period_s) % len(open_lanes)]
        first = 0
        for lane in range(1, lanes):
            if free[lane] < free[first]:
                first = lane
        wait[i] = max(free[first] - at, 0.0)
        gave_up[i] = wait[i] > patience[i]
        if not gave_up[i]:
            free[first] = at + wait[i] + service[i]
