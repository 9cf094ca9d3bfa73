"""One replication as a file between its worker and the run that gathers it.

Neither compressed nor named variable by variable: a run of many workers gathers its parts
in one process, so what a part costs to open is what the other workers can't help with.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from policies.domain.facts import DayFacts
from twin.carbon import CarbonResult
from twin.result import RunResult

_TOTALS = ("sold_per_sku", "lost_per_sku", "demanded_per_sku")
_CARBON = tuple(item.name for item in fields(CarbonResult))


def write_part(result: RunResult, path: Path) -> None:
    """Write the facts and totals of a replication; the file appears whole or not at all."""
    facts = result.facts
    about = {
        "scenario": result.scenario,
        "policy": result.policy,
        "seed": result.seed,
        "replication": result.replication,
        "first_kpi_day": result.first_kpi_day,
        "first_day": facts.first_day,
        "locations": facts.locations,
        "categories": facts.categories,
        "has_latent": facts.has_latent,
        "as_known_at_s": facts.as_known_at_s,
        "counters": result.counters,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("wb") as sink:
        np.savez(
            sink,
            about=np.array(json.dumps(about)),
            # A fact after the other, as the dataset of the run wants them.
            sku_facts=np.ascontiguousarray(np.moveaxis(facts.sku_facts, -1, 0)),
            location_facts=np.ascontiguousarray(np.moveaxis(facts.location_facts, -1, 0)),
            **{name: getattr(result, name) for name in _TOTALS},
            **_carbon_arrays(result.carbon),
        )
    unfinished.replace(path)


def read_part(path: Path) -> RunResult:
    """The replication that lies in a file of :func:`write_part`."""
    with np.load(path) as stored:
        about: dict[str, Any] = json.loads(str(stored["about"]))
        facts = DayFacts(
            about["first_day"],
            tuple(about["locations"]),
            tuple(about["categories"]),
            np.moveaxis(stored["sku_facts"], 0, -1),
            np.moveaxis(stored["location_facts"], 0, -1),
            about["has_latent"],
            about["as_known_at_s"],
        )
        totals = {name: stored[name] for name in _TOTALS}
        carbon = None
        if f"carbon_{_CARBON[0]}" in stored:
            kept: dict[str, Any] = {name: stored[f"carbon_{name}"] for name in _CARBON}
            for name in _CARBON:
                kept[name] = kept[name] if kept[name].ndim else float(kept[name])
            carbon = CarbonResult(**kept)
    return RunResult(
        scenario=about["scenario"],
        policy=about["policy"],
        seed=about["seed"],
        replication=about["replication"],
        facts=facts,
        first_kpi_day=about["first_kpi_day"],
        **totals,
        counters=about["counters"],
        carbon=carbon,
    )


def _carbon_arrays(carbon: CarbonResult | None) -> dict[str, Any]:
    if carbon is None:
        return {}
    return {f"carbon_{name}": np.asarray(getattr(carbon, name)) for name in _CARBON}
