"""A run's replications made into its result, one after the other or a few beside each other.

What is kept of a replication is an eighth of it, so that a run of hundreds fits into memory,
and no process does for all replications what as many threads as the run has workers can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from policies.domain.facts import CostModel, DayFacts
from policies.domain.kpis import KPIS, value
from policies.domain.network import Network
from scenarios.half_width import half_width
from scenarios.parts import read_part
from twin.carbon import CarbonResult
from twin.output import Cell, cell, dataset, process_counts


@dataclass(frozen=True)
class Gathered:
    """What a run of all its replications comes to.

    Attributes
    ----------
    data : Dataset of :func:`twin.output.dataset`
    kpis : dict, table of :func:`interval_table`
    processes : dict, counts of :func:`twin.output.process_counts`
    carbon : DataFrame or None, what a unit sold carries by location and SKU
    """

    data: xr.Dataset
    kpis: dict[str, dict[str, Any]]
    processes: dict[str, list[int]]
    carbon: pd.DataFrame | None


@dataclass(frozen=True)
class _Kept:
    """What is kept of one replication."""

    cell: Cell
    kpis: dict[str, float]
    counters: Mapping[str, int]
    carbon: CarbonResult | None


def gather(
    parts: Sequence[Path],
    network: Network,
    window: tuple[int, int],
    costs: CostModel,
    threads: int = 1,
) -> Gathered:
    """Read the replications' files, `threads` at a time.

    Parameters
    ----------
    parts : by replication
    window : first and last day number of the key figures
    costs : of one replication's world
    """

    def keep(path: Path) -> _Kept:
        run = read_part(path)
        kpis = kpi_values(run.facts.window(*window), costs)
        return _Kept(cell(run), kpis, run.counters, run.carbon)

    carbon = _CarbonSums()
    kept = []
    with ThreadPoolExecutor(threads) as pool:
        for one in pool.map(keep, parts):
            carbon.add(one.carbon)
            kept.append(replace(one, carbon=None))
    return Gathered(
        dataset([one.cell for one in kept], network.skus.ids),
        interval_table([one.kpis for one in kept]),
        process_counts([one.counters for one in kept]),
        carbon.table(network),
    )


def kpi_values(facts: DayFacts, costs: CostModel) -> dict[str, float]:
    """Every key figure of one replication; NaN where undefined."""
    return {name: float(value(one, facts, costs)) for name, one in KPIS.items()}


def interval_table(replications: Sequence[Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """Mean over replications with its 95 % interval (Student t); NaN where undefined."""
    out: dict[str, dict[str, Any]] = {}
    for name, one in KPIS.items():
        values = np.array([each[name] for each in replications])
        mean, half = float(values.mean()), half_width(values)
        out[name] = {"mean": mean, "low": mean - half, "high": mean + half, "unit": one.unit}
    return out


class _CarbonSums:
    """What units sold carry, summed over replications in their order."""

    def __init__(self) -> None:
        self.replications = 0
        self.sums: list[npt.NDArray[Any]] = []

    def add(self, one: CarbonResult | None) -> None:
        """Add a replication's account, if it kept one."""
        if one is None:
            return
        self.replications += 1
        parts = [one.sold, one.gone_g, one.wasted_g]
        self.sums = [a + b for a, b in zip(self.sums, parts, strict=True)] if self.sums else parts

    def table(self, network: Network) -> pd.DataFrame | None:
        """By location and SKU, a mean over replications; None if no account was kept."""
        if not self.sums:
            return None
        sold, gone, wasted = self.sums
        place, sku = np.nonzero(sold)
        units = sold[place, sku]
        return pd.DataFrame(
            {
                "location": np.array(network.locations.ids)[place],
                "sku": np.array(network.skus.ids)[sku],
                "units_sold": units / self.replications,
                "kg_co2e_per_unit": gone[place, sku] / units / 1e3,
                "of_this_from_waste_kg": wasted[place, sku] / units / 1e3,
            }
        )
