"""Figures: what the executive page shows, computed once for all visits."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from weakref import WeakKeyDictionary

from policies.domain.facts import DayFacts
from policies.domain.kpis import KPIS
from ui.comparison import Comparison, parts
from ui.sources import Places, Situation, Source

TILE_KPIS: tuple[str, ...] = (
    "on_shelf_availability",
    "stockout_rate",
    "stock_turn",
    "days_of_supply",
    "slow_mover_share",
    "replenishment_lead_time",
    "transfer_accuracy",
)
"""Observable KPIs only: reality never records lost demand."""


@dataclass
class Figures:
    """Comparisons of every tile's KPI, from one state of a source.

    Attributes
    ----------
    source : Source
    situation : Situation
    places : Places
    """

    source: Source
    situation: Situation
    places: Places
    _made: dict[str, Comparison] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Source) -> Figures:
        """The figures of `source` as it is now, shared while its version stands."""
        with _LOCK:
            situation = source.situation()
            known = _CACHE.get(source)
            if known is not None and known.situation.version == situation.version:
                # The clock goes on between two versions of the figures.
                known.situation = situation
                return known
            fresh = cls(source, situation, source.places())
            _CACHE[source] = fresh
            return fresh

    @cached_property
    def _actual(self) -> DayFacts | None:
        return self.source.actual()

    @property
    def has_actual(self) -> bool:
        """Whether reality has recorded anything."""
        return self._actual is not None and self._actual.days > 0

    @property
    def runs(self) -> int:
        """Replications behind the promise."""
        return len(self._promise)

    @cached_property
    def _promise(self) -> tuple[DayFacts, ...]:
        return tuple(self.source.promise())

    @property
    def window(self) -> tuple[int, int] | None:
        """First and last day that are judged."""
        return self.comparison(TILE_KPIS[0]).common if self.has_actual else None

    def comparison(self, name: str) -> Comparison:
        """The comparison of one KPI over the stores."""
        if name not in self._made:
            actual = self._actual
            assert actual is not None, "asked for a comparison before anything was recorded"
            costs, stores, which = self.source.costs(), self.places.stores, KPIS[name]
            twin = parts(which, self._promise, costs, stores) if self._promise else None
            self._made[name] = Comparison(which, parts(which, [actual], costs, stores), twin)
        return self._made[name]


_LOCK = threading.Lock()
_CACHE: WeakKeyDictionary[Source, Figures] = WeakKeyDictionary()
