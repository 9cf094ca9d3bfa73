"""Every scenario of the library is loaded and run for a day."""

from __future__ import annotations

import dataclasses

import pytest

from policies.registry import build_bundle
from scenarios.chains import generated
from scenarios.scenario import library, load_scenario
from scenarios.worlds import scenario_of
from twin.run import simulate

NAMED = {
    "asrs", "base", "daily-review", "demand-plus-20", "fuel-plus-50", "heat-wave",
    "lateral-transfers", "misplacement", "new-category", "new-store", "product-recall",
    "promotion-week", "record-accuracy-98", "rfid-counts", "risk-counts", "self-checkout",
    "slow-mover-returns", "spring-festival", "supplier-strike", "trucks-minus-20",
    "warehouse-down",
}  # fmt: skip


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """A chain of two stores that every scenario can run on."""
    return generated(
        {"stores": 2, "skus": 12, "days": 28, "lines_per_store_day": 40, "seed": 1},
        tmp_path_factory.mktemp("chains"),
    )


def test_what_a_planner_asks_first_is_there_by_name():
    assert set(library()) >= NAMED
    assert len(library()) >= 14


@pytest.mark.parametrize("name", sorted(library()))
def test_a_scenario_of_the_library_runs_for_a_day(name, chain):
    """On the day after the run's first, so that every demand has receipts behind it."""
    file = load_scenario(name)
    world = dataclasses.replace(file.world(chain), days=1, warmup_days=0, first_day=7)
    policy = file.policy()
    bundle = build_bundle(policy.name, policy.as_dict())
    result = simulate(scenario_of(world, 0), bundle, seed=1)
    assert result.counters["lines"] > 0
    assert result.facts.get("units_sold").sum() > 0
