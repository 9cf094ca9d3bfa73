"""From a tuned policy to a release: run the evidence, let the gate judge, write the artefact.

Both arms start from the same opening on the first tuning week and run in their own policy
up to the gate's weeks, so that neither inherits the other's stock; the change in stock
over the gate's weeks is part of the cost. The gate itself is tried every time: a pair of
policies that differ and cost the same, and a bundle with half the safety stock, must be
refused by the same rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from policies.domain.errors import InvalidInput
from policies.domain.facts import DayFacts
from policies.registry import defaults
from policies.release import Release, installed_source_sha256, params_sha256
from scenarios.gate import DEFAULT_RULES, GateRules, Pair, Verdict, judge
from scenarios.runner import Job, Outcome, Policy, RunJobs, run_jobs
from scenarios.worlds import WorldSpec, chain_sha256, network_of
from twin.scenario import Disruptions

Tell = Callable[[int, int], None]
SETTLING_DAYS = 56
"""First days of a run, whose differences tell of the opening and not of the policies."""
BOOTSTRAP_DAYS = 42
LEVELS = (1.05, 1.15)


@dataclass(frozen=True)
class Trial:
    """What the gate has to run.

    Attributes
    ----------
    incumbent, candidate : Policy
    long : WorldSpec, from the first tuning week; its window is the gate's weeks
    short : WorldSpec, the same window after a short warm-up, for everything that is run once
    replications : int, paired replications on the long world
    bootstrap_replications : int, 0 leaves that check out (and the verdict says nothing of it)
    """

    incumbent: Policy
    candidate: Policy
    long: WorldSpec
    short: WorldSpec
    replications: int = 2
    bootstrap_replications: int = 0
    workers: int = 2
    rules: GateRules = field(default=DEFAULT_RULES)

    def __post_init__(self) -> None:
        if self.replications < 1 or self.bootstrap_replications < 0:
            raise InvalidInput(
                "the gate needs a replication", field="replications", remedy="at least 1"
            )
        window = [(w.first_day + w.warmup_days, w.last_day) for w in (self.long, self.short)]
        if window[0] != window[1]:
            raise InvalidInput(
                "the gate's short and long world look at different weeks", field="short"
            )


@dataclass(frozen=True)
class Judged:
    """The gate's answer and how the gate itself fared.

    Attributes
    ----------
    verdict, null_pair, planted_bad : Verdict
    runs, lines : int, what it took
    """

    verdict: Verdict
    null_pair: Verdict
    planted_bad: Verdict
    runs: int
    lines: int
    scenario_sha256: str
    data_sha256: str
    seeds: tuple[int, ...]

    @property
    def promoted(self) -> bool:
        """Whether it may go live: the gate says so, and the gate can say no."""
        return self.verdict.promoted and not (self.null_pair.promoted or self.planted_bad.promoted)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in sentences."""
        odd = {"null pair": self.null_pair, "planted bad bundle": self.planted_bad}
        let_through = [
            f"the gate let a {name} through: its word counts for nothing"
            for name, verdict in odd.items()
            if verdict.promoted
        ]
        return (*let_through, *self.verdict.reasons)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for summaries."""
        return {
            "verdict": self.verdict.as_dict(),
            "null_pair": _brief(self.null_pair),
            "planted_bad": _brief(self.planted_bad),
            "runs": self.runs,
            "lines": self.lines,
            "scenario_sha256": self.scenario_sha256,
            "data_sha256": self.data_sha256,
            "seeds": list(self.seeds),
        }


def examine(trial: Trial, progress: Tell | None = None, run: RunJobs = run_jobs) -> Judged:
    """Run everything the gate asks for by `run`, and judge."""
    null_a, null_b = null_pair(trial.candidate)
    bad = half_safety(trial.candidate)
    both = (trial.incumbent, trial.candidate)
    hard, levels, chance = stress_worlds(trial.short), level_worlds(trial.short), _chance(trial)
    before = max(trial.long.warmup_days - SETTLING_DAYS, 0)
    jobs = [
        Job(trial.long, one, r, before_days=before)
        for r in range(trial.replications)
        for one in both
    ]
    jobs += [Job(trial.short, one, 0) for one in (trial.candidate, null_a, null_b, bad)]
    jobs += [Job(world, one, 0) for world in (*hard, *levels) for one in both]
    if chance is not None:
        jobs += [Job(chance, one, r) for r in range(trial.bootstrap_replications) for one in both]
    done = {
        (one.job.world.name, one.job.policy.label, one.job.replication): one
        for one in run(jobs, trial.workers, progress)
    }
    network, costs = network_of(trial.long.chain), trial.long.costs

    def pair(world: WorldSpec, r: int = 0) -> Pair:
        a, b = (done[world.name, one.label, r].facts for one in both)
        return (world.name, a, b)

    def arm(policy: Policy) -> list[Outcome]:
        return [done[trial.long.name, policy.label, r] for r in range(trial.replications)]

    def quick(policy: Policy) -> list[DayFacts]:
        return [done[trial.short.name, policy.label, 0].facts]

    today, tuned = arm(trial.incumbent), arm(trial.candidate)
    verdict = judge(
        [one.facts for one in today],
        [one.facts for one in tuned],
        network,
        costs,
        before=(_past(today), _past(tuned)) if before else None,
        stress=[pair(world) for world in hard],
        levels=[pair(world) for world in levels],
        chances=[pair(chance, r) for r in range(trial.bootstrap_replications)] if chance else (),
        rules=trial.rules,
    )
    return Judged(
        verdict,
        judge(quick(null_a), quick(null_b), network, costs, rules=trial.rules),
        judge(quick(trial.candidate), quick(bad), network, costs, rules=trial.rules),
        len(jobs),
        sum(one.lines for one in done.values()),
        trial.long.sha256(),
        chain_sha256(Path(trial.long.chain)),
        (trial.long.seed,),
    )


def _past(runs: list[Outcome]) -> list[DayFacts]:
    return [one.before for one in runs if one.before is not None]


def null_pair(candidate: Policy) -> tuple[Policy, Policy]:
    """Two different policies of equal cost: the forecast forgets a hair faster or slower.

    Levels are whole units, so most orders stay the same and some move by one; neither arm
    is the better one.
    """
    known = {**defaults(candidate.name), **candidate.as_dict()}
    half_life = float(known["half_life_days"])
    first, second = (
        {**candidate.as_dict(), "half_life_days": half_life * one} for one in (0.999, 1.001)
    )
    return (
        Policy.of("null a", candidate.name, first),
        Policy.of("null b", candidate.name, second),
    )


def half_safety(candidate: Policy) -> Policy:
    """The candidate with half of its safety stock: what a gate must refuse."""
    known = {**defaults(candidate.name), **candidate.as_dict()}
    if "safety_share" in known:
        changed = {"safety_share": 0.5 * float(known["safety_share"])}
    elif "reorder_cover_days" in known:
        changed = {"reorder_cover_days": 0.5 * float(known["reorder_cover_days"])}
    else:
        raise InvalidInput(
            f"policy {candidate.name} has no safety stock to halve",
            field="policy",
            remedy="promote a policy with safety_share or reorder_cover_days",
        )
    label = "half the safety stock"
    return Policy.of(label, candidate.name, {**candidate.as_dict(), **changed})


def stress_worlds(world: WorldSpec) -> list[WorldSpec]:
    """Hard worlds: what a twin with these warehouses can really play.

    Recorded receipts can't be scaled, so a replayed world has no demand stress.
    """
    slow = replace(world.frictions, truck_speed_factor=0.8 * world.frictions.truck_speed_factor)
    worlds = [
        replace(
            world,
            name="trucks −20 %, slower",
            trucks_factor=0.8 * world.trucks_factor,
            frictions=slow,
        ),
        replace(
            world,
            name="suppliers a day later",
            lead_time_extra_days=world.lead_time_extra_days + 1,
        ),
        replace(
            world,
            name="a warehouse closed for two days",
            disruptions=replace(
                world.disruptions, others=(*world.disruptions.others, _closed(world))
            ),
        ),
    ]
    return [*worlds, *_scaled(world, (1.2,))]


def _closed(world: WorldSpec) -> Disruptions:
    """The first warehouse on two days of the window's first week, so that what follows counts."""
    first = world.warmup_days + min(2, max(world.days - world.warmup_days - 2, 0))
    return Disruptions(warehouse_number=1, warehouses_from_day=first, warehouses_days=2)


