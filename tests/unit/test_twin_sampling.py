"""Tonight's count: a sample that depends on store, day and SKU alone, whoever draws it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from twin import draws
from twin.output import dataset, result_sha256
from twin.result import Trace
from twin.run import simulate
from twin.sampling import count_sample
from twin.scenario import Frictions, Scenario, StoreRules


def by_sorting(listed, size, key, day):
    """The definition: the smallest draws, the first listed of equals."""
    u = draws.uniforms(np.array(key, dtype=np.uint64), (day << 24) + listed.astype(np.int64))
    return np.sort(listed[np.argsort(u, kind="stable")[:size]])


@pytest.mark.parametrize("size", [0, 1, 7, 40, 399, 400, 1_000])
def test_the_sample_is_that_of_the_smallest_draws(size):
    listed = np.arange(3, 1_203, 3, dtype=np.int32)
    for key in draws.keys(1, 0, "count", ["a", "b", "c"]):
        for day in (0, 5, 364):
            expected = by_sorting(listed, size, key, day)
            assert (count_sample(listed, size, key, day) == expected).all()


def test_every_sku_is_counted_equally_often():
    listed = np.arange(50, dtype=np.int32)
    key = draws.keys(1, 0, "count", ["a"])[0]
    often = np.zeros(50)
    for day in range(2_000):
        often[count_sample(listed, 5, key, day)] += 1
    assert abs(often / 2_000 - 0.1).max() < 0.035


@pytest.mark.parametrize("wrong", [0.0, 0.3])
def test_a_trace_does_not_change_what_is_counted(wrong):
    """With rows each store is counted by itself, without all of them at once."""
    network, demand = generate_chain(stores=5, skus=60, days=14, lines_per_store_day=90, seed=3)
    scenario = Scenario(
        "counts",
        network,
        demand,
        0,
        14,
        opening_cover_days=5.0,
        frictions=Frictions(0.05, 0.05, 0.05),
        store=StoreRules(count_lines_per_day=6, count_error_per_line=wrong),
    )
    bundle = build_bundle("incumbent")
    traced = simulate(scenario, bundle, seed=2, trace=Trace(movements=True))
    plain = simulate(scenario, bundle, seed=2)
    assert plain.facts.get("count_lines").sum() == 14 * 5 * 6
    assert result_sha256(dataset([plain])) == result_sha256(dataset([traced]))
    never = dataclasses.replace(scenario, store=StoreRules())
    assert simulate(never, bundle, seed=2).facts.get("count_lines").sum() == 0
