"""Tuning and gate, tried in many worlds whose truth is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from policies.domain.errors import InvalidInput
from scenarios.gate_study import bench_gate
from scenarios.gate_world import customers


def test_a_few_trials_can_be_cut_off_and_give_the_same_answer(tmp_path):
    """Finished trials are kept; a torn last line is played again."""
    whole = bench_gate(4, worlds=30, seed=3, out=tmp_path / "a")
    assert whole["trials"] == 8
    kept = next((tmp_path / "a").glob("trials-*.jsonl"))
    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join(lines[:5]) + lines[5][:20])
    again = bench_gate(4, worlds=30, seed=3, out=tmp_path / "a")
    same = {key: value for key, value in whole.items() if key != "cpu_seconds"}
    assert {key: again[key] for key in same} == same
    rows = [json.loads(line) for line in lines]
    assert {row["kind"] for row in rows} == {"pair", "search", "better"}
    assert all(row["low"] <= row["difference"] <= row["high"] for row in rows)
    planted = [row["true_gap"] for row in rows if row["kind"] == "better"]
    assert min(planted) == pytest.approx(-0.03 * whole["incumbent_costs"]["better"], rel=0.1)
    assert not any(row["promoted"] for row in rows if row["kind"] != "better")


def test_a_weeks_customers_do_not_change_by_what_is_drawn_beside_it():
    """Search, gate and stress look at the same weeks through windows of their own."""
    long, short = customers(5, 0, 1.0, -1, (0, 12)), customers(5, 0, 1.0, -1, (10, 12))
    assert np.array_equal(long[70:], short)
    assert not np.array_equal(short, customers(5, 1, 1.0, -1, (10, 12)))


def test_too_few_trials_are_refused():
    """An error rate needs trials."""
    with pytest.raises(InvalidInput, match="trials"):
        bench_gate(1)


@pytest.mark.benchmark
def test_the_gate_errs_as_seldom_as_promised():
    """400 trials: neither bound is contradicted, and the interval covers the truth."""
    found = bench_gate(200, worlds=200, seed=2)
    assert found["holds"], found
    assert found["coverage"]["all"]["high"] >= 0.93
    assert found["coverage"]["all"]["low"] <= 0.97
