"""Search over a bundle's parameters in the twin, with common random numbers.

Closed form per SKU, a few parameters per class, never a fit per SKU: class fractiles and
global knobs move one at a time from the best point found (coordinate search), cheap
windows first, the last few again on the long one. A point whose fill falls below today's
by more than the gate forgives comes after every point whose fill does not, so that cost
is never bought with empty shelves. What the search reports of its own winner is
optimistic, and labelled so; only the gate's weeks count as evidence.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from policies.domain.errors import InvalidInput
from policies.domain.facts import CostModel, DayFacts
from policies.domain.kpis import kpi, value
from policies.registry import defaults
from scenarios.half_width import half_width
from scenarios.kept_figures import KeptFigures
from scenarios.runner import Job, Policy, RunJobs, run_jobs
from scenarios.sampled_search import sampled_search
from scenarios.worlds import WorldSpec

Tell = Callable[[int, int], None]
OBJECTIVE = "cost_per_unit_demanded"
GUARDS = ("true_fill_rate", "on_shelf_availability")
METHODS = ("coordinate", "sampled")
LEAST_PAIRS = 3
"""Paired replications before a finalist can be dropped."""
OPTIMISTIC = "optimistic: measured on the weeks it was tuned on"


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
    incumbent : Policy or None, whose fill and availability no point may fall below
    fill_slack : float, share by which it may all the same
    method : {"coordinate", "sampled"}, one knob at a time, or Optuna's estimator over all
    seed : int, of the sampled search
    indifference : float, share of cost below which two finalists count as equal
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
    incumbent: Policy | None = None
    fill_slack: float = 0.001
    method: str = "coordinate"
    seed: int = 1
    indifference: float = 0.005

    def __post_init__(self) -> None:
        # Every corner is built once, so that a typing error costs no run.
        _policy(self, self.start).check()
        for name, values in self.space.items():
            for one in values:
                _policy(self, _moved(self.policy, self.start, name, one)).check()
        if self.method not in METHODS:
            raise InvalidInput(
                f"no search {self.method!r}",
                field="method",
                remedy=f"choose among {', '.join(METHODS)}",
            )
        for name, least in (("evaluations", 1), ("finalists", 1), ("replications", 1)):
            if getattr(self, name) < least:
                raise InvalidInput(
                    f"{name} is {getattr(self, name)}", field=name, remedy=f"at least {least}"
                )


@dataclass(frozen=True)
class Score:
    """One evaluated point.

    Attributes
    ----------
    params : dict
    objective : float, cents per unit demanded
    guards : tuple of float, :data:`GUARDS`
    shortfall : float, share points below what the incumbent's guards allow; 0 = keeps them
    window : {"search", "final"}
    """

    params: dict[str, Any]
    objective: float
    guards: tuple[float, ...]
    shortfall: float
    window: str

    @property
    def rank(self) -> tuple[float, float]:
        """Less is better: whoever keeps the guards by cost, the others by their shortfall."""
        return (self.shortfall, self.objective)


@dataclass
class TuneResult:
    """What the search found.

    Attributes
    ----------
    params : dict, the winner's parameters that differ from the defaults
    objective : float, cents per unit on the tuning weeks: optimistic
    incumbent : float, the incumbent's on the same weeks; NaN without one
    keeps_guards : bool, whether fill and availability are those of the incumbent or better
    history : list of :class:`Score` as dicts, every evaluation in order
    dropped : list of dict, points that went no further: params, rung, why
    """

    params: dict[str, Any]
    objective: float
    incumbent: float = float("nan")
    keeps_guards: bool = True
    history: list[dict[str, Any]] = field(default_factory=list)
    label: str = OPTIMISTIC
    dropped: list[dict[str, Any]] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(self.__dict__, indent=1))


def tune(
    study: Study,
    progress: Tell | None = None,
    run: RunJobs = run_jobs,
    kept: KeptFigures | None = None,
) -> TuneResult:
    """The best parameters within the budget; `run` plays the jobs that are not among `kept`."""
    search = _Search(study, progress or (lambda done, whole: None), run, kept or KeptFigures())
    if study.method == "sampled":
        search.sampled()
    else:
        search.rounds()
    return search.finish()


class _Search:
    """A coordinate search under way; points seen before are not run again."""

    def __init__(self, study: Study, tell: Tell, run: RunJobs, kept: KeptFigures) -> None:
        self.study, self.tell, self.run, self.kept = study, tell, run, kept
        self.seen: dict[str, Score] = {}
        self.history: list[Score] = []
        self.dropped: list[dict[str, Any]] = []
        self.incumbent_cost = float("nan")
        arms = 0 if study.incumbent is None else 1
        self.done = 0
        self.whole = arms + study.evaluations + (study.finalists + arms) * study.replications

    def rounds(self) -> None:
        """Every batch holds the values of one parameter at the best point so far."""
        study = self.study
        floors = self._floors(study.search_world, 1)
        best = dict(study.start)
        self._measure([best], floors)
        improved = True
        while improved and len(self.seen) < study.evaluations:
            improved = False
            for name, values in study.space.items():
                points = [_moved(study.policy, best, name, one) for one in values]
                self._measure(points, floors)
                known = [point for point in points if _key(point) in self.seen]
                leader = min(known, key=lambda point: self.seen[_key(point)].rank, default=best)
                if self.seen[_key(leader)].rank < self.seen[_key(best)].rank:
                    best, improved = leader, True

    def sampled(self) -> None:
        """Points of the whole space, as Optuna's estimator asks for them."""
        study = self.study
        floors = self._floors(study.search_world, 1)
        self._measure([dict(study.start)], floors)

        def score(setting: dict[str, Any]) -> float:
            point = dict(study.start)
            for name, one in setting.items():
                point = _moved(study.policy, point, name, one)
            self._measure([point], floors)
            found = self.seen.get(_key(point))
            if found is None:
                return self.worst()
            # Whoever falls below the guards comes after everyone who does not.
            return found.objective + (self.worst() if found.shortfall else 0.0)

        # A point asked for twice is not run twice; asking ends where nothing new comes.
        sampled_search(study.space, score, trials=2 * study.evaluations, seed=study.seed)

    def _selected(self, points: list[dict[str, Any]], floors: tuple[float, ...]) -> list[Score]:
        """Replication by replication, until the paired interval or the indifference decides."""
        study = self.study
        costs: dict[str, list[Score]] = {_key(point): [] for point in points}
        alive = list(points)
        for replication in range(study.replications):
            for score in self._run(alive, study.final_world, 1, floors, replication):
                costs[_key(score.params)].append(score)
            known = {_key(point): _mean(costs[_key(point)], floors) for point in alive}
            leader = min(known.values(), key=lambda score: score.rank)
            done = replication + 1
            if done < LEAST_PAIRS or len(alive) == 1:
                continue
            fates = {}
            for key, score in known.items():
                pairs = zip(costs[key], costs[_key(leader.params)], strict=True)
                gaps = [one.objective - other.objective for one, other in pairs]
                fates[key] = _fate(gaps, study.indifference * leader.objective)
                if score is not leader and fates[key] == "worse":
                    why = f"costs more than the leader after {done} paired replications"
                    self.dropped.append({"params": score.params, "rung": "final", "why": why})
            alive = [point for point in alive if fates[_key(point)] != "worse"]
            if len(alive) == 1 or all(fates[_key(one)] == "equal" for one in alive):
                break
        return [_mean(costs[_key(point)], floors) for point in alive]

    def worst(self) -> float:
        """Most that any point has cost so far."""
        return max(one.objective for one in self.seen.values())

    def finish(self) -> TuneResult:
        """The finalists on the long window, until one is left or nothing more is to be told."""
        study = self.study
        ranked = sorted(self.seen.values(), key=lambda score: score.rank)
        self.dropped += [
            {"params": one.params, "rung": "search", "why": "not among the finalists"}
            for one in ranked[study.finalists :]
        ]
        floors = self._floors(study.final_world, study.replications)
        finals = self._selected([score.params for score in ranked[: study.finalists]], floors)
        self.tell(self.whole, self.whole)
        winner = min(finals, key=lambda score: score.rank)
        return TuneResult(
            winner.params,
            winner.objective,
            self.incumbent_cost,
            winner.shortfall == 0.0,
            [asdict(score) for score in self.history],
            dropped=self.dropped,
        )

    def _measure(self, points: list[dict[str, Any]], floors: tuple[float, ...]) -> None:
        fresh = {_key(point): point for point in points if _key(point) not in self.seen}
        chosen = list(fresh.values())[: max(self.study.evaluations - len(self.seen), 0)]
        for score in self._run(chosen, self.study.search_world, 1, floors):
            self.seen[_key(score.params)] = score

    def _run(
        self,
        points: list[dict[str, Any]],
        world: WorldSpec,
        replications: int,
        floors: tuple[float, ...],
        first: int = 0,
    ) -> list[Score]:
        policies = [_policy(self.study, point) for point in points]
        window = "search" if world is self.study.search_world else "final"
        scores = []
        found = self._facts(policies, world, replications, first)
        for point, figures in zip(points, found, strict=True):
            cost, *guards = figures
            short = max([floor - one for floor, one in zip(floors, guards, strict=True)], default=0)
            scores.append(Score(point, cost, tuple(guards), max(short, 0.0), window))
        self.history += scores
        return scores

    def _floors(self, world: WorldSpec, replications: int) -> tuple[float, ...]:
        """Least fill and availability on a window."""
        if self.study.incumbent is None:
            return (-np.inf,) * len(GUARDS)
        cost, *guards = self._facts([self.study.incumbent], world, replications)[0]
        self.incumbent_cost = cost
        return tuple(one - self.study.fill_slack for one in guards)

    def _facts(
        self, policies: Sequence[Policy], world: WorldSpec, replications: int, first: int = 0
    ) -> list[tuple[float, ...]]:
        """(objective, guards) of each policy, means over replications."""
        window = "search" if world is self.study.search_world else "final"
        asked = [(policy, r) for policy in policies for r in range(first, first + replications)]
        if not asked:
            return []
        jobs = [Job(world, *one) for one in asked if self.kept.get(window, *one) is None]
        before = self.done + len(asked) - len(jobs)
        if jobs:
            outcomes = self.run(
                jobs, self.study.workers, lambda done, _: self.tell(before + done, self.whole)
            )
            figures = [tuple(map(float, _figures(one.facts, world.costs))) for one in outcomes]
            self.kept.add(
                [
                    (window, job.policy, job.replication, one)
                    for job, one in zip(jobs, figures, strict=True)
                ]
            )
        self.done += len(asked)
        rows = np.array([self.kept.get(window, *one) for one in asked], dtype=float)
        means = rows.reshape(len(policies), replications, -1).mean(axis=1)
        return [tuple(row) for row in means.tolist()]


