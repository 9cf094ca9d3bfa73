"""A seeded chain of any size: network, assortments, receipts."""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput
from policies.domain.identifiers import make_gtin14
from policies.domain.network import Fleet, LocationKind, Locations, Network, Skus, Suppliers
from policies.domain.receipts import ReceiptColumns
from scenarios.history.places import road_metres

# Share of a day's receipts by hour: the recorded panel's shape, low at four, high at seventeen.
HOURS = np.array(
    [0, 0, 0, 0, 0, 0, 1, 2, 4, 5, 6, 7, 7, 7, 7, 8, 10, 11, 9, 7, 5, 3, 0, 0], dtype=np.float64
)
WEEKDAYS = np.array([0.93, 0.90, 0.92, 0.95, 1.05, 1.15, 1.10])
OPENS_S, CLOSES_S = 6 * 3600, 22 * 3600
MEAN_BASKET_LINES = 6.0


def generate_chain(
    *,
    stores: int,
    skus: int,
    days: int,
    lines_per_store_day: float,
    seed: int,
    warehouses: int | None = None,
    start_date: dt.date = dt.date(2024, 1, 1),
) -> tuple[Network, ReceiptColumns]:
    """A network and what its customers want to buy.

    Each store's receipts come from its own random stream, so that adding a store changes
    no other store's.
    """
    for name, value in (("stores", stores), ("skus", skus), ("days", days)):
        if value < 1:
            raise InvalidInput(f"{name} is {value}", field=name, remedy="at least 1")
    depots = warehouses or (2 if stores >= 20 else 1)
    network = _network(stores, skus, depots, seed, start_date)
    popularity = _popularity(skus, seed)
    parts = [
        _store_lines(i, network, popularity, days, lines_per_store_day, seed) for i in range(stores)
    ]
    offsets = np.concatenate([[0], np.cumsum([len(part[0]) for part in parts])]).astype(np.int64)
    columns = [np.concatenate([part[i] for part in parts]) for i in range(5)]
    ids = tuple(network.locations.ids[i] for i in network.stores)
    return network, ReceiptColumns(ids, network.skus.ids, offsets, *columns)


def _stream(seed: int, purpose: int, number: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(purpose, number)))


def _popularity(skus: int, seed: int) -> npt.NDArray[np.float64]:
    """(K,) cumulative shares: a Zipf law with a random order."""
    share = 1.0 / np.arange(1, skus + 1) ** 0.8
    share = share[_stream(seed, 1, 0).permutation(skus)]
    return np.asarray(np.cumsum(share / share.sum()))


def _store_lines(
    store: int,
    network: Network,
    popularity: npt.NDArray[np.float64],
    days: int,
    lines_per_day: float,
    seed: int,
) -> tuple[npt.NDArray[np.int32], ...]:
    """(t, sku, quantity, price, basket) of one store, sorted by time."""
    rng = _stream(seed, 2, store)
    size = rng.lognormal(0, 0.25)
    weekday = (network.start_date.weekday() + np.arange(days)) % 7
    mean = lines_per_day * size / MEAN_BASKET_LINES * WEEKDAYS[weekday]
    baskets = rng.poisson(mean)
    day = np.repeat(np.arange(days), baskets)
    cumulative = np.concatenate([[0], np.cumsum(HOURS) / HOURS.sum()])
    moment = np.interp(rng.random(len(day)), cumulative, np.arange(25) * 3600.0)
    t = (day * 86_400 + moment).astype(np.int32)
    t.sort(kind="stable")
    lines = 1 + rng.poisson(MEAN_BASKET_LINES - 1, len(t))
    basket = np.repeat(np.arange(len(t), dtype=np.int32), lines)
    total = len(basket)
    sku = np.searchsorted(popularity, rng.random(total)).astype(np.int32)
    quantity = (1 + (rng.random(total) < 0.18) + (rng.random(total) < 0.05)).astype(np.int32)
    price = network.skus.unit_price_cents[sku]
    return np.repeat(t, lines), sku, quantity, price, basket


def _network(stores: int, skus: int, depots: int, seed: int, start: dt.date) -> Network:
    rng = _stream(seed, 0, 0)
    size = depots + stores
    categories = tuple(f"category {i + 1}" for i in range(min(12, max(2, skus // 10))))
    centre = np.stack([rng.uniform(39, 41, depots), rng.uniform(-84, -80, depots)], axis=1)
    source = np.arange(stores) % depots
    around = centre[source] + rng.normal(0, 0.5, (stores, 2))
    points = np.concatenate([centre, around])
    cost = rng.integers(80, 900, skus)
    ids = (*[f"W{i + 1:02d}" for i in range(depots)], *[f"S{i + 1:04d}" for i in range(stores)])
    kind = [LocationKind.WAREHOUSE] * depots + [LocationKind.STORE] * stores
    regions = [f"region {i + 1}" for i in range(depots)]
    return Network(
        Locations(
            ids,
            np.array(kind, dtype=np.int8),
            tuple(f"Warehouse {i + 1}" for i in range(depots))
            + tuple(f"Store {i + 1}" for i in range(stores)),
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
        Skus(
            tuple(f"K{i + 1:05d}" for i in range(skus)),
            tuple(f"Article {i + 1}" for i in range(skus)),
            np.arange(skus) % len(categories),
            categories,
            cost,
            np.round(cost * rng.uniform(1.25, 1.6, skus)),
            rng.choice([1, 4, 6, 12], skus),
            rng.integers(100, 1500, skus),
            rng.integers(300, 3000, skus),
            np.zeros(skus),
            tuple(make_gtin14("200", i + 1) for i in range(skus)),
        ),
        Suppliers(
            tuple(f"supplier of {name}" for name in categories),
            np.tile([2, 3, 3, 3, 3, 3, 4, 5], (len(categories), 1)),
        ),
        Fleet(np.maximum(2, -(-np.bincount(source, minlength=depots) // 6))),
        np.ones((size, skus), dtype=np.bool_),
        road_metres(points),
        start,
        "America/New_York",
        "USD",
    )
