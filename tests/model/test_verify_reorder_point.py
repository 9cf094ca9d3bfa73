"""The full twin with backorders reproduces (s, S) theory, and wrong models are found out.

Intervals as in the lost-sales tests: 50 comparisons, joint level 99 %, fixed seed.
"""

from __future__ import annotations

import dataclasses

import pytest

from policies.replenishment.fixed import FixedReorderPoint
from scenarios.verify import verify_table
from scenarios.verify.run import replicate, verdict
from scenarios.verify.store import simulate_blocks
from scenarios.verify.table import ReorderRow
from scenarios.verify.worlds import world_of
from tests.shared_data import shared
from tests.unit.verify_exact import reorder_averages

COMPARISONS = 50
SEED = 5


def row(mean: float, lead_time: int, s: int, level: int) -> ReorderRow:
    """A row with order cost 64, h 1, p 9 and exact answers from the chain."""
    exact = reorder_averages(mean, lead_time, 64, 1, 9, s, level)
    return ReorderRow(1, mean, lead_time, 64, 1, 9, s, level, exact)


AT_ONCE, LATER = row(10, 0, 6, 40), row(10, 1, 16, 51)


@pytest.mark.parametrize("case", [AT_ONCE, LATER], ids=["L = 0", "L = 1"])
def test_the_twin_agrees_with_the_exact_chain_on_every_measure(case):
    values = replicate(case, world_of(case), COMPARISONS, SEED, precision_scale=3.0)
    answer = verdict(case, values, COMPARISONS)
    assert answer["inside"], answer["measures"]
    assert answer["replications"] >= 30
    for measure in answer["measures"].values():
        assert measure["half_width_share"] < 0.02


MUTANTS = {
    "s + 1": {"replenisher": FixedReorderPoint(17, 51)},
    "s - 1, which is < for <=": {"replenisher": FixedReorderPoint(15, 51)},
    "S + 1": {"replenisher": FixedReorderPoint(16, 52)},
    "S - 1": {"replenisher": FixedReorderPoint(16, 50)},
    "lead time + 1": {"lead_time": 2},
    "lead time - 1": {"lead_time": 0},
    "lost instead of waiting": {"backorders": False},
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_rejected(name):
    world = dataclasses.replace(world_of(LATER), **MUTANTS[name])
    values = simulate_blocks(LATER, world, skus_per_block=14, days=600, seed=SEED, batch=0)
    answer = verdict(LATER, values, COMPARISONS)
    assert answer["inside"] is False
    assert answer["measures"]["demand"]["inside"]


def test_without_an_order_cost_s_just_below_level_is_base_stock():
    """(S − 1, S) orders every unit demanded: order frequency is P(demand > 0)."""
    case = ReorderRow(1, 2.0, 1, 0, 1, 9, 7, 8, reorder_averages(2.0, 1, 0, 1, 9, 7, 8))
    values = simulate_blocks(case, world_of(case), skus_per_block=20, days=500, seed=1, batch=0)
    answer = verdict(case, values, COMPARISONS)
    assert answer["inside"], answer["measures"]
    frequency = answer["measures"]["order_frequency"]
    assert abs(frequency["estimate"] - 0.8647) < frequency["half_width"]


@pytest.mark.benchmark
def test_the_published_table_is_reproduced_at_full_precision():
    answer = verify_table(shared("reference/ss.csv"))
    assert len(answer["rows"]) == 7
    for line in answer["rows"]:
        assert line["inside"], line
        assert line["half_width"] <= 0.005 * line["reference"]
