"""The reference model's own bookkeeping and its events: dictionaries, and no kernel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import simpy
from simpy.core import Environment
from simpy.events import EventPriority

LINES_FIRST = EventPriority(-1)
"""Priority of receipt lines: before phases and all else of their second."""
Cell = tuple[int, int]


@dataclass
class Account:
    """Own bookkeeping: units by (location, SKU)."""

    physical: defaultdict[Cell, int] = field(default_factory=lambda: defaultdict(int))
    book: defaultdict[Cell, int] = field(default_factory=lambda: defaultdict(int))
    waiting: defaultdict[Cell, int] = field(default_factory=lambda: defaultdict(int))
    transit: defaultdict[Cell, int] = field(default_factory=lambda: defaultdict(int))
    on_order: defaultdict[Cell, int] = field(default_factory=lambda: defaultdict(int))
    reserved: defaultdict[Cell, int] = field(default_factory=lambda: defaultdict(int))
    sold: defaultdict[Cell, int] = field(default_factory=lambda: defaultdict(int))
    lost: defaultdict[Cell, int] = field(default_factory=lambda: defaultdict(int))
    shrunk: defaultdict[Cell, int] = field(default_factory=lambda: defaultdict(int))
    shelf: defaultdict[Cell, int] = field(default_factory=lambda: defaultdict(int))

    def array(self, name: str, shape: tuple[int, int]) -> np.ndarray:
        """(L, K) int32 of one account."""
        out = np.zeros(shape, dtype=np.int32)
        for cell, units in getattr(self, name).items():
            out[cell] = units
        return out


class LineEvent(simpy.Event):
    """A receipt line at its second, ahead of all else of that second."""

    def __init__(self, env: Environment, delay: int, act: Callable[[], None]) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        self.callbacks.append(lambda _: act())
        env.schedule(self, priority=LINES_FIRST, delay=delay)
