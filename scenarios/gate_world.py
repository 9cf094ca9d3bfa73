"""A miniature chain that plays a year in a millisecond: for studies of the gate itself.

What tuning and gate do has to be tried in hundreds of worlds, which the full twin is too
slow for. Here stores order by themselves from one warehouse that never runs out: periodic
review, smoothed forecast, safety stock, a batch, lost sales. Worlds differ as held-out
weeks do: stores differ in size and in their mix, the chain's weeks differ together and
remember, each store's weeks differ alone, weekdays differ, and customers come as they
like. The same seed brings the same customers whatever the policy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.facts import LOCATION_FACTS, SKU_FACTS, DayFacts
from policies.domain.network import Network
from policies.registry import defaults
from scenarios.history.generate import generate_chain
from scenarios.runner import Job, Outcome, chain_total
from scenarios.worlds import network_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
STORES, SKUS, WEEKS = 24, 30, 46
WEEK_SD, STORE_WEEK_SD, MEMORY = 0.05, 0.05, 0.3
WEEKDAYS = (0.8, 0.8, 0.9, 1.0, 1.2, 1.4, 0.9)
LEAD_DAYS, CASE_UNITS = 2, 6
MARGIN_SHARE = 0.3
_OPEN_SECONDS = 43_200
_FACTS = (
    "units_demanded",
    "units_sold",
    "closing_stock_units",
    "in_stock_sku_days",
    "order_units",
    "purchase_lines",
    "cases_received",
)
_MONEY = ("closing_stock_cents", "in_transit_cents", "margin_lost_cents")


def miniature_network() -> Network:
    """One warehouse and `STORES` stores."""
    network, _ = generate_chain(
        stores=STORES, skus=SKUS, days=7, lines_per_store_day=5, seed=1, warehouses=1
    )
    return network


def run_miniatures(
    jobs: Sequence[Job], workers: int = 1, progress: Callable[[int, int], None] | None = None
) -> list[Outcome]:
    """In place of :func:`scenarios.runner.run_jobs`: the same jobs, played in miniature."""
    del workers
    out = []
    for done, job in enumerate(jobs, 1):
        out.append(_run(job))
        if progress is not None:
            progress(done, len(jobs))
    return out


def _run(job: Job) -> Outcome:
    world = job.world
    network = network_of(world.chain)
    last = world.last_day
    again = job.replication if world.demand == "bootstrap" else -1
    weeks = (world.first_day // 7, last // 7 + 1)
    wanted = customers(world.seed, job.replication, world.demand_factor, again, weeks)
    known = {**defaults(job.policy.name), **job.policy.as_dict()}
    late = 1 - world.trucks_factor * world.frictions.truck_speed_factor
    counts, money = _play(
        wanted[: world.days],
        unit_costs(),
        LEAD_DAYS + world.lead_time_extra_days,
        float(np.clip(late, 0.0, 1.0)),
        int(known["reviews_per_week"]),
        0.5 ** (1 / float(known["half_life_days"])),
        1.28 * float(known["safety_share"]),
        float(known["warehouse_batch_days"]),
    )
    facts = _facts(network, world.first_day, counts, money, wanted.shape[2])
    begin = world.first_day + world.warmup_days
    before = chain_total(facts, begin - job.before_days, begin - 1) if job.before_days else None
    lines = int(counts[..., 1].sum())
    return Outcome(job, facts.window(begin, last), 0.0, lines, before=before)


def unit_costs() -> Floats:
    """(K,) cents."""
    return np.linspace(100.0, 800.0, SKUS)


@lru_cache(maxsize=32)
def customers(
    seed: int, replication: int, factor: float, again: int, between: tuple[int, int]
) -> Ints:
    """(D, S, K) units wanted in the weeks `between`, the second left out.

    The world's weeks come from `seed`, its customers from `replication`; with `again` ≥ 0
    they are other weeks of the same stores. A week's customers don't change by what is
    drawn beside it.
    """
    stores = np.random.default_rng(np.random.SeedSequence([seed, 1]))
    size = np.exp(0.4 * stores.normal(size=(STORES, 1)))
    mix = np.exp(0.3 * stores.normal(size=(STORES, SKUS)))
    rate = size * mix * np.geomspace(0.5, 6.0, SKUS)
    weeks = np.random.default_rng(np.random.SeedSequence([seed, 2, again + 1]))
    shock = weeks.normal(size=WEEKS)
    level = shock.copy()
    for week in range(1, WEEKS):
        level[week] = MEMORY * level[week - 1] + np.sqrt(1 - MEMORY**2) * shock[week]
    alone = STORE_WEEK_SD * weeks.normal(size=(WEEKS, STORES))
    swing = np.exp(WEEK_SD * level[:, None] + alone)
    shape = np.repeat(swing, 7, axis=0) * np.tile(WEEKDAYS, WEEKS)[:, None]
    mean = factor * shape[:, :, None] * rate
    drawn = []
    for week in range(*between):
        key = np.random.SeedSequence([seed, 3, replication, again + 1, week])
        drawn.append(np.random.default_rng(key).poisson(mean[7 * week : 7 * week + 7]))
    out: Ints = np.concatenate(drawn).astype(np.int64)
    out.setflags(write=False)
    return out


@njit(cache=True)
def _play(
    wanted: Ints, cost: Floats, lead: int, late_share: float, reviews: int, keep: float,
    safety: float, batch_days: float,
) -> tuple[Ints, Floats]:  # fmt: skip
    """(D, S, 7) counts in the order of `_FACTS`, (D, S, 3) cents in that of `_MONEY`."""
    days, stores, skus = wanted.shape
    counts = np.zeros((days, stores, 7), dtype=np.int64)
    money = np.zeros((days, stores, 3))
    coming = np.zeros(days + lead + 3, dtype=np.int64)
    protection = lead + 7.0 / reviews
    for s in range(stores):
        for k in range(skus):
            coming[:] = 0
            mean = max(wanted[0, s, k], 1) * 1.0
            square = mean
            stock, road = int(mean * (protection + 4)), 0
            for d in range(days):
                got = coming[d]
                stock += got
                road -= got
                counts[d, s, 6] += (got + 5) // 6
                if (d * reviews) % 7 < reviews:
                    point = mean * protection + safety * np.sqrt(square * protection)
                    if stock + road <= point:
                        order = int(np.ceil(point + mean * batch_days)) - stock - road
                        if order > 0:
                            # Which loads come late is the same for every policy.
                            slow = 1 if ((d * 7 + s * 13 + k * 29) % 100) < 100 * late_share else 0
                            coming[d + lead + slow] += order
                            road += order
                            counts[d, s, 4] += order
                            counts[d, s, 5] += 1
                asked = wanted[d, s, k]
                sold = min(asked, stock)
                stock -= sold
                gap = asked - mean
                mean = keep * mean + (1 - keep) * asked
                square = keep * square + (1 - keep) * gap * gap
                counts[d, s, 0] += asked
                counts[d, s, 1] += sold
                counts[d, s, 2] += stock
                counts[d, s, 3] += 1 if stock > 0 else 0
                money[d, s, 0] += stock * cost[k]
                money[d, s, 1] += road * cost[k]
                money[d, s, 2] += (asked - sold) * cost[k] * 0.3
    return counts, money


def _facts(network: Network, first_day: int, counts: Ints, money: Floats, skus: int) -> DayFacts:
    days, rows = len(counts), len(network.locations.ids)
    table = np.zeros((days, rows, 1, len(SKU_FACTS)), dtype=np.int64)
    known = dict(zip(_FACTS, np.moveaxis(counts, 2, 0), strict=True))
    known |= dict(zip(_MONEY, np.rint(np.moveaxis(money, 2, 0)).astype(np.int64), strict=True))
    held = known["closing_stock_cents"] + known["in_transit_cents"]
    known |= {
        "units_lost": known["units_demanded"] - known["units_sold"],
        "ranged_sku_days": np.full(counts.shape[:2], skus),
        "open_sku_seconds": np.full(counts.shape[:2], skus * _OPEN_SECONDS),
        "in_stock_open_sku_seconds": known["in_stock_sku_days"] * _OPEN_SECONDS,
        "filled_units": known["order_units"],
        "stock_change_cents": np.diff(held, axis=0, prepend=held[:1]),
    }
    for name, value in known.items():
        table[:, network.stores, 0, SKU_FACTS.index(name)] = value
    return DayFacts(
        first_day,
        tuple(network.locations.ids),
        ("all",),
        table,
        np.zeros((days, rows, len(LOCATION_FACTS)), dtype=np.int64),
        True,
        (first_day + days) * 86_400,
    )
