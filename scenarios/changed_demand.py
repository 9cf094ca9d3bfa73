"""Receipts after the changes of a scenario: scaled lines, baskets of stores that open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from policies.domain.network import DAY_SECONDS, Network
from policies.domain.receipts import ReceiptColumns
from scenarios.changes import Bools, Change, NewStore, stores_of
from twin import draws


def change_demand(
    demand: ReceiptColumns,
    network: Network,
    changes: Sequence[Change],
    new_stores: Sequence[NewStore],
    *,
    first_day: int,
    seed: int,
    like: str = "",
) -> ReceiptColumns:
    """The receipts after all changes, on the changed network's stores.

    The same line meets the same draw whatever the policy, the replication or the other
    changes.
    """
    for new in new_stores:
        demand = _with_lines(demand, new, new.like or like, first_day, seed)
    for number, change in enumerate(changes):
        if change.demand_factor != 1.0:
            demand = _scaled(demand, network, change, first_day, seed, number)
    return demand


def _scaled(
    demand: ReceiptColumns, network: Network, change: Change, first_day: int, seed: int, number: int
) -> ReceiptColumns:
    names, regions = stores_of(network)
    stores = change.stores.mask(names, regions, "changes.stores")
    skus = network.skus
    groups = [skus.categories[c] for c in skus.category]
    wanted = change.skus.mask(skus.ids, groups, "changes.skus")
    store = np.repeat(np.arange(len(names)), np.diff(demand.offsets))
    day = demand.t_s // DAY_SECONDS - first_day
    mine = stores[store] & wanted[demand.sku] & (day >= change.from_day)
    if change.days:
        mine &= day < change.from_day + change.days
    rows = np.flatnonzero(mine)
    keys = draws.keys(seed, 0, f"change {number}", names)
    u = draws.uniforms(keys[store[rows]], rows - demand.offsets[store[rows]])
    quantity = np.array(demand.quantity)
    quantity[rows] = np.floor(quantity[rows] * change.demand_factor + u).astype(np.int32)
    return _kept(demand, replace(demand, quantity=quantity), quantity > 0)


def _kept(old: ReceiptColumns, made: ReceiptColumns, keep: Bools) -> ReceiptColumns:
    counted = np.concatenate([[0], np.cumsum(keep)])
    columns = {name: getattr(made, name)[keep] for name in _COLUMNS}
    return ReceiptColumns(old.store_ids, old.sku_ids, counted[old.offsets], **columns)


_COLUMNS = ("t_s", "sku", "quantity", "unit_price_cents", "basket")


def _with_lines(
    demand: ReceiptColumns, new: NewStore, like: str, first_day: int, seed: int
) -> ReceiptColumns:
    """The new store's lines are baskets of its model from the opening on; some moved there."""
    lines = demand.store(demand.store_ids.index(like))
    basket = np.array(demand.basket[lines], dtype=np.int64)
    # A line whose basket is not known is one of its own.
    own = np.where(basket < 0, -1 - np.arange(len(basket)), basket) & 0x7FFFFFFF
    u = draws.uniforms(draws.keys(seed, 0, "new store", [new.id])[0:1], own)
    opened = np.array(demand.t_s[lines]) // DAY_SECONDS >= first_day + new.from_day
    gets = opened & (u < new.share)
    columns = {}
    for name in _COLUMNS:
        column = np.asarray(getattr(demand, name))
        columns[name] = np.concatenate([column, column[lines][gets]])
    offsets = np.append(demand.offsets, demand.offsets[-1] + int(gets.sum()))
    made = ReceiptColumns((*demand.store_ids, new.id), demand.sku_ids, offsets, **columns)
    keep = np.ones(made.lines, dtype=np.bool_)
    keep[lines] = ~(opened & (u < new.takes))
    return _kept(made, made, keep)


def best_seller(demand: ReceiptColumns) -> str:
    """The store that has most receipt lines."""
    return demand.store_ids[int(np.diff(demand.offsets).argmax())]
