"""Twin and reality for the pages: run folders on one side, the service's facts on the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from policies.domain.errors import InvalidInput
from policies.domain.facts import LATENT_FACTS, LOCATION_FACTS, SKU_FACTS, CostModel, DayFacts
from ui.sources import Places, Situation

ALL = ("all",)
"""Facts are read with their categories summed: no page splits by category."""


def read_runs(path: Path) -> list[DayFacts]:
    """Facts of every replication of a result file's first scenario, categories summed.

    Raises
    ------
    InvalidInput
        The file is missing or is not a result.
    """
    if not path.exists():
        raise InvalidInput(f"no result file {path}", field="path", remedy="run the twin first")
    with xr.open_dataset(path, engine="h5netcdf") as data:
        missing = [name for name in (*SKU_FACTS, *LOCATION_FACTS) if name not in data]
        if missing:
            raise InvalidInput(f"{path} lacks {missing[0]}", field=missing[0])
        first = data.isel(scenario=0)
        days, locations = first.sizes["day"], first.sizes["location"]
        runs = first.sizes["replication"]
        sku = np.empty((runs, days, locations, 1, len(SKU_FACTS)), dtype=np.int64)
        for i, name in enumerate(SKU_FACTS):
            sku[..., 0, i] = first[name].to_numpy().astype(np.int64).sum(axis=-1)
        place = np.empty((runs, days, locations, len(LOCATION_FACTS)), dtype=np.int64)
        for i, name in enumerate(LOCATION_FACTS):
            place[..., i] = first[name].to_numpy()
        names = tuple(str(one) for one in first["location"].to_numpy())
        begin = int(first["day"][0])
        latent, known = bool(data.attrs["has_latent"]), int(data.attrs["as_known_at_s"])
    return [DayFacts(begin, names, ALL, sku[run], place[run], latent, known) for run in range(runs)]


def fold(facts: DayFacts) -> DayFacts:
    """The same facts with their categories summed."""
    return DayFacts(
        facts.first_day,
        facts.locations,
        ALL,
        facts.sku_facts.sum(axis=2, keepdims=True),
        facts.location_facts,
        facts.has_latent,
        facts.as_known_at_s,
    )


def join(history: DayFacts | None, live: DayFacts | None) -> DayFacts | None:
    """Recorded facts of one line of days: `history`, then `live`, as reality knows them.

    What only a twin could know is dropped. Days between the two stay empty, so that a
    KPI has no figure there.

    Raises
    ------
    InvalidInput
        The two speak of different locations.
    """
    if history is None or live is None:
        only = history or live
        return None if only is None else _observable(only)
    if history.locations != live.locations:
        raise InvalidInput("history and live facts have different locations", field="locations")
    begin = min(history.first_day, live.first_day)
    end = live.first_day + live.days
    if end <= history.first_day:
        raise InvalidInput("live facts end before the history begins", field="first_day")
    size = len(live.locations)
    sku = np.zeros((end - begin, size, 1, len(SKU_FACTS)), dtype=np.int64)
    place = np.zeros((end - begin, size, len(LOCATION_FACTS)), dtype=np.int64)
    for facts in (history, live):
        # The later part wins where both know a day.
        at = facts.first_day - begin
        last = min(at + facts.days, end - begin)
        sku[at:last] = facts.sku_facts[: last - at]
        place[at:last] = facts.location_facts[: last - at]
    both = DayFacts(begin, live.locations, ALL, sku, place, False, live.as_known_at_s)
    return _observable(both)


def _observable(facts: DayFacts) -> DayFacts:
    sku = facts.sku_facts.copy()
    sku[..., [SKU_FACTS.index(name) for name in sorted(LATENT_FACTS)]] = 0
    return DayFacts(
        facts.first_day,
        facts.locations,
        facts.categories,
        sku,
        facts.location_facts,
        False,
        facts.as_known_at_s,
    )


class RunSource:
    """Source over a promise file, a history file and the live service.

    Parameters
    ----------
    places : Places, in the order of the facts
    situation : callable, the situation of the moment; its version tells when to read again
    live : callable, recorded facts of the live service, or None
    promise : Path, optional, result file of the promoted policy's runs
    history : Path, optional, result file of the simulated history before the live days
    costs : CostModel, optional
    """

    def __init__(
        self,
        places: Places,
        situation: Callable[[], Situation],
        live: Callable[[], DayFacts | None],
        *,
        promise: Path | None = None,
        history: Path | None = None,
        costs: CostModel | None = None,
    ) -> None:
        self._places, self._situation, self._live = places, situation, live
        self._promise, self._history = promise, history
        self._costs = costs or CostModel()
        self._lock = threading.Lock()
        self._read: dict[Path, list[DayFacts]] = {}

    def situation(self) -> Situation:
        """Clock, age and origin of the data."""
        return self._situation()

    def places(self) -> Places:
        """Locations, in the order of the facts."""
        return self._places

    def costs(self) -> CostModel:
        """Rates behind the money figures."""
        return self._costs

    def actual(self) -> DayFacts | None:
        """History, then the live service."""
        live = self._live()
        history = self._runs(self._history)
        return join(history[0] if history else None, None if live is None else fold(live))

    def promise(self) -> Sequence[DayFacts]:
        """Each replication of the promise."""
        return self._runs(self._promise)

    def _runs(self, path: Path | None) -> list[DayFacts]:
        if path is None or not path.exists():
            return []
        with self._lock:
            if path not in self._read:
                self._read[path] = read_runs(path)
            return self._read[path]
