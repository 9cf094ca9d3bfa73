"""Ledger → balances and day facts, against a plain walk through time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.domain import ledger as lg
from policies.domain.documents import Documents, Stops, TransferLines, share_integer
from policies.domain.errors import InvalidInput
from policies.domain.panel import day_facts
from policies.domain.stock import is_slow, project
from tests.unit.domain_networks import small_network

NETWORK = small_network()
L, K = NETWORK.shape
DAY = 86_400


def stamp(i: int, at: int, recorded: int | None = None) -> lg.Stamp:
    """A stamp with its own id."""
    return lg.Stamp(f"m{i}", at, at if recorded is None else recorded)


moves = st.lists(
    st.tuples(
        st.sampled_from(["open", "sell", "ship", "arrive", "receive", "found", "waste"]),
        st.integers(0, K - 1),
        st.integers(1, 2),
        st.integers(1, 9),
        st.integers(0, 4 * DAY - 1),
    ),
    max_size=40,
)


def row(i: int, what: str, sku: int, store: int, quantity: int, at: int) -> lg.Movement:
    """One movement of the given sort."""
    s = stamp(i, at)
    makers = {
        "open": lambda: lg.open_stock(s, sku, store, quantity),
        "sell": lambda: lg.sell(s, sku, store, quantity),
        "ship": lambda: lg.ship(s, sku, 0, store, quantity, L),
        "arrive": lambda: lg.receive_transfer(s, sku, 0, store, quantity, L),
        "receive": lambda: lg.receive(s, sku, store, quantity),
        "found": lambda: lg.adjust(s, sku, store, -quantity),
        "waste": lambda: lg.write_off(s, sku, store, quantity),
    }
    return makers[what]()


@settings(max_examples=60, deadline=None)
@given(moves)
def test_day_facts_equal_a_walk_second_by_event(drawn):
    """Closing stock and time in stock agree with a plain loop over each record's events."""
    rows = [row(i, *one) for i, one in enumerate(drawn)]
    facts = day_facts(NETWORK, lg.MovementColumns.of(rows), Documents(), 0, 3, known_at_s=9 * DAY)
    for store in (1, 2):
        for category in (0, 1):
            skus = [k for k in range(K) if NETWORK.skus.category[k] == category]
            for day in range(4):
                closing = in_stock = 0
                for sku in skus:
                    stock, since = 0, day * DAY + 8 * 3600
                    shuts = day * DAY + 20 * 3600
                    for at, change in sorted(
                        (m.occurred_at_s, sign * m.quantity)
                        for m in rows
                        if m.sku == sku
                        for end, sign in ((m.from_location, -1), (m.to_location, 1))
                        if end == store and m.occurred_at_s < (day + 1) * DAY
                    ):
                        moment = min(max(at, since), shuts)
                        in_stock += (moment - since) * (stock > 0)
                        since, stock = moment, stock + change
                    in_stock += (shuts - since) * (stock > 0)
                    closing += stock
                got = facts.sku_facts[day, store, category]
                assert facts.get("closing_stock_units")[day, store, category] == closing
                assert facts.get("in_stock_open_sku_seconds")[day, store, category] == in_stock
                assert got.dtype == np.int64


@settings(max_examples=60, deadline=None)
@given(moves)
def test_balances_sum_to_zero_over_all_places_and_match_closing(drawn):
    """The projector and the day facts tell the same stock."""
    rows = lg.MovementColumns.of([row(i, *one) for i, one in enumerate(drawn)])
    balances = project(rows, L, K, 4 * DAY)
    facts = day_facts(NETWORK, rows, Documents(), 0, 3, known_at_s=4 * DAY)
    assert facts.get("closing_stock_units")[3].sum() == balances.on_hand.sum()
    cents = facts.get("in_transit_cents")[3].sum(axis=1)
    assert (cents == 100 * balances.in_transit.sum(axis=1)).all()
    assert not (
        balances.on_hand.sum(axis=0)
        + balances.in_transit.sum(axis=0)
        + sum(balances.virtual.values(), np.zeros(K, dtype=np.int64))
    ).any()
    total = facts.get("stock_change_cents")[:, :, :].sum()
    opened = sum(
        m.quantity
        for m in (row(0, *a) for a in drawn)
        if m.occurred_at_s < DAY and m.kind == lg.MovementKind.OPENING
    )
    assert total == 100 * (balances.on_hand.sum() + balances.in_transit.sum() - opened)


