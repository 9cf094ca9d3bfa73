"""Stages in series: a row of the table as a line of the twin under continuous review.

A unit of time is a day that is open around the clock. Every figure is read from the day
facts at midnight: what lies at a stage, what is on the road below it, what is owed.
Midnight is a moment like any other to a Poisson demand, so its means are the averages
over time.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from policies.domain.errors import InvalidInput
from policies.domain.facts import DayFacts
from policies.domain.network import (
    DAY_SECONDS,
    Fleet,
    FloatArray,
    LocationKind,
    Locations,
    Network,
)
from policies.domain.receipts import ReceiptColumns
from scenarios.verify.store import BLOCKS, idle_bundle, one_store, scatter
from scenarios.verify.table import number_of
from twin.pull import installation_levels
from twin.run import simulate
from twin.scenario import EchelonPull, Opening, Scenario
from twin.streams import stream

_SHORTEST_WARMUP_DAYS = 200


@dataclass(frozen=True)
class SerialRow:
    """One row of a serial table; tuples run from the customer upwards.

    Attributes
    ----------
    number : int, position in the table, 1 = first row under the header
    mean : float, units demanded per unit of time
    backorder_cost : float, per unit owed and unit of time
    echelon_costs : tuple of float, holding cost each stage adds
    lead_times : tuple of float, units of time into each stage
    levels : tuple of int, echelon base-stock levels
    answers : dict, reference values by measure
    """

    number: int
    mean: float
    backorder_cost: float
    echelon_costs: tuple[float, ...]
    lead_times: tuple[float, ...]
    levels: tuple[int, ...]
    answers: Mapping[str, float] = field(default_factory=dict)

    policy: str = "echelon_base_stock"
    rare: frozenset[str] = frozenset({"backlog"})

    @property
    def measures(self) -> tuple[str, ...]:
        """Cost, units owed, the echelon stock of each stage, and the demand."""
        return ("cost", "backlog", *(_level(j) for j in range(len(self.levels))), "demand")

    @property
    def references(self) -> dict[str, float]:
        """The answers, and what no model is needed for.

        The top stage orders from an endless supplier: what it and all below it hold is its
        level less the demand of its lead time. The demand is given.
        """
        top = len(self.levels) - 1
        known = {_level(top): self.levels[top] - self.mean * self.lead_times[top]}
        return {**known, **self.answers, "demand": self.mean}

    def cost(self, means: Mapping[str, FloatArray]) -> FloatArray:
        """Cost per unit of time: h on echelon stock, b + Σ h on what is owed."""
        owed = (self.backorder_cost + sum(self.echelon_costs)) * means["backlog"]
        held = [cost * means[_level(j)] for j, cost in enumerate(self.echelon_costs)]
        out: FloatArray = np.sum([owed, *held], axis=0)
        return out


def _level(stage: int) -> str:
    return f"echelon_{stage + 1}"


def serial_row(number: int, cells: Mapping[str, str]) -> SerialRow:
    """A checked row; raises :class:`InvalidInput` with column and row."""
    levels = _numbers(cells, "S_star", number)
    costs, leads = _numbers(cells, "echelon_h", number), _numbers(cells, "lead", number)
    stages = number_of(cells, "stages", number, above=0.0)
    for name, values in (("S_star", levels), ("echelon_h", costs), ("lead", leads)):
        if len(values) != stages:
            raise InvalidInput(
                f"{name} has {len(values)} values for {stages:g} stages",
                field=name,
                row=number,
                remedy="give one value for each stage",
            )
    if any(level != int(level) for level in levels):
        raise InvalidInput(
            f"S_star is {cells['S_star']}", field="S_star", row=number, remedy="whole numbers"
        )
    answers = {"cost": number_of(cells, "cost", number)} if cells.get("cost") else {}
    return SerialRow(
        number,
        number_of(cells, "lam", number, above=0.0),
        number_of(cells, "b", number),
        costs,
        leads,
        tuple(int(level) for level in levels),
        answers,
    )


def _numbers(cells: Mapping[str, str], name: str, row: int) -> tuple[float, ...]:
    try:
        values = tuple(float(value) for value in json.loads(cells[name]))
    except (TypeError, ValueError):
        values = ()
    if not values or not all(math.isfinite(value) and value >= 0 for value in values):
        raise InvalidInput(
            f"{name} is {cells[name]!r}", field=name, row=row, remedy='give a list, as "[1, 2]"'
        )
    return values


@dataclass(frozen=True)
class LineWorld:
    """What a row says about its line: the part that a mutant may change."""

    levels: tuple[int, ...]
    lead_times: tuple[float, ...]
    warmup_days: int


def line_of(row: SerialRow) -> LineWorld:
    """The row's line; it forgets its opening in a few times its whole lead time."""
    warmup = max(_SHORTEST_WARMUP_DAYS, math.ceil(20 * sum(row.lead_times)))
    return LineWorld(row.levels, row.lead_times, warmup)


