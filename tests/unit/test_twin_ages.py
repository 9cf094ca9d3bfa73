"""Age classes: unit by unit, echelon by echelon, and in the ledger."""

from __future__ import annotations

import dataclasses
from collections import defaultdict

import numpy as np
import pytest

from policies.domain.errors import ConservationBroken, ScenarioInvalid
from policies.domain.facts import LATENT_FACTS, LOCATION_FACTS, SKU_FACTS
from policies.domain.ledger import LOSS, MovementKind
from policies.domain.panel import day_facts
from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from tests.unit.domain_networks import small_network
from tests.unit.twin_worlds import DAY, HOUR, up_to, world
from twin import draws
from twin.result import Trace
from twin.run import World, simulate
from twin.scenario import Frictions, Perishables, Scenario, StoreRules

TRACE = Trace(movements=True, final_state=True)


def fresh_network(life: int = 2, **changed):
    """The small network, all its SKUs living `life` days."""
    network = small_network(**changed)
    skus = dataclasses.replace(network.skus, shelf_life_days=np.full(network.shape[1], life))
    return dataclasses.replace(network, skus=skus)


def chain(lifo_share: float, frictions: Frictions, *, backorders: bool = False) -> Scenario:
    """A generated chain with trucks, counts, and lives of 2, 3, 5 days and for ever."""
    network, demand = generate_chain(stores=4, skus=24, days=28, lines_per_store_day=70, seed=7)
    life = np.array([2, 3, 5, 0], dtype=np.int32)[np.arange(24) % 4]
    skus = dataclasses.replace(network.skus, shelf_life_days=life)
    return Scenario(
        "fresh",
        dataclasses.replace(network, skus=skus),
        demand,
        0,
        28,
        opening_cover_days=3.0,
        frictions=frictions,
        store=StoreRules(4, 20.0, backorders),
        perishables=Perishables(tracked=True, lifo_share=lifo_share),
    )


BUNDLE = build_bundle(
    "incumbent", {"reviews_per_week": 7, "reorder_cover_days": 2.0, "order_up_to_cover_days": 4.0}
)
MANY = Frictions(0.05, 0.03, 0.1, 0.6, 0.1, 0.1, 0.1)


