"""What a generated chain is made of before a line is drawn, and the plain chain."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from policies.domain.columns import frozen
from policies.domain.facts import CostModel
from policies.domain.goods import Skus, Suppliers
from policies.domain.identifiers import make_gtin14
from policies.domain.network import Fleet, LocationKind, Locations, Network
from scenarios.history import shapes
from scenarios.history.assumed import lead_time_table
from scenarios.history.places import road_metres

OPENS_S, CLOSES_S = 6 * 3600, 22 * 3600
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ChainPlan:
    """A chain's network and the laws its receipts are drawn from.

    Attributes
    ----------
    network : Network
    lines_per_day : (S,) float64, mean lines of each store's mean day
    popularity : (K,) float64, share of each SKU in the chain
    taste_spread : float, standard deviation of the logarithm of a store's own liking
    hours : (24,) float64, baskets by hour
    day_factor : (D,) float64, baskets of each day over the mean day
    week_of_day : (D,) int64, row of `lift` and `price_cents`
    lift : (W, K) float32, demand of each week over normal
    price_cents : (W, K) int32, price of each week
    promotions : DataFrame sku_id, start, end (dates, inclusive), depth (share)
    costs : CostModel
    assumptions : tuple of str, what was assumed, in words
    """

    network: Network
    lines_per_day: Floats
    popularity: Floats
    taste_spread: float
    hours: Floats
    day_factor: Floats
    week_of_day: npt.NDArray[np.int64]
    lift: npt.NDArray[np.float32]
    price_cents: npt.NDArray[np.int32]
    promotions: pd.DataFrame
    costs: CostModel = field(default_factory=CostModel)
    assumptions: tuple[str, ...] = ()


def stream(seed: int, purpose: int, number: int = 0) -> np.random.Generator:
    """The random stream of a purpose and, where it has one, a store's number."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(purpose, number)))


def weekly_course(
    skus: Skus, days: int, start: dt.date, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int32], pd.DataFrame]:
    """(week of day, lift, price, promotions): each week's demand and price of each SKU.

    Weeks are seven days from day 0. A SKU-week is promoted with a fixed chance; promoted
    SKUs sell at a lower price and more of them.
    """
    weeks = -(-days // 7)
    size = (weeks, len(skus.ids))
    spread = shapes.WEEK_SPREAD
    lift = rng.lognormal(-(spread**2) / 2, spread, size).astype(np.float32)
    promoted = rng.random(size) < shapes.PROMOTED_SHARE
    lift[promoted] *= shapes.PROMOTION_LIFT
    low = np.maximum(1, np.round(skus.unit_price_cents * shapes.PROMOTION_PRICE))
    price = np.where(promoted, low, skus.unit_price_cents).astype(np.int32)
    week, sku = np.nonzero(promoted)
    begin = pd.Timestamp(start) + pd.to_timedelta(week * 7, unit="D")
    promotions = pd.DataFrame(
        {
            "sku_id": np.array(skus.ids, dtype=object)[sku],
            "start": begin,
            "end": begin + pd.Timedelta(days=6),
            "depth": 1 - shapes.PROMOTION_PRICE,
        }
    )
    return np.arange(days, dtype=np.int64) // 7, lift, price, promotions


def mean_one(values: Floats) -> Floats:
    """`values` over their mean."""
    return np.asarray(values / values.mean())


def generic_plan(
    stores: int, skus: int, days: int, lines: float, seed: int, depots: int, start: dt.date
) -> ChainPlan:
    """A chain without a country's colour; every store lists every SKU."""
    goods = _skus(skus, seed)
    network = _network(stores, goods, seed, depots, start)
    spread = shapes.STORE_SPREAD
    size = [stream(seed, 3, i).lognormal(-(spread**2) / 2, spread) for i in range(stores)]
    weekday = (start.weekday() + np.arange(days)) % 7
    week, lift, price, promotions = weekly_course(goods, days, start, stream(seed, 4))
    return ChainPlan(
        network,
        lines * np.array(size),
        shapes.popularity(skus, stream(seed, 1)),
        0.4,
        shapes.HOURS,
        mean_one(shapes.WEEKDAYS)[weekday],
        week,
        lift,
        price,
        promotions,
        assumptions=(
            "hours, weekdays, basket sizes, quantities, popularity: as in Complete Journey",
            "week-to-week spread, promotions, cost, cases and places: assumed",
        ),
    )


def _skus(count: int, seed: int) -> Skus:
    rng = stream(seed, 2)
    categories = tuple(f"category {i + 1}" for i in range(min(12, max(2, count // 10))))
    cost = rng.integers(80, 900, count)
    return Skus(
        tuple(f"K{i + 1:05d}" for i in range(count)),
        tuple(f"Article {i + 1}" for i in range(count)),
        frozen(np.arange(count) * len(categories) // count, np.int32),
        categories,
        frozen(cost, np.int32),
        np.round(cost * rng.uniform(1.25, 1.6, count)),
        rng.choice([1, 4, 6, 12], count),
        frozen(rng.integers(100, 1500, count), np.int32),
        frozen(rng.integers(300, 3000, count), np.int32),
        np.zeros(count, dtype=np.int32),
        # Restricted-circulation numbers: no company owns them.
        tuple(make_gtin14("200", i + 1) for i in range(count)),
    )


def _network(stores: int, goods: Skus, seed: int, depots: int, start: dt.date) -> Network:
    size = depots + stores
    centre = np.array(
        [[stream(seed, 5, i).uniform(39, 41), -84 + 4 * (i + 0.5) / depots] for i in range(depots)]
    )
    source = np.arange(stores) % depots
    scatter = np.array([stream(seed, 6, i).normal(0, 0.5, 2) for i in range(stores)])
    points = np.concatenate([centre, centre[source] + scatter])
    regions = [f"region {i + 1}" for i in range(depots)]
    kind = [LocationKind.WAREHOUSE] * depots + [LocationKind.STORE] * stores
    return Network(
        Locations(
            (*[f"W{i + 1:02d}" for i in range(depots)], *[f"S{i + 1:04d}" for i in range(stores)]),
            np.array(kind, dtype=np.int8),
            (
                *[f"Warehouse {i + 1}" for i in range(depots)],
                *[f"Store {i + 1}" for i in range(stores)],
            ),
            (*regions, *[regions[i] for i in source]),
            points[:, 0],
            points[:, 1],
            np.full(size, OPENS_S),
            np.full(size, CLOSES_S),
            np.concatenate([np.full(depots, -1), source]),
            np.full(size, 5 * 3600),
            np.full(size, 13 * 3600),
            coordinates_assigned=True,
        ),
        goods,
        Suppliers(
            tuple(f"supplier of {name}" for name in goods.categories),
            np.tile(lead_time_table(3), (len(goods.categories), 1)),
        ),
        Fleet(np.maximum(2, -(-np.bincount(source, minlength=depots) // 6))),
        np.ones((size, len(goods.ids)), dtype=np.bool_),
        road_metres(points),
        start,
        "America/New_York",
        "USD",
    )
