"""A row as a scenario of the twin: one store, many SKUs, each a replication.

Theory's clock in the continuous twin: "order at the start of period t" is the plan
after close of day t − 1; the order is received before opening on day t + L; units
demanded arrive as single-unit lines at random seconds of the open hours. Costs are read
from the day facts a planner would see: stock at closing, units lost, order lines.

A *block* is one category of SKUs. SKUs share nothing (a supplier has no limit, demand is
independent), so blocks are independent replications, and the facts, which are kept by
category, give one number per block without any counter of their own.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.bundle import PolicyBundle
from policies.domain.facts import DayFacts
from policies.domain.forecast import Forecast, SalesPanel
from policies.domain.goods import Skus, Suppliers
from policies.domain.network import (
    DAY_SECONDS,
    Fleet,
    FloatArray,
    IntArray,
    LocationKind,
    Locations,
    Network,
)
from policies.domain.ports import Replenisher
from policies.domain.receipts import ReceiptColumns
from policies.domain.view import NetworkView
from policies.replenishment.fixed import ConstantOrder
from scenarios.verify.table import PerishableRow, Row
from twin.run import simulate
from twin.scenario import Opening, Perishables, Scenario, StoreRules
from twin.streams import stream

BLOCKS = 50
"""Independent replications in one simulation."""
OPENS_S, CLOSES_S = 8 * 3600, 20 * 3600
FRESH_S = 22 * 3600 + 900
"""Receipt of fresh goods: after the evening's expiry, before its plan."""


@dataclass(frozen=True)
class World:
    """What a row says about the store: the part that a mutant may change.

    Attributes
    ----------
    replenisher : the policy under test
    lead_time : int, periods L
    warmup_days : int, ≥ 200
    opening : int, units of each SKU at the start
    backorders : bool, demand that meets an empty shelf waits instead of being lost
    life : int, days of sale before goods expire; 0 = for ever
    perishables : which units customers take, and when expiry is
    receipt_s : int or None, as ``Scenario.direct_receipt_s``
    """

    replenisher: Replenisher
    lead_time: int
    warmup_days: int
    opening: int
    backorders: bool = False
    life: int = 0
    perishables: Perishables = field(default_factory=Perishables)
    receipt_s: int | None = None


@dataclass(frozen=True)
class NoForecast:
    """Policies with given numbers read no forecast."""

    def fit(self, panel: SalesPanel, network: Network) -> Forecast:
        """A forecast of nothing."""
        nothing = np.zeros(network.shape, dtype=np.float32)
        return Forecast(
            panel.last_day + 1,
            network.start_date.weekday(),
            nothing,
            np.ones((network.shape[0], 7), dtype=np.float32),
            np.ones(network.shape, dtype=np.float32),
            "none",
        )


@dataclass(frozen=True)
class GrantEverything:
    """A supplier without limit."""

    def allocate(self, view: NetworkView, wanted: IntArray) -> IntArray:
        """What is wanted."""
        del view
        return wanted


def simulate_blocks(
    row: Row,
    world: World,
    *,
    skus_per_block: int,
    days: int,
    seed: int,
    batch: int,
    purpose: str = "verify",
) -> dict[str, FloatArray]:
    """One run of the twin: for each measure (BLOCKS,) means per SKU and day.

    Parameters
    ----------
    days : int, days after the warm-up
    batch : int, number of the run: another batch is another part of the row's stream
    purpose : str, the pilot's draws are not the run's
    """
    skus = BLOCKS * skus_per_block
    network = one_store(skus, world.life)
    whole = world.warmup_days + days
    rng = stream(seed, batch, purpose, f"row {row.number}")
    opening = np.full(network.shape, world.opening, dtype=np.int32)
    scenario = Scenario(
        name=f"verify row {row.number}",
        network=network,
        demand=single_unit_lines(network, row, whole, rng),
        first_day=0,
        days=whole,
        warmup_days=world.warmup_days,
        opening=Opening(opening, opening),
        panel_days=1,
        direct=True,
        direct_lead_time_days=world.lead_time,
        direct_receipt_s=world.receipt_s,
        perishables=world.perishables,
        store=StoreRules(backorders=world.backorders),
    )
    bundle = idle_bundle(row.policy, whole, world.replenisher)
    result = simulate(scenario, bundle, seed=seed, replication=batch)
    return block_means(result.facts, row, world.warmup_days, skus_per_block)


def idle_bundle(
    name: str,
    days: int,
    replenisher: Replenisher = ConstantOrder(0),  # noqa: B008
) -> PolicyBundle:
    """A bundle that forecasts nothing and grants everything."""
    return PolicyBundle(
        name=name,
        forecaster=NoForecast(),
        replenisher=replenisher,
        allocator=GrantEverything(),
        reviews_per_week=7,
        forecast_every_days=days + 1,
    )


