"""From a recorded history to a network that can be simulated."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from policies.domain.columns import frozen
from policies.domain.goods import Skus, Suppliers
from policies.domain.identifiers import make_gtin14
from policies.domain.network import Fleet, LocationKind, Locations, Network
from policies.domain.receipts import ReceiptColumns
from scenarios.history.assumed import department, lead_time_table
from scenarios.history.holidays import holidays
from scenarios.history.importer import History
from scenarios.history.places import Points, placed_stores, road_metres, warehouse_points
from scenarios.history.selection import Ints, Selection, chosen_receipts, select
from scenarios.history.splits import TUNE

OPENS_S, CLOSES_S = 6 * 3600, 23 * 3600
RECEIVES_FROM_S, RECEIVES_UNTIL_S = 5 * 3600, 14 * 3600
STORES_PER_TRUCK = 6


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

    Selection, assortments and prices look at `weeks` only (see
    :func:`scenarios.history.selection.select` for the rules), so nothing of later weeks
    leaks in. Where the history gives no coordinates they are assigned and marked so: real
    places of one compact region, so that each store is within a day's tour of its
    warehouse. What the source lacks of cost, case, mass and lead time is assumed by
    department (``docs/assumptions.md``); what its items table gives is used.

    Returns
    -------
    Network, and the whole history of its cells as ReceiptColumns in the network's order

    Raises
    ------
    ImportRefused
        For more stores or SKUs than the history sells.
    """
    selection = select(history.receipts, stores, skus, weeks)
    network = _network(history, selection, warehouses, seed)
    ids = tuple(network.locations.ids[i] for i in network.stores)
    return network, chosen_receipts(history.receipts, selection, ids)


def _network(history: History, selection: Selection, warehouses: int, seed: int) -> Network:
    recorded = [history.receipts.store_ids[i] for i in selection.stores]
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(71,)))
    points, towns, assigned = placed_stores(recorded, history.stores, history.country, rng)
    depots, source = warehouse_points(points, selection.units, warehouses)
    everything = np.concatenate([depots, points])
    goods = _skus(history, selection.skus, selection.price_cents)
    lead = np.stack([lead_time_table(department(name).lead_days) for name in goods.categories])
    listed = np.zeros((warehouses + len(recorded), len(selection.skus)), dtype=np.bool_)
    listed[warehouses:] = selection.listed
    for number in range(warehouses):
        listed[number] = selection.listed[source == number].any(axis=0)
    last = history.start_date + dt.timedelta(days=_last_day(history.receipts))
    return Network(
        _locations(recorded, towns, everything, source, warehouses, assigned=assigned),
        goods,
        Suppliers(tuple(f"supplier of {name}" for name in goods.categories), lead),
        Fleet(np.maximum(2, -(-np.bincount(source, minlength=warehouses) // STORES_PER_TRUCK))),
        listed,
        road_metres(everything),
        history.start_date,
        history.tz,
        history.currency,
        holidays(history.country, history.start_date, last),
    )


def _last_day(receipts: ReceiptColumns) -> int:
    """Day number of the last line of any store."""
    ends = [int(end) - 1 for first, end in _bounds(receipts) if end > first]
    return max(int(receipts.t_s[end]) for end in ends) // 86_400


def store_id(recorded: str) -> str:
    """What a store of a history is called in the network built from it."""
    return f"S{recorded}"


def _bounds(receipts: ReceiptColumns) -> zip[tuple[Any, Any]]:
    return zip(receipts.offsets[:-1], receipts.offsets[1:], strict=True)


def _locations(
    recorded: list[str],
    towns: list[str],
    points: Points,
    source: npt.NDArray[np.int32],
    warehouses: int,
    *,
    assigned: bool,
) -> Locations:
    size = len(points)
    # A region is what one warehouse serves, and is called by it in every language.
    regions = [f"W{i + 1}" for i in range(warehouses)]
    kind = [LocationKind.WAREHOUSE] * warehouses + [LocationKind.STORE] * len(recorded)
    return Locations(
        (*[f"W{i + 1}" for i in range(warehouses)], *[store_id(name) for name in recorded]),
        np.array(kind, dtype=np.int8),
        (
            *[f"Warehouse {i + 1}" for i in range(warehouses)],
            *[f"Store {name}, {town}" for name, town in zip(recorded, towns, strict=True)],
        ),
        (*regions, *[regions[i] for i in source]),
        points[:, 0],
        points[:, 1],
        frozen(np.full(size, OPENS_S), np.int32),
        frozen(np.full(size, CLOSES_S), np.int32),
        frozen(np.concatenate([np.full(warehouses, -1), source]), np.int32),
        frozen(np.full(size, RECEIVES_FROM_S), np.int32),
        frozen(np.full(size, RECEIVES_UNTIL_S), np.int32),
        coordinates_assigned=assigned,
    )


def _skus(history: History, skus: Ints, price: Ints) -> Skus:
    ids = [history.receipts.sku_ids[i] for i in skus]
    item = history.items.set_index("sku_id").reindex(ids)
    names = item.category.fillna("").replace("", "OTHER").astype(str)
    categories = tuple(sorted(names.unique()))
    number = names.map({name: i for i, name in enumerate(categories)}).to_numpy()
    rules = [department(name) for name in names]
    price = np.maximum(np.where(price > 0, price, [rule.price_cents for rule in rules]), 1)
    margin = np.array([rule.margin for rule in rules])
    text = item.name.fillna("").replace("", "article").str.title() + " " + item["size"].fillna("")
    cost = 100 * _given(item, "unit_cost", price * (1 - margin) / 100)
    return Skus(
        tuple(ids),
        tuple(text.str.strip()),
        frozen(number, np.int32),
        categories,
        _whole(cost, 1),
        frozen(price, np.int32),
        _whole(_given(item, "pack_size", [rule.pack for rule in rules]), 1),
        _whole(_given(item, "mass_g", [rule.mass_g for rule in rules]), 0),
        _whole(_given(item, "volume_cm3", [rule.volume_cm3 for rule in rules]), 0),
        _whole(_given(item, "shelf_life_days", np.zeros(len(ids))), 0),
        _gtins(item, len(ids)),
    )


def _given(item: pd.DataFrame, name: str, otherwise: Any) -> npt.NDArray[np.float64]:
    """(K,) the source's values, and the assumed ones where it has none."""
    assumed = np.asarray(otherwise, dtype=np.float64)
    if name not in item:
        return assumed
    value = pd.to_numeric(item[name], errors="coerce").to_numpy(dtype=np.float64)
    return np.where(np.isfinite(value), value, assumed)


def _whole(values: npt.NDArray[np.float64], least: int) -> npt.NDArray[np.int32]:
    return np.asarray(np.maximum(np.round(values), least), dtype=np.int32)


def _gtins(item: pd.DataFrame, count: int) -> tuple[str, ...]:
    """Recorded barcodes; else restricted-circulation numbers, which no company owns."""
    own = tuple(make_gtin14("200", i + 1) for i in range(count))
    if "gtin" not in item:
        return own
    recorded = item["gtin"].fillna("")
    return tuple(code or made for code, made in zip(recorded, own, strict=True))