def unit_by_unit(scenario: Scenario, rows, seed: int) -> dict[tuple[int, int, int], int]:
    """{(day, place, SKU): units past their day}, one object for each unit.

    Replays the run's movements in order, tagging each unit with the day of its expiry.
    """
    network, share = scenario.network, scenario.perishables.lifo_share
    life = network.skus.shelf_life_days
    keys = draws.keys(seed, 0, "issue", network.locations.ids)
    shelf, taken, road = defaultdict(list), defaultdict(int), defaultdict(list)
    waste = defaultdict(int)
    kinds = MovementKind
    oldest = 0
    for i in range(len(rows.kind)):
        kind, k, at = MovementKind(rows.kind[i]), int(rows.sku[i]), int(rows.occurred_at_s[i])
        a, b = int(rows.from_location[i]), int(rows.to_location[i])
        n, document = int(rows.quantity[i]), int(rows.document[i])
        if life[k] == 0:
            continue
        oldest = at // DAY + (at % DAY > scenario.perishables.expire_s)
        if kind == kinds.OPENING:
            each = n // life[k]
            shelf[b, k] = [d for d in range(life[k]) for _ in range(each)]
            shelf[b, k] += [life[k] - 1] * (n - each * life[k])
        elif kind == kinds.RECEIVE:
            shelf[b, k] += [oldest + life[k] - 1] * n
        elif kind == kinds.SHIP:
            shelf[a, k].sort()
            road[document, k], shelf[a, k] = shelf[a, k][:n], shelf[a, k][n:]
        elif kind == kinds.RECEIVE_TRANSFER:
            shelf[b, k] += [max(day, oldest) for day in road.pop((document, k))]
        elif kind == kinds.SELL:
            shelf[a, k].sort()
            for _ in range(n):
                counter = np.int64(k << 36) + taken[a, k]
                is_young = draws.uniform(keys[a], counter) < share
                shelf[a, k].pop(-1 if is_young else 0)
                taken[a, k] += 1
        elif kind == kinds.WRITE_OFF:
            expired = [day for day in shelf[a, k] if day == at // DAY]
            assert len(expired) == n
            shelf[a, k] = [day for day in shelf[a, k] if day > at // DAY]
            waste[at // DAY, a, k] += n
    # Nothing that has passed its day is left on a shelf.
    assert all(day >= scenario.days for units in shelf.values() for day in units)
    return waste


@pytest.mark.parametrize("lifo_share", [0.0, 0.4, 1.0])
def test_waste_equals_that_of_units_followed_one_by_one(lifo_share):
    """Through warehouses and trucks, every write-off of every evening."""
    scenario = chain(lifo_share, Frictions())
    result = simulate(scenario, BUNDLE, seed=9, trace=TRACE)
    waste = unit_by_unit(scenario, result.movements, seed=9)
    stores = {place for _, place, _ in waste} & set(scenario.network.stores.tolist())
    assert sum(waste.values()) == result.facts.get("write_off_units").sum() > 100
    assert len(stores) == 4


@pytest.mark.parametrize("backorders", [False, True])
def test_expiry_is_in_the_ledger_and_facts_equal_its_projector(backorders):
    scenario = chain(0.3, MANY, backorders=backorders)
    result = simulate(scenario, BUNDLE, seed=2, trace=TRACE)
    told = {name: result.facts.get(name) for name in ("revenue_cents", "forecast_milliunits")}
    facts = day_facts(
        scenario.network, result.movements, result.documents, 0, 27, known_at_s=29 * DAY, **told
    )
    names = [name for name in SKU_FACTS if name not in LATENT_FACTS] + list(LOCATION_FACTS)
    assert [n for n in names if (result.facts.get(n) != facts.get(n)).any()] == []
    assert facts.get("write_off_cents").sum() > 0
    rows = result.movements
    waste = rows.kind == MovementKind.WRITE_OFF
    assert (rows.to_location[waste] == LOSS).all()
    assert set(rows.occurred_at_s[waste] % DAY) == {scenario.perishables.expire_s}
    alive = scenario.network.skus.shelf_life_days[rows.sku[waste]]
    assert (alive > 0).all()


def test_a_truck_saves_only_what_is_sold_after_it_and_the_rest_expires_on_its_day():
    """By hand: 4 units on Monday's shelf, life 2, opening half and half."""
    network = fresh_network(stores=1, skus=1)
    scenario = world(
        (0, 10 * HOUR, 0, 1),
        (0, DAY + 10 * HOUR, 0, 1),
        network=network,
        days=2,
        store_stock=4,
        warehouse_stock=0,
        perishables=Perishables(tracked=True),
    )
    result = simulate(scenario, up_to(0, 0), seed=1, trace=TRACE)
    # Monday: 2 + 2, one of the older sold, the other expires. Tuesday: 2, one sold, one expires.
    assert result.facts.get("write_off_units")[:, 1, 0].tolist() == [1, 1]
    assert result.facts.get("write_off_cents")[:, 1, 0].tolist() == [100, 100]
    assert result.final.physical[1, 0] == 0


def test_nothing_expires_unless_the_scenario_says_so():
    scenario = dataclasses.replace(chain(0.0, Frictions()), perishables=Perishables())
    result = simulate(scenario, BUNDLE, seed=9)
    assert not result.facts.get("write_off_units").any()


def test_the_same_seed_gives_the_same_waste_and_tracing_changes_nothing():
    scenario = chain(0.5, MANY)
    a = simulate(scenario, BUNDLE, seed=4)
    b = simulate(scenario, BUNDLE, seed=4, trace=TRACE)
    np.testing.assert_array_equal(a.facts.sku_facts, b.facts.sku_facts)


def test_stock_that_appears_beside_its_age_classes_is_caught():
    scenario = chain(0.0, Frictions())
    run = World(scenario, BUNDLE, 1, 0, Trace())
    member = run.floor.ages.classes.member
    run.state.stock.physical[2, member[0]] += 5
    run.state.stock.book[2, member[0]] += 5
    run.state.stock.expected[2, member[0]] += 5
    with pytest.raises(ConservationBroken, match="age classes"):
        run.run(None)


@pytest.mark.parametrize(
    ("key", "values"),
    [("perishables.lifo_share", {"lifo_share": 1.2}), ("perishables.expire_s", {"expire_s": DAY})],
)
def test_impossible_rules_are_refused_by_name(key, values):
    with pytest.raises(ScenarioInvalid) as caught:
        Perishables(**values)
    assert caught.value.field == key
