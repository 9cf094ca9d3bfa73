"""Search over a bundle's parameters in the twin, with common random numbers.

Closed form per SKU, a few parameters per class, never a fit per SKU: class fractiles and
global knobs move one at a time from the best point found (coordinate search), cheap
windows first, the last few again on the long one. What the search reports of its own
winner is optimistic, and labelled so; only the gate's weeks count as evidence.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from policies.domain.kpis import kpi, value
from policies.registry import defaults
from scenarios.runner import Job, Policy, run_jobs
from scenarios.worlds import WorldSpec

Tell = Callable[[int, int], None]
OBJECTIVE = "cost_per_unit_demanded"


@dataclass(frozen=True)
class Study:
    """A search.

    Attributes
    ----------
    policy : str, name in the registry
    start : dict, first point (over the registry's defaults)
    space : dict of parameter -> values to try, in order of importance; a key
        ``fractile_*`` moves every class fractile together
    search_world, final_world : WorldSpec, short window and long window
    evaluations : int, most runs of the search
    finalists : int, points run again on the long window
    replications : int, replications of the finalists
    """

    policy: str
    start: dict[str, Any]
    space: dict[str, list[Any]]
    search_world: WorldSpec
    final_world: WorldSpec
    evaluations: int = 24
    finalists: int = 3
    replications: int = 1
    workers: int = 2


@dataclass
class TuneResult:
    """What the search found.

    Attributes
    ----------
    params : dict, the winner's parameters that differ from the defaults
    objective : float, cents per unit on the tuning weeks: optimistic
    history : list of {params, objective, window}, every evaluation in order
    """

    params: dict[str, Any]
    objective: float
    history: list[dict[str, Any]] = field(default_factory=list)
    label: str = "optimistic: measured on the weeks it was tuned on"

    def write(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(self.__dict__, indent=1))


def tune(study: Study, progress: Tell | None = None) -> TuneResult:
    """The best parameters within the budget.

    Every batch holds the values of one parameter at the best point so far; points seen
    before are not run again.
    """
    tell = progress or (lambda done, whole: None)
    whole = study.evaluations + study.finalists * study.replications
    seen: dict[str, float] = {}
    history: list[dict[str, Any]] = []
    best = dict(study.start)

    def measure(points: list[dict[str, Any]]) -> None:
        fresh = {_key(point): point for point in points if _key(point) not in seen}
        room = study.evaluations - len(seen)
        chosen = list(fresh.values())[: max(room, 0)]
        jobs = [Job(study.search_world, _policy(study, point), 0) for point in chosen]
        for point, cost in zip(chosen, _costs(jobs, study.workers), strict=True):
            seen[_key(point)] = cost
            history.append({"params": point, "objective": cost, "window": "search"})
            tell(len(history), whole)

    measure([best])
    improved = True
    while improved and len(seen) < study.evaluations:
        improved = False
        for name, values in study.space.items():
            points = [_moved(study, best, name, one) for one in values]
            measure(points)
            known = [point for point in points if _key(point) in seen]
            leader = min(known, key=lambda point: seen[_key(point)], default=best)
            if seen[_key(leader)] < seen[_key(best)] - 1e-12:
                best, improved = leader, True
    ranked = sorted(history, key=lambda row: row["objective"])[: study.finalists]
    points = [row["params"] for row in ranked]
    jobs = [
        Job(study.final_world, _policy(study, point), r)
        for point in points
        for r in range(study.replications)
    ]
    costs = np.array(_costs(jobs, study.workers)).reshape(len(points), -1).mean(axis=1)
    for point, cost in zip(points, costs, strict=True):
        history.append({"params": point, "objective": float(cost), "window": "final"})
        tell(min(len(history), whole), whole)
    tell(whole, whole)
    winner = int(np.argmin(costs))
    return TuneResult(points[winner], float(costs[winner]), history)


def _moved(study: Study, point: dict[str, Any], name: str, setting: Any) -> dict[str, Any]:
    """`point` with one parameter set; ``fractile_*`` sets every class at once."""
    if not name.endswith("*"):
        return {**point, name: setting}
    stem = name[:-1]
    return {**point, **{key: setting for key in defaults(study.policy) if key.startswith(stem)}}


def _policy(study: Study, point: dict[str, Any]) -> Policy:
    return Policy.of("candidate", study.policy, point)


def _key(point: dict[str, Any]) -> str:
    return json.dumps(point, sort_keys=True)


def _costs(jobs: list[Job], workers: int) -> list[float]:
    if not jobs:
        return []
    outcomes = run_jobs(jobs, workers)
    return [float(value(kpi(OBJECTIVE), one.facts, one.job.world.costs)) for one in outcomes]
