"""Cranes of an AS/RS against the expected cycle times of Bozer & White (1984), and in a run."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import simpy

from policies.domain.decision import LineKind
from policies.domain.errors import ScenarioInvalid
from policies.domain.ledger import MovementKind
from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from tests.unit.twin_worlds import DAY, world
from twin.cranes import Cranes
from twin.loads import Load
from twin.processes import CraneRules
from twin.result import Trace
from twin.run import simulate
from twin.scenario import Scenario

BUNDLE = build_bundle("incumbent", {"reviews_per_week": 7})
RACKS = {
    "square in time": {"rack_length_m": 30.0, "rack_height_m": 10.0},
    "long": {"rack_length_m": 120.0, "rack_height_m": 8.0},
    "high": {"rack_length_m": 20.0, "rack_height_m": 25.0},
}
UNITS = 20_000


def load_of(cases: int, number: int = 0) -> Load:
    """A load from the warehouse to the first store."""
    none = np.zeros(1, dtype=np.int32)
    return Load(number, LineKind.REPLENISH, 0, 1, -1, none, none, none, cases)


def saturated(rules: CraneRules, seed: int, *, with_deliveries: bool) -> tuple[Cranes, int]:
    """(cranes, seconds) after one aisle's crane has fetched everything without a pause."""
    env = simpy.Environment()
    cranes = Cranes(env, world(asrs=rules), seed, 0)
    if with_deliveries:
        cranes.store(0, 2 * UNITS)
    env.run(until=env.process(cranes.fetch(load_of(UNITS))))
    return cranes, int(env.now)


@pytest.mark.parametrize("rack", RACKS)
@pytest.mark.parametrize("with_deliveries", [False, True])
def test_throughput_is_that_of_the_cycle_time_formula_within_2_percent(rack, with_deliveries):
    """One crane, always busy, 20,000 load units; single commands, then dual ones.

    A cycle's standard deviation is below half its mean, so that of the mean of 20,000 is
    below 0.36 %: 2 % is more than 5.5 of them, and the test gives a false alarm in fewer
    than one of 10⁷ seeds. A formula that is 2.5 % off fails on more than nine of ten.
    """
    rules = CraneRules(cranes=1, cases_per_unit=1, transfer_seconds=3.0, **RACKS[rack])
    cranes, seconds = saturated(rules, 1, with_deliveries=with_deliveries)
    expected = rules.dual_cycle_s if with_deliveries else rules.single_cycle_s
    per_hour = 3_600 * UNITS / seconds
    assert per_hour == pytest.approx(3_600 / expected, rel=0.02)
    # The crane stores ten units before the first one is asked for, and ten after the last.
    assert cranes.cycles - UNITS in ((10, 20) if with_deliveries else (0,))
    assert cranes.dual_cycles == (UNITS if with_deliveries else 0)
    # And it is the cycles that were meant: single ones are no dual ones.
    other = rules.single_cycle_s if with_deliveries else rules.dual_cycle_s
    assert abs(per_hour - 3_600 / other) > 0.2 * per_hour


def test_the_formula_by_hand():
    """30 m at 3 m/s: T = 10 s, b = 0.5; single 10 (1 + 1/12), dual 10 (4/3 + 1/8 − 1/240)."""
    rules = CraneRules(1, 30.0, 5.0, 3.0, 1.0, transfer_seconds=2.0)
    assert (rules.longest_s, rules.shape) == (10.0, 0.5)
    assert rules.single_cycle_s == pytest.approx(10 + 10 / 12 + 4)
    assert rules.dual_cycle_s == pytest.approx(40 / 3 + 1.25 - 10 / 240 + 8)


def chain(**rules) -> Scenario:
    network, demand = generate_chain(stores=8, skus=30, days=21, lines_per_store_day=120, seed=3)
    scenario = Scenario("rack", network, demand, 0, 21, opening_cover_days=5.0)
    return dataclasses.replace(scenario, asrs=CraneRules(**rules))


SLOW = {"cases_per_unit": 1.0, "transfer_seconds": 30.0}


def test_cranes_of_a_run_take_the_formulas_time_for_every_case_in_and_out():
    """The mean cycle of the full twin; each case of these units came in once and left once."""
    scenario = chain(cranes=2, **SLOW)
    result = simulate(scenario, BUNDLE, seed=1, trace=Trace(movements=True))
    counters, rules = result.counters, scenario.asrs
    cycles, dual = counters["crane_cycles"], counters["crane_dual_cycles"]
    assert cycles > 2_000
    assert dual > 100
    expected = (cycles - dual) * rules.single_cycle_s + dual * rules.dual_cycle_s
    assert counters["crane_seconds"] == pytest.approx(expected, rel=0.02)
    assert counters["crane_wh"] == pytest.approx(
        counters["crane_seconds"] * 6_000 / 3_600, rel=1e-4
    )
    # Every case that came in by a dock before the last evening has been stored, no more.
    rows = result.movements
    came = rows.kind == MovementKind.RECEIVE
    pack = scenario.network.skus.pack_size[rows.sku]
    cases_in = int((-(-rows.quantity // pack))[came].sum())
    cases_out = int((-(-rows.quantity // pack))[rows.kind == MovementKind.SHIP].sum())
    assert counters["crane_units"] == pytest.approx(cases_in + cases_out, rel=0.02)


def left_at(result):
    """Second of the day at which each load left."""
    rows = result.movements
    return rows.occurred_at_s[rows.kind == MovementKind.SHIP] % DAY


def test_too_few_cranes_make_trucks_late_and_more_of_them_do_not():
    """Cut-off: a load that is not fetched by the hour leaves later; no rack is the quickest."""
    late = {}
    for cranes in (0, 1, 2, 12):
        result = simulate(chain(cranes=cranes, **SLOW), BUNDLE, seed=1, trace=Trace(movements=True))
        late[cranes] = float(np.mean(left_at(result)))
    assert late[1] > late[2] > late[12] >= late[0]
    assert late[1] > late[0] + 600


def test_a_run_without_cranes_says_nothing_of_them():
    plain = simulate(chain(), BUNDLE, seed=1)
    assert not [name for name in plain.counters if name.startswith("crane")]


@pytest.mark.parametrize(
    ("key", "value"),
    [("cranes", -1), ("rack_height_m", 0.0), ("travel_m_per_s", 0.0), ("cases_per_unit", 0.5)],
)
def test_an_impossible_rack_is_refused_by_name(key, value):
    with pytest.raises(ScenarioInvalid) as caught:
        CraneRules(**{key: value})
    assert caught.value.field == f"asrs.{key}"
    assert caught.value.remedy
