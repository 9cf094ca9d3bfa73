"""Builders of small networks for domain tests."""

from __future__ import annotations

import datetime as dt

import numpy as np

from policies.domain.goods import Skus, Suppliers
from policies.domain.network import Fleet, LocationKind, Locations, Network


def small_network(stores: int = 2, skus: int = 3, warehouses: int = 1) -> Network:
    """Stores open 8–20 h, every SKU listed everywhere, packs of one, cost 100, price 150."""
    size = warehouses + stores
    kind = [LocationKind.WAREHOUSE] * warehouses + [LocationKind.STORE] * stores
    source = [-1] * warehouses + [i % warehouses if warehouses else -1 for i in range(stores)]
    return Network(
        locations=Locations(
            ids=tuple([f"W{i}" for i in range(warehouses)] + [f"S{i}" for i in range(stores)]),
            kind=np.array(kind, dtype=np.int8),
            names=tuple(f"place {i}" for i in range(size)),
            region=("north",) * size,
            latitude=np.linspace(40, 41, size),
            longitude=np.linspace(-80, -79, size),
            opens_s=np.full(size, 8 * 3600, dtype=np.int32),
            closes_s=np.full(size, 20 * 3600, dtype=np.int32),
            source=np.array(source, dtype=np.int32),
            receives_from_s=np.full(size, 6 * 3600, dtype=np.int32),
            receives_until_s=np.full(size, 12 * 3600, dtype=np.int32),
        ),
        skus=Skus(
            ids=tuple(f"K{i}" for i in range(skus)),
            names=tuple(f"thing {i}" for i in range(skus)),
            category=np.arange(skus, dtype=np.int32) % 2,
            categories=("food", "other"),
            unit_cost_cents=np.full(skus, 100, dtype=np.int32),
            unit_price_cents=np.full(skus, 150, dtype=np.int32),
            pack_size=np.ones(skus, dtype=np.int32),
            mass_g=np.full(skus, 500, dtype=np.int32),
            volume_cm3=np.full(skus, 1000, dtype=np.int32),
            shelf_life_days=np.zeros(skus, dtype=np.int32),
            gtin=("",) * skus,
        ),
        suppliers=Suppliers(("food supplier", "other supplier"), np.full((2, 4), 2, np.int32)),
        fleet=Fleet(np.full(warehouses, 3, dtype=np.int32)),
        listed=np.ones((size, skus), dtype=np.bool_),
        distance_m=np.abs(np.subtract.outer(np.arange(size), np.arange(size))) * 10_000,
        start_date=dt.date(2024, 1, 1),
    )