def level_worlds(world: WorldSpec) -> list[WorldSpec]:
    """The same weeks with the demand that stock-outs may have hidden."""
    return _scaled(world, LEVELS)


def _scaled(world: WorldSpec, factors: tuple[float, ...]) -> list[WorldSpec]:
    if world.demand == "replay":
        return []
    return [
        replace(
            world,
            name=f"demand +{round(100 * (one - 1))} %",
            demand_factor=world.demand_factor * one,
        )
        for one in factors
    ]


def _chance(trial: Trial) -> WorldSpec | None:
    """The gate's weeks drawn from the weeks before the short world begins."""
    if not trial.bootstrap_replications:
        return None
    first = trial.short.first_day
    return replace(
        trial.short,
        name="bootstrap demand",
        demand="bootstrap",
        bootstrap_days=(max(first - BOOTSTRAP_DAYS, 0), first - 1),
    )


def release_of(
    judged: Judged,
    candidate: Policy,
    *,
    name: str,
    created_at: str,
    version: str = "1",
    scope: tuple[str, ...] = (),
) -> Release:
    """The release of a passed gate.

    Raises
    ------
    InvalidInput
        If the gate refused: nothing is released against its word.
    """
    if not judged.promoted:
        raise InvalidInput(
            "the gate refused this policy", field="gate", remedy="; ".join(judged.reasons)
        )
    params = candidate.as_dict()
    gate = judged.as_dict()
    tried = {key: gate[key] for key in ("null_pair", "planted_bad")}
    return Release(
        name=name,
        version=version,
        policy=candidate.name,
        params=params,
        params_sha256=params_sha256(candidate.name, params),
        source_sha256=installed_source_sha256(),
        scenario_sha256=judged.scenario_sha256,
        data_sha256=judged.data_sha256,
        seeds=judged.seeds,
        kpis=tuple(gate["verdict"]["kpis"]),
        gate={**gate["verdict"], **tried},
        scope=scope,
        created_at=created_at,
    )


def write_release(release: Release, path: Path) -> Path:
    """Write a release whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(release.text() + "\n", encoding="utf-8")
    part.replace(path)
    return path


def _brief(verdict: Verdict) -> dict[str, Any]:
    return {"promoted": verdict.promoted, "reasons": list(verdict.reasons)}
