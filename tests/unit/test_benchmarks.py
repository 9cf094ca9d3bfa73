"""The replay benchmark by size: what it prints, on chains of seconds."""

from __future__ import annotations

import numpy as np
import pytest

from scenarios import benchmarks
from twin import bench

SIZE = {"skus": 40, "days": 10, "lines_per_store_day": 60, "seed": 1}


@pytest.fixture(autouse=True)
def _memory_stays_as_it_is(monkeypatch):
    monkeypatch.setattr(bench, "_keep_freed_memory", lambda: None)


def test_a_long_history_is_replayed_in_stretches_with_every_line(monkeypatch):
    """The same lines, orders and stops as in one piece; making the input is told apart."""
    whole = benchmarks.replay_generated(4, **SIZE)
    monkeypatch.setattr(benchmarks, "_IN_ONE_PIECE_DAYS", 5)
    monkeypatch.setattr(benchmarks, "STRETCH_DAYS", 4)
    parts = benchmarks.replay_generated(4, **SIZE)
    assert parts["input_seconds"] > 0
    assert parts["lines"] == whole["lines"]
    assert parts["days"] == whole["days"]
    assert parts["ratio_to_kernel"] > 1


def test_the_cost_of_a_line_is_told_by_the_number_of_stores(monkeypatch):
    """One row a size, and the spread over them."""
    monkeypatch.setattr(benchmarks, "_SIZES", (2, 3, 50))
    answer = benchmarks.replay_by_stores(4, **SIZE)
    assert [row["stores"] for row in answer["by_stores"]] == [2, 3, 4]
    costs = [row["nanoseconds_per_line"] for row in answer["by_stores"]]
    assert answer["spread"] == pytest.approx(max(costs) / min(costs) - 1)
    worst = max(abs(cost / np.mean(costs) - 1) for cost in costs)
    assert answer["largest_deviation_from_mean"] == pytest.approx(worst)


def test_the_ratio_is_to_the_reference_model():
    """A real run of it, not a constant."""
    answer = benchmarks.with_ratios({"lines_per_cpu_second": 1e6})
    plain = answer["event_per_line"]
    assert plain["lines"] > 10_000
    assert answer["ratio_to_event_per_line"] == 1e6 / plain["lines_per_cpu_second"]


@pytest.mark.benchmark
def test_a_year_of_a_large_chain_replays_within_a_minute_and_eight_gigabytes():
    """584 M lines on one core, reading or making the input not counted."""
    answer = benchmarks.replay_generated(
        800, skus=5_000, days=365, lines_per_store_day=2_000, seed=1
    )
    assert answer["lines"] > 570e6
    assert answer["seconds"] <= 60
    assert answer["peak_rss_bytes"] <= 8 * 2**30
