"""The lazy kernel twin against a model with one event for each receipt line."""

from __future__ import annotations

import numpy as np
import pytest

from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from tests.unit.twin_worlds import HOUR, up_to, world
from twin.hooks import BundleOrders, Hooks
from twin.reference_model import ReferenceModel
from twin.result import Trace
from twin.run import simulate
from twin.scenario import Frictions, Scenario, StoreRules, WarehouseRules


def totals(scenario, bundle, seed=5):
    """(twin's final stock and sums, reference's) per (location, SKU)."""
    fast = simulate(scenario, bundle, seed=seed, trace=Trace(movements=True, final_state=True))
    orders = BundleOrders(scenario, bundle, seed=seed)
    slow = ReferenceModel(scenario, orders, seed=seed)
    account = slow.run()
    return fast, slow, account


def sold_and_lost(fast, shape):
    rows = fast.movements
    sold = np.zeros(shape, dtype=np.int64)
    mine = rows.kind == 3
    np.add.at(sold, (rows.from_location[mine], rows.sku[mine]), rows.quantity[mine])
    return sold


FRICTIONS = {
    "none": Frictions(),
    "many": Frictions(0.05, 0.03, 0.1, 0.6, 0.1, 0.1, 0.1),
}


@pytest.mark.parametrize("frictions", FRICTIONS)
@pytest.mark.parametrize("backorders", [False, True])
def test_stock_sales_and_losses_equal_those_of_one_event_per_line(frictions, backorders):
    """Identity per (store, SKU), with trucks, docks, counts and whole frictions."""
    network, demand = generate_chain(stores=4, skus=25, days=21, lines_per_store_day=60, seed=11)
    scenario = Scenario(
        "small",
        network,
        demand,
        0,
        21,
        opening_cover_days=2.0,
        frictions=FRICTIONS[frictions],
        warehouse=WarehouseRules(docks=1, pickers=1, cases_per_picker_hour=40),
        store=StoreRules(3, 30.0, backorders, count_cycle_days=4.0, count_error_per_line=0.2),
    )
    bundle = build_bundle("incumbent", {"reviews_per_week": 3, "order_up_to_cover_days": 11.0})
    fast, slow, account = totals(scenario, bundle)
    shape = network.shape
    assert slow.lines == fast.counters["lines"] > 4_000
    assert (sold_and_lost(fast, shape) == account.array("sold", shape)).all()
    assert (fast.lost_per_sku == account.array("lost", shape).sum(axis=0)).all()
    assert (account.array("lost", shape).sum() > 0) != backorders
    lost = fast.facts.get("units_lost").sum(axis=(0, 2))
    assert (lost == account.array("lost", shape).sum(axis=1)).all()
    closing = fast.facts.get("closing_stock_units")[-1].sum(axis=1)
    assert (closing == account.array("book", shape).sum(axis=1)).all()
    assert fast.counters["tours"] == slow.logistics.tours > 10


def test_ties_are_resolved_alike():
    """Lines in the second of the plan, of the count and of midnight; two lines in one second."""
    plan, count = 22 * HOUR + 1800, 22 * HOUR
    moments = [plan, plan, count, 24 * HOUR, 24 * HOUR, 48 * HOUR - 1, 48 * HOUR, 30 * HOUR]
    lines = [(s, at, k, 4) for at in moments for s in (0, 1) for k in (0, 1)]
    scenario = world(*lines, days=2, store=StoreRules(count_lines_per_day=3))
    fast, _, account = totals(scenario, up_to())
    shape = scenario.network.shape
    assert (fast.final.physical == account.array("physical", shape)).all()
    assert (sold_and_lost(fast, shape) == account.array("sold", shape)).all()
    assert (fast.lost_per_sku == account.array("lost", shape).sum(axis=0)).all()


class Diary(Hooks):
    """Writes down what it is told."""

    def __init__(self):
        self.events = []

    def sold(self, place, sku, units, row, at_s):
        self.events.append((at_s, "sold"))

    def departed(self, tour):
        self.events.append((tour.departs_s, "departed"))

    def unloaded(self, tour, stop):
        self.events.append((stop.unloaded_s, "unloaded"))

    def received(self, load, booked, at_s):
        self.events.append((at_s, "received"))

    def counted(self, place, sku, units, at_s):
        self.events.append((at_s, "counted"))

    def day_closed(self, day):
        self.events.append(((day + 1) * 86_400 - 1, "closed"))


def test_hooks_tell_everything_in_the_order_of_time():
    """An emulator may post each event as it is told, without sorting."""
    scenario = world(
        *[(0, h * HOUR, 0, 1) for h in range(9, 60, 2)], store=StoreRules(count_lines_per_day=1)
    )
    diary = Diary()
    bundle = up_to()
    model = ReferenceModel(scenario, BundleOrders(scenario, bundle, seed=1), seed=1, hooks=diary)
    model.run_until(30 * HOUR)
    seen = len(diary.events)
    assert all(at < 30 * HOUR for at, _ in diary.events)
    model.run()
    assert len(diary.events) > seen
    assert [at for at, _ in diary.events] == sorted(at for at, _ in diary.events)
    assert {what for _, what in diary.events} == {
        "sold",
        "departed",
        "unloaded",
        "received",
        "counted",
        "closed",
    }
