"""What the planner's page asks of the twin: try a scenario, watch it, stop it, compare it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Protocol

from policies.domain.errors import InvalidInput

RUNNING_STATES = frozenset({"queued", "running"})


@dataclass(frozen=True)
class WhatIf:
    """One what-if, as the form fills it.

    Attributes
    ----------
    name : str
    base : str, what it is compared with; one of :attr:`Offer.bases`
    policy : str, one of :attr:`Offer.policies`
    service_target : float, 0–1, cycle service level the stock is set for
    trucks : int, trucks at each warehouse
    demand_factor : float, demand against history
    replications : int, paired runs
    """

    name: str
    base: str
    policy: str
    service_target: float
    trucks: int
    demand_factor: float = 1.0
    replications: int = 10

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise InvalidInput("the scenario has no name", field="name", remedy="give it one")
        if not 0.5 <= self.service_target < 1.0:
            raise InvalidInput(
                f"service_target is {self.service_target}",
                field="service_target",
                remedy="a share from 0.5 to below 1",
            )
        if self.trucks < 1 or self.replications < 2 or self.demand_factor <= 0:
            raise InvalidInput(
                "trucks, replications or demand are too small",
                field="trucks",
                remedy="at least 1 truck, 2 replications, demand above 0",
            )

    def differences(self, other: WhatIf) -> list[tuple[str, object, object]]:
        """(field, other's value, own value) of every input that differs, names apart."""
        return [
            (item.name, getattr(other, item.name), getattr(self, item.name))
            for item in fields(self)
            if item.name not in {"name", "base", "replications"}
            and getattr(other, item.name) != getattr(self, item.name)
        ]


@dataclass(frozen=True)
class Offer:
    """What the form offers.

    Attributes
    ----------
    bases : mapping of a name to the inputs behind it
    policies : names of registered policies
    with_target : those among them that a service level target steers
    max_trucks, max_replications : int
    days : int, simulated days of a run
    """

    bases: dict[str, WhatIf]
    policies: tuple[str, ...]
    with_target: frozenset[str] = frozenset()
    max_trucks: int = 40
    max_replications: int = 30
    days: int = 28


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes
    ----------
    job : str
    state : "queued", "running", "done", "stopped" or "failed"
    done, total : int, replications
    kpi : str, KPI of the running estimate, "" before the first replication
    estimate, half_width : float, running mean of its difference and 95 % half-width
    message : str, why it failed
    """

    job: str
    state: str
    done: int = 0
    total: int = 0
    kpi: str = ""
    estimate: float = float("nan")
    half_width: float = float("nan")
    message: str = ""

    @property
    def is_active(self) -> bool:
        """Whether it may still change."""
        return self.state in RUNNING_STATES


@dataclass(frozen=True)
class ComparedKpi:
    """One row of the compared table: paired differences with their interval.

    Attributes
    ----------
    name : str, KPI
    base, new : float, means
    difference, low, high : float, new − base and its 95 % interval
    verdict : "better", "worse" or "unclear"
    """

    name: str
    base: float
    new: float
    difference: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True)
class Compared:
    """What a finished job says.

    Attributes
    ----------
    name : str, of the scenario
    pairs : int, paired replications
    rows : tuple of ComparedKpi
    """

    name: str
    pairs: int
    rows: tuple[ComparedKpi, ...] = field(default=())


class Laboratory(Protocol):
    """Long work runs as jobs in a worker process; a closed browser loses nothing."""

    def offer(self) -> Offer:
        """What can be tried here."""
        ...

    def seconds(self, what: WhatIf) -> float | None:
        """Estimated run time from runs measured here; None before the first."""
        ...

    def as_toml(self, what: WhatIf) -> str:
        """The scenario file of the same object."""
        ...

    def submit(self, what: WhatIf, person: str) -> str:
        """Queue it; the job's id."""
        ...

    def jobs(self) -> Sequence[tuple[Progress, str]]:
        """All jobs with the names of their scenarios, newest first."""
        ...

    def progress(self, job: str) -> Progress:
        """How far a job is."""
        ...

    def stop(self, job: str) -> None:
        """End a job; what it has finished is kept."""
        ...

    def result(self, job: str) -> Compared | None:
        """The compared table, or None while there is none."""
        ...
