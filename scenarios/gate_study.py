"""``storetwin bench gate``: how often tuning and gate promote what they should, and should not.

Each trial is a world of its own in which the real :func:`~scenarios.tune.tune` searches and
the real :func:`~scenarios.promote.examine` judges what was found; only the simulator is a
small one (:mod:`scenarios.gate_world`). True costs are means over many other worlds.

* ``pair``: the candidate differs from the incumbent and truly costs the same.
* ``search``: the tuner picks among points none of which truly costs less.
* ``better``: one point of the search truly costs 3 % less.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from policies.domain.errors import InvalidInput
from policies.domain.facts import CostModel
from policies.domain.kpis import kpi, value
from scenarios.gate_world import WEEKS, miniature_network, run_miniatures
from scenarios.promote import Judged, Trial, examine
from scenarios.runner import Job, Policy
from scenarios.tune import Study, tune
from scenarios.whole_files import write_whole
from scenarios.worlds import WorldSpec, save_chain

Point = dict[str, Any]
FAMILY = "base-stock"
GATE_WEEKS, SEARCH_WEEKS, SETTLE_WEEKS = 6, 14, 8
PLANTED = 0.03
KINDS = ("pair", "search", "better")
BASE: Point = {"reviews_per_week": 3, "half_life_days": 21.0, "warehouse_batch_days": 1.0}
BATCHES = (0.9, 1.0)
SAFETIES = (1.0, 1.1, 1.2)
_TRUTH_SEED = 10_000_000
_COSTS = CostModel(holding_rate_per_year=1.5, order_line_cents=100.0)


@dataclass(frozen=True)
class Truths:
    """The policies of the study and their true costs.

    Attributes
    ----------
    incumbents : kind -> point
    spaces : kind -> parameter -> values searched
    costs : point as JSON -> true cents per unit demanded
    worlds : int, worlds behind each true cost
    """

    incumbents: dict[str, Point]
    starts: dict[str, Point]
    spaces: dict[str, dict[str, list[Any]]]
    costs: dict[str, float]
    worlds: int

    def gap(self, kind: str, point: Point) -> float:
        """True difference of `point` from the kind's incumbent, cents per unit."""
        return self.costs[_key(point)] - self.costs[_key(self.incumbents[kind])]


def bench_gate(
    trials: int = 400, *, worlds: int = 500, seed: int = 1, out: Path | None = None
) -> dict[str, Any]:
    """Error rates of the pipeline and coverage of its interval.

    Parameters
    ----------
    trials : null trials, and as many with a planted better policy
    worlds : worlds whose mean is the truth
    out : folder where finished trials are kept and found again, optional

    Returns
    -------
    dict with ``false_promotion``, ``power``, ``coverage``: share, count, of, bound; ``holds``
    """
    for name, given, least in (("trials", trials, 2), ("worlds", worlds, 10)):
        if given < least:
            raise InvalidInput(f"{given} {name}", field=name, remedy=f"give at least {least}")
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        chain = Path(folder)
        network = miniature_network()
        save_chain(chain, network, _nothing_recorded(), [(0, 6)])
        truths = _kept_truths(str(chain), worlds, seed, out)
        rows = _trials(str(chain), truths, trials, seed, out)
    return _summary(rows, truths) | {"cpu_seconds": time.process_time() - began, "seed": seed}


def _nothing_recorded() -> Any:
    from scenarios.history.generate import generate_chain  # noqa: PLC0415

    return generate_chain(stores=1, skus=1, days=7, lines_per_store_day=1, seed=1)[1]


def _trials(
    chain: str, truths: Truths, trials: int, seed: int, out: Path | None
) -> list[dict[str, Any]]:
    wanted = [
        (kind, i)
        for i in range(trials)
        for kind in (KINDS[i % 2], KINDS[2])  # half of the null trials are searches
    ]
    settings = json.dumps([asdict(truths), seed], sort_keys=True)
    name = f"trials-{hashlib.sha256(settings.encode()).hexdigest()[:12]}.jsonl"
    known: dict[tuple[str, int], dict[str, Any]] = {}
    if out is not None and (out / name).exists():
        lines = (out / name).read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines if line.endswith("}")]
        known = {(row["kind"], row["trial"]): row for row in found}
    rows = []
    for kind, i in wanted:
        row = known.get((kind, i))
        if row is None:
            world_seed = 1_000_000 * seed + 2 * i + (kind == "better")
            row = {"trial": i, **one_trial(chain, truths, kind, world_seed)}
            if out is not None:
                out.mkdir(parents=True, exist_ok=True)
                with (out / name).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
        rows.append(row)
    return rows


