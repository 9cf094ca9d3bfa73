"""Clerks' minutes, recomputed from the rows of a ledger."""

from __future__ import annotations

import numpy as np
import pytest

from policies.domain.facts import CostModel
from policies.domain.kpis import kpi, value
from policies.domain.ledger import MovementKind
from policies.domain.workload import TASKS, clerk_minutes, task_minutes
from tests.unit.test_twin_ages import BUNDLE, MANY, chain
from twin.result import Trace
from twin.run import simulate


def test_workload_is_the_sum_of_task_minutes_recomputed_from_the_ledger():
    """Rows and count documents alone, line by line, by another road than the facts."""
    scenario = chain(0.3, MANY)
    result = simulate(scenario, BUNDLE, seed=6, trace=Trace(movements=True))
    rows, kinds, pack = result.movements, MovementKind, scenario.network.skus.pack_size
    seconds = 0.0
    for kind, sku, quantity in zip(rows.kind, rows.sku, rows.quantity, strict=True):
        if kind in (kinds.RECEIVE, kinds.RECEIVE_TRANSFER):
            seconds += -(-quantity // pack[sku]) * (10.0 + 25.0)
        elif kind == kinds.WRITE_OFF:
            seconds += quantity * 8.0
    transfers, counts = result.documents.transfers, result.documents.counts
    seconds += 6.0 * (transfers.received_s >= 0).sum() + 20.0 * len(counts.sku)
    found = clerk_minutes(result.facts, CostModel()).sum()
    assert found == pytest.approx(seconds / 60.0, rel=1e-12)
    by_task = [task_minutes(task, result.facts, CostModel()).sum() for task in TASKS]
    assert found == pytest.approx(sum(by_task), rel=1e-12)
    assert all(minutes > 0 for minutes in by_task)


def test_standard_times_can_be_replaced():
    result = simulate(chain(0.0, MANY), BUNDLE, seed=6)
    figure = kpi("clerk_minutes_per_100_handled")
    slow = CostModel(put_away_case_seconds=50.0)
    assert value(figure, result.facts, slow) > value(figure, result.facts) > 0
    assert np.isfinite(value(figure, result.facts))
