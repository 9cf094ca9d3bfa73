"""The worker process of one what-if job: ``python -m scenarios.worker FOLDER``."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from policies.domain.errors import StoretwinError
from policies.domain.facts import DayFacts
from policies.domain.kpis import kpi, value
from scenarios.chains import chain_of
from scenarios.compare import RESAMPLED, compare
from scenarios.half_width import half_width
from scenarios.runner import Job, Policy, run_job
from scenarios.scenario import ScenarioFile, diff, load_scenario
from scenarios.whole_files import write_whole
from scenarios.worlds import network_of

HEADLINE = "cost_per_unit_demanded"


def work(home: Path) -> None:
    """Run the job of a folder, replication by replication, both arms in turn."""
    job = json.loads((home / "job.json").read_text())
    chosen = ScenarioFile(job["name"], job["resolved"], "form", ("form",))
    base = load_scenario(str(job.get("extends", "base")))
    base.values["weeks"] = chosen.values["weeks"]
    base.values["kpi_from_week"] = chosen.values.get("kpi_from_week", chosen.values["weeks"][0])
    base.values["demand"] = chosen.values.get("demand", "replay")
    for key in ("panel_expansion", "seed", "chain", "generated"):
        if key in chosen.values:
            base.values[key] = chosen.values[key]
    against = job.get("compare_with") or base.values["policy"]
    chain = chain_of(chosen)
    incumbent = Policy.of("incumbent", against["name"], against.get("params", {}))
    candidate = replace(chosen.policy(), label="candidate")
    replications = int(job.get("replications", chosen.values.get("replications", 5)))
    arms: tuple[list[DayFacts], list[DayFacts]] = ([], [])
    worlds = (base.world(chain), chosen.world(chain))
    began = time.perf_counter()
    for replication in range(replications):
        for arm, world, policy in zip(arms, worlds, (incumbent, candidate), strict=True):
            arm.append(run_job(Job(world, policy, replication)).facts)
        write_whole(
            home / "state.json",
            _state(arms, replications, time.perf_counter() - began, worlds[1].costs),
        )
    rows = compare(*arms, network_of(str(chain)), worlds[1].costs)
    write_whole(
        home / "result.json",
        {
            "name": job["name"],
            "kpis": [one.row() for one in rows],
            "resampled": RESAMPLED,
            "inputs": diff(base, chosen),
            "replications": replications,
            "seconds": time.perf_counter() - began,
        },
    )
    state = json.loads((home / "state.json").read_text())
    write_whole(home / "state.json", {**state, "state": "done", "seconds_left": 0})


def _state(
    arms: tuple[list[DayFacts], list[DayFacts]], whole: int, seconds: float, costs: Any
) -> dict[str, Any]:
    """Progress with the running estimate of the headline figure's difference."""
    done = len(arms[1])
    one = kpi(HEADLINE)
    gaps = np.array(
        [float(value(one, b, costs) - value(one, a, costs)) for a, b in zip(*arms, strict=True)]
    )
    return {
        "state": "running",
        "done": done,
        "whole": whole,
        "seconds_left": seconds / done * (whole - done),
        "headline": HEADLINE,
        "estimate": float(gaps.mean()),
        "half_width": half_width(gaps) if done > 1 else None,
    }


def main() -> int:
    """Entry point; a failure is written into the job, with its sentence."""
    home = Path(sys.argv[1])
    try:
        work(home)
    except StoretwinError as error:
        state = json.loads((home / "state.json").read_text())
        write_whole(home / "state.json", {**state, "state": "failed", "error": str(error)})
        return 1
    except Exception as error:
        state = json.loads((home / "state.json").read_text())
        write_whole(home / "state.json", {**state, "state": "failed", "error": repr(error)})
        raise
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
