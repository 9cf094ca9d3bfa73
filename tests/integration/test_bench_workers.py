"""The benchmark of worker processes counts what it says, on a small chain."""

from __future__ import annotations

import pytest

from policies.domain.errors import InvalidInput
from ui.bench import workers as bench


def test_two_processes_give_the_same_result_and_their_rate_is_stated(monkeypatch):
    small = 'name = "workers"\nextends = "tiny"\n'
    monkeypatch.setattr(bench, "CHAIN", small)
    found = bench.bench_workers(2, workers=2)
    assert found["same_result"]
    one, two = (found["seconds"][key][0] for key in ("1", "2"))
    assert found["ratio"] == pytest.approx(one / two)
    assert found["replications_per_hour"]["2"] == pytest.approx(2 * 3600 / two)


def test_a_run_that_fails_is_told_with_its_reason(monkeypatch):
    monkeypatch.setattr(bench, "CHAIN", 'name = "workers"\nextends = "tiny"\nweks = [1, 2]\n')
    with pytest.raises(bench.BenchFailed, match="weks"):
        bench.bench_workers(2, workers=2)


@pytest.mark.parametrize(
    "given", [{"replications": 1, "workers": 2}, {"replications": 4, "workers": 1}]
)
def test_numbers_that_compare_nothing_are_refused(given):
    with pytest.raises(InvalidInput, match="--"):
        bench.bench_workers(given["replications"], workers=given["workers"])
