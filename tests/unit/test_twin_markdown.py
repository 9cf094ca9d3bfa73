"""Labels with a lower price on what expires soon."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.domain.errors import ScenarioInvalid
from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from scenarios.scenario import load_scenario
from tests.unit.domain_networks import small_network
from tests.unit.twin_worlds import HOUR, up_to, world
from twin import draws
from twin.age_touches import take
from twin.markdown import take_labelled
from twin.processes import MarkdownRules
from twin.result import Trace
from twin.run import simulate
from twin.scenario import Opening, Perishables, Scenario

BUNDLE = build_bundle("incumbent", {"reviews_per_week": 7})
KEY = draws.keys(1, 0, "t", ["x"])[0]


@settings(max_examples=60, deadline=None)
@given(
    units=st.lists(st.integers(0, 9), min_size=2, max_size=7),
    oldest=st.integers(0, 30),
    share=st.floats(0, 1),
    days=st.integers(0, 9),
    part=st.floats(0, 1),
)
def test_labels_that_pull_nobody_leave_the_classes_that_are_left_without_them(
    units, oldest, share, days, part
):
    """One by one or by sums: units from both ends commute."""
    by_sums, one_by_one = (np.array(units, dtype=np.int32) for _ in range(2))
    gone = int(part * sum(units))
    if gone:
        take(by_sums, oldest, gone, 5, 1 << 36, KEY, share)
    before = [units[(oldest + i) % len(units)] for i in range(min(days, len(units)))]
    sold = take_labelled(one_by_one, oldest, gone, (1 << 36) + 5, KEY, share, days, 0.0)
    assert by_sums.tolist() == one_by_one.tolist()
    after = [one_by_one[(oldest + i) % len(units)] for i in range(min(days, len(units)))]
    assert sold == sum(before) - sum(after)


def test_everyone_who_is_pulled_takes_labelled_goods_until_there_are_none():
    """All want the youngest; with labels on two days they take the oldest five, then turn."""
    classes = np.array([3, 2, 4, 6], dtype=np.int32)
    assert take_labelled(classes, 0, 7, 0, KEY, 1.0, 2, 1.0) == 5
    assert classes.tolist() == [0, 0, 4, 4]
    classes = np.array([3, 2, 4, 6], dtype=np.int32)
    assert take_labelled(classes, 2, 7, 0, KEY, 1.0, 1, 0.0) == 0
    assert classes.tolist() == [0, 0, 4, 4]


def fresh_world(*lines, rules: MarkdownRules, lifo: float = 1.0):
    """One SKU K0 with three days of sale: four units expire today, six in two days."""
    network = small_network(stores=1)
    life = np.array([3, 0, 0], dtype=np.int32)
    network = dataclasses.replace(
        network, skus=dataclasses.replace(network.skus, shelf_life_days=life)
    )
    stock = np.array([[0, 0, 0], [10, 0, 0]], dtype=np.int32)
    ages = np.array([[1, 0, 0, 4], [1, 0, 2, 6]], dtype=np.int64)
    return world(
        *lines,
        network=network,
        days=1,
        opening=Opening(stock, stock.copy(), expiring=ages),
        perishables=Perishables(tracked=True, lifo_share=lifo),
        markdown=rules,
    )


def test_what_expires_today_is_sold_cheaper_from_the_hour_of_the_labels_on():
    """Two sold before five take the youngest; five after it: four with a label, one without."""
    lines = [(0, 16 * HOUR, 0, 2), (0, 18 * HOUR, 0, 5)]
    rules = MarkdownRules(1, 0.4, 17.0, pull_share=1.0)
    plain = simulate(fresh_world(*lines, rules=MarkdownRules()), up_to(0, 0), seed=1)
    marked = simulate(fresh_world(*lines, rules=rules), up_to(0, 0), seed=1)
    assert plain.facts.get("write_off_units").sum() == 3
    assert marked.facts.get("write_off_units").sum() == 0
    assert marked.counters["marked_units"] == 4
    assert marked.counters["markdown_cents"] == 4 * 60
    took = [run.facts.get("revenue_cents").sum() for run in (plain, marked)]
    assert took == [7 * 150, 7 * 150 - 240]
    given_up = [run.facts.get("margin_lost_cents").sum() for run in (plain, marked)]
    assert given_up == [0, 240]
    assert (marked.demanded_per_sku == plain.demanded_per_sku).all()


def test_a_label_stays_on_until_the_evening_of_the_last_day():
    """Two days before: what expires tomorrow is labelled today, and has it in the morning."""
    rules = MarkdownRules(2, 0.5, 17.0, pull_share=1.0)
    scenario = fresh_world((0, 9 * HOUR, 0, 3), rules=rules)
    assert simulate(scenario, up_to(0, 0), seed=1).counters["marked_units"] == 3
    other = fresh_world((0, 9 * HOUR, 0, 3), rules=dataclasses.replace(rules, days_before=1))
    assert simulate(other, up_to(0, 0), seed=1).counters["marked_units"] == 0


def chain(**rules) -> Scenario:
    network, demand = generate_chain(stores=4, skus=20, days=28, lines_per_store_day=120, seed=9)
    life = 3 + np.arange(20, dtype=np.int32) % 5
    network = dataclasses.replace(
        network, skus=dataclasses.replace(network.skus, shelf_life_days=life)
    )
    fresh = Perishables(tracked=True, lifo_share=0.6)
    return Scenario("fresh", network, demand, 0, 28, **({"perishables": fresh} | rules))


def test_more_pull_wastes_less_and_a_free_label_changes_the_waste_alone():
    """Common random numbers: the same customers want the youngest under every rule."""
    waste, runs = [], []
    for pull in (0.0, 0.5, 1.0):
        rules = MarkdownRules(2, 0.0, 12.0, pull)
        runs.append(simulate(chain(markdown=rules), BUNDLE, seed=2))
        waste.append(int(runs[-1].facts.get("write_off_units").sum()))
    assert waste[0] > waste[1] > waste[2]
    off = simulate(chain(), BUNDLE, seed=2)
    assert runs[0].facts.sku_facts.tobytes() == off.facts.sku_facts.tobytes()
    assert (runs[2].demanded_per_sku == off.demanded_per_sku).all()


def test_a_final_state_asked_for_changes_no_counter():
    scenario = chain(markdown=MarkdownRules(2, 0.3, 12.0, 0.8))
    asked = simulate(scenario, BUNDLE, seed=2, trace=Trace(final_state=True))
    plain = simulate(scenario, BUNDLE, seed=2)
    assert asked.counters == plain.counters
    assert plain.counters["marked_units"] > 100
    assert asked.facts.sku_facts.tobytes() == plain.facts.sku_facts.tobytes()


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("markdown.discount_share", lambda: MarkdownRules(1, 1.5)),
        ("markdown.pull_share", lambda: MarkdownRules(1, 0.5, 17.0, -0.1)),
        ("markdown.days_before", lambda: MarkdownRules(-1)),
        (
            "markdown.days_before",
            lambda: simulate(
                chain(markdown=MarkdownRules(1), perishables=Perishables()), BUNDLE, seed=1
            ),
        ),
        (
            "markdown.from_hour",
            lambda: simulate(chain(markdown=MarkdownRules(1, 0.3, 23.0)), BUNDLE, seed=1),
        ),
    ],
)
def test_impossible_labels_are_refused_by_name(field, make):
    with pytest.raises(ScenarioInvalid) as caught:
        make()
    assert caught.value.field == field
    assert caught.value.remedy


def test_a_scenario_file_may_mark_down(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(
        'name = "x"\nextends = "base"\n[perishables]\ntracked = true\n[markdown]\ndays_before = 2\n'
    )
    assert load_scenario(str(path)).world(tmp_path).markdown == MarkdownRules(2)
