"""Builders of tiny worlds for the twin's tests."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from policies.allocation.fair_share import FairShare
from policies.bundle import PolicyBundle
from policies.domain.decision import Reason
from policies.domain.forecast import Forecast
from policies.domain.network import Network
from policies.domain.receipts import ReceiptColumns
from tests.unit.domain_networks import small_network
from twin.scenario import Opening, Scenario

DAY = 86_400
HOUR = 3_600


@dataclasses.dataclass(frozen=True)
class FlatForecaster:
    """One unit a day everywhere."""

    def fit(self, panel, network):
        places, skus = network.shape
        return Forecast(
            panel.last_day + 1,
            network.start_date.weekday(),
            np.full((places, skus), 1, dtype=np.float32),
            np.ones((places, 7), dtype=np.float32),
            np.ones((places, skus), dtype=np.float32),
        )


@dataclasses.dataclass(frozen=True)
class UpTo:
    """Order up to `store` at stores and `warehouse` at warehouses."""

    store: int = 10
    warehouse: int = 60

    def order_quantity(self, view):
        stores = view.network.locations.source >= 0
        level = np.where(stores, self.store, self.warehouse)[:, None]
        wanted = np.where(view.may_order, np.maximum(level - view.inventory_position, 0), 0)
        return wanted.astype(np.int32), np.full(
            wanted.shape, Reason.BELOW_BASE_STOCK, dtype=np.int8
        )


def up_to(store: int = 10, warehouse: int = 60, **changed: Any) -> PolicyBundle:
    """A tiny bundle without router: one tour for each store."""
    return PolicyBundle("up to", FlatForecaster(), UpTo(store, warehouse), FairShare(), **changed)


def receipts(network: Network, *lines: tuple[int, int, int, int]) -> ReceiptColumns:
    """Lines of (store number, second, SKU, quantity), price 150, sorted by store and time."""
    stores = [network.locations.ids[i] for i in network.stores]
    rows = sorted(lines, key=lambda line: (line[0], line[1]))
    store = np.array([line[0] for line in rows], dtype=np.int64)
    columns = [np.array([line[i] for line in rows], dtype=np.int32) for i in (1, 2, 3)]
    return ReceiptColumns(
        tuple(stores),
        network.skus.ids,
        np.searchsorted(store, np.arange(len(stores) + 1)).astype(np.int64),
        *columns,
        np.full(len(rows), 150, dtype=np.int32),
        np.full(len(rows), -1, dtype=np.int32),
    )


def opening(network: Network, store: int, warehouse: int) -> Opening:
    """The same stock of every SKU at stores, and at warehouses; book = physical."""
    units = np.full(network.shape, store, dtype=np.int32)
    units[network.warehouses] = warehouse
    return Opening(units, units.copy())


def world(
    *lines: tuple[int, int, int, int],
    network: Network | None = None,
    days: int = 3,
    store_stock: int = 10,
    warehouse_stock: int = 60,
    **changed: Any,
) -> Scenario:
    """A scenario of some receipt lines on the small network."""
    chain = network if network is not None else small_network()
    fields: dict[str, Any] = {
        "name": "tiny",
        "network": chain,
        "demand": receipts(chain, *lines),
        "first_day": 0,
        "days": days,
        "opening": opening(chain, store_stock, warehouse_stock),
    }
    return Scenario(**(fields | changed))
