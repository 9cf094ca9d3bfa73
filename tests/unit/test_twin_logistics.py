"""Trucks, docks, suppliers, vans and what staff do to lines."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import simpy

from policies.delivery import EVERY_DAY, DeliveryCalendar
from policies.domain.decision import (
    Decision,
    DecisionHeader,
    LineKind,
    ProposalLines,
    Reason,
)
from policies.domain.errors import InvalidInput
from policies.domain.ledger import MovementKind
from policies.registry import build_bundle
from policies.routing.rules import AS_GIVEN, RoutingRules
from scenarios.history.generate import generate_chain
from tests.unit.domain_networks import small_network
from tests.unit.twin_worlds import DAY, HOUR, up_to, world
from twin import logistics
from twin.loads import comply
from twin.result import Trace
from twin.run import simulate
from twin.scenario import Frictions, Scenario, StoreRules, WarehouseRules

ROWS = Trace(movements=True)


def busy(stores=6, trucks=1, **changed):
    """Every store sells five of a SKU in the morning of the first day."""
    network = small_network(stores=stores)
    fleet = dataclasses.replace(network.fleet, trucks=np.array([trucks]))
    network = dataclasses.replace(network, fleet=fleet)
    return world(*[(s, 9 * HOUR, 0, 5) for s in range(stores)], network=network, days=4, **changed)


def left_at(result):
    """Seconds at which loads left the warehouse, one for each store."""
    rows = result.movements
    return np.sort(rows.occurred_at_s[rows.kind == MovementKind.SHIP])


def test_fewer_trucks_than_tours_drive_several_rounds():
    """One truck serves six direct tours one after the other, three in parallel pairs."""
    alone = left_at(simulate(busy(trucks=1), up_to(), seed=1, trace=ROWS))
    three = left_at(simulate(busy(trucks=3), up_to(), seed=1, trace=ROWS))
    assert len(alone) == len(three) == 6
    assert len(np.unique(alone)) == 6
    assert len(np.unique(three)) < 6
    assert alone[-1] > three[-1]
    gaps = np.diff(alone)
    # Out, unload (15 min), back and load (20 min): no round is shorter.
    assert (gaps >= 2 * 600 + 15 * 60 + 20 * 60).all()


def test_a_slow_truck_arrives_later():
    """Speed factor."""
    quick = simulate(busy(), up_to(), seed=1).facts
    slow = simulate(busy(frictions=Frictions(truck_speed_factor=0.25)), up_to(), seed=1).facts
    assert slow.get("route_seconds").sum() > 2 * quick.get("route_seconds").sum()
    assert slow.get("route_metres").sum() == quick.get("route_metres").sum()
    assert slow.get("replenishment_seconds").sum() > quick.get("replenishment_seconds").sum()


def test_a_truck_waits_for_the_receiving_window_and_late_is_said():
    """Nothing is received before the window; far stores are late, and still served."""
    network = small_network(stores=6)
    places = network.locations
    until = np.where(np.arange(7) > 3, 6 * 3600 + 1, 12 * 3600)
    narrow = dataclasses.replace(
        network, locations=dataclasses.replace(places, receives_until_s=until)
    )
    far = dataclasses.replace(narrow, distance_m=network.distance_m * 30)
    scenario = world(*[(s, 9 * HOUR, 0, 5) for s in range(6)], network=far, days=4)
    result = simulate(scenario, up_to(), seed=1, trace=ROWS)
    rows = result.movements
    came = rows.occurred_at_s[rows.kind == MovementKind.RECEIVE_TRANSFER]
    assert (came % DAY >= 6 * HOUR).all()
    facts = result.facts
    assert facts.get("units_received")[:, 1:].sum() == 30
    assert 0 < facts.get("stops_on_time").sum() < facts.get("stops").sum() == 6


def test_docks_and_pickers_and_trucks_are_never_over_capacity(monkeypatch):
    """The number in use is watched at every event of a crowded warehouse."""
    most = {}

    class Watched(simpy.Resource):
        def _do_put(self, event):
            granted = super()._do_put(event)
            assert len(self.users) <= self.capacity
            most[self.capacity] = max(most.get(self.capacity, 0), len(self.users))
            return granted

    monkeypatch.setattr(logistics.simpy, "Resource", Watched)
    network, demand = generate_chain(stores=12, skus=30, days=14, lines_per_store_day=80, seed=5)
    fleet = dataclasses.replace(network.fleet, trucks=np.array([3]))
    scenario = Scenario(
        "crowded",
        dataclasses.replace(network, fleet=fleet),
        demand,
        0,
        14,
        opening_cover_days=3.0,
        warehouse=WarehouseRules(docks=2, pickers=9, cases_per_picker_hour=60),
    )
    simulate(scenario, build_bundle("incumbent", {"reviews_per_week": 7}), seed=1)
    assert (most[2], most[3]) == (2, 3)
    assert 3 < most[9] <= 9


def test_a_truck_without_an_end_to_its_wait_leaves_no_claim_behind():
    """A network without trucks is refused at the start, not at the first tour."""
    with pytest.raises(InvalidInput, match="no truck") as caught:
        busy(trucks=0)
    assert caught.value.field == "fleet.trucks"


def test_supplier_orders_arrive_after_a_drawn_lead_time():
    """Lead times come from the category's table, and not from the policy's behaviour."""
    network = small_network()
    suppliers = dataclasses.replace(
        network.suppliers, lead_time_days=np.array([[1, 2, 4], [3, 3, 3]])
    )
    network = dataclasses.replace(network, suppliers=suppliers)
    days = {}
    for level in (80, 90):
        scenario = world(network=network, days=12)
        result = simulate(scenario, up_to(warehouse=level), seed=4, trace=ROWS)
        rows = result.movements
        came = rows.kind == MovementKind.RECEIVE
        days[level] = (rows.occurred_at_s[came] // DAY).tolist()
        assert set(rows.sku[came].tolist()) == {0, 1, 2}
        assert days[level][-1] == 3
    assert days[80] == days[90]


@dataclasses.dataclass(frozen=True)
class OneTransfer:
    """A bundle that moves 4 units from store 1 to store 2 on the first evening."""

    name: str = "transfer"
    version: str = "1"
    calendar: DeliveryCalendar = EVERY_DAY
    rules: RoutingRules = AS_GIVEN
    forecast_every_days: int = 7

    def issue_forecast(self, panel, network):
        return up_to().issue_forecast(panel, network)

    def decide(self, view):
        lines = ProposalLines.empty()
        if view.day == 0:
            one = np.ones(1, dtype=np.int32)
            lines = ProposalLines(
                one * LineKind.LATERAL,
                one,
                one * 2,
                one * 0,
                one * 4,
                one * DAY,
                one * Reason.NEIGHBOUR_HAS_SURPLUS,
            )
        return Decision(DecisionHeader("t", "1", "", "", view.as_of_s), lines)


def test_a_lateral_transfer_rides_a_van_next_morning():
    """Stock leaves one store, arrives at the other, and the van's road is counted."""
    result = simulate(world(days=3), OneTransfer(), seed=1, trace=Trace(True, False, True))
    assert result.final.physical[:, 0].tolist() == [60, 6, 14]
    facts = result.facts
    assert facts.get("route_metres").sum() == 2 * 10_000
    assert facts.get("empty_metres").sum() == 10_000
    assert facts.get("warehouse_cases").sum() == 0
    assert facts.get("transfer_lines_right")[1, 2].sum() == 1
    rows = result.movements
    left = rows.occurred_at_s[rows.kind == MovementKind.SHIP][0]
    came = rows.occurred_at_s[rows.kind == MovementKind.RECEIVE_TRANSFER][0]
    assert DAY < left < came < DAY + 8 * HOUR


