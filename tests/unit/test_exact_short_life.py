"""Goods that live one period under base stock: no mixing, so the start decides."""

from __future__ import annotations

import numpy as np
import pytest

from policies.exact.demand import gamma_rounded
from policies.exact.perishable import PerishableModel, base_stock


@pytest.mark.parametrize(("lead_time", "level"), [(1, 9), (2, 10), (3, 14)])
@pytest.mark.parametrize("is_fifo", [True, False])
def test_orders_that_never_mix_are_averaged_from_an_empty_store(lead_time, level, is_fifo):
    """All stock leaves each evening: the cycle of orders is known by hand."""
    model = PerishableModel(1, lead_time, 7.0, is_fifo)
    orders = [0] * lead_time
    for _ in range(60 * (lead_time + 1)):
        orders.append(min(max(level - sum(orders[-lead_time:]), 0), model.most))
    cycle = orders[-60 * (lead_time + 1) // 2 :]
    chances = gamma_rounded(model.mean, model.variation)
    demand = np.arange(len(chances))
    sold = [np.minimum(demand, stock) @ chances for stock in cycle]
    found = base_stock(model, level)
    assert found.order == pytest.approx(np.mean(cycle), abs=1e-5)
    assert found.lost == pytest.approx(demand @ chances - np.mean(sold), abs=1e-5)
    assert found.expired == pytest.approx(np.mean(cycle) - np.mean(sold), abs=1e-5)
    assert found.holding == pytest.approx(0, abs=1e-6)
