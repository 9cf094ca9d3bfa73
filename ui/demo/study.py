"""The twin's half of the demonstration: replay, tune, gate, release, promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from policies.domain.facts import CostModel
from policies.domain.kpis import KPIS, value
from policies.release import Release
from scenarios.history.splits import first_day, last_day
from scenarios.promote import Judged, Trial, examine, release_of, write_release
from scenarios.runner import Job, Policy, run_jobs
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
SETTLE_WEEKS = 8


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
    """The incumbent from the first tuning week to the last gate week; its end is the opening."""
    first, last = plan.tune_weeks[0], plan.gate_weeks[1]
    spec = world(plan, chain, "recorded weeks", first, last, first)
    job = Job(spec, INCUMBENT, 0, keep_all=True, trace=Trace(final_state=True))
    tell(0, 1)
    outcome = run_jobs([job], 1)[0]
    result = outcome.result
    assert result is not None
    assert result.final is not None
    data = dataset([result], network_of(str(chain)).skus.ids)
    write(data, home / "result.nc")
    save_opening(result.final, home / "final")
    kpis = {name: float(value(one, outcome.facts, COSTS)) for name, one in KPIS.items()}
    return {"lines": outcome.lines, "kpis": kpis, "result_sha256": result_sha256(data)}


def study(plan: DemoPlan, chain: Path) -> Study:
    """The search on the tuning weeks: a short window first, the finalists on all of them."""
    first, last = plan.tune_weeks
    middle = max(first, last - 13)
    short = world(plan, chain, "search", max(first, middle - SETTLE_WEEKS), last, middle)
    settled = min(first + SETTLE_WEEKS, last)
    fractiles = [0.85, 0.92, 0.96, 0.98, 0.99]
    return Study(
        "base-stock",
        {"reviews_per_week": 1, "warehouse_cover_days": 4.0},
        {
            "warehouse_batch_days": [4.0, 7.0],
            "fractile_*": fractiles,
            "presentation_units": [0, 1, 2],
            "pack_share": [0.05, 0.35],
            "warehouse_cover_days": [2.0, 4.0, 7.0],
            "reviews_per_week": [1, 2],
            "delivery_days": [7, 5, 3],
            "fill_up_share": [0.0, 0.95],
            "drop_penalty": [None, 10.0],
            "fractile_0": fractiles,
            "fractile_4": fractiles,
            "half_life_days": [14.0, 28.0],
        },
        short,
        world(plan, chain, "tuning weeks", first, last, settled),
        evaluations=plan.search_evaluations,
        finalists=2,
        workers=WORKERS,
        incumbent=INCUMBENT,
    )


def search(plan: DemoPlan, chain: Path, home: Path, tell: Tell) -> dict[str, Any]:
    """Tune; the figure it reports of its winner is optimistic and says so."""
    found = tune(study(plan, chain), tell)
    found.write(home / "tune.json")
    return {"policy": "base-stock", "params": found.params, "objective": found.objective}


def gate(plan: DemoPlan, chain: Path, tuned: dict[str, Any], tell: Tell) -> tuple[Trial, Judged]:
    """Both arms on weeks that tuning never saw, stress, a null pair, a planted bad bundle."""
    first, (begin, last) = plan.tune_weeks[0], plan.gate_weeks
    warm = max(first, begin - SETTLE_WEEKS)
    trial = Trial(
        INCUMBENT,
        Policy.of("winner", tuned["policy"], tuned["params"]),
        world(plan, chain, "gate weeks", first, last, begin),
        world(plan, chain, "gate weeks, short", warm, last, begin),
        replications=plan.gate_replications,
        workers=WORKERS,
    )
    return trial, examine(trial, tell)


def release(plan: DemoPlan, trial: Trial, judged: Judged, home: Path, at: str) -> Release:
    """Write the release of a passed gate."""
    # A name that reads the same in every language: policy and the weeks it was tuned on.
    name = f"{trial.candidate.name} W{plan.tune_weeks[0]}–W{plan.tune_weeks[1]}"
    made = release_of(judged, trial.candidate, name=name, created_at=at)
    write_release(made, home / "release.json")
    return made


def promise(
    plan: DemoPlan, chain: Path, policy: Policy, opening: Path, home: Path, tell: Tell
) -> dict[str, Any]:
    """What the twin says of the live weeks before they happen.

    Demand is drawn from the six weeks before by store and weekday: the live weeks' own
    receipts are not read, and a holiday among them is not foreseen.
    """
    begin, last = plan.live_weeks
    source = max(0, first_day(begin) - 42)
    spec = replace(
        world(plan, chain, "promise", begin, last, begin),
        demand="bootstrap",
        bootstrap_days=(source, first_day(begin) - 1),
        opening=str(opening),
    )
    jobs = [Job(spec, policy, r, keep_all=True) for r in range(plan.promise_replications)]
    outcomes = run_jobs(jobs, WORKERS, tell)
    data = dataset(
        [one.result for one in outcomes if one.result is not None],
        network_of(str(chain)).skus.ids,
    )
    write(data, home / "promise.nc")
    return {"replications": len(jobs), "result_sha256": result_sha256(data)}