def test_staff_refuse_edit_and_put_off_the_stated_shares():
    """Shares over many lines; an edited line is one case more or less; a draw is a line's own."""
    network, _ = generate_chain(stores=40, skus=200, days=1, lines_per_store_day=1, seed=1)
    place, sku = np.nonzero(network.listed)
    store = place >= 2
    place, sku = place[store], sku[store]
    n = len(place)
    lines = ProposalLines(
        np.full(n, LineKind.REPLENISH),
        network.locations.source[place],
        place,
        sku,
        np.full(n, 24),
        np.zeros(n),
        np.ones(n),
    )
    from twin import draws

    keys = draws.keys(1, 0, "staff", network.locations.ids)
    frictions = Frictions(refuse_share=0.1, edit_share=0.2, delay_share=0.3)
    through, later = comply(lines, network, frictions, keys, 5)
    assert abs(len(later) / n - 0.3) < 0.02
    assert abs(len(through) / n - 0.6) < 0.02
    changed = through.quantity != 24
    assert abs(changed.sum() / n - 0.2) < 0.02
    pack = network.skus.pack_size[through.sku]
    assert (np.abs(through.quantity - 24)[changed] == pack[changed]).all()
    half, _ = comply(lines.take(np.arange(0, n, 2)), network, frictions, keys, 5)
    both = set(zip(half.destination.tolist(), half.sku.tolist(), strict=True))
    assert both <= set(zip(through.destination.tolist(), through.sku.tolist(), strict=True))


