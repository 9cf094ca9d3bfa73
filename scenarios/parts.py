"""One replication as a file between its worker and the run that gathers it.

Not compressed: a run of many workers gathers its parts in one process, so what a part costs
to open is what the workers can't help with.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from policies.domain.facts import DayFacts
from twin.carbon import CarbonResult
from twin.output import narrowest
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
            **_narrow("sku", facts.sku_facts),
            **_narrow("location", facts.location_facts),
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
            _wide("sku", stored),
            _wide("location", stored),
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


def _narrow(name: str, facts: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Each fact by itself in the narrowest integer that holds it: an eighth of the bytes."""
    out = {}
    for i in range(facts.shape[-1]):
        column = np.ascontiguousarray(facts[..., i])
        out[f"{name}_{i}"] = column.astype(narrowest(column))
    return out


def _wide(name: str, stored: Any) -> npt.NDArray[np.int64]:
    """The facts again, (…, F) with a fact after the other in memory, as the dataset wants them."""
    count = sum(key.startswith(f"{name}_") for key in stored.files)
    first = stored[f"{name}_0"]
    out = np.empty((count, *first.shape), dtype=np.int64)
    for i in range(count):
        out[i] = stored[f"{name}_{i}"]
    return np.moveaxis(out, 0, -1)


def _carbon_arrays(carbon: CarbonResult | None) -> dict[str, Any]:
    if carbon is None:
        return {}
    return {f"carbon_{name}": np.asarray(getattr(carbon, name)) for name in _CARBON}
