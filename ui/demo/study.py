"""The twin's half of the demonstration: replay, tune, compare, gate, release, promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from policies.domain.facts import CostModel
from policies.domain.kpis import KPIS, value
from policies.release import Release, installed_source_sha256, params_sha256
from scenarios.gate import Verdict, judge
from scenarios.history.splits import first_day, last_day
from scenarios.runner import Job, Outcome, Policy, run_jobs
from scenarios.tune import Study, tune
from scenarios.worlds import WorldSpec, network_of, save_opening
from twin.output import dataset, result_sha256, write
from twin.result import Trace
from twin.scenario import Frictions, StoreRules
from ui.demo.plan import DemoPlan

Tell = Callable[[int, int], None]
COSTS = CostModel()
TOLD = Frictions(shrink_per_unit_sold=0.004)
"""What the twin is told of the physical world; reality departs further."""
RULES = StoreRules(count_lines_per_day=10)
INCUMBENT = Policy.of("incumbent", "incumbent")
WORKERS = 2


def world(plan: DemoPlan, chain: Path, name: str, first: int, last: int, kpi: int) -> WorldSpec:
    """A world over weeks `first` … `last` whose KPIs count from week `kpi` on."""
    start = first_day(first)
    return WorldSpec(
        name=name,
        chain=str(chain),
        first_day=start,
        days=last_day(last) - start + 1,
        warmup_days=first_day(kpi) - start,
        demand="expansion" if plan.panel_expansion != 1 else "replay",
        panel_expansion=plan.panel_expansion,
        seed=plan.seed,
        frictions=TOLD,
        store=RULES,
        costs=COSTS,
    )


def replay(plan: DemoPlan, chain: Path, home: Path, tell: Tell) -> dict[str, Any]:
    """The incumbent from the first tuning week to the last gate week."""
    first, last = plan.tune_weeks[0], plan.gate_weeks[1]
    spec = world(plan, chain, "recorded weeks", first, last, first)
    job = Job(spec, INCUMBENT, 0, keep_all=True, trace=Trace(final_state=True))
    tell(0, 1)
    outcome = run_jobs([job], 1)[0]
    result = outcome.result
    assert result is not None
    data = dataset([result])
    write(data, home / "result.nc")
    if result.final is not None:
        save_opening(result.final, home / "final")
    kpis = {name: float(value(one, outcome.facts, COSTS)) for name, one in KPIS.items()}
    return {
        "lines": outcome.lines,
        "kpis": kpis,
        "result_sha256": result_sha256(data),
        "simulate_seconds": outcome.seconds,
    }


def search(plan: DemoPlan, chain: Path, home: Path, tell: Tell) -> dict[str, Any]:
    """Tune on the tuning weeks."""
    first, last = plan.tune_weeks
    middle = max(first, last - 13) if last - first > 20 else first
    short = world(plan, chain, "search", max(first, middle - 8), last, middle)
    long = world(plan, chain, "tuning weeks", first, last, min(first + 8, last))
    start = {"reviews_per_week": 1, "warehouse_cover_days": 4.0}
    space: dict[str, list[Any]] = {
        "fractile_*": [0.8, 0.9, 0.95, 0.98, 0.99],
        "reviews_per_week": [1, 2],
        "warehouse_cover_days": [2.0, 4.0, 7.0],
        "presentation_units": [0, 1, 2],
        "pack_share": [0.05, 0.35],
        "fractile_0": [0.8, 0.9, 0.97],
        "fractile_4": [0.9, 0.97, 0.99],
        "half_life_days": [14.0, 28.0],
    }
    study = Study(
        "base-stock",
        start,
        space,
        short,
        long,
        evaluations=plan.search_evaluations,
        finalists=2,
        workers=WORKERS,
    )
    found = tune(study, tell)
    found.write(home / "tune.json")
    return {
        "policy": study.policy,
        "params": found.params,
        "objective": found.objective,
        "label": found.label,
        "evaluations": len(found.history),
    }


def null_pair(params: dict[str, Any]) -> tuple[Policy, Policy]:
    """Two different policies of equal cost: every class fractile moved by a hair.

    Quantiles of whole units stay the same for almost all records, so the two differ in
    what they do and not in what they cost.
    """
    names = [name for name in params if name.startswith("fractile_")]
    names = names or [f"fractile_{i}" for i in range(6)]
    near = {**params, **{name: params.get(name, 0.9) - 0.001 for name in names}}
    return Policy.of("null a", "base-stock", params), Policy.of("null b", "base-stock", near)


def gate(
    plan: DemoPlan, chain: Path, tuned: dict[str, Any], home: Path, tell: Tell
) -> dict[str, Any]:
    """Both arms on weeks that tuning never saw, stress, a null pair and a planted bad bundle."""
    params = tuned["params"]
    winner = Policy.of("winner", tuned["policy"], params)
    null_a, null_b = null_pair(params)
    bad = Policy.of("half the safety stock", tuned["policy"], {**params, "safety_share": 0.5})
    first, (begin, last) = plan.tune_weeks[0], plan.gate_weeks
    long = world(plan, chain, "gate weeks", first, last, begin)
    short = world(plan, chain, "gate weeks, short", max(first, begin - 8), last, begin)
    worlds = [
        replace(short, name="demand +20 %", demand_factor=1.2),
        replace(
            short,
            name="trucks −20 %, slower",
            trucks_factor=0.8,
            frictions=replace(TOLD, truck_speed_factor=0.8),
        ),
    ]
    if short.demand == "replay":
        worlds = worlds[1:]
    replications = range(plan.gate_replications)
    jobs = [Job(long, one, r) for one in (INCUMBENT, winner) for r in replications]
    jobs += [Job(short, one, 0) for one in (winner, null_a, null_b, bad)]
    jobs += [Job(hard, one, 0) for hard in worlds for one in (INCUMBENT, winner)]
    done = run_jobs(jobs, WORKERS, tell)
    facts = {
        (one.job.world.name, one.job.policy.label, one.job.replication): one.facts for one in done
    }
    network = network_of(str(chain))
    incumbent = [facts[long.name, "incumbent", r] for r in replications]
    candidate = [facts[long.name, "winner", r] for r in replications]
    stress = [
        (hard.name, facts[hard.name, "incumbent", 0], facts[hard.name, "winner", 0])
        for hard in worlds
    ]
    verdict = judge(incumbent, candidate, network, COSTS, stress=stress)
    base = facts[short.name, "winner", 0]
    null = judge([facts[short.name, "null a", 0]], [facts[short.name, "null b", 0]], network, COSTS)
    planted = judge([base], [facts[short.name, bad.label, 0]], network, COSTS)
    return {
        "verdict": verdict.as_dict(),
        "null_pair": _brief(null),
        "planted_bad": _brief(planted),
        "runs": len(jobs),
        "lines": sum(one.lines for one in done),
        "scenario_sha256": long.sha256(),
    }


def _brief(verdict: Verdict) -> dict[str, Any]:
    return {"promoted": verdict.promoted, "reasons": list(verdict.reasons)}


def release_of(
    plan: DemoPlan, tuned: dict[str, Any], judged: dict[str, Any], data_sha256: str, at: str
) -> Release:
    """The release of a passed gate."""
    params = dict(tuned["params"])
    return Release(
        name=f"base stock, tuned on weeks {plan.tune_weeks[0]}–{plan.tune_weeks[1]}",
        version="1",
        policy=tuned["policy"],
        params=params,
        params_sha256=params_sha256(tuned["policy"], params),
        source_sha256=installed_source_sha256(),
        scenario_sha256=judged["scenario_sha256"],
        data_sha256=data_sha256,
        seeds=tuple(range(plan.gate_replications)),
        kpis=tuple(judged["verdict"]["kpis"]),
        gate=judged["verdict"],
        created_at=at,
    )


def promise(
    plan: DemoPlan, chain: Path, policy: Policy, opening: Path, home: Path, tell: Tell
) -> dict[str, Any]:
    """What the twin says of the live weeks before they happen.

    Demand is drawn from the eight weeks before by store and weekday: the live weeks' own
    receipts are not read.
    """
    begin, last = plan.live_weeks
    spec = replace(
        world(plan, chain, "promise", begin, last, begin),
        demand="bootstrap",
        bootstrap_days=(max(0, first_day(begin) - 42), first_day(begin) - 1),
        opening=str(opening),
    )
    jobs = [Job(spec, policy, r, keep_all=True) for r in range(plan.promise_replications)]
    outcomes: list[Outcome] = run_jobs(jobs, WORKERS, tell)
    data = dataset([one.result for one in outcomes if one.result is not None])
    write(data, home / "promise.nc")
    return {"replications": len(jobs), "result_sha256": result_sha256(data)}
