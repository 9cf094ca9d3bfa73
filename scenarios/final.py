"""The final study: weeks that nobody has looked at, run once, with everything chosen before.

A file names the arms and the pairs to compare. Every arm starts from the same opening in
the first week and runs in its own policy up to the last; the judged weeks alone count, by
the gate's interval. The same pair's figure over the weeks before stands beside it, and is
labelled optimistic: the arms were chosen on these.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policies.domain.errors import ScenarioInvalid
from policies.domain.facts import CostModel, DayFacts
from policies.domain.kpis import kpi, value
from scenarios.chains import chain_of
from scenarios.compare import RESAMPLED_POOLED, compare
from scenarios.promote import SETTLING_DAYS
from scenarios.runner import Job, Outcome, Policy, Tell, run_jobs
from scenarios.scenario import ScenarioFile, load_scenario
from scenarios.study import read_study
from scenarios.tune import OPTIMISTIC
from scenarios.worlds import WorldSpec, network_of

REPORTED = (
    "cost_per_unit_demanded",
    "true_fill_rate",
    "write_off_rate",
    "truck_km",
    "co2e_transport",
    "co2e_per_unit_sold",
    "cost_per_case",
)
_KEYS = {"name", "about", "scenario", "replications", "workers", "arms", "pairs"}
_ARM = {"label", "policy", "params"}


@dataclass(frozen=True)
class FinalStudy:
    """A checked file.

    Attributes
    ----------
    scenario : ScenarioFile, whose KPIs count from the judged weeks on
    arms : dict of label -> Policy
    pairs : tuple of (label of what is compared with, label of what is judged)
    """

    name: str
    scenario: ScenarioFile
    arms: dict[str, Policy]
    pairs: tuple[tuple[str, str], ...]
    replications: int
    workers: int


def load_final(path: Path) -> FinalStudy:
    """The study of a TOML file.

    Raises
    ------
    ScenarioInvalid
        For an unknown key, a pair of an unknown arm, an arm that the registry refuses.
    """
    raw = read_study(path)
    for odd in sorted(raw.keys() - _KEYS):
        raise _wrong(path, odd, f"the unknown key {odd}", f"one of {', '.join(sorted(_KEYS))}")
    arms: dict[str, Policy] = {}
    for one in raw.get("arms", []):
        if not {"label", "policy"} <= one.keys() <= _ARM:
            raise _wrong(path, "arms", "an arm without label and policy", "give both, and params")
        policy = Policy.of(one["label"], one["policy"], one.get("params", {}))
        policy.check()
        arms[policy.label] = policy
    pairs = tuple((str(a), str(b)) for a, b in raw.get("pairs", []))
    for label in {name for pair in pairs for name in pair} - arms.keys():
        raise _wrong(path, "pairs", f"a pair of the unknown arm {label!r}", "name its arms")
    if not pairs:
        raise _wrong(path, "pairs", "no pairs", "give [[what is compared with, what is judged]]")
    beside = path.parent / str(raw.get("scenario", "base"))
    scenario = load_scenario(beside if beside.suffix == ".toml" else beside.name)
    count, workers = raw.get("replications", 1), raw.get("workers", 2)
    return FinalStudy(str(raw.get("name", path.stem)), scenario, arms, pairs, count, workers)


def _wrong(path: Path, field: str, said: str, remedy: str) -> ScenarioInvalid:
    return ScenarioInvalid(f"{path} has {said}", field=field, row=str(path), remedy=remedy)


def run_final(study: FinalStudy, progress: Tell | None = None) -> dict[str, Any]:
    """Every arm once per replication, and each pair's differences on the judged weeks."""
    world = study.scenario.world(chain_of(study.scenario))
    before = max(world.warmup_days - SETTLING_DAYS, 0)
    jobs = [
        Job(world, policy, r, before_days=before)
        for policy in study.arms.values()
        for r in range(study.replications)
    ]
    done = run_jobs(jobs, study.workers, progress)
    arms = {label: [one for one in done if one.job.policy.label == label] for label in study.arms}
    return {
        "study": study.name,
        "scenario_sha256": world.sha256(),
        "judged_days": world.days - world.warmup_days,
        "replications": study.replications,
        "resampled": RESAMPLED_POOLED,
        "arms": {label: _figures(runs, world.costs) for label, runs in arms.items()},
        "pairs": [_pair(base, judged, arms, world) for base, judged in study.pairs],
    }


def _pair(
    base: str, judged: str, arms: dict[str, list[Outcome]], world: WorldSpec
) -> dict[str, Any]:
    a, b = arms[base], arms[judged]
    past = (_past(a), _past(b))
    found = compare(
        [one.facts for one in a],
        [one.facts for one in b],
        network_of(world.chain),
        world.costs,
        names=REPORTED,
        before=past if past[0] else None,
    )
    return {
        "against": base,
        "judged": judged,
        "kpis": [one.row() for one in found],
        "weeks_before": {
            "label": OPTIMISTIC,
            "cost_per_unit_demanded": {
                name: _mean("cost_per_unit_demanded", facts, world.costs)
                for name, facts in zip((base, judged), past, strict=True)
            },
        },
    }


def _past(runs: list[Outcome]) -> list[DayFacts]:
    return [one.before for one in runs if one.before is not None]


def _figures(runs: list[Outcome], costs: CostModel) -> dict[str, float]:
    return {name: _mean(name, [one.facts for one in runs], costs) for name in REPORTED}


def _mean(name: str, facts: list[DayFacts], costs: CostModel) -> float:
    if not facts:
        return float("nan")
    return sum(float(value(kpi(name), one, costs)) for one in facts) / len(facts)
