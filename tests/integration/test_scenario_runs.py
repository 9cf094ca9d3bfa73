"""Runs, comparisons and jobs on the tiny chain, one process or two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from policies.domain.errors import InvalidInput, ScenarioInvalid
from policies.domain.facts import CostModel
from policies.domain.kpis import KPIS, kpi, value
from scenarios import jobs, runner
from scenarios.chains import generated
from scenarios.commands import compare_command, run_command
from scenarios.compare import paired_difference
from scenarios.gate import judge
from scenarios.runner import Job, Policy, RunFailed, run_jobs
from scenarios.scenario import load_scenario
from scenarios.worlds import network_of


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    """Relative folders belong to the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_two_workers_write_the_same_bytes_as_one(at_home):
    """Same seed, same file, whatever the number of processes."""
    one = run_command("tiny", out=at_home / "one", replications=3, workers=1)
    two = run_command("tiny", out=at_home / "two", replications=3, workers=2)
    assert (at_home / "one/result.nc").read_bytes() == (at_home / "two/result.nc").read_bytes()
    assert one["result_sha256"] == two["result_sha256"]
    other = run_command("tiny", out=at_home / "three", replications=3, seed=9)
    assert other["result_sha256"] != one["result_sha256"]


def test_a_run_that_was_cut_off_goes_on_and_ends_with_the_same_bytes(at_home, monkeypatch):
    """What is done is kept; the state says how far it is, and why it stopped."""
    from scenarios import run_folder

    whole = run_command("tiny", out=at_home / "whole", replications=3)

    def cut(jobs, workers, tell, dask):
        runner.make_parts(jobs[:2], workers, tell)
        raise RunFailed("the lights went out")

    monkeypatch.setattr(run_folder, "make_parts", cut)
    with pytest.raises(RunFailed):
        run_command("tiny", out=at_home / "cut", replications=3)
    state = json.loads((at_home / "cut/state.json").read_text())
    assert (state["state"], state["done"], state["whole"]) == ("failed", 2, 3)
    assert "lights" in state["error"]
    assert not (at_home / "cut/result.nc").exists()

    ran = []

    def noted(jobs, workers, tell, dask):
        ran.extend(job.replication for job in jobs)
        runner.make_parts(jobs, workers, tell, dask)

    monkeypatch.setattr(run_folder, "make_parts", noted)
    again = run_command("tiny", out=at_home / "cut", replications=3)
    assert ran == [2]
    assert again["result_sha256"] == whole["result_sha256"]
    assert again["kpis"] == whole["kpis"]
    assert (at_home / "cut/result.nc").read_bytes() == (at_home / "whole/result.nc").read_bytes()
    run_command("tiny", out=at_home / "cut", replications=2, seed=5)
    assert ran == [2, 0, 1]


def test_a_comparison_uses_the_scenarios_own_costs(at_home):
    """Not the defaults."""
    text = 'name = "dear"\nextends = "tiny"\n[costs]\ntour_cents = 400000.0'
    (at_home / "dear.toml").write_text(text)
    run_command(str(at_home / "dear.toml"), out=at_home / "a", replications=1)
    run_command("tiny", out=at_home / "b", replications=1)
    dear = compare_command([at_home / "a", at_home / "b"])["kpis"]
    plain = compare_command([at_home / "b", at_home / "a"])["kpis"]
    cost = [next(r for r in rows if r["name"] == "cost_per_case") for rows in (dear, plain)]
    assert cost[0]["incumbent"] > 5 * cost[1]["incumbent"]


