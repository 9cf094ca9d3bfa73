"""What the command line does with scenarios: each returns one JSON-ready dict."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from policies.domain.errors import ScenarioInvalid
from policies.domain.facts import CostModel, DayFacts
from policies.registry import build_bundle
from scenarios.chains import chain_of, check_on_chain
from scenarios.compare import RESAMPLED, compare
from scenarios.gather import gather
from scenarios.kept_figures import KeptFigures
from scenarios.promote import examine, release_of, write_release
from scenarios.run_folder import RunFolder
from scenarios.runner import Policy
from scenarios.scenario import ScenarioFile, diff, load_scenario
from scenarios.study import StudyFile, load_study
from scenarios.tune import TuneResult, tune
from scenarios.whole_files import write_whole
from scenarios.worlds import chain_sha256, expansion_of, world_network
from twin.output import (
    code_sha256,
    manifest,
    read,
    write,
    write_manifest,
)

STUDIES = Path("var/studies")
CHECKPOINT_DAYS = 28
"""Days between two checkpoints of a run, unless its caller says otherwise."""


def scenario_show(source: str) -> dict[str, Any]:
    """The resolved form with its hash and lineage."""
    found = load_scenario(source)
    return {"scenario": found.values, "sha256": found.sha256(), "lineage": list(found.lineage)}


def scenario_check(source: str) -> dict[str, Any]:
    """Whether it can be simulated; errors are raised."""
    found = load_scenario(source)
    is_there = check_on_chain(found)
    return {
        "scenario": found.name,
        "ok": True,
        "sha256": found.sha256(),
        "checked_on_chain": is_there,
    }


def scenario_diff(a: str, b: str) -> dict[str, Any]:
    """Keys that differ."""
    return {"a": a, "b": b, "differences": diff(load_scenario(a), load_scenario(b))}


def run_command(
    source: str,
    *,
    out: Path,
    replications: int | None = None,
    workers: int = 1,
    seed: int | None = None,
    checkpoint_days: int = CHECKPOINT_DAYS,
    dask: str = "",
    progress: Any = None,
) -> dict[str, Any]:
    """Simulate a scenario; the folder holds result.nc, manifest.json and scenario.json.

    Replications that lie there from before, of the same scenario and code, are kept; one
    that was cut off goes on from its last checkpoint, every `checkpoint_days` days (0 = none).
    """
    began = time.perf_counter()
    found = load_scenario(source)
    if seed is not None:
        found.values["seed"] = seed
    count = replications if replications is not None else found.values.get("replications", 1)
    if count < 1:
        raise ScenarioInvalid(f"replications is {count}", field="--replications")
    check_on_chain(found)
    chain = chain_of(found)
    world, policy = found.world(chain), found.policy()
    if checkpoint_days < 0:
        raise ScenarioInvalid(
            f"checkpoint_days is {checkpoint_days}",
            field="--checkpoint-days",
            remedy="give days, or 0 for no checkpoints",
        )
    parts = RunFolder(out, world, policy, checkpoint_days).run(count, workers, progress, dask)
    window = (world.first_day + world.warmup_days, world.last_day)
    made = gather(parts, world_network(world), window, world.costs, workers)
    write(made.data, out / "result.nc", workers)
    if made.carbon is not None:
        made.carbon.to_parquet(out / "carbon.parquet", index=False)
    (out / "scenario.json").write_text(
        json.dumps({"values": found.values, "chain": str(chain)}, indent=1)
    )
    means = {name: float(np.mean(each)) for name, each in made.processes.items()}
    content = manifest(
        made.data,
        scenario_sha256={found.name: world.sha256()},
        bundle_sha256={policy.label: policy_sha256(policy)},
        data_sha256=chain_sha256(chain),
        panel_expansion=expansion_of(world),
        processes=made.processes,
        seconds={"total": time.perf_counter() - began},
        threads=workers,
    )
    write_manifest(content, out / "manifest.json")
    return {
        "kpis": made.kpis,
        **({"processes": means} if means else {}),
        "seconds": time.perf_counter() - began,
        "result_sha256": content["result_sha256"],
        "out": str(out),
        "replications": count,
    }


def policy_sha256(policy: Policy) -> str:
    """Hash over the parameters of every member of the policy's bundle."""
    return build_bundle(policy.name, policy.as_dict()).params_sha256


