"""The decision benchmark on a small chain: every phase has work, and the sum is the sum."""

import pytest

from scenarios.bench_decide import bench_decide


@pytest.mark.parametrize("allocation", ["fair-share", "marginal-value"])
def test_every_phase_of_a_small_decision_has_work(allocation):
    result = bench_decide(stores=40, skus=1500, allocation=allocation, scaling=True)
    names = [
        "forecast read",
        "view",
        "replenish",
        "allocate",
        "lines",
        "transfer",
        "load",
        "routes",
    ]
    assert list(result["phases"]) == names
    assert sum(result["phases"].values()) == pytest.approx(result["seconds"])
    assert result["lines"] > 500
    assert result["short_share"] > 0
    assert result["lateral_lines"] > 0
    assert result["routes"] > 0
    assert [row["stores"] for row in result["by_stores"]] == [10, 20, 40]
    assert result["peak_rss_bytes"] > 10**7