def one_trial(chain: str, truths: Truths, kind: str, world_seed: int) -> dict[str, Any]:
    """Tune in one world, and let the gate judge what came out."""
    incumbent = Policy.of("incumbent", FAMILY, truths.incumbents[kind])
    gate_from = WEEKS - GATE_WEEKS
    study = Study(
        policy=FAMILY,
        start=truths.starts[kind],
        space=truths.spaces[kind],
        search_world=_world(
            chain, world_seed, gate_from - SEARCH_WEEKS - SETTLE_WEEKS, gate_from, SETTLE_WEEKS
        ),
        final_world=_world(chain, world_seed, 0, gate_from, SETTLE_WEEKS),
        evaluations=1 if kind == "pair" else 12,
        workers=1,
        incumbent=incumbent,
    )
    found = tune(study, run=run_miniatures)
    judged = examine(
        Trial(
            incumbent=incumbent,
            candidate=Policy.of("winner", FAMILY, found.params),
            long=_world(chain, world_seed, 0, WEEKS, gate_from, "gate weeks"),
            short=_world(
                chain, world_seed, gate_from - SETTLE_WEEKS, WEEKS, SETTLE_WEEKS, "gate, short"
            ),
            replications=1,
            bootstrap_replications=20,
            workers=1,
        ),
        run=run_miniatures,
    )
    return {"kind": kind, "params": found.params, **_told(judged, truths.gap(kind, found.params))}


def _told(judged: Judged, gap: float) -> dict[str, Any]:
    cost = next(one for one in judged.verdict.kpis if one.name == "cost_per_unit_demanded")
    return {
        "promoted": judged.promoted,
        "better": cost.high < 0,
        "true_gap": gap,
        "difference": cost.difference,
        "low": cost.low,
        "high": cost.high,
        "covers": cost.low <= gap <= cost.high,
        "failed": [check.name for check in judged.verdict.checks if not check.holds]
        + ["null pair"] * judged.null_pair.promoted
        + ["planted bad"] * judged.planted_bad.promoted,
    }


def _world(
    chain: str, seed: int, first: int, past: int, warmup: int, name: str = "tuning weeks"
) -> WorldSpec:
    return WorldSpec(
        name=name, chain=chain, first_day=7 * first, days=7 * (past - first),
        warmup_days=7 * warmup, seed=seed, costs=_COSTS,
    )  # fmt: skip


def _kept_truths(chain: str, worlds: int, seed: int, out: Path | None) -> Truths:
    file = None if out is None else out / f"truths-{worlds}-{seed}.json"
    if file is not None and file.exists():
        return Truths(**json.loads(file.read_text(encoding="utf-8")))
    truths = find_truths(chain, worlds, seed)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, asdict(truths))
    return truths


def find_truths(chain: str, worlds: int, seed: int) -> Truths:
    """Points of equal true cost and one of 3 % less, from a grid over many worlds."""
    by_safety = [{**BASE, "safety_share": float(s)} for s in np.linspace(0.3, 1.4, 12)]
    today = {**BASE, "warehouse_batch_days": 0.0, "safety_share": 1.1}
    by_batch = [{**today, "warehouse_batch_days": float(b)} for b in np.linspace(0.0, 2.0, 9)]
    grid = [{**BASE, "safety_share": s, "warehouse_batch_days": b}
            for s, b in product(SAFETIES, BATCHES)]  # fmt: skip
    known = true_costs(chain, [*by_safety, *by_batch, *grid], worlds, seed)
    safety = [known[_key(one)] for one in by_safety]
    batch = [known[_key(one)] for one in by_batch]
    # Too little safety stock costs what too much does: both sides of the optimum.
    short = _crossing(by_safety, safety, "safety_share", safety[-1])
    start = min(grid, key=lambda one: known[_key(one)])
    even = _crossing(by_safety, safety, "safety_share", known[_key(start)] + 1e-9)
    planted = _crossing(by_batch, batch, "warehouse_batch_days", (1 - PLANTED) * batch[0])
    incumbents = {"pair": short, "search": even, "better": today}
    beside = {**today, "warehouse_batch_days": planted["warehouse_batch_days"] / 3}
    fresh = true_costs(chain, [short, even, planted, beside], worlds, seed)
    starts = {"pair": by_safety[-1], "search": grid[0], "better": today}
    spaces: dict[str, dict[str, list[Any]]] = {
        "pair": {"safety_share": [by_safety[-1]["safety_share"]]},
        "search": {"safety_share": list(SAFETIES), "warehouse_batch_days": list(BATCHES)},
        "better": {"warehouse_batch_days": [one["warehouse_batch_days"]
                                            for one in (beside, planted)]},
    }  # fmt: skip
    return Truths(incumbents, starts, spaces, known | fresh, worlds)


