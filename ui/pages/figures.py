"""Figures: what the executive page shows, computed once for all visits."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace
from functools import cached_property
from weakref import WeakKeyDictionary, WeakSet

from policies.domain.facts import DayFacts
from policies.domain.kpis import KPIS
from ui.causes import Cause, causes
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
        """The figures of `source`, shared by all visits while its version stands.

        Where a :func:`keep_fresh` thread runs, its last figures are the answer: a page
        must not wait for the ledger.
        """
        situation = source.situation()
        with _LOCK:
            known = _CACHE.get(source)
            if known is not None and (
                known.situation.version == situation.version or source in _KEPT
            ):
                # The clock goes on between two versions of the figures.
                known.situation = replace(situation, version=known.situation.version)
                return known
            fresh = cls(source, situation, source.places())
            _CACHE[source] = fresh
            return fresh

    @classmethod
    def renew(cls, source: Source) -> bool:
        """Compute the figures anew where the version has changed; True if it has."""
        situation = source.situation()
        with _LOCK:
            known = _CACHE.get(source)
        if known is not None and known.situation.version == situation.version and known.is_whole:
            return False
        fresh = cls(source, situation, source.places())
        for name in TILE_KPIS if fresh.has_actual else ():
            fresh.comparison(name)
        with _LOCK:
            _CACHE[source] = fresh
        return True

    @property
    def is_whole(self) -> bool:
        """Whether every tile's comparison is made."""
        return not self.has_actual or len(self._made) == len(TILE_KPIS)

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

    def causes(self, position: int | None = None) -> list[Cause]:
        """Why reality leaves the band: of all stores, or of one (position among them)."""
        window, actual = self.window, self._actual
        if window is None or actual is None or not self._promise:
            return []
        stores = self.places.stores
        pick = stores if position is None else stores[position : position + 1]
        return causes(actual, self._promise, window, pick)


def keep_fresh(source: Source, every_s: float = 10.0) -> threading.Event:
    """Renew the figures of `source` in a thread of its own, until the event is set."""
    stop = threading.Event()

    def work() -> None:
        while True:
            try:
                Figures.renew(source)
                _KEPT.add(source)
            except Exception:
                # Pages keep the last good figures; their age is in every header.
                logging.getLogger("storetwin.pages").exception("figures could not be renewed")
            if stop.wait(every_s):
                _KEPT.discard(source)
                return

    threading.Thread(target=work, name="figures", daemon=True).start()
    return stop


_LOCK = threading.Lock()
_CACHE: WeakKeyDictionary[Source, Figures] = WeakKeyDictionary()
_KEPT: WeakSet[Source] = WeakSet()
