"""Misplaced goods and counts by risk: what customers miss, what a count finds, what it takes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.domain.errors import ScenarioInvalid
from policies.domain.facts import CostModel
from policies.domain.ledger import MovementKind
from policies.domain.panel import day_facts
from policies.domain.workload import task_minutes
from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from scenarios.scenario import load_scenario
from tests.unit.twin_worlds import DAY, HOUR, up_to, world
from twin.goods_rules import Misplacement, RiskCounts
from twin.processes import ShelfRules
from twin.result import Trace
from twin.risk_counts import _best
from twin.run import simulate
from twin.scenario import Frictions, Scenario, StoreRules

TRACED = Trace(movements=True, final_state=True)
NOTHING = up_to(store=0, warehouse=0)
ALL_ASTRAY = Misplacement(share_per_day=1.0, found_per_day=0.0, count_finds_share=1.0)
EVERYTHING = StoreRules(count_lines_per_day=3)
"""The tiny chain has three SKUs."""


def daily(days: int):
    return [(s, d * DAY + 10 * HOUR, 0, 1) for s in range(2) for d in range(days)]


def adjusted(result):
    return int(result.movements.quantity[result.movements.kind == MovementKind.ADJUST].sum())


def test_stray_goods_are_in_the_store_and_in_the_book_and_not_for_sale():
    result = simulate(
        world(*daily(3), days=3, misplacement=ALL_ASTRAY), NOTHING, seed=1, trace=TRACED
    )
    assert result.lost_per_sku.tolist() == [4, 0, 0]
    assert result.final.physical[1:, 0].tolist() == [9, 9]
    assert result.final.book[1:, 0].tolist() == [9, 9]
    assert result.counters["units_missed_behind"] == 4
    assert result.counters["units_gone_astray"] == 2 * 29
    facts = result.facts
    assert (facts.get("latent_records") == facts.get("latent_records_right")).all()


def test_a_count_that_finds_them_puts_them_back_and_changes_no_record():
    result = simulate(
        world(*daily(3), days=3, misplacement=ALL_ASTRAY, store=EVERYTHING),
        NOTHING, seed=1, trace=TRACED,
    )  # fmt: skip
    assert result.lost_per_sku.sum() == 0
    assert adjusted(result) == 0
    assert result.facts.get("count_lines_right").sum() == 18


def test_a_count_that_misses_them_books_them_away_and_they_are_found_at_the_till():
    """Evening 0: all astray, counted as none. Evening 1: all turn up. Day 2: sold, not booked."""
    blind = Misplacement(share_per_day=1.0, found_per_day=1.0, count_finds_share=0.0)
    short = dataclasses.replace(
        world(*daily(3), days=3, misplacement=blind, store=EVERYTHING), count_s=22 * 3600
    )
    result = simulate(short, NOTHING, seed=1, trace=TRACED)
    rows = result.movements
    away = rows.kind == MovementKind.ADJUST
    first = rows.occurred_at_s[away] < DAY
    assert rows.quantity[away][first].sum() == 2 * 29
    assert result.lost_per_sku.tolist() == [2, 0, 0]
    assert result.final.physical[1:, 0].tolist() == [8, 8]
    gap = result.facts.get("latent_records") - result.facts.get("latent_records_right")
    assert gap[0].sum() == 6
    found = day_facts(short.network, result.movements, result.documents, 0, 2, known_at_s=3 * DAY)
    for name in ("count_lines", "count_loss_cents", "count_gain_cents", "closing_stock_units"):
        assert (found.get(name) == result.facts.get(name)).all(), name


def test_staff_who_fill_shelves_do_not_see_what_is_astray():
    rules = ShelfRules(packs=4.0, fill_hours=(7.0,))
    result = simulate(
        world(*daily(3), days=3, misplacement=ALL_ASTRAY, shelf=rules), NOTHING, seed=1
    )
    assert result.lost_per_sku.tolist() == [4, 0, 0]


def test_nothing_astray_is_kept_where_the_rule_is_off():
    from twin.state import cover_opening, open_state

    plain = world()
    state = open_state(plain, cover_opening(plain), 1, 0)
    assert state.stock.stray.shape == (3, 0)
    assert not state.frailty.has_shelf


@pytest.fixture(scope="module")
def chain():
    return generate_chain(stores=5, skus=150, days=84, lines_per_store_day=250, seed=8)


@pytest.mark.parametrize(("rule", "times"), [("phantom", 2.0), ("value", 1.15)])
def test_counts_by_risk_hit_what_they_are_for_more_often_than_those_at_random(chain, rule, times):
    """Empty shelves behind a record by the one rule, wrong records by the other."""
    network, demand = chain
    scenario = Scenario(
        "risk", network, demand, 0, 84, opening_cover_days=6.0,
        frictions=Frictions(shrink_per_unit_sold=0.03),
        store=StoreRules(count_lines_per_day=4),
        risk_counts=RiskCounts(lines_per_day=4, rule=rule),
    )  # fmt: skip
    bundle = build_bundle("base-stock", {"reviews_per_week": 7})
    result = simulate(scenario, bundle, seed=1, trace=Trace(movements=True))
    facts, seen = result.facts, result.counters
    lines = facts.get("risk_count_lines").sum()
    assert lines == seen["risk_count_lines"] > 5 * 84 * 2
    # The random sample is as large as without, and as many of its lines are right or wrong.
    assert facts.get("count_lines").sum() == 5 * 84 * 4
    counts = result.documents.counts
    hit = counts.counted != counts.expected
    if rule == "phantom":
        hit = (counts.counted == 0) & (counts.expected > 0)
        assert seen["risk_count_lines_empty"] == hit[counts.is_risk > 0].sum()
    assert seen["risk_count_lines_wrong"] >= hit[counts.is_risk > 0].sum()
    assert hit[counts.is_risk > 0].mean() > times * hit[counts.is_risk == 0].mean()
    costs = CostModel()
    minutes = float(task_minutes("count", facts, costs).sum())
    assert minutes == pytest.approx((lines + 5 * 84 * 4) * costs.count_line_seconds / 60)
    told = day_facts(network, result.movements, result.documents, 0, 83, known_at_s=84 * DAY)
    for name in ("risk_count_lines", "count_lines", "count_lines_right"):
        assert (told.get(name) == facts.get(name)).all(), name


def test_a_ranking_is_worked_off_in_its_order_and_lines_without_risk_are_not_counted():
    assert _best(np.array([0.1, 0.0, 0.9, 0.9, 0.3]), 4).tolist() == [2, 3, 4, 0]
    assert _best(np.zeros(3), 4).tolist() == []


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[misplacement]\nshare_per_day = 1.5", "misplacement.share_per_day"),
        ("[misplacement]\nshare = 0.5", "misplacement.share"),
        ('[risk_counts]\nrule = "luck"', "risk_counts.rule"),
        ("[risk_counts]\nlines_per_day = 2.5", "risk_counts.lines_per_day"),
        ("[risk_counts]\nevery_days = 0", "risk_counts.every_days"),
    ],
)
def test_rules_that_can_not_be_are_named(tmp_path, text, field):
    path = tmp_path / "mine.toml"
    path.write_text(f'name = "mine"\nextends = "tiny"\n{text}\n')
    with pytest.raises(ScenarioInvalid) as refused:
        load_scenario(str(path))
    assert refused.value.field == field
    assert str(path) in str(refused.value.row)
