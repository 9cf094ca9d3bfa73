"""Fixed-number policies equal the sentence that describes them, cell by cell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.domain.errors import InvalidInput
from policies.replenishment.fixed import FixedReorderPoint
from tests.unit.domain_networks import small_network
from tests.unit.policy_views import a_view


@settings(max_examples=40, deadline=None)
@given(
    st.integers(-5, 10), st.integers(1, 30),
    st.lists(st.integers(0, 20), min_size=27, max_size=27), st.booleans(),
)  # fmt: skip
def test_the_reorder_point_policy_equals_its_loop(s, gap, numbers, is_due):
    network = small_network()
    on_hand, on_order, owed = np.array(numbers, dtype=np.int32).reshape(3, *network.shape)
    due = np.array([True, is_due, False])
    view = a_view(network, on_hand=on_hand, on_order=on_order, backorders=owed, review_due=due)
    wanted, _ = FixedReorderPoint(s, s + gap).order_quantity(view)
    for place in range(network.shape[0]):
        for sku in range(network.shape[1]):
            position = on_hand[place, sku] + on_order[place, sku] - owed[place, sku]
            expected = s + gap - position if due[place] and position <= s else 0
            assert wanted[place, sku] == expected


def test_a_level_at_the_reorder_point_is_refused():
    with pytest.raises(InvalidInput, match="not above the reorder point"):
        FixedReorderPoint(5, 5)
