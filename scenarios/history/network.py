"""From a recorded history to a network that can be simulated."""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt
import pandas as pd

from policies.domain.errors import ImportRefused
from policies.domain.identifiers import make_gtin14
from policies.domain.network import Fleet, LocationKind, Locations, Network, Skus, Suppliers
from policies.domain.receipts import ReceiptColumns
from scenarios.history.assumed import department, lead_time_table
from scenarios.history.importer import History
from scenarios.history.places import assigned_points, road_metres, warehouse_points
from scenarios.history.splits import TUNE, first_day, last_day

OPENS_S, CLOSES_S = 6 * 3600, 23 * 3600
Ints = npt.NDArray[np.int64]


def select_and_build_network(
    history: History,
    *,
    stores: int = 100,
    skus: int = 1_000,
    warehouses: int = 2,
    weeks: tuple[int, int] = TUNE,
    seed: int = 1,
) -> tuple[Network, ReceiptColumns]:
    """The stores and SKUs that sell most in `weeks`, as a network with its receipts.

    Every chosen SKU is listed in every chosen store: they are the chain's best sellers.
    Coordinates are assigned; cost, case, mass and lead times are assumed by department.
    Selection and prices look at `weeks` only, so nothing of later weeks leaks in.
    """
    receipts = history.receipts
    store_of = np.repeat(np.arange(len(receipts.store_ids)), np.diff(receipts.offsets))
    day = np.asarray(receipts.t_s) // 86_400
    inside = (day >= first_day(weeks[0])) & (day <= last_day(weeks[1]))
    quantity = np.asarray(receipts.quantity)
    best_stores = _best(store_of[inside], len(receipts.store_ids), stores, "stores")
    in_store = np.isin(store_of, best_stores)
    used = inside & in_store
    sku = np.asarray(receipts.sku)
    best_skus = _best(sku[used], len(receipts.sku_ids), skus, "skus")
    chosen = in_store & np.isin(sku, best_skus)
    price = _mean_price(receipts, chosen & inside, best_skus)
    sold = np.bincount(
        store_of[chosen & inside], quantity[chosen & inside], len(receipts.store_ids)
    )
    network = _network(history, best_stores, best_skus, price, sold[best_stores], warehouses, seed)
    return network, _reindexed(receipts, store_of, chosen, best_stores, best_skus)


def _best(numbers: npt.NDArray[np.integer], size: int, count: int, what: str) -> Ints:
    """The `count` numbers that occur most, in ascending order; ties by number."""
    lines = np.bincount(numbers, minlength=size)
    if (lines > 0).sum() < count:
        raise ImportRefused(
            f"the history sells in {int((lines > 0).sum())} {what}, {count} were asked for",
            field=what,
            remedy=f"ask for fewer {what}",
        )
    return np.sort(np.argsort(-lines, kind="stable")[:count]).astype(np.int64)


def _mean_price(receipts: ReceiptColumns, rows: npt.NDArray[np.bool_], skus: Ints) -> Ints:
    """(K,) cents: revenue over units."""
    sku = np.asarray(receipts.sku)[rows]
    units = np.asarray(receipts.quantity)[rows].astype(np.float64)
    size = len(receipts.sku_ids)
    revenue = np.bincount(sku, units * np.asarray(receipts.unit_price_cents)[rows], size)
    sold = np.bincount(sku, units, size)
    return np.maximum(np.round(revenue[skus] / sold[skus]), 1).astype(np.int64)


def _reindexed(
    receipts: ReceiptColumns,
    store_of: npt.NDArray[np.integer],
    chosen: npt.NDArray[np.bool_],
    stores: Ints,
    skus: Ints,
) -> ReceiptColumns:
    sku_number = np.full(len(receipts.sku_ids), -1, dtype=np.int32)
    sku_number[skus] = np.arange(len(skus), dtype=np.int32)
    counts = np.bincount(store_of[chosen], minlength=len(receipts.store_ids))[stores]
    return ReceiptColumns(
        tuple(_store_id(receipts.store_ids[i]) for i in stores),
        tuple(receipts.sku_ids[i] for i in skus),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.asarray(receipts.t_s)[chosen],
        sku_number[np.asarray(receipts.sku)[chosen]],
        np.asarray(receipts.quantity)[chosen],
        np.asarray(receipts.unit_price_cents)[chosen],
        np.asarray(receipts.basket)[chosen],
    )


