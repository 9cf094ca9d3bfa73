"""Processes switched on by a scenario file, from the file to the manifest of its run."""

from __future__ import annotations

import dataclasses
import json

import pytest

from policies.registry import build_bundle
from scenarios.chains import generated
from scenarios.commands import run_command
from scenarios.scenario import from_values, load_scenario
from scenarios.scenario_keys import LISTS, PARTS
from scenarios.worlds import scenario_of
from twin.run import simulate

EVERYTHING = """
name = "everything"
extends = "tiny"

[asrs]
cranes = 2

[deliveries]
failed_share = 0.1
short_share = 0.2

[breakdowns]
per_1000_km = 5.0
relief_share = 0.5

[traffic]
speed_factors = [1,1,1,1,1,1,0.8,0.6,0.6,1,1,1,1,1,1,1,0.7,0.6,0.8,1,1,1,1,1]

[drivers]
regulated = true
drive_before_break_hours = 0.5

[substitution]
share = 0.3

[customer_returns]
share = 0.05

[shelf]
packs = 1

[checkout]
staffed_lanes = 3
open_at_queue = 2

[misplacement]
share_per_day = 0.05

[risk_counts]
lines_per_day = 2

[goods_returns]
every_days = 7
cover_days = 30
keep_days = 20

[[recalls]]
sku_share = 0.1
from_day = 10
lot_share = 0.5

[[conversions]]
input = "K00018"
outputs = {K00005 = 2.0, K00004 = 3.0}

[[disruptions]]
kind = "markov"
target = "suppliers"
mean_up_days = 30
mean_down_days = 3
"""


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    """Chains and results under the test's own folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_processes_did_stands_in_the_manifest_of_a_run(at_home):
    path = at_home / "everything.toml"
    path.write_text(EVERYTHING)
    told = run_command(str(path), out=at_home / "out", replications=2)
    done = json.loads((at_home / "out/manifest.json").read_text())["processes"]
    for name in (
        "breakdowns",
        "conversions",
        "crane_cycles",
        "crane_wh",
        "deliveries_short",
        "driver_breaks",
        "recalled_units",
        "returned_units",
        "risk_count_lines",
        "shelf_cases",
        "units_gone_astray",
        "units_sent_back",
    ):
        assert len(done[name]) == 2
        assert min(done[name]) > 0
        assert told["processes"][name] == sum(done[name]) / 2
    # What lies there is read again, not run again, and says the same.
    again = run_command(str(path), out=at_home / "out", replications=2)
    assert again["processes"] == told["processes"]
    plain = run_command("tiny", out=at_home / "plain", replications=1)
    assert "processes" not in plain
    assert "processes" not in json.loads((at_home / "plain/manifest.json").read_text())


def test_every_key_written_out_with_its_default_is_the_same_world(at_home):
    plain = load_scenario("tiny").world(at_home)
    values: dict[str, object] = {}
    for part in set(PARTS) - {"frictions", "store", "costs", "disruptions", *LISTS}:
        table = dataclasses.asdict(PARTS[part]())
        given = {key: list(v) if isinstance(v, tuple) else v for key, v in table.items()}
        values[part] = {key: v for key, v in given.items() if v != []}
    assert from_values({"name": "tiny", **values}, "tiny").world(at_home) == plain


NEVER = 1e-12
HARMLESS = {
    "traffic": {"speed_factors": [1.0] * 24},
    "drivers": {"regulated": True, "drive_before_break_hours": 24, "drive_per_day_hours": 24},
    "breakdowns": {"per_1000_km": NEVER},
    "deliveries": {"failed_share": NEVER, "short_share": NEVER},
    "substitution": {"share": NEVER},
    "customer_returns": {"share": NEVER},
    "shelf": {"packs": 10_000, "fill_hours": [float(hour) for hour in range(24)]},
    "warehouse": {"shift_from_hour": 12, "shift_hours": 24},
    "store": {"receivers": 10},
    "disruptions": [{"kind": "markov", "target": "lanes", "mean_up_days": 1e6}],
    "misplacement": {"share_per_day": NEVER},
    "goods_returns": {"every_days": 3_650},
    "recalls": [{"sku_share": 0.5, "from_day": 3, "lot_share": NEVER}],
}


def test_a_process_that_never_strikes_leaves_the_bytes_of_a_run_without_it(at_home):
    """The code of a process is passed through, and nothing else changes."""
    chain = generated(
        {"stores": 2, "skus": 12, "days": 28, "lines_per_store_day": 40, "seed": 1}, at_home
    )
    bundle = build_bundle("incumbent", {"reviews_per_week": 7})

    def facts(values: dict[str, object]) -> bytes:
        world = from_values({"name": "x", **values}, "tiny").world(chain)
        made = simulate(scenario_of(world, 0), bundle, seed=1).facts
        return made.sku_facts.tobytes() + made.location_facts.tobytes()

    plain = facts({})
    assert [part for part, table in HARMLESS.items() if facts({part: table}) != plain] == []
    assert facts({"substitution": {"share": 1.0}, "shelf": {"packs": 1}}) != plain
