"""Orders, reservations, goods on the road and waiting customers at the end of a run."""

from __future__ import annotations

import pytest

from policies.domain.errors import ConservationBroken
from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from tests.unit.twin_worlds import HOUR, up_to, world
from twin import kernel, touches
from twin.result import Trace
from twin.run import simulate
from twin.scenario import Frictions, Scenario, StoreRules

LINES = tuple((s, day * 24 * HOUR + 9 * HOUR, 0, 12) for s in (0, 1) for day in range(3))
PATIENT = StoreRules(backorders=True)


def test_a_sound_run_ends_with_open_orders_and_passes():
    """The check is no tautology: there is something of each kind to be wrong about."""
    result = simulate(world(*LINES, store=PATIENT), up_to(), seed=1, trace=Trace(final_state=True))
    assert len(result.final.on_order_lines) > 0
    waits = result.demanded_per_sku - result.sold_per_sku - result.lost_per_sku
    assert waits.sum() > 0


def broken(monkeypatch, module, name, spoil):
    """Run with a kernel that does its work and then something else."""
    sound = getattr(module, name)

    def wrong(*arguments):
        out = sound(*arguments)
        spoil(*arguments)
        return out

    monkeypatch.setattr(module, name, wrong)
    with pytest.raises(ConservationBroken) as caught:
        simulate(world(*LINES, store=PATIENT), up_to(), seed=1)
    return caught.value


def off(stock, name, place=1, by=1):
    getattr(stock, name)[place, 2] += by


@pytest.mark.parametrize("by", [1, -1])
@pytest.mark.parametrize(
    ("field", "array", "place"),
    [("on_order", "on_order", 1), ("reserved", "reserved", 0), ("in_transit", "transit", 1)],
)
def test_an_order_that_no_document_knows_is_caught(monkeypatch, field, array, place, by):
    """`touches.order` notes a unit too many or too few; another SKU's stock still balances."""

    def spoil(*arguments):
        off(arguments[4], array, place, by)

    error = broken(monkeypatch, touches, "order", spoil)
    assert error.field == field
    assert error.row == ("W0" if field == "reserved" else "S0")
    assert "K2" in str(error)


def test_a_reservation_that_is_never_let_go_is_caught(monkeypatch):
    """`touches.ship` reserves again what it has just shipped."""

    def spoil(*arguments):
        off(arguments[6], "reserved", arguments[0])

    assert broken(monkeypatch, touches, "ship", spoil).field == "reserved"


def test_goods_that_stay_on_the_road_after_their_receipt_are_caught(monkeypatch):
    """`touches.receive` leaves a unit in transit; sums per location stay as they were."""

    def spoil(*arguments):
        off(arguments[9], "transit", 2, 3)

    error = broken(monkeypatch, touches, "receive", spoil)
    assert error.field == "in_transit"
    assert "on the road to S1" in str(error)


@pytest.mark.parametrize("by", [1, -1])
def test_waiting_customers_that_nobody_sent_are_caught(monkeypatch, by):
    """`kernel.advance_all` makes one wait for a SKU that nobody asked for."""

    def spoil(*arguments):
        if not arguments[5].waiting[1, 2]:
            off(arguments[5], "waiting", 1, by)

    assert broken(monkeypatch, kernel, "advance_all", spoil).field == "waiting"


def test_a_long_run_with_every_friction_owes_what_its_documents_owe():
    network, demand = generate_chain(stores=4, skus=25, days=21, lines_per_store_day=60, seed=11)
    scenario = Scenario(
        "frail",
        network,
        demand,
        0,
        21,
        opening_cover_days=2.0,
        frictions=Frictions(0.05, 0.03, 0.1, 0.6, 0.1, 0.1, 0.1),
        store=StoreRules(3, 30.0, backorders=True),
    )
    result = simulate(scenario, build_bundle("incumbent", {"reviews_per_week": 3}), seed=5)
    assert result.counters["tours"] > 10
