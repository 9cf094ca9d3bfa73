"""What a run leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from policies.domain.decision import Decision
from policies.domain.documents import Documents
from policies.domain.facts import DayFacts
from policies.domain.ledger import MovementColumns
from twin.carbon import CarbonResult
from twin.scenario import Opening


@dataclass(frozen=True)
class Trace:
    """What to keep beside the day facts (each costs memory).

    Attributes
    ----------
    movements : ledger rows (latent ones included) and the documents beside them
    decisions : every evening's decision, with the hash of its view
    final_state : the state after the last day, an opening to go on from
    tours : every stop of every tour
    """

    movements: bool = False
    decisions: bool = False
    final_state: bool = False
    tours: bool = False


@dataclass(frozen=True)
class TourStop:
    """A stop of a tour, with the times of the whole tour; stops of a tour stand together.

    Attributes
    ----------
    origin, place : int, axis indices of where the truck leaves from and stops
    position : int, 0 = the tour's first stop
    is_last : bool, the truck drives home after it
    departs_s, returns_s : int, of the tour
    arrives_s, begins_s, unloaded_s : int, at the door, at work, empty
    kg, units : float and int, put down here
    """

    origin: int
    place: int
    position: int
    is_last: bool
    departs_s: int
    returns_s: int
    arrives_s: int
    begins_s: int
    unloaded_s: int
    kg: float
    units: int


@dataclass(frozen=True)
class CheckoutFacts:
    """Queues at tills, (S, 24) by store and hour of the day, over all simulated days.

    Attributes
    ----------
    baskets, gave_up : int64, baskets that came, and that were left
    wait_p50_s, wait_p95_s : float64, seconds to wait for a lane
    lane_seconds : (S,) float64, for which staffed lanes were open in each store, in hours
        in which anybody came
    """

    baskets: npt.NDArray[np.int64]
    gave_up: npt.NDArray[np.int64]
    wait_p50_s: npt.NDArray[np.float64]
    wait_p95_s: npt.NDArray[np.float64]
    lane_seconds: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class RunResult:
    """One replication of one scenario.

    Attributes
    ----------
    facts : DayFacts, every simulated day (warm-up included)
    first_kpi_day : int, first day number after the warm-up
    sold_per_sku, lost_per_sku, demanded_per_sku : (K,) int64 totals after the warm-up
    movements, documents, decisions, final, tours : as asked for by :class:`Trace`
    seconds : dict, wall time by phase (never part of a result's bytes)
    counters : dict, lines, events, tours and the like
    checkout : CheckoutFacts or None, where the scenario has tills
    carbon : CarbonResult or None, where the scenario keeps carbon
    """

    scenario: str
    policy: str
    seed: int
    replication: int
    facts: DayFacts
    first_kpi_day: int
    sold_per_sku: npt.NDArray[np.int64]
    lost_per_sku: npt.NDArray[np.int64]
    demanded_per_sku: npt.NDArray[np.int64]
    movements: MovementColumns | None = None
    documents: Documents | None = None
    decisions: tuple[Decision, ...] = ()
    final: Opening | None = None
    tours: tuple[TourStop, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    checkout: CheckoutFacts | None = None
    carbon: CarbonResult | None = None
