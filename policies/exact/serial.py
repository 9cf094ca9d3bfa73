"""Stages in series under continuous review: the best echelon base-stock levels.

Source: Clark & Scarf (1960); in the notation of Shang & Song (2003), Management Science
49:618. Stage 1 serves the customers; Poisson demand, everything backordered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from policies.domain.errors import InvalidInput
from policies.exact.demand import Floats, mass, require_positive


@dataclass(frozen=True)
class SerialModel:
    """A line of stages.

    Parameters
    ----------
    rate : float > 0, units demanded per unit of time
    backorder_cost : float > 0, per unit owed and unit of time
    echelon_costs : tuple of float ≥ 0, holding cost each stage adds, downstream first
    lead_times : tuple of float ≥ 0, units of time into each stage, downstream first
    """

    rate: float
    backorder_cost: float
    echelon_costs: tuple[float, ...]
    lead_times: tuple[float, ...]

    def __post_init__(self) -> None:
        require_positive("lam", self.rate)
        require_positive("b", self.backorder_cost)
        if not self.echelon_costs or len(self.echelon_costs) != len(self.lead_times):
            raise InvalidInput(
                f"{len(self.echelon_costs)} holding costs for {len(self.lead_times)} lead times",
                field="echelon_h",
                remedy="give one of each per stage",
            )
        for cost in self.echelon_costs:
            require_positive("echelon_h", cost, zero=True)
        for time in self.lead_times:
            require_positive("lead", time, zero=True)
        if sum(self.echelon_costs) <= 0:
            raise InvalidInput("stock costs nothing", field="echelon_h", remedy="give a cost")


@dataclass(frozen=True)
class SerialLevels:
    """Echelon base-stock levels, downstream first, and their cost per unit of time."""

    levels: tuple[int, ...]
    cost: float


def best_echelon_levels(model: SerialModel) -> SerialLevels:
    """The levels of least cost; of equal ones the lowest."""
    return _recursion(model, None)


def cost_of(model: SerialModel, levels: Sequence[int]) -> float:
    """Cost per unit of time of given echelon levels."""
    if len(levels) != len(model.lead_times):
        raise InvalidInput(
            f"{len(levels)} levels for {len(model.lead_times)} stages",
            field="S_star",
            remedy="give one level per stage",
        )
    return _recursion(model, levels).cost


def _recursion(model: SerialModel, levels: Sequence[int] | None) -> SerialLevels:
    """From the customers upwards: what a stage's shortage costs the stages below it.

    The grid's ends lie beyond every level and every lead-time demand, so that clipping
    an index at the lower end happens with probability below 1e-12 only.
    """
    masses = [mass("poisson", model.rate * time) if time > 0 else np.ones(1)
              for time in model.lead_times]  # fmt: skip
    reach = sum(len(one) for one in masses)
    top = max([reach, *(int(x) for x in levels or ())])
    lowest = min([0, *(int(x) for x in levels or ())]) - 2 * reach
    grid = np.arange(lowest, top + 1)
    total = model.backorder_cost + sum(model.echelon_costs)
    induced: Floats = total * np.maximum(-grid, 0).astype(np.float64)
    chosen = []
    cost: Floats = induced
    for stage, (holding, probability) in enumerate(zip(model.echelon_costs, masses, strict=True)):
        cost = _expected(holding * grid + induced, probability)
        # The left end of the grid is short of demand to look at: it is never a minimum.
        valid = grid >= lowest + reach
        own = int(grid[valid][np.argmin(cost[valid])])
        level = own if levels is None else int(levels[stage])
        chosen.append(level)
        induced = cost[np.minimum(grid, level) - lowest]
    return SerialLevels(tuple(chosen), float(cost[chosen[-1] - lowest]))


def _expected(values: Floats, probability: Floats) -> Floats:
    """E[values at (y − D)]; left of the grid the last slope goes on."""
    slope = values[1] - values[0]
    size = len(probability) - 1
    before = values[0] - slope * np.arange(size, 0, -1)
    out: Floats = np.convolve(np.concatenate([before, values]), probability, mode="valid")
    return out
