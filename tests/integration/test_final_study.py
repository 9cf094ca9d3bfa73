"""The final study: arms and pairs of a file, judged once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policies.domain.errors import InvalidInput, ScenarioInvalid
from policies.registry import build_bundle
from policies.routing.patterns import PatternRules
from scenarios.final import load_final, run_final
from scenarios.patterns import patterns_of
from scenarios.router_bias import router_bias
from scenarios.scenario import load_scenario

WORLD = """
name = "judged"
extends = "base"
generated = { stores = 6, skus = 12, days = 140, lines_per_store_day = 20, seed = 3 }
weeks = [1, 20]
kpi_from_week = 17
"""
STUDY = """
name = "final"
scenario = "world.toml"
replications = 1
workers = 1
pairs = [["today", "other"], ["today", "today again"]]

[[arms]]
label = "today"
policy = "incumbent"

[[arms]]
label = "today again"
policy = "incumbent"

[[arms]]
label = "other"
policy = "base-stock"
params = { reviews_per_week = 2, delivery_days = 2 }
"""


def written(folder: Path, text: str = STUDY) -> Path:
    """The study's file, beside its world."""
    (folder / "world.toml").write_text(WORLD)
    path = folder / "final.toml"
    path.write_text(text)
    return path


def test_arms_are_compared_on_the_judged_weeks(tmp_path, monkeypatch):
    """A policy against itself differs by nothing; another one does, with an interval."""
    monkeypatch.chdir(tmp_path)
    found = run_final(load_final(written(tmp_path)))
    assert found["judged_days"] == 28
    other, same = found["pairs"]
    rows = {row["name"]: row for row in other["kpis"]}
    cost = rows["cost_per_unit_demanded"]
    assert cost["difference"] == pytest.approx(cost["winner"] - cost["incumbent"])
    assert cost["low"] < cost["difference"] < cost["high"]
    assert rows["truck_km"]["difference"] != 0
    assert all(row["difference"] == 0 for row in same["kpis"])
    before = other["weeks_before"]
    assert "optimistic" in before["label"]
    assert set(before["cost_per_unit_demanded"]) == {"today", "other"}
    assert json.dumps(found)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("replications", "replication", "replication"),
        ('"today again"]]', '"nobody"]]', "nobody"),
        ("pairs = [[", "pairs = [] # [[", "no pairs"),
        ('policy = "base-stock"', 'polcy = "base-stock"', "arm"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path, old, new, said):
    """Before anything runs."""
    text = STUDY.replace(old, new)
    with pytest.raises(ScenarioInvalid, match=said):
        load_final(written(tmp_path, text))


def test_sampled_nights_are_planned_by_both_engines(tmp_path, monkeypatch):
    """The same nights for every arm; the correction is full over cheap kilometres."""
    monkeypatch.chdir(tmp_path)
    found = router_bias(load_final(written(tmp_path)), nights=30, days=40, seconds=0.05)
    today, again = found["arms"]["today"], found["arms"]["today again"]
    # The full engine is stopped by the clock; the nights and the cheap tours are the same.
    assert today["cheap_km"] == again["cheap_km"]
    assert 0 < today["nights_with_tours"] <= 30
    assert today["full_km"] == pytest.approx(today["correction"] * today["cheap_km"])
    assert today["low"] <= today["correction"] <= today["high"]
    assert all(len(pair) == 2 for pair in found["reversed"])
    with pytest.raises(InvalidInput, match="30 or more"):
        router_bias(load_final(written(tmp_path)), nights=10)


def test_patterns_of_a_scenario_run_in_it(tmp_path, monkeypatch):
    """Weeks of demand become a weekday pattern of each store, which the scenario takes."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path)
    found = patterns_of(load_scenario(str(tmp_path / "world.toml")), 2, 6, PatternRules())
    assert len(found["delivery_patterns"]) == 6
    assert found["gap_share"] < 0.05
    rows = [f"{store} = {json.dumps(days)}" for store, days in found["delivery_patterns"].items()]
    policy = '[policy]\nname = "base-stock"\n[policy.params.delivery_patterns]\n' + "\n".join(rows)
    (tmp_path / "world.toml").write_text(WORLD + policy)
    chosen = load_scenario(str(tmp_path / "world.toml")).policy()
    assert build_bundle(chosen.name, chosen.as_dict()).calendar.patterns