def compare_command(runs: Sequence[Path]) -> dict[str, Any]:
    """Paired differences of the second and later runs against the first."""
    if len(runs) < 2:
        raise ScenarioInvalid("one run can't be compared", field="runs", remedy="name two folders")
    arms = [_window_facts(folder) for folder in runs]
    counts = {len(facts) for _, facts in arms}
    if len(counts) != 1:
        raise ScenarioInvalid(
            f"the runs have {sorted(counts)} replications",
            field="runs",
            remedy="run both with the same --replications and --seed",
        )
    base_about, base = arms[0]
    base_file = ScenarioFile("", base_about["values"], "", ())
    network = world_network(base_file.world(Path(base_about["chain"])))
    costs = CostModel(**base_about["values"].get("costs", {}))
    rows: list[dict[str, Any]] = []
    for folder, (_, facts) in zip(runs[1:], arms[1:], strict=True):
        if facts[0].locations != base[0].locations or facts[0].days != base[0].days:
            raise ScenarioInvalid(
                f"{folder} has other stores or days than {runs[0]}",
                field="runs",
                remedy="compare runs of one chain and window",
            )
        rows += [{**one.row(), "run": str(folder)} for one in compare(base, facts, network, costs)]
    return {"kpis": rows, "resampled": RESAMPLED}


def _window_facts(folder: Path) -> tuple[dict[str, Any], list[DayFacts]]:
    if not (folder / "result.nc").exists():
        raise ScenarioInvalid(f"{folder} holds no run", field="runs", remedy="run storetwin run")
    about = json.loads((folder / "scenario.json").read_text())
    values = about["values"]
    first, _last = values["weeks"]
    skip = 7 * (values.get("kpi_from_week", first) - first)
    _, facts = read(folder / "result.nc")
    return about, [one.window(one.first_day + skip, one.first_day + one.days - 1) for one in facts]


def tune_command(
    source: Path, *, out: Path, cache: Path = STUDIES, progress: Any = None
) -> dict[str, Any]:
    """Search a study's space; ``tune.json`` in `out` holds every evaluation."""
    began = time.perf_counter()
    found = load_study(source)
    result, kept = _tuned(found, cache, progress)
    out.mkdir(parents=True, exist_ok=True)
    result.write(out / "tune.json")
    return {
        "study": found.name,
        "policy": found.values["policy"],
        "params": result.params,
        "objective": result.objective,
        "incumbent": result.incumbent,
        "label": result.label,
        "keeps_guards": result.keeps_guards,
        "evaluations": len(result.history),
        "seconds": time.perf_counter() - began,
        "kept": kept,
        "out": str(out / "tune.json"),
    }


def promote_command(
    source: Path,
    *,
    out: Path,
    cache: Path = STUDIES,
    created_at: str | None = None,
    progress: Any = None,
) -> dict[str, Any]:
    """Tune (or take what was tuned before), judge, and write a release if the gate allows.

    ``gate.json`` beside the release holds the whole evidence, whatever the verdict.
    """
    began = time.perf_counter()
    found = load_study(source)
    tuned, _ = _tuned(found, cache, progress)
    trial = found.trial(chain_of(found.scenario), tuned.params)
    judged = examine(trial, progress)
    evidence = judged.as_dict()
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out.with_name("gate.json"), evidence)
    # A release that was refused leaves none behind, not even an older one.
    out.unlink(missing_ok=True)
    if judged.promoted:
        # The command line is where the clock is read; everything below is told the time.
        at = created_at or dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        write_release(release_of(judged, trial.candidate, name=found.name, created_at=at), out)
    verdict = evidence["verdict"]
    return {
        "study": found.name,
        "policy": found.values["policy"],
        "params": tuned.params,
        "kpis": verdict["kpis"],
        "gate": {
            "promoted": judged.promoted,
            "reasons": list(judged.reasons),
            "checks": verdict["checks"],
            "resampled": verdict["resampled"],
            "null_pair": evidence["null_pair"],
            "planted_bad": evidence["planted_bad"],
        },
        "release": str(out) if judged.promoted else None,
        "seconds": time.perf_counter() - began,
    }


def _tuned(found: StudyFile, cache: Path, progress: Any) -> tuple[TuneResult, bool]:
    """The study's result, and whether it was kept from before.

    It is kept under everything that decides it: the study, the chain and the code.
    """
    chain = chain_of(found.scenario)
    code = [code_sha256(), code_sha256([Path(__file__).parent])]
    text = json.dumps([found.sha256(), chain_sha256(chain), *code])
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = cache / key / "tune.json"
    if path.exists():
        return TuneResult(**json.loads(path.read_text(encoding="utf-8"))), True
    result = tune(found.study(chain), progress, kept=KeptFigures(path.with_name("runs.jsonl")))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, vars(result))
    return result, False
