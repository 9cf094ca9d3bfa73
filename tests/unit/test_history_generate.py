"""A generated chain is whole, seeded and independent store by store."""

from __future__ import annotations

import numpy as np

from scenarios.history.generate import generate_chain


def chain(stores=3, **changed):
    """The smallest chain."""
    return generate_chain(
        **(
            {"stores": stores, "skus": 20, "days": 28, "lines_per_store_day": 60, "seed": 1}
            | changed
        )
    )


def test_receipts_are_time_sorted_inside_each_store_and_fit_the_network():
    """The kernel relies on it."""
    network, receipts = chain()
    for i in range(3):
        rows = receipts.store(i)
        assert (np.diff(receipts.t_s[rows]) >= 0).all()
        assert (np.diff(receipts.basket[rows]) >= 0).all()
    assert receipts.sku.max() < network.shape[1]
    assert receipts.quantity.min() >= 1
    assert receipts.t_s.max() < 28 * 86_400


def test_the_same_seed_gives_the_same_chain_and_another_another():
    """Seeds mean something."""
    one, same, other = chain()[1], chain()[1], chain(seed=2)[1]
    assert (one.t_s == same.t_s).all()
    assert (one.sku == same.sku).all()
    assert one.lines != other.lines or (one.sku[:50] != other.sku[:50]).any()


def test_a_further_store_changes_no_other_stores_receipts():
    """Each store draws from its own stream."""
    small, large = chain(3)[1], chain(4)[1]
    rows = small.offsets[-1]
    assert (small.t_s == large.t_s[:rows]).all()


def test_the_number_of_lines_is_near_what_was_asked_for():
    """Store sizes vary by 25 %: five standard errors over 20 stores."""
    receipts = chain(20, lines_per_store_day=100)[1]
    per_store_day = receipts.lines / 20 / 28
    assert abs(per_store_day / 103 - 1) < 5 * 0.26 / np.sqrt(20)
