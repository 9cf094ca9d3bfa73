"""The whole loop, step by step: each is timed, shown with its time left, and kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from policies.release import read_release
from scenarios.runner import Policy
from twin.output import code_sha256
from ui.commands.answer import plain
from ui.demo import live, study
from ui.demo.chain import make_chain
from ui.demo.plan import DemoPlan
from ui.demo.steps import Steps, digest

SUMMARY = "summary.json"


def run_demo(plan: DemoPlan, home: Path, console: Console) -> dict[str, Any]:
    """Run what is not there yet; returns (and writes) the summary."""
    steps = Steps(home / plan.data, console)
    settings = {**plan.settings(), "code": code_sha256()}
    chain = steps.path("chain") / "files"
    imported = steps.run(
        "chain",
        "Import the history and build the chain",
        settings,
        lambda at, tell: make_chain(plan, at / "history", at / "files"),
    )
    replayed = steps.run(
        "replay",
        "Replay the incumbent",
        {},
        lambda at, tell: study.replay(plan, chain, at, tell),
    )
    tuned = steps.run(
        "tune",
        "Tune a policy on weeks that may be tuned on",
        {},
        lambda at, tell: study.search(plan, chain, at, tell),
    )
    judged = steps.run(
        "gate",
        "Judge it on weeks that tuning never saw",
        {},
        lambda at, tell: _judge(plan, chain, tuned, at, tell),
    )
    opening = steps.path("replay") / "final"
    active = _active(steps.path("gate"), judged, tuned)
    steps.run(
        "promise",
        "Ask the twin what it promises for the live weeks",
        {},
        lambda at, tell: study.promise(plan, chain, active, opening, at, tell),
    )
    service = steps.run(
        "service",
        "Open the service with history and release",
        {"code": digest(live.service_sha256())},
        lambda at, tell: live.open_service(plan, chain, steps, at, tell),
    )
    lived = steps.run(
        "live",
        "Let an emulated reality post the live weeks",
        {},
        lambda at, tell: live.emulate_live(plan, chain, steps, at, tell),
    )
    summary = _summary(plan, steps, imported, replayed, judged, service, lived)
    (home / SUMMARY).write_text(json.dumps(plain(summary), indent=1, ensure_ascii=False))
    return summary


def _judge(
    plan: DemoPlan, chain: Path, tuned: dict[str, Any], home: Path, tell: Any
) -> dict[str, Any]:
    trial, judged = study.gate(plan, chain, tuned, tell)
    answer = judged.as_dict() | {"promoted": judged.promoted, "reasons": list(judged.reasons)}
    if judged.promoted:
        made = study.release(plan, trial, judged, home, live.promoted_at(plan, chain))
        answer["release"] = {"name": made.name, "sha256": made.digest()}
    return dict(plain(answer))


def _active(home: Path, judged: dict[str, Any], tuned: dict[str, Any]) -> Policy:
    """What runs live: the promoted policy, else the incumbent."""
    if not judged["promoted"]:
        return study.INCUMBENT
    release = read_release((home / "release.json").read_text(encoding="utf-8"))
    return Policy.of("release", release.policy, release.params)


def _summary(
    plan: DemoPlan,
    steps: Steps,
    imported: dict[str, Any],
    replayed: dict[str, Any],
    judged: dict[str, Any],
    service: dict[str, Any],
    lived: dict[str, Any],
) -> dict[str, Any]:
    verdict = judged["verdict"]
    return {
        "data": plan.data,
        "panel_expansion": plan.panel_expansion,
        "steps": steps.done,
        "import": {key: imported[key] for key in ("read", "kept", "rejected")},
        "lines_replayed": replayed["lines"] + judged["lines"],
        "kpis": [
            {
                key: row[key]
                for key in (
                    "name",
                    "unit",
                    "incumbent",
                    "winner",
                    "difference",
                    "low",
                    "high",
                    "verdict",
                )
            }
            for row in verdict["kpis"]
        ],
        "intervals_resample": verdict["resampled"],
        "gate": {
            "promoted": judged["promoted"],
            "reasons": judged["reasons"],
            "checks": verdict["checks"],
            "null_pair": judged["null_pair"],
            "planted_bad": judged["planted_bad"],
        },
        "release": judged.get("release"),
        "service": service,
        "emulation": lived["emulation"],
        "ledger": lived["ledger"],
    }
