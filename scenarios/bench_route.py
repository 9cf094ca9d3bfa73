"""``storetwin bench route``: every engine on the same made-up days of deliveries."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from policies.domain.errors import InvalidInput
from policies.routing.files import ENGINES, route_file


def bench_route(
    stops: int = 100, *, days: int = 3, seconds: float = 10.0, seed: int = 1,
    engines: tuple[str, ...] = ("savings", "ortools"),
) -> dict[str, Any]:  # fmt: skip
    """Cost of each engine on the same instances, over that of the savings construction.

    Returns
    -------
    dict with ``engines``: name -> mean_cost, over_savings, seconds, feasible
    """
    if not 1 <= stops <= 2_000:
        raise InvalidInput(f"{stops} stops", field="stops", remedy="give 1 to 2,000")
    if days < 1:
        raise InvalidInput(f"{days} days", field="days", remedy="give at least 1")
    for name in engines:
        if name not in ENGINES:
            raise InvalidInput(
                f"no engine {name!r}", field="engines", remedy=f"choose among {', '.join(ENGINES)}"
            )
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in engines}
    with tempfile.TemporaryDirectory() as folder:
        for day in range(days):
            file = Path(folder) / f"day{day}.vrp"
            file.write_text(made_up(stops, np.random.SeedSequence([seed, day])))
            for name in engines:
                found[name].append(route_file(file, engine=name, seconds=seconds, seed=seed))
    base = [one["cost"] for one in found.get("savings", [])]
    return {
        "stops": stops,
        "days": days,
        "engines": {
            name: {
                "mean_cost": float(np.mean([one["cost"] for one in runs])),
                "over_savings": float(
                    np.mean([one["cost"] / b for one, b in zip(runs, base, strict=True)])
                )
                if base
                else float("nan"),
                "seconds": float(np.mean([one["seconds"] for one in runs])),
                "feasible": all(one["feasible"] for one in runs),
            }
            for name, runs in found.items()
        },
    }


def made_up(stops: int, seed: np.random.SeedSequence) -> str:
    """A VRPLIB file: places and loads at random, about nine stops to a truck."""
    rng = np.random.default_rng(seed)
    place = rng.integers(0, 1_001, (stops + 1, 2))
    load = np.concatenate([[0], rng.integers(1, 101, stops)])
    nodes = "\n".join(f"{i + 1} {x} {y}" for i, (x, y) in enumerate(place.tolist()))
    loads = "\n".join(f"{i + 1} {units}" for i, units in enumerate(load.tolist()))
    return (
        f"NAME : made-up\nTYPE : CVRP\nDIMENSION : {stops + 1}\nEDGE_WEIGHT_TYPE : EUC_2D\n"
        f"CAPACITY : 450\nNODE_COORD_SECTION\n{nodes}\nDEMAND_SECTION\n{loads}\n"
        "DEPOT_SECTION\n1\n-1\nEOF\n"
    )
