"""Customers who take another SKU, and customers who bring goods back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.domain.errors import ScenarioInvalid
from policies.domain.facts import LATENT_FACTS, LOCATION_FACTS, SKU_FACTS
from policies.domain.ledger import LOSS, MovementKind
from policies.domain.panel import day_facts
from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from scenarios.scenario import load_scenario
from tests.unit.domain_networks import small_network
from tests.unit.twin_worlds import DAY, HOUR, up_to, world
from twin.hooks import BundleOrders
from twin.processes import CustomerReturns, Substitution
from twin.reference_model import ReferenceModel
from twin.result import Trace
from twin.run import simulate
from twin.scenario import Frictions, Opening, Perishables, Scenario, StoreRules
from twin.state import switch_rows

ROWS = Trace(movements=True, final_state=True)
BUNDLE = build_bundle("incumbent", {"reviews_per_week": 3, "order_up_to_cover_days": 11.0})
FRAIL = Frictions(0.05, 0.03, 0.1, 0.8, 0.1, 0.1, 0.1)


def chain(days=28, **rules) -> Scenario:
    network, demand = generate_chain(stores=4, skus=25, days=28, lines_per_store_day=90, seed=6)
    return Scenario("chain", network, demand, 0, days, **({"opening_cover_days": 2.0} | rules))


def test_what_is_not_there_is_taken_of_another_sku_of_its_category():
    """K0 and K2 are food, K1 is not: ten of K0 are there, five more are taken of K2."""
    network = small_network()
    prices = np.array([150, 150, 170], dtype=np.int32)
    skus = dataclasses.replace(network.skus, unit_price_cents=prices)
    network = dataclasses.replace(network, skus=skus)
    line = (0, 9 * HOUR, 0, 15)
    scenario = world(line, network=network, days=1, substitution=Substitution(1.0))
    result = simulate(scenario, up_to(), seed=1, trace=ROWS)
    assert result.final.physical[1].tolist() == [0, 10, 5]
    assert result.sold_per_sku.tolist() == [10, 0, 5]
    assert result.lost_per_sku.tolist() == [0, 0, 0]
    # Demand is what was wanted, not what was taken.
    assert result.demanded_per_sku.tolist() == [15, 0, 0]
    assert result.facts.get("revenue_cents").sum() == 10 * 150 + 5 * 170


def test_what_no_other_sku_has_either_is_lost():
    line = (0, 9 * HOUR, 0, 25)
    result = simulate(world(line, days=1, substitution=Substitution(1.0)), up_to(), seed=1)
    assert result.lost_per_sku.tolist() == [5, 0, 0]
    assert result.demanded_per_sku.tolist() == [25, 0, 0]
    other = simulate(
        world((0, 9 * HOUR, 1, 25), days=1, substitution=Substitution(1.0)), up_to(), seed=1
    )
    assert other.lost_per_sku.tolist() == [0, 15, 0]


def matrix_of(network, share=0.3):
    """Every third SKU has a row: its two neighbours in the category, the nearer one first."""
    skus = network.skus
    out = []
    for k in range(0, len(skus.ids), 3):
        peers = [j for j in np.flatnonzero(skus.category == skus.category[k]).tolist() if j != k]
        row = tuple((skus.ids[j], share + 0.2 * i) for i, j in enumerate(peers[:2]))
        out.append((skus.ids[k], row))
    return tuple(out)


def test_a_row_of_the_matrix_says_who_takes_what():
    """K0 → K2 for everybody: ten are there and ten are taken; K2 has no row and no share."""
    rules = Substitution(matrix=(("K0", (("K2", 1.0),)),))
    lines = [(0, 9 * HOUR, 0, 15), (0, 10 * HOUR, 2, 9)]
    result = simulate(world(*lines, days=1, substitution=rules), up_to(), seed=1, trace=ROWS)
    assert result.sold_per_sku.tolist() == [10, 0, 10]
    assert result.lost_per_sku.tolist() == [0, 0, 4]
    assert result.demanded_per_sku.tolist() == [15, 0, 9]


def test_shares_of_a_row_are_those_of_its_customers():
    """5,000 come one by one for what is not there; a quarter take K2, half K4, the rest leave."""
    network = small_network(stores=1, skus=6)
    rules = Substitution(share=1.0, matrix=(("K0", (("K2", 0.25), ("K4", 0.5))),))
    lines = [(0, 9 * HOUR + i, 0, 1) for i in range(5_000)]
    scenario = world(*lines, network=network, days=1, store_stock=5_000, substitution=rules)
    book = scenario.opening.book.copy()
    book[1, 0] = 0
    scenario = dataclasses.replace(scenario, opening=Opening(book, book.copy()))
    sold = simulate(scenario, up_to(), seed=1).sold_per_sku / 5_000
    assert sold[[1, 3, 5]].sum() == 0
    # Three standard errors of a share are 0.02.
    assert sold[2] == pytest.approx(0.25, abs=0.02)
    assert sold[4] == pytest.approx(0.5, abs=0.02)


def test_whoever_chooses_one_that_is_not_there_takes_none():
    network = small_network(stores=1, skus=6)
    rules = Substitution(matrix=(("K0", (("K2", 1.0),)),))
    lines = [(0, 9 * HOUR, 2, 10), (0, 10 * HOUR, 0, 15)]
    result = simulate(world(*lines, network=network, days=1, substitution=rules), up_to(), seed=1)
    assert result.sold_per_sku.tolist() == [10, 0, 10, 0, 0, 0]
    assert result.lost_per_sku.tolist() == [5, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ({"K1": {"K2": 0.5}}, "no other SKU of the category"),
        ({"K0": {"K0": 0.5}}, "no other SKU of the category"),
        ({"K0": {"K9": 0.5}}, "no SKU 'K9'"),
        ({"K9": {"K0": 0.5}}, "no SKU 'K9'"),
        ({"K0": {"K2": 0.7, "K4": 0.4}}, "1.1 of the customers of K0"),
        ({"K0": {"K2": -0.1}}, "-0.1 of the customers of K0"),
    ],
)
def test_a_matrix_that_can_not_be_is_refused(row, match):
    matrix = tuple((sku, tuple(others.items())) for sku, others in row.items())
    with pytest.raises(ScenarioInvalid, match=match) as refused:
        switch_rows(Substitution(matrix=matrix), small_network(skus=6).skus)
    assert refused.value.field == "substitution.matrix"


def test_a_matrix_stands_in_a_scenario_file_row_by_row(tmp_path):
    path = tmp_path / "mine.toml"
    head = 'name = "mine"\nextends = "tiny"\n'
    path.write_text(head + "[substitution.matrix]\nb = {c = 0.2, a = 0.1}\na = {b = 1}\n")
    rules = load_scenario(str(path)).world(tmp_path).substitution
    assert rules.matrix == (("a", (("b", 1),)), ("b", (("a", 0.1), ("c", 0.2))))
    for text, field in (
        ("[substitution.matrix]\na = 0.5", "substitution.matrix.a"),
        ('[substitution.matrix]\na = {b = "x"}', "substitution.matrix.a.b"),
        ("[substitution.matrix]\na = {b = 0.7, c = 0.7}", "substitution.matrix"),
    ):
        path.write_text(head + text + "\n")
        with pytest.raises(ScenarioInvalid) as refused:
            load_scenario(str(path))
        assert refused.value.field == field
        assert str(path) in str(refused.value.row)


@pytest.mark.parametrize("has_rows", [False, True])
@pytest.mark.parametrize("frictions", [Frictions(), FRAIL], ids=["none", "many"])
@pytest.mark.parametrize("backorders", [False, True])
def test_the_twin_equals_one_event_per_line_with_substitutes_and_returns(
    frictions, backorders, has_rows
):
    matrix = matrix_of(chain().network) if has_rows else ()
    scenario = chain(
        frictions=frictions,
        store=StoreRules(3, 30.0, backorders),
        substitution=Substitution(0.5, matrix=matrix),
        customer_returns=CustomerReturns(0.2, 3, 0.6),
    )
    fast = simulate(scenario, BUNDLE, seed=5, trace=ROWS)
    slow = ReferenceModel(scenario, BundleOrders(scenario, BUNDLE, seed=5), seed=5)
    account, shape = slow.run(), scenario.network.shape
    assert (fast.lost_per_sku == account.array("lost", shape).sum(axis=0)).all()
    sold = fast.facts.get("units_sold").sum(axis=(0, 2))
    assert (sold == account.array("sold", shape).sum(axis=1)).all()
    closing = fast.facts.get("closing_stock_units")[-1].sum(axis=1)
    assert (closing == account.array("book", shape).sum(axis=1)).all()
    assert fast.counters["tours"] == slow.logistics.tours
    untraced = simulate(scenario, BUNDLE, seed=5)
    assert untraced.facts.sku_facts.tobytes() == fast.facts.sku_facts.tobytes()


def test_demand_before_substitution_is_the_same_whatever_the_share_and_the_policy():
    """KPI denominators: per day, place and category, and per SKU over the horizon."""
    runs = [
        simulate(chain(substitution=Substitution(share)), bundle, seed=3)
        for share, bundle in ((0.0, BUNDLE), (0.6, BUNDLE), (0.6, up_to(3, 40)))
    ]
    for run in runs[1:]:
        assert (run.demanded_per_sku == runs[0].demanded_per_sku).all()
        same = run.facts.get("units_demanded") == runs[0].facts.get("units_demanded")
        assert same.all()
        assert (run.sold_per_sku + run.lost_per_sku != run.demanded_per_sku).any()
        assert (run.sold_per_sku + run.lost_per_sku).sum() == run.demanded_per_sku.sum()


def test_more_customers_who_take_another_sku_lose_fewer_sales():
    lost = [
        simulate(chain(substitution=Substitution(share)), BUNDLE, seed=3).lost_per_sku.sum()
        for share in (0.0, 0.3, 1.0)
    ]
    assert lost[0] > lost[1] > lost[2] > 0


def test_a_category_may_have_a_share_of_its_own():
    names = chain().network.skus.categories
    only = Substitution(0.0, ((names[0], 1.0),))
    plain = simulate(chain(), BUNDLE, seed=3).facts
    some = simulate(chain(substitution=only), BUNDLE, seed=3).facts
    sold = [facts.get("units_lost")[:4].sum(axis=(0, 1)) for facts in (plain, some)]
    assert sold[1][0] < sold[0][0]
    assert (sold[1][1:] == sold[0][1:]).all()
    with pytest.raises(ScenarioInvalid, match="nowhere") as caught:
        simulate(chain(substitution=Substitution(0.0, (("nowhere", 1.0),))), BUNDLE, seed=3)
    assert caught.value.field == "substitution.by_category"


def test_returns_come_back_so_many_days_after_their_sale_and_the_good_ones_are_for_sale():
    """Ten sold on day 0, all of them back on day 2, seven good ones on the shelf again."""
    rules = CustomerReturns(1.0, 2, 0.7, at_s=11 * HOUR)
    lines = [(0, 9 * HOUR, 0, 10), (0, 2 * DAY + 10 * HOUR, 0, 1), (0, 2 * DAY + 12 * HOUR, 0, 9)]
    scenario = world(*lines, warehouse_stock=0, customer_returns=rules)
    result = simulate(scenario, up_to(0, 0), seed=1, trace=ROWS)
    rows = result.movements
    back = rows.where(rows.kind == MovementKind.CUSTOMER_RETURN)
    gone = rows.where(rows.kind == MovementKind.WRITE_OFF)
    assert back.occurred_at_s.tolist() == [2 * DAY + 11 * HOUR]
    assert (back.quantity.tolist(), gone.quantity.tolist()) == ([10], [3])
    assert gone.to_location.tolist() == [LOSS]
    # One came too early, and two were too many.
    assert result.lost_per_sku.tolist() == [3, 0, 0]
    assert result.facts.get("write_off_cents").sum() == 300
    wanted = {"returned_units": 10, "resold_units": 7, "refund_cents": 1_500}
    assert wanted.items() <= result.counters.items()


def test_each_return_is_a_movement_and_the_ledger_makes_the_same_facts():
    """Conservation is asserted every midnight; here the rows are projected again."""
    scenario = chain(
        frictions=FRAIL,
        substitution=Substitution(0.4),
        customer_returns=CustomerReturns(0.15, 4, 0.5),
    )
    result = simulate(scenario, BUNDLE, seed=2, trace=ROWS)
    told = {n: result.facts.get(n) for n in ("revenue_cents", "forecast_milliunits")}
    facts = day_facts(
        scenario.network, result.movements, result.documents, 0, 27, known_at_s=29 * DAY, **told
    )
    names = [name for name in SKU_FACTS if name not in LATENT_FACTS] + list(LOCATION_FACTS)
    assert [n for n in names if (result.facts.get(n) != facts.get(n)).any()] == []
    rows = result.movements
    back = rows.quantity[rows.kind == MovementKind.CUSTOMER_RETURN].sum()
    waste = rows.quantity[rows.kind == MovementKind.WRITE_OFF].sum()
    assert back == result.counters["returned_units"]
    assert back - waste == result.counters["resold_units"]
    sold = result.facts.get("units_sold")[:24].sum()
    # Rounded up or down by a draw: within 5 standard deviations of at most a half each.
    lines = (rows.kind == MovementKind.SELL).sum()
    assert abs(back - 0.15 * sold) < 5 * 0.5 * np.sqrt(lines)


def test_a_perishable_that_comes_back_is_never_sold_again():
    network, demand = generate_chain(stores=3, skus=12, days=21, lines_per_store_day=60, seed=8)
    life = np.where(np.arange(12) % 2 == 0, 6, 0).astype(np.int32)
    network = dataclasses.replace(
        network, skus=dataclasses.replace(network.skus, shelf_life_days=life)
    )
    scenario = Scenario(
        "fresh",
        network,
        demand,
        0,
        21,
        perishables=Perishables(tracked=True),
        customer_returns=CustomerReturns(0.3, 2, 1.0),
        substitution=Substitution(0.5),
    )
    result = simulate(scenario, BUNDLE, seed=1, trace=ROWS)
    rows = result.movements
    morning = rows.occurred_at_s % DAY == 10 * HOUR
    back, waste = (
        np.bincount(rows.sku[mine], rows.quantity[mine], 12)
        for mine in (
            morning & (rows.kind == MovementKind.CUSTOMER_RETURN),
            morning & (rows.kind == MovementKind.WRITE_OFF),
        )
    )
    assert (back > 0).all()
    assert (waste[life > 0] == back[life > 0]).all()
    assert (waste[life == 0] == 0).all()


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("substitution.share", lambda: Substitution(1.2)),
        ("substitution.by_category", lambda: Substitution(0.1, (("food", -0.1),))),
        ("customer_returns.share", lambda: CustomerReturns(2.0)),
        ("customer_returns.after_days", lambda: CustomerReturns(0.1, 0)),
        ("customer_returns.at_s", lambda: CustomerReturns(0.1, 2, 0.5, 86_400)),
    ],
)
def test_impossible_customers_are_refused_by_name(field, make):
    with pytest.raises(ScenarioInvalid) as caught:
        make()
    assert caught.value.field == field
    assert caught.value.remedy


def test_a_scenario_file_may_say_all_of_it(tmp_path):
    path = tmp_path / "x.toml"
    head = 'name = "x"\nextends = "base"\n'
    path.write_text(
        head + "[substitution]\nshare = 0.3\nby_category = {dairy = 0.5, bread = 1}\n"
        "[customer_returns]\nshare = 0.02\nafter_days = 10\n"
    )
    found = load_scenario(str(path)).world(tmp_path)
    assert found.substitution == Substitution(0.3, (("bread", 1), ("dairy", 0.5)))
    assert found.customer_returns == CustomerReturns(0.02, 10)
    path.write_text(head + '[substitution.by_category]\ndairy = "half"\n')
    with pytest.raises(ScenarioInvalid) as caught:
        load_scenario(str(path))
    assert caught.value.field == "substitution.by_category.dairy"
