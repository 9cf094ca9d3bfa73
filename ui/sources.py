"""The only door through which pages see data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from policies.domain.facts import CostModel, DayFacts
from policies.domain.network import LocationKind, Network


@dataclass(frozen=True)
class Places:
    """Where the chain's locations are, in the order of the day facts.

    Attributes
    ----------
    ids, names, regions : tuple of str, length L
    latitude, longitude : (L,) float64, degrees
    is_store : (L,) bool
    coordinates_assigned : bool
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    regions: tuple[str, ...]
    latitude: npt.NDArray[np.float64]
    longitude: npt.NDArray[np.float64]
    is_store: npt.NDArray[np.bool_]
    coordinates_assigned: bool = False

    @classmethod
    def of(cls, network: Network) -> Places:
        """The places of a network."""
        here = network.locations
        return cls(
            here.ids,
            here.names,
            here.region,
            here.latitude,
            here.longitude,
            np.asarray(here.kind == LocationKind.STORE),
            here.coordinates_assigned,
        )

    @property
    def stores(self) -> npt.NDArray[np.intp]:
        """Axis indices of the stores."""
        return np.flatnonzero(self.is_store)


@dataclass(frozen=True)
class NotTold:
    """One friction of reality that the twin was not told.

    Attributes
    ----------
    name : str, field of the scenario's frictions
    reality, twin : float
    """

    name: str
    reality: float
    twin: float


@dataclass(frozen=True)
class Situation:
    """What a page says about its data.

    Attributes
    ----------
    version : str, changes when any figure may have changed
    now : datetime, local wall clock of the chain (the demo's own in a demo)
    known_at : datetime or None, until when the actual figures are known
    start_date : date of day number 0
    currency : str
    is_demo : bool, a demo clock runs
    is_emulated : bool, reality is played by a program
    simulated_until_day : int or None, last day number of history that is simulated
    release : str, name of the promoted policy; "" without one
    promoted_day : int or None, day number of the promotion
    pilot_days : (first, last) day numbers or None
    not_told : tuple of NotTold
    panel_expansion : float
    """

    version: str
    now: dt.datetime
    known_at: dt.datetime | None
    start_date: dt.date
    currency: str = "USD"
    is_demo: bool = False
    is_emulated: bool = False
    simulated_until_day: int | None = None
    release: str = ""
    promoted_day: int | None = None
    pilot_days: tuple[int, int] | None = None
    not_told: tuple[NotTold, ...] = field(default=())
    panel_expansion: float = 1.0


class Source(Protocol):
    """What the pages read; implementations open run folders and the service's reads."""

    def situation(self) -> Situation:
        """Clock, age and origin of the data."""
        ...

    def places(self) -> Places:
        """Locations, in the order of the day facts."""
        ...

    def costs(self) -> CostModel:
        """Rates behind the money figures."""
        ...

    def actual(self) -> DayFacts | None:
        """Recorded day facts, or None before the first."""
        ...

    def promise(self) -> Sequence[DayFacts]:
        """Day facts of each replication of the promoted policy's run."""
        ...