def simulate_line(
    row: SerialRow,
    world: LineWorld,
    *,
    skus_per_block: int,
    days: int,
    seed: int,
    batch: int,
    purpose: str = "verify",
) -> dict[str, FloatArray]:
    """One run of the twin, as :func:`scenarios.verify.store.simulate_blocks`."""
    skus = BLOCKS * skus_per_block
    stages = len(world.levels)
    network = _line(one_store(skus), stages)
    whole = world.warmup_days + days
    rng = stream(seed, batch, purpose, f"row {row.number}")
    # Locations stand on the axis as stages do: the store first.
    own = installation_levels(network, world.levels)
    opening = np.repeat(own[:, None], skus, axis=1)
    scenario = Scenario(
        name=f"verify row {row.number}",
        network=network,
        demand=_around_the_clock(network, row.mean, whole, rng),
        first_day=0,
        days=whole,
        warmup_days=world.warmup_days,
        opening=Opening(opening, opening),
        panel_days=1,
        pull=EchelonPull(
            world.levels, tuple(round(lead * DAY_SECONDS) for lead in world.lead_times)
        ),
    )
    result = simulate(scenario, idle_bundle(row.policy, whole), seed=seed, replication=batch)
    return _means(result.facts, row, world.warmup_days, skus_per_block)


def _line(store: Network, stages: int) -> Network:
    """`store` below a line of warehouses; a unit costs a cent, so cents count units."""
    size = stages
    kind = np.full(size, LocationKind.WAREHOUSE, dtype=np.int8)
    kind[0] = LocationKind.STORE
    number = np.arange(size, dtype=np.int32)
    nothing = np.zeros(size, dtype=np.int32)
    names = tuple("store" if j == 0 else f"stage {j + 1}" for j in range(size))
    places = Locations(
        ids=names,
        kind=kind,
        names=names,
        region=("",) * size,
        latitude=np.zeros(size),
        longitude=np.zeros(size),
        opens_s=nothing,
        closes_s=nothing + DAY_SECONDS,
        source=np.where(number + 1 < size, number + 1, -1).astype(np.int32),
        receives_from_s=nothing,
        receives_until_s=nothing + DAY_SECONDS,
    )
    return dataclasses.replace(
        store,
        locations=places,
        fleet=Fleet(np.ones(size - 1, dtype=np.int32)),
        listed=np.ones((size, store.shape[1]), dtype=np.bool_),
        distance_m=np.zeros((size, size), dtype=np.int32),
    )


def _around_the_clock(
    network: Network, mean: float, days: int, rng: np.random.Generator
) -> ReceiptColumns:
    counts = rng.poisson(mean, (days, network.shape[1])).astype(np.int32)
    t_s, sku = scatter(counts, 0, DAY_SECONDS, rng)
    ones = np.ones(len(t_s), dtype=np.int32)
    return ReceiptColumns(
        ("store",),
        network.skus.ids,
        np.array([0, len(t_s)], dtype=np.int64),
        t_s,
        sku,
        ones,
        ones,
        np.broadcast_to(np.int32(-1), len(t_s)),
    )


def _means(
    facts: DayFacts, row: SerialRow, warmup_days: int, skus_per_block: int
) -> dict[str, FloatArray]:
    """(BLOCKS,) means per SKU of each measure, after the warm-up."""
    sku_days = skus_per_block * (facts.days - warmup_days)

    def mean(days: FloatArray) -> FloatArray:
        out: FloatArray = days[warmup_days:].sum(axis=0) / sku_days
        return out

    demanded = facts.get("units_demanded")[:, 0].astype(np.float64)
    sold = facts.get("units_sold")[:, 0].astype(np.float64)
    means = {"backlog": mean(np.cumsum(demanded - sold, axis=0)), "demand": mean(demanded)}
    here, coming = facts.get("closing_stock_units"), facts.get("in_transit_cents")
    held = -np.cumsum(demanded - sold, axis=0)
    for stage in range(len(row.levels)):
        held = held + here[:, stage]
        means[_level(stage)] = mean(held)
        held = held + coming[:, stage]
    means["cost"] = row.cost(means)
    return {name: means[name] for name in row.measures}