def block_means(
    facts: DayFacts, row: Row, warmup_days: int, skus_per_block: int
) -> dict[str, FloatArray]:
    """(BLOCKS,) means per SKU and day of each measure, after the warm-up."""
    sku_days = skus_per_block * (facts.days - warmup_days)

    def by_day(name: str) -> FloatArray:
        out: FloatArray = facts.get(name)[:, 0].astype(np.float64)
        return out

    def mean(days: FloatArray) -> FloatArray:
        out: FloatArray = days[warmup_days:].sum(axis=0) / sku_days
        return out

    demanded, lost = by_day("units_demanded"), by_day("units_lost")
    # What is still owed at closing: all that was ever demanded and neither sold nor lost.
    owed = np.cumsum(demanded - by_day("units_sold") - lost, axis=0)
    means = {
        "holding": mean(by_day("closing_stock_units")),
        "lost": mean(lost),
        "fill": 1.0 - mean(lost) / mean(demanded),
        "backlog": mean(owed),
        "order_frequency": mean(by_day("purchase_lines")),
        "demand": mean(demanded),
    }
    if isinstance(row, PerishableRow):
        # Holding is paid on what expiry leaves, before the evening's fresh goods.
        came = by_day("units_received")
        means["holding"] = mean(by_day("closing_stock_units") - came)
        means["order"] = mean(came)
        means["expired"] = mean(by_day("write_off_units"))
    means["cost"] = row.cost(means)
    return {name: means[name] for name in row.measures}


def one_store(skus: int, life: int = 0) -> Network:
    """A store alone with its suppliers; SKU k is of category ``k % BLOCKS``."""
    number = np.arange(skus, dtype=np.int32)
    whole = np.ones(skus, dtype=np.int32)
    blocks = tuple(f"block {i}" for i in range(BLOCKS))
    ids = tuple(f"{i}" for i in range(skus))
    one = np.zeros(1, dtype=np.int32)
    return Network(
        locations=Locations(
            ids=("store",),
            kind=np.array([LocationKind.STORE], dtype=np.int8),
            names=("store",),
            region=("",),
            latitude=np.zeros(1),
            longitude=np.zeros(1),
            opens_s=one + OPENS_S,
            closes_s=one + CLOSES_S,
            source=one - 1,
            receives_from_s=one,
            receives_until_s=one + OPENS_S,
        ),
        skus=Skus(
            ids=ids,
            names=ids,
            category=number % BLOCKS,
            categories=blocks,
            unit_cost_cents=whole,
            unit_price_cents=whole * 2,
            pack_size=whole,
            mass_g=whole,
            volume_cm3=whole,
            shelf_life_days=whole * life,
            gtin=("",) * skus,
        ),
        suppliers=Suppliers(blocks, np.ones((BLOCKS, 1), dtype=np.int32)),
        fleet=Fleet(np.zeros(0, dtype=np.int32)),
        listed=np.ones((1, skus), dtype=np.bool_),
        distance_m=np.zeros((1, 1), dtype=np.int32),
        start_date=dt.date(2024, 1, 1),
    )


def single_unit_lines(
    network: Network, row: Row, days: int, rng: np.random.Generator
) -> ReceiptColumns:
    """Demand of every SKU and day as lines of one unit at random open seconds."""
    skus = network.shape[1]
    if isinstance(row, PerishableRow):
        # Half a unit is never drawn: the nearest unit is the one below, half a unit on.
        shape = row.variation**-2
        gamma = rng.gamma(shape, row.gamma_mean / shape, (days, skus))
        counts = np.floor(gamma + 0.5).astype(np.int64)
    elif row.demand == "poisson":
        counts = rng.poisson(row.mean, (days, skus))
    else:
        counts = rng.geometric(1 / (1 + row.mean), (days, skus)) - 1
    t_s, sku = scatter(counts.astype(np.int32), OPENS_S, CLOSES_S - OPENS_S, rng)
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


@njit(cache=True)
def scatter(
    counts: IntArray, opens_s: int, open_s: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Lines of all days in time order: a counting sort over the seconds of each day."""
    days, skus = counts.shape
    size = 0
    for day in range(days):
        for k in range(skus):
            size += counts[day, k]
    t_s = np.empty(size, dtype=np.int32)
    sku = np.empty(size, dtype=np.int32)
    place = np.empty(open_s + 1, dtype=np.int64)
    at = 0
    for day in range(days):
        units = 0
        for k in range(skus):
            units += counts[day, k]
        second = np.empty(units, dtype=np.int32)
        place[:] = 0
        for i in range(units):
            second[i] = np.int32(rng.random() * open_s)
            place[second[i] + 1] += 1
        for s in range(open_s):
            place[s + 1] += place[s]
        i = 0
        for k in range(skus):
            for _ in range(counts[day, k]):
                to = at + place[second[i]]
                place[second[i]] += 1
                t_s[to] = day * DAY_SECONDS + opens_s + second[i]
                sku[to] = k
                i += 1
        at += units
    return t_s, sku