def _store_id(recorded: str) -> str:
    return f"S{recorded}"


def _network(
    history: History,
    stores: Ints,
    skus: Ints,
    price: Ints,
    sold: npt.NDArray[np.float64],
    warehouses: int,
    seed: int,
) -> Network:
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(71,)))
    points, cities = assigned_points(len(stores), rng)
    depots, source = warehouse_points(points, sold, warehouses)
    everything = np.concatenate([depots, points])
    size = len(everything)
    names = [f"Store {history.receipts.store_ids[i]}, {cities[n]}" for n, i in enumerate(stores)]
    regions = [f"around warehouse {i + 1}" for i in range(warehouses)]
    per_depot = np.bincount(source, minlength=warehouses)
    goods = _skus(history, skus, price)
    lead = np.stack([lead_time_table(department(name).lead_days) for name in goods.categories])
    locations = Locations(
        (
            *[f"W{i + 1}" for i in range(warehouses)],
            *[_store_id(history.receipts.store_ids[i]) for i in stores],
        ),
        np.array([LocationKind.WAREHOUSE] * warehouses + [LocationKind.STORE] * len(stores)),
        (*[f"Warehouse {i + 1}" for i in range(warehouses)], *names),
        (*regions, *[regions[i] for i in source]),
        everything[:, 0],
        everything[:, 1],
        np.full(size, OPENS_S),
        np.full(size, CLOSES_S),
        np.concatenate([np.full(warehouses, -1), source]),
        np.full(size, 5 * 3600),
        np.full(size, 14 * 3600),
        coordinates_assigned=True,
    )
    return Network(
        locations,
        goods,
        Suppliers(tuple(f"supplier of {name}" for name in goods.categories), lead),
        Fleet(np.maximum(2, -(-per_depot // 6))),
        np.ones((size, len(skus)), dtype=np.bool_),
        road_metres(everything),
        history.start_date,
        history.tz,
        "USD",
        tuple(us_holidays(history.start_date.year)),
    )


def _skus(history: History, skus: Ints, price: Ints) -> Skus:
    ids = [history.receipts.sku_ids[i] for i in skus]
    item = history.items.set_index("sku_id").reindex(ids)
    names = pd.Series(item.category.fillna("OTHER").astype(str))
    categories = tuple(sorted(names.unique()))
    number = names.map({name: i for i, name in enumerate(categories)}).to_numpy()
    rules = [department(name) for name in names]
    margin = np.array([rule.margin for rule in rules])
    text = (item.name.fillna("article").str.title() + " " + item["size"].fillna("")).str.strip()
    return Skus(
        tuple(ids),
        tuple(text),
        number,
        categories,
        np.maximum(np.round(price * (1 - margin)), 1),
        price,
        np.array([rule.pack for rule in rules]),
        np.array([rule.mass_g for rule in rules]),
        np.array([rule.volume_cm3 for rule in rules]),
        np.zeros(len(ids)),
        # The source has no barcodes: restricted-circulation numbers (prefix 02 … 29) are free.
        tuple(make_gtin14("200", i + 1) for i in range(len(ids))),
    )


def us_holidays(year: int) -> list[dt.date]:
    """Shopping-relevant US holidays of a year."""

    def nth(month: int, weekday: int, n: int) -> dt.date:
        first = dt.date(year, month, 1)
        return first + dt.timedelta((weekday - first.weekday()) % 7 + 7 * (n - 1))

    memorial = dt.date(year, 5, 31)
    memorial -= dt.timedelta(memorial.weekday())
    return [
        dt.date(year, 1, 1),
        memorial,
        dt.date(year, 7, 4),
        nth(9, 0, 1),
        nth(11, 3, 4),
        dt.date(year, 12, 25),
    ]
