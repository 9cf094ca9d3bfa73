"""From 85 % to 98 % right records: what a cycle of counts does to book and truth."""

from __future__ import annotations

import pytest

from policies.domain.errors import ScenarioInvalid
from policies.domain.facts import CostModel
from policies.domain.kpis import KPIS, value
from policies.domain.workload import TASKS, clerk_minutes, task_minutes
from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from scenarios.scenario import load_scenario
from twin.goods_rules import RiskCounts
from twin.run import simulate
from twin.scenario import Frictions, Scenario, StoreRules

YEAR = 365
NAMES = (
    "stock_record_accuracy", "latent_record_accuracy", "true_fill_rate", "cost_per_unit_demanded",
)  # fmt: skip


def second_year(name, chain, seed=1):
    """Facts and figures of a library scenario's rules, after a year that is not counted."""
    network, demand = chain
    parts = load_scenario(name).values
    scenario = Scenario(
        name, network, demand, 0, 2 * YEAR, warmup_days=YEAR, opening_cover_days=6.0,
        frictions=Frictions(**parts["frictions"]), store=StoreRules(**parts["store"]),
        risk_counts=RiskCounts(**parts.get("risk_counts", {})),
    )  # fmt: skip
    run = simulate(scenario, build_bundle("base-stock", {"reviews_per_week": 7}), seed=seed)
    facts = run.facts.window(YEAR, 2 * YEAR - 1)
    return facts, {key: float(value(KPIS[key], facts, by=())) for key in NAMES}


@pytest.fixture(scope="module")
def chain():
    """Six stores, 200 SKUs, 300 receipt lines a store and day, two years."""
    return generate_chain(stores=6, skus=200, days=2 * YEAR, lines_per_store_day=300, seed=3)


@pytest.fixture(scope="module")
def before(chain):
    return second_year("yearly-stock-take", chain)


@pytest.fixture(scope="module")
def after(chain):
    return second_year("record-accuracy-98", chain)


def test_weekly_counts_take_records_from_85_to_98_percent_right(before, after):
    """By the random sample that a chain sees, and by the truth that only the twin knows.

    The sample holds 2,190 and 54,750 lines: two standard errors are 1.5 and 0.1 points.
    """
    assert before[1]["latent_record_accuracy"] == pytest.approx(0.85, abs=0.02)
    assert before[1]["stock_record_accuracy"] == pytest.approx(0.85, abs=0.035)
    assert after[1]["latent_record_accuracy"] >= 0.98
    assert after[1]["stock_record_accuracy"] >= 0.978


def test_what_right_records_bring_and_cost_is_told(before, after):
    """More true fill, less cost per unit demanded, and the minutes of the counts."""
    for facts, figures in (before, after):
        print({key: round(number, 4) for key, number in figures.items()})
        minutes = {task: task_minutes(task, facts, CostModel()).sum() for task in TASKS}
        print({task: round(float(one)) for task, one in minutes.items()})
        assert clerk_minutes(facts, CostModel()).sum() == pytest.approx(sum(minutes.values()))
    assert after[1]["true_fill_rate"] > before[1]["true_fill_rate"]
    assert after[1]["cost_per_unit_demanded"] < before[1]["cost_per_unit_demanded"]
    counted = [facts.get("count_lines").sum() for facts, _ in (before, after)]
    assert counted[0] == 6 * YEAR
    assert counted[1] == 6 * 25 * YEAR


def test_nobody_miscounts_only_what_there_is_to_count(chain):
    """Without other errors, a tenth of miscounts leaves about the share it should.

    A record is wrong until its next count; each count is wrong with chance 0.1.
    """
    network, demand = chain
    scenario = Scenario(
        "miscounts", network, demand, 0, 120, warmup_days=60, opening_cover_days=6.0,
        store=StoreRules(count_cycle_days=5.0, count_error_per_line=0.1),
    )  # fmt: skip
    run = simulate(scenario, build_bundle("base-stock", {"reviews_per_week": 7}), seed=1)
    facts = run.facts.window(60, 119)
    right = facts.get("latent_records_right")[:, network.stores].sum()
    share = right / facts.get("latent_records")[:, network.stores].sum()
    assert share == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize(
    "change",
    [
        {"count_cycle_days": 0.5},
        {"count_cycle_days": -1.0},
        {"count_cycle_days": float("nan")},
        {"count_error_per_line": 1.5},
        {"count_lines_per_day": -1},
    ],
)
def test_impossible_counting_rules_are_named(change):
    with pytest.raises(ScenarioInvalid) as caught:
        StoreRules(**change)
    assert caught.value.field == f"store.{next(iter(change))}"
    assert caught.value.remedy


def test_counts_by_risk_bring_most_of_it_in_a_third_of_the_time(before, after, chain):
    risk = second_year("risk-counts", chain)
    name = "latent_record_accuracy"
    gained, whole = risk[1][name] - before[1][name], after[1][name] - before[1][name]
    assert gained > 0.8 * whole
    assert risk[1]["true_fill_rate"] > before[1]["true_fill_rate"] + 0.001
    minutes = [float(task_minutes("count", one[0], CostModel()).sum()) for one in (risk, after)]
    assert minutes[0] < minutes[1] / 3
