"""The streamed day facts against the ledger's own projector."""

from __future__ import annotations

import numpy as np
import pytest

from policies.domain import ledger as lg
from policies.domain.facts import LATENT_FACTS, LOCATION_FACTS, SKU_FACTS
from policies.domain.panel import day_facts
from policies.domain.stock import project
from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from tests.unit.twin_worlds import DAY
from twin import closing, kernel, touches
from twin.arrays import Stock
from twin.goods_rules import RiskCounts
from twin.result import Trace
from twin.run import simulate
from twin.scenario import Frictions, Scenario, StoreRules

GIVEN = {"revenue_cents", "forecast_milliunits"}
"""Facts that the projector is told, since no movement carries them."""


@pytest.fixture(scope="module")
def traced():
    """A run with every friction and its rows."""
    network, demand = generate_chain(stores=5, skus=30, days=28, lines_per_store_day=90, seed=3)
    scenario = Scenario(
        "traced",
        network,
        demand,
        0,
        28,
        opening_cover_days=4.0,
        frictions=Frictions(0.02, 0.03, 0.05, 0.7, 0.1, 0.1, 0.1),
        store=StoreRules(4, 20.0),
        risk_counts=RiskCounts(2),
    )
    bundle = build_bundle("incumbent", {"reviews_per_week": 3})
    trace = Trace(movements=True, final_state=True)
    return scenario, simulate(scenario, bundle, seed=1, trace=trace)


def test_streamed_facts_equal_the_projector_on_the_ledger_and_documents(traced):
    """Every observable fact of every day, location and category."""
    scenario, result = traced
    told = {name: result.facts.get(name) for name in GIVEN}
    facts = day_facts(
        scenario.network, result.movements, result.documents, 0, 27, known_at_s=29 * DAY, **told
    )
    names = [name for name in SKU_FACTS if name not in LATENT_FACTS] + list(LOCATION_FACTS)
    unlike = [n for n in names if (result.facts.get(n) != facts.get(n)).any()]
    assert unlike == []
    quiet = {n for n in names if not result.facts.get(n).any()}
    # No write-offs before perishables; trucks are home before midnight here.
    assert quiet <= {"write_off_cents", "write_off_units", "in_transit_cents"}


def test_the_ledger_projects_to_the_closing_book(traced):
    """Book balances at the end equal the state the run leaves, open lines apart."""
    scenario, result = traced
    rows = result.movements.where(result.movements.visibility == lg.Visibility.BOOK)
    balances = project(rows, *scenario.network.shape)
    open_lines = result.final.on_order_lines
    book = result.final.book.astype(np.int64)
    not_left = (open_lines[:, 0] >= 0) & (open_lines[:, 4] >= 28 * DAY)
    np.add.at(book, (open_lines[not_left, 0], open_lines[not_left, 2]), open_lines[not_left, 3])
    assert (balances.on_hand >= 0).all()
    assert (balances.on_hand + balances.in_transit).sum() == book.sum()


def constructed(rows, i, places):
    """What the ledger's constructor makes of row `i`."""
    kind = lg.MovementKind(int(rows.kind[i]))
    a, b, sku = int(rows.from_location[i]), int(rows.to_location[i]), int(rows.sku[i])
    quantity, at = int(rows.quantity[i]), int(rows.occurred_at_s[i])
    stamp = lg.Stamp(str(i), at, at, visibility=lg.Visibility(int(rows.visibility[i])))
    if kind == lg.MovementKind.ADJUST:
        return lg.adjust(stamp, sku, max(a, b), quantity if b >= 0 else -quantity)
    on_the_road = {
        lg.MovementKind.SHIP: lg.ship,
        lg.MovementKind.RECEIVE_TRANSFER: lg.receive_transfer,
        lg.MovementKind.CLOSE_SHORT: lg.close_short,
    }
    if kind in on_the_road:
        return on_the_road[kind](stamp, sku, *lg.transit_lane(min(a, b), places), quantity, places)
    at_a_place = {
        lg.MovementKind.OPENING: lg.open_stock,
        lg.MovementKind.RECEIVE: lg.receive,
        lg.MovementKind.SELL: lg.sell,
        lg.MovementKind.AUTO_FOUND: lg.auto_found,
        lg.MovementKind.SHRINK: lg.shrink,
    }
    return at_a_place[kind](stamp, sku, max(a, b), quantity)


def test_rows_are_those_the_constructors_make(traced):
    """Each traced row equals the constructor's row for its kind, ends and quantity."""
    scenario, result = traced
    rows, places = result.movements, scenario.network.shape[0]
    kinds = {lg.MovementKind(k) for k in np.unique(rows.kind)}
    assert {lg.MovementKind.CLOSE_SHORT, lg.MovementKind.ADJUST, lg.MovementKind.SHRINK} <= kinds
    sample = np.unique(np.linspace(0, len(rows) - 1, 800).astype(int))
    made = [constructed(rows, int(i), places) for i in sample]
    again = lg.MovementColumns.of(made)
    for name in ("kind", "visibility", "sku", "from_location", "to_location", "quantity"):
        assert (getattr(again, name) == getattr(rows, name)[sample]).all(), name


def test_kernel_columns_and_kinds_agree_with_the_domain():
    """Numbers are repeated in the compiled files, since their caches see one file only."""
    assert kernel.SELL == lg.MovementKind.SELL
    assert kernel.AUTO_FOUND == lg.MovementKind.AUTO_FOUND
    assert kernel.SHRINK == lg.MovementKind.SHRINK
    for names, table in ((kernel.TALLY, "kernel"), (touches.EVENTS, "touches")):
        assert len(set(names)) == len(names), table
    assert kernel.TALLY[kernel.MARGIN_LOST] == "margin_lost_cents"
    assert touches.EVENTS[touches.CAME_OFF] == "transfer_units_off"
    assert touches.EVENTS[touches.COUNT_GAIN] == "count_gain_cents"
    assert touches.EVENTS[touches.MISSING_CENTS] == "receipt_shrink_cents"


def test_the_share_of_open_time_out_of_stock_is_rounded_down_exactly():
    """For every second of a day of 24 hours, and for one of an odd length."""
    for open_s in (86_400, 50_399):
        since = np.arange(open_s + 1, dtype=np.int32)[None]
        none = np.zeros(since.shape, dtype=np.int32)
        stock = Stock(
            **dict.fromkeys(Stock._fields, none)
            | {
                "zero_since": since,
                "on_road": np.zeros(1, dtype=np.int64),
                "risen": np.zeros(1, dtype=np.int8),
            }
        )
        out, share = np.zeros(open_s + 1, dtype=np.int32), np.zeros(open_s + 1, dtype=np.uint8)
        listed = np.ones(open_s + 1, dtype=bool)
        listed[3] = False
        closing._out_seconds(stock, 0, 0, open_s, open_s, listed, out, share)
        seconds = np.where(listed, open_s - since[0], 0)
        assert (out == seconds).all()
        assert (share == 100 * seconds.astype(np.int64) // open_s).all()
