"""A location whose load is more than one tour can bring is served by several."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from policies.domain.decision import LineKind, ProposalLines, Reason
from policies.routing.savings import SavingsRouter
from tests.unit.domain_networks import small_network
from tests.unit.policy_views import a_view


def routed(units: int, metres: int, mass_g: int = 10):
    """(routes, unserved) of `units` cases for the one store, `metres` from its warehouse."""
    network = small_network(stores=1, skus=1)
    network = replace(
        network,
        distance_m=np.array([[0, metres], [metres, 0]]),
        skus=replace(network.skus, mass_g=np.array([mass_g]), volume_cm3=np.array([1])),
    )
    columns = {
        "kind": [LineKind.REPLENISH],
        "origin": [0],
        "destination": [1],
        "sku": [0],
        "quantity": [units],
        "due_s": [0],
        "reason": [Reason.BELOW_REORDER_POINT],
    }
    lines = ProposalLines(**{name: np.array(one) for name, one in columns.items()})
    return SavingsRouter().routes(a_view(network), lines)


@pytest.mark.parametrize(
    ("units", "metres", "mass_g", "tours"),
    [
        (500, 230_000, 10, 1),  # 7 h 55 min on the road, 1 h 40 min to unload
        (1_200, 230_000, 10, 2),  # 4 h to unload, and a shift leaves 2 h 5 min
        (2_700, 10_000, 10, 1),  # 9 h to unload, and the store is near
        (400, 10_000, 50_000, 3),  # 20 t on trucks of 9 t
    ],
)
def test_a_stop_longer_than_a_shift_or_heavier_than_a_truck_is_shared(units, metres, mass_g, tours):
    """Left out it would order more each week and never be served again."""
    routes, unserved = routed(units, metres, mass_g)
    assert unserved == ()
    assert Counter(stop for route in routes for stop in route.stops) == {1: tours}
    assert sum(route.kg for route in routes) == pytest.approx(units * mass_g / 1e3)
    assert all(route.returns_s - route.departs_s <= 600 * 60 for route in routes)
    assert all(route.kg <= 9_000 for route in routes)


def test_a_store_that_no_shift_can_reach_is_left_out_with_a_reason():
    """Not even an empty truck is back in time."""
    routes, unserved = routed(10, 320_000)
    assert routes == ()
    assert [stop.location for stop in unserved] == [1]
    assert unserved[0].reason