def _mean(scores: Sequence[Score], floors: tuple[float, ...]) -> Score:
    """One score of several replications; a shortfall is that of their mean guards."""
    guards = np.mean([one.guards for one in scores], axis=0).tolist()
    short = max((floor - one for floor, one in zip(floors, guards, strict=True)), default=0.0)
    return Score(
        scores[0].params,
        float(np.mean([one.objective for one in scores])),
        tuple(guards),
        max(short, 0.0),
        scores[0].window,
    )


def _fate(gaps: Sequence[float], indifference: float) -> str:
    """What paired replications say: worse than the leader, equal to it, or not yet known."""
    mean, half = float(np.mean(gaps)), half_width(gaps)
    if max(abs(mean - half), abs(mean + half)) <= indifference:
        return "equal"
    return "worse" if mean - half > 0 else "open"


def _figures(facts: DayFacts, costs: CostModel) -> list[float]:
    return [float(value(kpi(name), facts, costs)) for name in (OBJECTIVE, *GUARDS)]


def _moved(policy: str, point: dict[str, Any], name: str, setting: Any) -> dict[str, Any]:
    """`point` with one parameter set; ``fractile_*`` sets every class at once."""
    keys = [key for key in defaults(policy) if fnmatch.fnmatchcase(key, name)] or [name]
    return {**point, **dict.fromkeys(keys, setting)}


def _policy(study: Study, point: dict[str, Any]) -> Policy:
    return Policy.of("candidate", study.policy, point)


def _key(point: dict[str, Any]) -> str:
    return json.dumps(point, sort_keys=True)
