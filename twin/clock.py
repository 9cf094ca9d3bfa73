"""Day phases that come before anything else of their second."""

from __future__ import annotations

from collections.abc import Callable

import simpy
from simpy.core import Environment
from simpy.events import URGENT


class Phase(simpy.Event):
    """An event at a fixed time, ahead of every ordinary event of the same second.

    Order among ties is thereby stated, not left to the order of insertion: a truck that
    is unloaded in the very second of the plan comes after the plan.
    """

    def __init__(self, env: Environment, at_s: int, act: Callable[[int], None]) -> None:
        super().__init__(env)
        self._ok = True
        self._value = None
        self.callbacks.append(lambda _: act(int(env.now)))
        env.schedule(self, priority=URGENT, delay=at_s - env.now)
