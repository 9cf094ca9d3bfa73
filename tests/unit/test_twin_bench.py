"""The replay benchmark on a chain of seconds: its answer's keys, and that it does the work."""

from __future__ import annotations

import pytest

from scenarios.history.generate import generate_chain
from twin import bench


def test_the_benchmark_replays_every_line_with_reviews_and_trucks_on(monkeypatch):
    """Keys as promised; orders, stops and purchases happen inside what is timed."""
    monkeypatch.setattr(bench, "_keep_freed_memory", lambda: None)
    network, receipts = generate_chain(stores=7, skus=200, days=14, lines_per_store_day=80, seed=1)
    answer = bench.bench_replay(network, receipts)
    promised = {
        "lines",
        "seconds",
        "lines_per_second",
        "simpy_share",
        "kernel_lines_per_second",
        "peak_rss_bytes",
    }
    assert promised <= set(answer)
    assert answer["lines"] == receipts.lines
    assert answer["order_lines"] > 0
    assert answer["stops"] > 0
    assert answer["purchase_lines"] > 0
    assert 0 < answer["simpy_share"] < 1
    assert answer["write_off_units"] > 0
    assert 0.5 < answer["records_right"] < 1
    assert answer["bare_kernel_lines_per_second"] > 0


def test_a_plain_benchmark_has_no_perishables_and_no_errors(monkeypatch):
    """What was measured before these were part of it can be measured again."""
    monkeypatch.setattr(bench, "_keep_freed_memory", lambda: None)
    network, receipts = generate_chain(stores=3, skus=40, days=7, lines_per_store_day=80, seed=1)
    answer = bench.bench_replay(network, receipts, is_plain=True)
    assert answer["write_off_units"] == 0
    assert answer["records_right"] == 1


@pytest.mark.benchmark
def test_a_large_chain_replays_twenty_million_lines_a_second_within_six_gigabytes():
    """800 stores x 5,000 SKUs x 28 days x 2,000 lines, plain, on one quiet core."""
    network, receipts = generate_chain(
        stores=800, skus=5_000, days=28, lines_per_store_day=2_000, seed=1
    )
    answer = bench.bench_replay(network, receipts, is_plain=True)
    assert answer["peak_rss_bytes"] <= 6 * 2**30
    assert answer["lines_per_second"] >= 20e6