def test_a_line_put_off_ships_a_day_later():
    """Delay share 1: nothing ships the first night, everything the next."""
    lazy = Frictions(delay_share=1.0)
    prompt = simulate(busy(), up_to(), seed=1, trace=ROWS)
    late = simulate(busy(frictions=lazy), up_to(), seed=1, trace=ROWS)
    assert left_at(late)[0] // DAY == left_at(prompt)[0] // DAY + 1
    assert late.facts.get("filled_units").sum() == late.facts.get("order_units").sum() == 30


def test_shelving_time_keeps_a_load_from_the_customers():
    """A load is for sale when it is shelved."""
    shelf = StoreRules(receive_seconds_per_case=600.0)
    quick = simulate(busy(), up_to(), seed=1).facts.get("replenishment_seconds").sum()
    slow = simulate(busy(store=shelf), up_to(), seed=1).facts.get("replenishment_seconds").sum()
    assert slow - quick == 6 * 5 * 600


@pytest.mark.parametrize(
    ("now", "seconds", "takes"),
    [
        (7 * HOUR, 2 * HOUR, 2 * HOUR),
        (5 * HOUR, HOUR, 2 * HOUR),
        (13 * HOUR, HOUR, HOUR),
        (13 * HOUR, 2 * HOUR, 18 * HOUR),
        (14 * HOUR, HOUR, 17 * HOUR),
        (23 * HOUR, 17 * HOUR, 7 * HOUR + 2 * DAY + HOUR),
        (DAY + 6 * HOUR, 8 * HOUR, 8 * HOUR),
    ],
)
def test_picking_goes_on_in_the_next_shift(now, seconds, takes):
    """From six to two in the afternoon."""
    rules = WarehouseRules(shift_from_hour=6.0, shift_hours=8.0)
    assert logistics.working_s(rules, now, seconds) == takes
    assert logistics.working_s(WarehouseRules(), now, seconds) == seconds


def test_a_shift_may_go_over_midnight():
    night = WarehouseRules(shift_from_hour=22.0, shift_hours=8.0)
    assert logistics.working_s(night, 23 * HOUR, 6 * HOUR) == 6 * HOUR
    assert logistics.working_s(night, 5 * HOUR, 2 * HOUR) == HOUR + 16 * HOUR + HOUR


def test_goods_that_are_picked_by_day_leave_later_than_by_night():
    by_night = left_at(simulate(busy(), up_to(), seed=1, trace=ROWS))
    rules = WarehouseRules(shift_from_hour=8.0, shift_hours=8.0)
    by_day = left_at(simulate(busy(warehouse=rules), up_to(), seed=1, trace=ROWS))
    assert len(by_day) == len(by_night)
    assert (by_day % DAY >= 8 * HOUR).all()
    assert by_day[0] > by_night[0]


def test_one_receiver_shelves_one_load_after_another():
    """Three loads come to one store at once; each takes an hour."""
    network = small_network(stores=1, warehouses=1)
    env = simpy.Environment()
    scenario = world(
        network=network, store=StoreRules(receive_seconds_per_case=3_600.0, receivers=1)
    )
    done = []

    class Floor:
        def receive(self, load, now):
            done.append(now)

    plant = logistics.Logistics(env, scenario, Floor(), None, 1, 0)
    one, none = np.ones(1, dtype=np.int32), np.zeros(1, dtype=np.int32)
    for number in range(3):
        load = logistics.Load(number, LineKind.REPLENISH, 0, 1, -1, none, one, one, 1)
        plant._hand_over(load)
    env.run()
    assert done == [HOUR, 2 * HOUR, 3 * HOUR]
