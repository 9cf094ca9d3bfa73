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


@njit(cache=True)
def queue_on_sight(  # noqa: PLR0912  one loop of events
    arrives: Floats,
    service: Floats,
    patience: Floats,
    most: int,
    open_at: int,
    walk_s: float,
    wait: Floats,
    gave_up: npt.NDArray[np.bool_],
    worked: Floats,
) -> int:
    """One queue, first come, first served; a lane more is opened when it is too long.

    Whoever comes and is then number `open_at` in the queue, or a later one, has a further
    lane opened while there is one; it serves after `walk_s`. A lane that finds nobody
    waiting closes, but for the last. Unlike in :func:`queue` the wait of those in front
    changes with that, so each one starts when a lane takes him, not when he came.

    Parameters
    ----------
    arrives : (n,) seconds, ascending
    service, patience : (n,) seconds
    most : int ≥ 1, lanes that can be open
    open_at : int ≥ 1, people waiting, the newcomer included
    walk_s : seconds until somebody sits at a lane that was just opened
    wait : (n,) filled: seconds until he is served or, if he leaves, until he left
    gave_up : (n,) filled
    worked : (most,) filled: seconds for which 1, 2, … lanes were open

    Returns
    -------
    int, times at which a lane was opened
    """
    n = len(arrives)
    free = np.zeros(most)
    waiting = np.zeros(n, dtype=np.int64)
    head = tail = 0
    lanes, opened, since = 1, 0, arrives[0] if n else 0.0
    for i in range(n + 1):
        # All that lanes can take before the next one comes (or, at the end, at all).
        until = arrives[i] if i < n else np.inf
        while True:
            first = 0
            for lane in range(1, lanes):
                if free[lane] < free[first]:
                    first = lane
            at = free[first]
            if at > until:
                break
            while head < tail:
                j = waiting[head]
                if arrives[j] + patience[j] >= max(at, arrives[j]):
                    break
                wait[j], gave_up[j] = patience[j], True
                head += 1
            if head < tail:
                j = waiting[head]
                head += 1
                begins = max(at, arrives[j])
                wait[j], gave_up[j] = begins - arrives[j], False
                free[first] = begins + service[j]
            elif lanes > 1:
                # Nobody waits: the lane closes when it is done, and another takes its number.
                closes = max(at, since)
                worked[lanes - 1] += closes - since
                since = closes
                lanes -= 1
                free[first], free[lanes] = free[lanes], 0.0
            else:
                break
        if i == n:
            break
        waiting[tail] = i
        tail = i + 1
        alive = 0
        for p in range(tail - 1, head - 1, -1):
            j = waiting[p]
            alive += arrives[j] + patience[j] >= until
            if alive >= max(open_at, 2):
                break
        is_served_now = alive == 1 and free[:lanes].min() <= until
        if not is_served_now and alive >= open_at and lanes < most:
            worked[lanes - 1] += max(until - since, 0.0)
            since = max(until, since)
            free[lanes] = until + walk_s
            lanes += 1
            opened += 1
    return opened