def true_costs(chain: str, points: Sequence[Point], worlds: int, seed: int) -> dict[str, float]:
    """Mean of the gate's weeks over many worlds, cents per unit demanded, of each point."""
    which = kpi("cost_per_unit_demanded")
    sums = np.zeros(len(points))
    policies = [Policy.of("truth", FAMILY, point) for point in points]
    for i in range(worlds):
        world = _world(chain, _TRUTH_SEED + worlds * seed + i, WEEKS - 18, WEEKS, 18 - GATE_WEEKS)
        for row, one in enumerate(run_miniatures([Job(world, p, 0) for p in policies])):
            sums[row] += float(value(which, one.facts, _COSTS))
    found = (sums / worlds).tolist()
    return dict(zip(map(_key, points), found, strict=True))


def _crossing(points: Sequence[Point], costs: Sequence[float], name: str, goal: float) -> Point:
    """The first point along a line of points whose cost has fallen to `goal`."""
    for i in range(1, len(points)):
        if costs[i] <= goal:
            share = (costs[i - 1] - goal) / (costs[i - 1] - costs[i])
            low, high = points[i - 1][name], points[i][name]
            return {**points[i], name: round(low + share * (high - low), 4)}
    raise InvalidInput(
        f"no {name} costs {goal:.3f} cents a unit", field=name, remedy="take more worlds"
    )


def _summary(rows: Sequence[dict[str, Any]], truths: Truths) -> dict[str, Any]:
    null = [row for row in rows if row["kind"] != "better"]
    better = [row for row in rows if row["kind"] == "better"]
    false = _share(sum(row["promoted"] for row in null), len(null))
    power = _share(sum(row["promoted"] for row in better), len(better))
    inside = {
        kind: _share(sum(r["covers"] for r in rows if r["kind"] == kind),
                     sum(r["kind"] == kind for r in rows))
        for kind in KINDS
    }  # fmt: skip
    inside["all"] = _share(sum(row["covers"] for row in rows), len(rows))
    reasons: dict[str, int] = {}
    for row in better:
        for one in row["failed"]:
            reasons[one] = reasons.get(one, 0) + 1
    return {
        "trials": len(rows),
        "false_promotion": false,
        "called_better": _share(sum(row["better"] for row in null), len(null)),
        "power": power,
        "coverage": inside,
        "mean_half_width": float(np.mean([(r["high"] - r["low"]) / 2 for r in rows])),
        "true_gaps": {
            kind: sorted({round(row["true_gap"], 5) for row in rows if row["kind"] == kind})
            for kind in KINDS
        },
        "incumbent_costs": {k: truths.costs[_key(p)] for k, p in truths.incumbents.items()},
        "refusals_of_the_better": reasons,
        "holds": bool(
            false["share"] <= 0.05 and false["low"] <= 0.05
            and power["share"] >= 0.8 and power["high"] >= 0.8
        ),
    }  # fmt: skip


def _share(count: int, of: int) -> dict[str, float]:
    """With both one-sided 95 % Clopper–Pearson bounds."""
    low = float(stats.beta.ppf(0.05, count, of - count + 1)) if count else 0.0
    high = float(stats.beta.ppf(0.95, count + 1, of - count)) if count < of else 1.0
    return {"share": count / of, "count": count, "of": of, "low": low, "high": high}


def _key(point: Point) -> str:
    return json.dumps(point, sort_keys=True)