def test_workers_end_when_their_parent_is_killed(at_home):
    """Or every cut-off run would leave its processes behind for good."""
    text = (
        "import os, time\n"
        "from scenarios.runner import _pool\n"
        "if __name__ == '__main__':\n"
        "    print(_pool(1).submit(os.getpid).result(), flush=True)\n"
        "    time.sleep(60)\n"
    )
    (at_home / "parent.py").write_text(text)
    root = str(Path(__file__).resolve().parents[2])
    parent = subprocess.Popen(
        [sys.executable, "parent.py"],
        cwd=at_home,
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        worker = int(parent.stdout.readline())
        os.kill(worker, 0)
        parent.kill()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the worker outlived its parent")


def test_a_run_compared_with_itself_differs_by_nothing(at_home):
    """No clear difference, and no error from zero variance."""
    run_command("tiny", out=at_home / "a", replications=2)
    run_command("tiny", out=at_home / "b", replications=2)
    rows = compare_command([at_home / "a", at_home / "b"])["kpis"]
    assert {row["verdict"] for row in rows} == {"no clear difference"}
    assert all(row["difference"] == 0 for row in rows)


def test_runs_of_other_replications_are_not_compared(at_home):
    """The remedy says how."""
    run_command("tiny", out=at_home / "a", replications=1)
    run_command("tiny", out=at_home / "b", replications=2)
    with pytest.raises(ScenarioInvalid, match="replications"):
        compare_command([at_home / "a", at_home / "b"])


def chain_jobs(at_home, labels, replications=2):
    """Facts per policy on a 12-store generated chain."""
    scenario = load_scenario("tiny")
    settings = {"stores": 12, "skus": 20, "days": 42, "lines_per_store_day": 60, "seed": 4}
    scenario.values.update({"weeks": [1, 6], "kpi_from_week": 3})
    chain = generated(settings, at_home)
    world = scenario.world(chain)
    work = [Job(world, one, r) for one in labels for r in range(replications)]
    done = run_jobs(work)
    facts = {one.label: [o.facts for o in done if o.job.policy is one] for one in labels}
    return network_of(str(chain)), facts


GOOD = {"reviews_per_week": 1, **{f"fractile_{i}": 0.95 for i in range(6)}}


def test_the_gate_refuses_half_the_safety_stock_and_a_pair_of_equals(at_home):
    """And says why, with figures."""
    good = Policy.of("good", "base-stock", GOOD)
    twin = Policy.of("equal", "base-stock", {**GOOD, "half_life_days": 21.01})
    bad = Policy.of("bad", "base-stock", {**GOOD, "safety_share": 0.5})
    network, facts = chain_jobs(at_home, [good, twin, bad])
    for rival in ("equal", "bad"):
        verdict = judge(facts["good"], facts[rival], network, CostModel())
        assert not verdict.promoted
        assert verdict.reasons
    fill = [value(kpi("true_fill_rate"), facts[name][0]) for name in ("good", "bad")]
    assert fill[1] < fill[0]


def test_every_figure_of_a_comparison_is_the_kpi_of_its_arm(at_home):
    """One definition, used twice."""
    a, b = Policy.of("a", "incumbent"), Policy.of("b", "base-stock", GOOD)
    network, facts = chain_jobs(at_home, [a, b], replications=1)
    for name in ("on_shelf_availability", "stock_turn", "cost_per_unit_demanded", "truck_km"):
        found = paired_difference(KPIS[name], facts["a"], facts["b"], network, CostModel())
        assert found.incumbent == pytest.approx(float(value(KPIS[name], facts["a"][0])))
        assert found.winner == pytest.approx(float(value(KPIS[name], facts["b"][0])))
        assert found.low <= found.difference <= found.high


def test_a_job_runs_in_its_own_process_and_leaves_a_compared_table(at_home):
    """The web process only reads files."""
    form = {
        "name": "daily",
        "extends": "tiny",
        "scenario": {"policy": {"name": "base-stock", "params": {"reviews_per_week": 7}}},
        "replications": 2,
    }
    job = jobs.submit(form)
    deadline = time.monotonic() + 120
    while jobs.status(job)["state"] not in jobs.ENDED and time.monotonic() < deadline:
        time.sleep(0.2)
    state = jobs.status(job)
    assert state["state"] == "done", state
    assert state["done"] == state["whole"] == 2
    found = jobs.result(job)
    assert {row["name"] for row in found["kpis"]} >= {"truck_km", "cost_per_unit_demanded"}
    assert "policy.name" in [row["key"] for row in found["inputs"]]
    assert jobs.list_jobs()[0]["id"] == job


def test_a_job_that_is_stopped_or_dies_says_so(at_home):
    """Never running forever."""
    form = {"name": "long", "extends": "tiny", "replications": 900}
    job = jobs.submit(form)
    assert jobs.stop(job)["state"] == "stopped"
    died = jobs.submit(form)
    import signal

    os.killpg(int((jobs.JOBS / died / "pid").read_text()), signal.SIGKILL)
    deadline = time.monotonic() + 20
    while jobs.status(died)["state"] != "failed" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert jobs.status(died)["state"] == "failed"
    with pytest.raises(InvalidInput, match="no result"):
        jobs.result(died)


@pytest.mark.parametrize("name", ["../../etc", "", "nope", "a/b"])
def test_a_job_id_from_outside_names_no_other_folder(at_home, name):
    """Path tricks find nothing."""
    with pytest.raises(InvalidInput, match="no job"):
        jobs.status(name)


def test_a_form_with_an_impossible_scenario_starts_nothing(at_home):
    """No folder is left."""
    with pytest.raises(InvalidInput):
        jobs.submit({"name": "x", "extends": "tiny", "scenario": {"weeks": [9, 1]}})
    assert not jobs.JOBS.exists()
