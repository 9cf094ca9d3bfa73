"""Builders of views for policy tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from policies.domain.forecast import Forecast
from policies.domain.network import Network
from policies.domain.view import NetworkView


def a_view(network: Network, *, level: float = 2.0, stock: int = 5, **changed: Any) -> NetworkView:
    """Every store sells `level` a day, has `stock`; warehouses have 40 of each SKU."""
    places, skus = network.shape
    on_hand = np.full((places, skus), stock, dtype=np.int32)
    on_hand[network.warehouses] = 40
    zero = np.zeros((places, skus), dtype=np.int32)
    levels = np.full((places, skus), level, dtype=np.float32)
    levels[network.warehouses] = 0
    fields: dict[str, Any] = {
        "as_of_s": 10 * 86_400 + 81_000,
        "network": network,
        "on_hand": on_hand,
        "in_transit": zero,
        "on_order": zero,
        "backorders": zero,
        "reserved": zero,
        "review_due": np.ones(places, dtype=np.bool_),
        "protection_days": np.full(places, 3, dtype=np.int32),
        "forecast": Forecast(
            10, 0, levels, np.ones((places, 7), np.float32), np.ones((places, skus), np.float32)
        ),
    }
    return NetworkView(**(fields | changed))