def test_a_row_recorded_later_is_not_known_yet():
    """As of now and as known then differ."""
    late = lg.sell(stamp(1, 100, recorded=5_000), 0, 1, 2)
    rows = lg.MovementColumns.of([lg.open_stock(stamp(0, 0), 0, 1, 9), late])
    assert project(rows, L, K, 200, 200).on_hand[1, 0] == 9
    assert project(rows, L, K, 200, 6_000).on_hand[1, 0] == 7


def test_a_place_the_ledger_does_not_have_is_refused():
    """A tampered code is not summed silently."""
    rows = lg.MovementColumns.of([lg.open_stock(stamp(0, 0), 0, 1, 9)])
    with pytest.raises(InvalidInput, match="-8"):
        project(dataclasses.replace(rows, to_location=np.array([-8], dtype=np.int32)), L, K)


def test_a_late_line_counts_where_it_is_received():
    """Order fill on the day it ships, lead time on the day it arrives."""
    transfers = TransferLines(
        np.array([0]),
        np.array([1]),
        np.array([0]),
        np.array([10]),
        np.array([8]),
        np.array([7]),
        np.array([0]),
        np.array([3600]),
        np.array([DAY + 7200]),
    )
    stops = Stops(
        np.array([1]),
        np.array([DAY]),
        np.array([5000]),
        np.array([60]),
        np.array([1_000_000]),
        np.array([1]),
        np.array([2000]),
    )
    none = lg.MovementColumns.of([])
    facts = day_facts(NETWORK, none, Documents(transfers, stops=stops), 0, 1, known_at_s=9 * DAY)
    assert facts.get("order_units")[0, 1, 0] == 10
    assert facts.get("filled_units")[0, 1, 0] == 8
    assert facts.get("transfer_lines_received")[1, 1, 0] == 1
    assert facts.get("transfer_lines_right")[1, 1, 0] == 0
    assert facts.get("transfer_units_off")[1, 1, 0] == 1
    assert facts.get("replenishment_seconds")[1, 1, 0] == DAY + 7200
    assert facts.get("route_metres")[1, 1, 0] == 5000
    assert facts.get("empty_metres")[1, 1, 0] == 2000
    # 7 of SKU 0 in whole cases came from the warehouse.
    assert facts.get("warehouse_cases")[1, 1, 0] == -(-7 // NETWORK.skus.pack_size[0])


def test_slow_means_more_than_half_a_year_of_cover():
    """56 sold in 56 days is one a day: 180 pieces are fine, 181 are slow."""
    got = is_slow(np.array([180, 181, 1, 0]), np.array([56, 56, 0, 0]))
    assert got.tolist() == [False, True, True, False]


@given(st.integers(0, 10**9), st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_shares_of_an_integer_sum_to_it_exactly(total, weights):
    """Metres shared among stops are neither lost nor invented."""
    parts = share_integer(total, np.array(weights))
    assert parts.sum() == total
    assert (parts >= 0).all()


def test_no_free_form_row_can_be_made():
    """A movement needs goods and two ends."""
    with pytest.raises(InvalidInput, match="quantity"):
        lg.sell(stamp(0, 0), 0, 1, 0)


def test_a_reversal_is_the_exact_opposite():
    """After it the books are as before."""
    sale = lg.sell(stamp(0, 10), 0, 1, 3)
    back = lg.reverse(stamp(1, 20), sale)
    rows = lg.MovementColumns.of([sale, back])
    assert not project(rows, L, K, 100).on_hand.any()
    assert back.reverses == sale.movement_id
