"""Drawn demand and results are the same bytes whatever the number of workers."""

from __future__ import annotations

import json

import pytest

from scenarios.commands import run_command

SCENARIO = """name = "drawn"
about = "A generated chain whose demand is drawn anew in every replication."
extends = "tiny"
demand = "expansion"
panel_expansion = 3.0
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the scenario in a home of its own, so that nothing drawn before is found."""

    def at(home: str, workers: int, seed: int = 1):
        folder = tmp_path / home
        folder.mkdir()
        monkeypatch.chdir(folder)
        (folder / "drawn.toml").write_text(SCENARIO)
        answer = run_command(
            "drawn.toml", out=folder / "out", replications=3, workers=workers, seed=seed
        )
        stated = json.loads((folder / "out/manifest.json").read_text())
        return answer["result_sha256"], (folder / "out/result.nc").read_bytes(), stated

    return at


def test_one_and_two_workers_draw_and_simulate_to_the_same_bytes(run):
    one_sha, one_bytes, one = run("one", workers=1)
    two_sha, two_bytes, two = run("two", workers=2)
    assert one_bytes == two_bytes
    assert one_sha == two_sha
    assert one["content_sha256"] == two["content_sha256"]
    other_sha, *_ = run("other", workers=1, seed=2)
    assert other_sha != one_sha


def test_the_manifest_states_how_demand_was_drawn(run):
    _, _, stated = run("one", workers=1)
    drawn = stated["panel_expansion"]
    assert (drawn["k"], drawn["seed"], drawn["method"]) == (3.0, 1, "panel expansion")
    assert drawn["expanded_lines"] > 2 * 3 * 28 * 60
    assert "whole baskets" in drawn["pool"]
    assert len(stated["bundle_sha256"]["incumbent"]) == 64
