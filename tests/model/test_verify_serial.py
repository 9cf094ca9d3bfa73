"""Stages in series through the twin agree with Clark–Scarf; wrong lines are found out.

Answers are components of the exact recursion, which is linear in the costs: what one more
cent of a cost adds is the mean it is paid on.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.domain.errors import InvalidInput, ScenarioInvalid
from policies.exact.serial import SerialModel, cost_of
from scenarios.verify import verify_table
from scenarios.verify.run import replicate, verdict
from scenarios.verify.serial import SerialRow, line_of, serial_row, simulate_line
from tests.shared_data import shared
from tests.unit.domain_networks import small_network
from tests.unit.twin_worlds import up_to, world
from twin.pull import installation_levels
from twin.result import Trace
from twin.run import World, simulate
from twin.scenario import EchelonPull

COMPARISONS = 70
SEED = 2


def row(rate, b, costs, leads, levels) -> SerialRow:
    """A row with every mean from the exact recursion."""

    def cost(more_b=0.0, more_h=None):
        held = tuple(h + (j == more_h) for j, h in enumerate(costs))
        return cost_of(SerialModel(rate, b + more_b, held, leads), levels)

    owed = cost(more_b=1.0) - cost()
    answers = {"cost": cost(), "backlog": owed}
    for j in range(len(levels)):
        # One more cent on echelon j is paid on its level, and once more on what is owed.
        answers[f"echelon_{j + 1}"] = cost(more_h=j) - cost() - owed
    return SerialRow(1, rate, b, costs, leads, levels, answers)


ROWS = {
    "one stage": row(8.0, 9.0, (1.0,), (0.5,), (6,)),
    "three stages": row(6.0, 4.0, (0.5, 0.3, 0.2), (0.25, 0.5, 0.75), (3, 7, 12)),
    "levels that don't nest": row(6.0, 4.0, (0.5, 0.5, 0.2), (0.25, 0.5, 0.5), (5, 4, 8)),
}
LINE = ROWS["three stages"]


@pytest.mark.parametrize("name", ROWS)
def test_the_twin_agrees_with_the_recursion_on_cost_backlog_and_every_echelon(name):
    case = ROWS[name]
    values = replicate(case, line_of(case), COMPARISONS, SEED, precision_scale=3.0)
    answer = verdict(case, values, COMPARISONS)
    assert answer["inside"], answer["measures"]
    assert answer["replications"] >= 30


MUTANTS = {
    "level of the store + 1": {"levels": (4, 7, 12)},
    "level of the store - 1": {"levels": (2, 7, 12)},
    "level of the middle + 1": {"levels": (3, 8, 12)},
    "level of the top - 1": {"levels": (3, 7, 11)},
    "level of the top + 1, which is < for <=": {"levels": (3, 7, 13)},
    "lead time into the store longer": {"lead_times": (0.35, 0.5, 0.75)},
    "lead time into the top shorter": {"lead_times": (0.25, 0.5, 0.65)},
    "lead times swapped": {"lead_times": (0.75, 0.5, 0.25)},
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_rejected(name):
    line = dataclasses.replace(line_of(LINE), **MUTANTS[name])
    values = simulate_line(LINE, line, skus_per_block=4, days=500, seed=SEED, batch=0)
    answer = verdict(LINE, values, COMPARISONS)
    assert answer["inside"] is False, answer["measures"]
    assert answer["measures"]["demand"]["inside"]


def plain_line(times, leads, levels, moment):
    """(owed, on hand of each stage, on the road to each) at `moment`: unit by unit.

    The n-th unit ordered from a stage leaves it with the arrival of its order number
    n − level, or at once; counted from Axsäter's (1990) one-for-one recursion.
    """
    stages = len(leads)
    leaves, arrives = [None] * stages, [None] * stages
    above = np.array(times, dtype=np.int64)
    for j in range(stages - 1, -1, -1):
        if j < stages - 1:
            level = levels[j + 1]
            came = np.concatenate([np.full(level, -1), arrives[j + 1]])[: len(times)]
            above = np.maximum(times, came)
        leaves[j], arrives[j] = above, above + leads[j]
    n = (np.array(times) <= moment).sum()
    on_hand, road = [], []
    for j in range(stages):
        out = (leaves[j - 1] <= moment).sum() if j else None
        in_stock = levels[j] + (arrives[j] <= moment).sum()
        on_hand.append(in_stock - out if j else max(in_stock - n, 0))
        road.append(((leaves[j] <= moment) & (arrives[j] > moment)).sum())
    return max(n - levels[0] - (arrives[0] <= moment).sum(), 0), on_hand, road


def test_stock_owed_and_on_the_road_equal_a_unit_by_unit_recursion():
    """Identity at every midnight, not only in the mean."""
    leads, levels = (9_000, 30_000, 47_000), (2, 1, 3)
    network = small_network(stores=1, skus=1, warehouses=2)
    places = dataclasses.replace(
        network.locations,
        source=np.array([1, -1, 0], dtype=np.int32),
        opens_s=np.zeros(3, dtype=np.int32),
        closes_s=np.full(3, 86_400, dtype=np.int32),
    )
    network = dataclasses.replace(network, locations=places)
    rng = np.random.default_rng(5)
    times = np.sort(rng.choice(20 * 86_400, 160, replace=False))
    # On the axis: W0 in the middle, W1 on top, S0 the store.
    pull = EchelonPull((levels[0] + levels[1], sum(levels), levels[0]), (30_000, 47_000, 9_000))
    own = installation_levels(network, pull.echelon_levels)
    assert own.tolist() == [1, 3, 2]
    lines = [(0, int(t), 0, 1) for t in times]
    scenario = world(*lines, network=network, days=20, pull=pull)
    units = own[:, None].astype(np.int32)
    scenario = dataclasses.replace(
        scenario, opening=dataclasses.replace(scenario.opening, book=units, physical=units.copy())
    )
    facts = simulate(scenario, up_to(), seed=1).facts
    owed = np.cumsum(facts.get("units_demanded") - facts.get("units_sold"), axis=0)[:, 2, 0]
    for day in range(20):
        moment = (day + 1) * 86_400 - 1
        back, on_hand, road = plain_line(times, leads, levels, moment)
        stock = facts.get("closing_stock_units")[day, :, 0]
        assert [stock[2], stock[0], stock[1]] == on_hand
        coming = facts.get("in_transit_cents")[day, :, 0] // 100
        assert [coming[2], coming[0], coming[1]] == [road[0], road[1], 0]
        assert owed[day] == back


def test_what_is_no_line_of_stages_is_refused():
    network = small_network(stores=2, skus=1)
    scenario = world(network=network, pull=EchelonPull((5, 2, 2), (0, 0, 0)))
    with pytest.raises(ScenarioInvalid, match="lines"):
        World(scenario, up_to(), 1, 0, Trace())
    with pytest.raises(ScenarioInvalid, match="rows"):
        World(
            world(network=small_network(stores=1, skus=1), pull=EchelonPull((2, 1), (0, 0))),
            up_to(),
            1,
            0,
            Trace(movements=True),
        )
    short = world(network=network, pull=EchelonPull((5,), (0,)))
    with pytest.raises(ScenarioInvalid, match="1 values for 3 locations"):
        World(short, up_to(), 1, 0, Trace())


def test_rows_are_checked_with_column_and_row():
    cells = {"stages": "2", "lam": "4", "b": "9", "echelon_h": "[1, 1]", "lead": "[1, 1]"}
    for name, value in (("S_star", "[1]"), ("S_star", "[1, 2.5]"), ("lead", "[1, -1]")):
        with pytest.raises(InvalidInput) as caught:
            serial_row(3, {"S_star": "[4, 8]"} | cells | {name: value})
        assert (caught.value.field, caught.value.row) == (name, 3)
    assert serial_row(3, {"S_star": "[4, 8]"} | cells).answers == {}


@pytest.mark.benchmark
def test_the_published_table_is_reproduced_at_full_precision():
    answer = verify_table(shared("reference/serial.csv"))
    assert len(answer["rows"]) == 2
    for line in answer["rows"]:
        assert line["inside"], line
        assert line["half_width"] <= 0.005 * line["reference"]
