"""The compiled kernel against itself uncompiled, and against plain arithmetic."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.history.generate import generate_chain
from tests.unit.domain_networks import small_network
from tests.unit.twin_worlds import DAY, HOUR, opening, receipts, world
from twin import draws, kernel
from twin.arrays import Mode, Rows
from twin.processes import Substitution
from twin.scenario import Frictions, Scenario, StoreRules
from twin.state import open_state


def rows(size):
    return Rows(*(np.zeros(size, dtype=t) for t in (np.int8, np.int32, np.int32, np.int32)))


def advanced(state, function, mode):
    """State, tallies and rows after both halves of a day."""
    mine = copy.deepcopy(state)
    mine.panel.begin_day()
    traced, buffer = [], rows(6 * len(mine.lines.t))
    for until in (15 * HOUR, DAY - 1):
        for s in range(len(mine.cursor)):
            n = function(
                mine.lines,
                mine.cursor,
                s,
                until,
                mine.stock,
                mine.panel.sold_today,
                mine.tally,
                mine.master,
                mine.frailty,
                mine.totals,
                mode,
                buffer,
            )
            traced.append(np.stack([column[:n].astype(np.int64) for column in buffer]))
    return mine, np.concatenate(traced, axis=1)


@pytest.mark.parametrize("switches", [0.0, 0.5])
@pytest.mark.parametrize("backorders", [False, True])
@pytest.mark.parametrize(
    ("frictions", "trace"),
    [
        (Frictions(), False),
        (Frictions(), True),
        (Frictions(0.1, 0.1), True),
        (Frictions(0.1, 0.1), False),
    ],
)
def test_the_kernel_gives_the_same_compiled_and_uncompiled(frictions, trace, backorders, switches):
    """Stock, tallies, cursors and rows; the plain loop, the traced loop, and with frictions."""
    network, demand = generate_chain(stores=3, skus=20, days=1, lines_per_store_day=400, seed=2)
    scenario = Scenario(
        "k",
        network,
        demand,
        0,
        1,
        opening=opening(network, 30, 0),
        frictions=frictions,
        store=StoreRules(backorders=backorders),
        substitution=Substitution(switches),
    )
    state = open_state(scenario, scenario.opening, seed=1, replication=0)
    mode = Mode(True, trace)
    fast, fast_rows = advanced(state, kernel.advance, mode)
    slow, slow_rows = advanced(state, kernel.advance.py_func, mode)
    for name in fast.stock._fields:
        assert (getattr(fast.stock, name) == getattr(slow.stock, name)).all(), name
    for name in ("tally", "cursor"):
        assert (getattr(fast, name) == getattr(slow, name)).all(), name
    assert (fast.panel.sold_today == slow.panel.sold_today).all()
    assert (fast.totals.lost == slow.totals.lost).all()
    assert (fast.totals.switched == slow.totals.switched).all()
    assert (fast.totals.switched > 0).any() == (switches > 0)
    assert (fast_rows == slow_rows).all()
    assert (fast_rows.shape[1] > 0) == trace
    assert fast.tally[..., kernel.BACKORDERED if backorders else kernel.LOST].sum() > 0


@pytest.mark.parametrize(
    "frictions", [Frictions(), Frictions(0.2, 0.1), Frictions(0.2, 0.0), Frictions(0.0, 0.1)]
)
@pytest.mark.parametrize("backorders", [False, True])
def test_the_plain_loop_and_the_traced_loop_leave_the_same_stock(frictions, backorders):
    """A trace changes nothing but the rows."""
    network, demand = generate_chain(stores=2, skus=400, days=1, lines_per_store_day=900, seed=4)
    scenario = Scenario(
        "k",
        network,
        demand,
        0,
        1,
        opening=opening(network, 3, 0),
        frictions=frictions,
        store=StoreRules(backorders=backorders),
    )
    state = open_state(scenario, scenario.opening, seed=1, replication=0)
    plain, _ = advanced(state, kernel.advance, Mode(True, False))
    traced, written = advanced(state, kernel.advance, Mode(True, True))
    for name in plain.stock._fields:
        assert (getattr(plain.stock, name) == getattr(traced.stock, name)).all(), name
    assert (plain.tally == traced.tally).all()
    for name in plain.totals._fields:
        assert (getattr(plain.totals, name) == getattr(traced.totals, name)).all(), name
    assert written.shape[1] > 1_000


lines = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, DAY - 1), st.integers(0, 2), st.integers(1, 9)),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(lines, st.integers(0, 25), st.lists(st.integers(0, DAY), max_size=4))
def test_sold_and_lost_do_not_depend_on_when_a_store_is_touched(drawn, stock, touches):
    """Lazy advancing at any times equals one walk; sold = min(stock, wanted) per SKU."""
    network = small_network()
    demand = receipts(network, *drawn)
    scenario = world(network=network, demand=demand, days=1, store_stock=stock)
    state = open_state(scenario, scenario.opening, seed=1, replication=0)
    state.panel.begin_day()
    for until in [*sorted(touches), DAY - 1]:
        kernel.advance_all(
            state.lines,
            state.cursor,
            0,
            len(state.cursor),
            min(until, DAY - 1),
            state.stock,
            state.panel.sold_today,
            state.tally,
            state.master,
            state.frailty,
            state.totals,
            Mode(True, False),
            rows(0),
        )
    wanted = np.zeros(network.shape, dtype=int)
    for store, _, sku, quantity in drawn:
        wanted[1 + store, sku] += quantity
    sold = state.panel.sold_today
    assert (sold == np.minimum(wanted, stock) * (np.arange(3) > 0)[:, None]).all()
    assert (state.stock.physical[1:] == stock - sold[1:]).all()
    assert (state.totals.lost == (wanted - sold).sum(axis=0)).all()


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**40))
def test_a_draw_is_the_same_compiled_vectorised_and_in_plain_integers(key, counter):
    """Three implementations of one counter-based generator."""
    plain = draws.uniform_plain(key, counter)
    assert 0 <= plain < 1
    assert draws.uniform(np.uint64(key), counter) == plain
    assert draws.uniforms(np.array([key], dtype=np.uint64), np.array([counter]))[0] == plain


def test_draws_are_uniform_and_uncorrelated():
    """Mean, variance and lag-one correlation over a million counters of two keys."""
    keys = draws.keys(1, 0, "test", ["a", "b"])
    u = draws.uniforms(keys[:, None], np.arange(500_000)[None, :])
    assert abs(u.mean() - 0.5) < 0.002
    assert abs(u.var() - 1 / 12) < 0.001
    assert abs(np.corrcoef(u[0], u[1])[0, 1]) < 0.01
    assert abs(np.corrcoef(u[0, :-1], u[0, 1:])[0, 1]) < 0.01
