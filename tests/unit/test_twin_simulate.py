"""simulate(): the evening's plan, night's picking, day's receiving, and what customers find."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.domain.errors import ConservationBroken, ScenarioInvalid
from policies.domain.ledger import MovementKind
from policies.registry import build_bundle
from scenarios.history.generate import ChainStretches, generate_chain
from tests.unit.twin_worlds import DAY, HOUR, up_to, world
from twin import kernel
from twin.result import Trace
from twin.run import simulate
from twin.scenario import Frictions, Scenario, StoreRules
from twin.state import cover_opening

ALL = Trace(movements=True, decisions=True, final_state=True)


FRAIL = Frictions(0.02, 0.02, 0.02, 0.8, 0.1, 0.1, 0.1)


def chain(days: int = 14, **changed) -> Scenario:
    """A generated chain of five stores."""
    network, demand = generate_chain(stores=5, skus=30, days=28, lines_per_store_day=90, seed=3)
    fields = {"opening_cover_days": 5.0} | changed
    return Scenario("chain", network, demand, 0, days, **fields)


def test_a_truck_saves_exactly_the_sales_after_it_is_unloaded():
    """Stock is 0 at opening; lines up to the receipt are lost, the next second is served."""
    probe = simulate(world((0, 9 * HOUR, 0, 10)), up_to(), seed=1, trace=ALL)
    rows = probe.movements
    came = rows.kind == MovementKind.RECEIVE_TRANSFER
    unloaded = int(rows.occurred_at_s[came & (rows.sku == 0)][0])
    assert DAY + 6 * HOUR <= unloaded < DAY + 20 * HOUR
    lines = [(0, 9 * HOUR, 0, 10), (0, unloaded - 1, 0, 1), (0, unloaded, 0, 1)]
    lines += [(0, unloaded + 1, 0, 1), (0, unloaded + 2, 0, 1)]
    result = simulate(world(*lines), up_to(), seed=1, trace=ALL)
    sold = result.movements.where(result.movements.kind == MovementKind.SELL)
    assert sold.occurred_at_s.tolist() == [9 * HOUR, unloaded + 1, unloaded + 2]
    assert result.lost_per_sku.tolist() == [2, 0, 0]
    assert result.demanded_per_sku.tolist() == [14, 0, 0]


def test_what_is_there_is_sold_and_the_rest_of_a_line_is_lost():
    """Partial service of a multi-unit line."""
    result = simulate(world((1, 9 * HOUR, 2, 13), days=1), up_to(), seed=1)
    assert result.facts.get("units_sold")[0, 2].sum() == 10
    assert result.facts.get("units_lost")[0, 2].sum() == 3
    assert result.facts.get("margin_lost_cents")[0, 2].sum() == 150


def test_a_leak_in_the_kernel_is_caught_on_the_day_it_happens(monkeypatch):
    """Conservation is asserted for each location and SKU at every closing."""
    sound = kernel.advance_all

    def leaky(lines, cursor, first, end, until, stock, *rest):
        sound(lines, cursor, first, end, until, stock, *rest)
        stock.book[1, 1] += 1

    monkeypatch.setattr(kernel, "advance_all", leaky)
    with pytest.raises(ConservationBroken, match="S0 holds 12 of K1"):
        simulate(world((0, 9 * HOUR, 0, 1)), up_to(), seed=1)


def test_the_same_seed_gives_the_same_facts_and_decisions():
    """Determinism, frictions on; another replication differs."""
    scenario = chain(frictions=Frictions(0.02, 0.02, 0.02, 0.8, 0.1, 0.1, 0.1))
    bundle = build_bundle("incumbent", {"reviews_per_week": 3})
    one = simulate(scenario, bundle, seed=7, trace=ALL)
    two = simulate(scenario, bundle, seed=7)
    other = simulate(scenario, bundle, seed=7, replication=1)
    assert one.facts.sku_facts.tobytes() == two.facts.sku_facts.tobytes()
    assert one.facts.location_facts.tobytes() == two.facts.location_facts.tobytes()
    assert one.facts.sku_facts.tobytes() != other.facts.sku_facts.tobytes()


def test_shrink_parts_book_and_truth_and_counts_mend_the_book():
    """With every SKU counted each evening records are right again at closing."""
    loose = Frictions(shrink_per_unit_sold=0.2)
    bundle = build_bundle("incumbent", {"reviews_per_week": 7})
    blind = simulate(chain(frictions=loose), bundle, seed=1).facts
    wrong = blind.get("latent_records").sum() - blind.get("latent_records_right").sum()
    assert wrong > 100
    assert blind.get("shrink_cents").sum() > 0
    counted = chain(frictions=loose, store=StoreRules(count_lines_per_day=30))
    seen = simulate(counted, bundle, seed=1).facts
    assert (seen.get("latent_records_right") == seen.get("latent_records")).all()
    assert seen.get("count_loss_cents").sum() > 0
    assert seen.get("count_lines_right").sum() < seen.get("count_lines").sum()


def test_demand_is_what_customers_wanted_whatever_the_policy():
    """Units demanded per SKU equal the receipts' units, served or not."""
    scenario = chain(opening_cover_days=1.0)
    result = simulate(scenario, up_to(1, 5), seed=1)
    inside = scenario.demand.t_s < 14 * DAY
    wanted = np.bincount(
        scenario.demand.sku[inside], scenario.demand.quantity[inside], scenario.network.shape[1]
    )
    assert result.lost_per_sku.sum() > 0
    assert (result.demanded_per_sku == wanted).all()
    assert result.facts.get("units_demanded").sum() == wanted.sum()


def in_stretches(days: int) -> tuple[Scenario, ChainStretches]:
    """:func:`chain` with frictions, its first stretch only, and the others to come."""
    parts = ChainStretches(
        stores=5, skus=30, days=28, lines_per_store_day=90, seed=3, stretch_days=days
    )
    scenario = chain(days=28, frictions=FRAIL, opening_cover_days=5.0)
    scenario = dataclasses.replace(scenario, opening=cover_opening(scenario))
    return dataclasses.replace(scenario, demand=parts.stretch(0)), parts


def test_receipts_fed_in_stretches_give_the_bytes_of_receipts_in_one_piece():
    """Mis-scans and shrink are drawn by a line's number in the whole history."""
    bundle = build_bundle("incumbent", {"reviews_per_week": 3})
    whole = simulate(chain(days=28, frictions=FRAIL), bundle, seed=7)
    scenario, parts = in_stretches(9)
    fed = simulate(scenario, bundle, seed=7, feed=parts.stretch)
    assert fed.facts.sku_facts.tobytes() == whole.facts.sku_facts.tobytes()
    assert fed.facts.location_facts.tobytes() == whole.facts.location_facts.tobytes()
    assert fed.counters["lines"] == whole.counters["lines"]
    assert whole.facts.get("shrink_cents").sum() > 0


def test_a_stretch_that_begins_before_the_last_one_ends_is_refused():
    """No line is lost unseen between two stretches."""
    scenario, parts = in_stretches(9)
    second = parts.stretch(9)
    with pytest.raises(ScenarioInvalid, match="the one before it ends later"):
        simulate(scenario, up_to(), seed=7, feed=lambda day: second if day == 5 else None)
    with pytest.raises(ScenarioInvalid, match="receipts before"):
        simulate(scenario, up_to(), seed=7, feed=lambda day: second if day == 10 else None)
