"""The full twin with age classes reproduces perishable theory, and wrong models are found out.

Intervals as in the lost-sales tests: 12 rows of 6 measures, joint level 99 %, fixed seed.
Answers are those of the exact routine, which shares no line with the twin.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.domain.decision import Reason
from policies.exact.perishable import FIGURES, PerishableModel, base_stock
from policies.replenishment.fixed import FixedBaseStock
from scenarios.verify import verify_table
from scenarios.verify.run import replicate, verdict
from scenarios.verify.store import simulate_blocks
from scenarios.verify.table import PerishableRow
from scenarios.verify.worlds import world_of
from tests.shared_data import shared
from twin.scenario import Perishables

COMPARISONS = 72
SEED = 3


def row(life: int, lead_time: int, waste_cost: float, level: int, *, is_fifo: bool):
    """A row with its exact answers."""
    exact = base_stock(PerishableModel(life, lead_time, waste_cost, is_fifo), level)
    answers = {"cost": exact.cost} | {name: getattr(exact, name) for name in FIGURES}
    return PerishableRow(
        1, life, lead_time, waste_cost, is_fifo, "base_stock_average", level, answers
    )


ROWS = {
    "m 2, L 1, FIFO": row(2, 1, 7, 7, is_fifo=True),
    "m 2, L 1, LIFO": row(2, 1, 7, 5, is_fifo=False),
    "m 1, L 1, FIFO": row(1, 1, 7, 9, is_fifo=True),
    "m 1, L 2, LIFO": row(1, 2, 10, 14, is_fifo=False),
    "m 3, L 2, FIFO": row(3, 2, 10, 13, is_fifo=True),
    "m 3, L 2, LIFO": row(3, 2, 10, 11, is_fifo=False),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_twin_agrees_with_the_exact_chain_on_every_measure(name):
    case = ROWS[name]
    values = replicate(case, world_of(case), COMPARISONS, SEED, precision_scale=4.0)
    answer = verdict(case, values, COMPARISONS)
    assert answer["inside"], answer["measures"]
    assert answer["replications"] >= 30
    assert answer["half_width"] <= 0.005 * answer["reference"]


@dataclasses.dataclass(frozen=True)
class OrdersBelowOnly:
    """Mutant: `<` for `≤`, an order only when more than one unit is missing."""

    level: int

    def order_quantity(self, view):
        gap = np.maximum(self.level - view.inventory_position, 0)
        gap = np.where(gap > 1, np.minimum(gap, 10), 0).astype(np.int32)
        return gap, np.full(gap.shape, Reason.BELOW_BASE_STOCK, dtype=np.int8)


FIFO, LIFO = ROWS["m 3, L 2, FIFO"], ROWS["m 3, L 2, LIFO"]
MORNING = 6 * 3600
MUTANTS = {
    "FIFO for LIFO": (LIFO, {"perishables": Perishables(tracked=True, lifo_share=0.0)}),
    "LIFO for FIFO": (FIFO, {"perishables": Perishables(tracked=True, lifo_share=1.0)}),
    "a tenth of the customers LIFO": (
        FIFO,
        {"perishables": Perishables(tracked=True, lifo_share=0.1)},
    ),
    "expiry before demand, FIFO": (
        FIFO,
        {"perishables": Perishables(tracked=True, expire_s=MORNING)},
    ),
    "expiry before demand, LIFO": (
        LIFO,
        {"perishables": Perishables(tracked=True, lifo_share=1.0, expire_s=MORNING)},
    ),
    "no expiry": (FIFO, {"perishables": Perishables()}),
    "life + 1": (FIFO, {"life": 4}),
    "life - 1": (FIFO, {"life": 2}),
    "lead time + 1": (FIFO, {"lead_time": 3}),
    "lead time - 1": (FIFO, {"lead_time": 1}),
    "level + 1": (FIFO, {"replenisher": FixedBaseStock(14, 10)}),
    "level - 1": (LIFO, {"replenisher": FixedBaseStock(10, 10)}),
    "< for <=": (FIFO, {"replenisher": OrdersBelowOnly(13)}),
    "fresh before the next opening, a day late": (FIFO, {"receipt_s": None}),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_rejected(name):
    case, changes = MUTANTS[name]
    world = dataclasses.replace(world_of(case), **changes)
    values = simulate_blocks(case, world, skus_per_block=14, days=600, seed=SEED, batch=0)
    answer = verdict(case, values, COMPARISONS)
    assert answer["inside"] is False, answer["measures"]
    assert answer["measures"]["demand"]["inside"]


def test_whoever_takes_the_oldest_first_wastes_least():
    """Structural identity: waste rises with the share of customers who take the youngest."""
    waste = []
    for share in (0.0, 0.3, 0.7, 1.0):
        rules = Perishables(tracked=True, lifo_share=share)
        world = dataclasses.replace(world_of(FIFO), perishables=rules)
        means = simulate_blocks(FIFO, world, skus_per_block=4, days=400, seed=SEED, batch=0)
        waste.append(means["expired"].mean())
    assert waste == sorted(waste)
    assert waste[0] < 0.6 * waste[-1]


@pytest.mark.benchmark
def test_the_published_table_is_reproduced_at_full_precision():
    answer = verify_table(shared("reference/perishable.csv"))
    simulated = [line for line in answer["rows"] if line["skipped"] is None]
    assert len(simulated) == 2
    for line in simulated:
        assert line["inside"], line
        assert line["half_width"] <= 0.005 * line["reference"]
        assert line["precise"]
