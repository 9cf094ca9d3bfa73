"""From a study file to a release, on a small generated chain: tune, judge, write or refuse."""

from __future__ import annotations

import json
import tomllib

import pytest

from policies.domain.errors import InvalidInput, ReleaseRefused, ScenarioInvalid
from policies.release import read_release
from scenarios.chains import chain_of
from scenarios.commands import promote_command, tune_command
from scenarios.final import load_final
from scenarios.kept_figures import KeptFigures
from scenarios.promote import half_safety, null_pair, stress_worlds
from scenarios.runner import Job, Policy, RunFailed, run_job, run_jobs
from scenarios.scenario import load_scenario
from scenarios.study import load_study
from scenarios.tune import tune
from scenarios.worlds import scenario_of
from tests.shared_data import ROOT

CHAIN = """
name = "small"
extends = "base"
weeks = [1, 10]
kpi_from_week = 5

[generated]
stores = 9
skus = 20
days = 70
lines_per_store_day = 90
seed = 5

[policy]
name = "base-stock"
params = { reviews_per_week = 2, safety_share = 1.5, warehouse_cover_days = 14.0 }

[costs]
order_line_cents = 1000.0
"""
STUDY = """
name = "small chain"
scenario = "small.toml"
policy = "base-stock"

[start]
reviews_per_week = 2
safety_share = 1.5
warehouse_cover_days = 14.0

[space]
warehouse_batch_days = [3.0, 10.0]

[weeks]
tune = [1, 4]
search_from = 3
warmup = 2
gate = [5, 10]

[budget]
evaluations = 4
finalists = 2
workers = 1

[gate]
replications = 2
bootstrap_replications = 1
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with the study; its chain is generated there once."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "small.toml").write_text(CHAIN)
    (folder / "study.toml").write_text(STUDY)
    return folder


@pytest.fixture
def at_desk(desk, monkeypatch):
    """Relative folders belong to the test."""
    monkeypatch.chdir(desk)
    return desk


def edited(desk, name, *changes):
    """The study with other lines."""
    text = STUDY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = desk / f"{name}.toml"
    path.write_text(text)
    return path


def test_tuning_stays_in_its_budget_and_calls_its_own_figure_optimistic(at_desk):
    """Never worse than where it began; a second call takes what is there."""
    told = []
    found = tune_command(
        at_desk / "study.toml",
        out=at_desk / "out",
        cache=at_desk / "own",
        progress=lambda done, whole: told.append((done, whole)),
    )
    assert "optimistic" in found["label"]
    history = json.loads((at_desk / "out/tune.json").read_text())["history"]
    assert sum(row["window"] == "search" for row in history) <= 4
    search = {json.dumps(row["params"]): row for row in history if row["window"] == "search"}
    first, best = next(iter(search.values())), search[json.dumps(history[-2]["params"])]
    assert (best["shortfall"], best["objective"]) <= (first["shortfall"], first["objective"])
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    again = tune_command(at_desk / "study.toml", out=at_desk / "again", cache=at_desk / "own")
    assert again["kept"]
    assert again["params"] == found["params"]


@pytest.mark.parametrize("method", ["sampled", "coordinate"])
def test_a_killed_search_goes_on_and_finds_what_an_undisturbed_one_finds(at_desk, tmp_path, method):
    """Killed in its third batch, a line half written: what was played is not played again."""
    source = edited(at_desk, method, ("[budget]", f'[budget]\nmethod = "{method}"'))
    found = load_study(source)
    study = found.study(chain_of(found.scenario))
    played: list[tuple[str, int, int]] = []

    def run(jobs, workers, tell):
        if killed and len(batches) == 2:
            raise KeyboardInterrupt
        batches.append(len(jobs))
        played.extend((str(one.policy), one.world.days, one.replication) for one in jobs)
        return [run_job(one) for one in jobs]

    batches, killed = [], False
    whole = tune(study, run=run)
    alone = sorted(played)
    played.clear()
    batches, killed = [], True
    path = tmp_path / "runs.jsonl"
    with pytest.raises(KeyboardInterrupt):
        tune(study, run=run, kept=KeptFigures(path))
    assert 0 < len(played) < len(alone)
    path.write_text(path.read_text() + '["search", ')
    killed = False
    again = tune(study, run=run, kept=KeptFigures(path))
    assert str(again) == str(whole)
    assert sorted(played) == alone
    played.clear()
    assert str(tune(study, run=run, kept=KeptFigures(path))) == str(whole)
    assert played == []


def test_a_clear_gain_on_weeks_that_tuning_never_saw_becomes_a_release(at_desk):
    """Order lines are dear, and the incumbent's warehouse orders every SKU anew each day."""
    out = at_desk / "release.json"
    found = promote_command(at_desk / "study.toml", out=out, created_at="2024-05-01T00:00:00+00:00")
    assert found["gate"]["promoted"], found["gate"]["reasons"]
    assert not found["gate"]["null_pair"]["promoted"]
    assert not found["gate"]["planted_bad"]["promoted"]
    assert "blocks" in found["gate"]["resampled"]
    release = read_release(out.read_text(encoding="utf-8"))
    assert release.params == found["params"]
    assert release.data_sha256
    assert release.scenario_sha256
    assert release.seeds
    assert release.approved_by == ""
    cost = next(row for row in release.kpis if row["name"] == "cost_per_unit_demanded")
    assert cost["high"] < 0
    with pytest.raises(ReleaseRefused) as caught:
        read_release(out.read_text(encoding="utf-8"), installed_sha256="0" * 64)
    assert caught.value.field == "source_sha256"


def test_what_gains_nothing_is_refused_and_leaves_no_release(at_desk):
    """Not even one that was there before; the evidence is kept."""
    study = edited(
        at_desk, "same", ("warehouse_batch_days = [3.0, 10.0]", "half_life_days = [21.01]")
    )
    out = at_desk / "refused" / "release.json"
    out.parent.mkdir()
    out.write_text("an older one")
    found = promote_command(study, out=out, created_at="2024-05-01T00:00:00+00:00")
    assert not found["gate"]["promoted"]
    assert any("effect" in reason for reason in found["gate"]["reasons"])
    assert found["release"] is None
    assert not out.exists()
    assert json.loads((out.parent / "gate.json").read_text())["verdict"]["promoted"] is False


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("gate = [5, 10]", "gate = [4, 10]", "weeks.gate"),
        ("gate = [5, 10]", "gate = [10, 5]", "weeks.gate"),
        ("search_from = 3", "search_from = 9", "weeks.search_from"),
        ("evaluations = 4", "evaluatons = 4", "budget.evaluatons"),
        ("evaluations = 4", "evaluations = 0", "evaluations"),
        ("evaluations = 4", "evaluations = true", "budget.evaluations"),
        ("replications = 2", "replications = 0", "replications"),
        (
            "warehouse_batch_days = [3.0, 10.0]",
            "warehouse_batch_days = 3.0",
            "space.warehouse_batch_days",
        ),
        ("warehouse_batch_days = [3.0, 10.0]", '"fractile_*" = [1.5]', "fractiles"),
        ("warehouse_batch_days = [3.0, 10.0]", "fractil_0 = [0.9]", "policy.params.fractil_0"),
        ('policy = "base-stock"', 'policy = "oracle"', "policy.name"),
        ('scenario = "small.toml"', 'scenario = "smal"', "scenario"),
        ("tune = [1, 4]", "", "weeks.tune"),
    ],
)
def test_a_study_that_can_not_be_run_is_refused_by_its_key(at_desk, old, new, field):
    """Before the first run, with the nearest name or what to give."""
    with pytest.raises(InvalidInput) as caught:
        load_study(edited(at_desk, "broken", (old, new)))
    assert caught.value.field == field
    assert caught.value.remedy or "lie between" in caught.value.detail


def test_the_documented_study_is_one(tmp_path):
    """Every key of the example exists, and the example names every key."""
    from scenarios.study import KEYS

    text = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
    example = tmp_path / "study.toml"
    example.write_text(text.split("```toml\n")[1].split("```")[0])
    found = load_study(example)
    assert found.incumbent.name == "incumbent"
    written = tomllib.loads(example.read_text())
    for section in ("weeks", "budget", "gate"):
        assert set(written[section]) == set(KEYS[section])


def test_the_gates_weeks_can_not_be_the_tuners(at_desk):
    """The remedy says why."""
    with pytest.raises(ScenarioInvalid, match="never saw"):
        load_study(edited(at_desk, "overlap", ("gate = [5, 10]", "gate = [3, 10]")))


def test_the_planted_policies_differ_from_the_candidate_as_they_should():
    """The bad one has half the safety, the equal ones are not the same policy."""
    one = Policy.of("winner", "base-stock", {"safety_share": 0.8, "half_life_days": 14.0})
    assert half_safety(one).as_dict()["safety_share"] == 0.4
    a, b = null_pair(one)
    assert a.as_dict() != b.as_dict()
    today = Policy.of("today", "incumbent")
    assert half_safety(today).as_dict()["reorder_cover_days"] == 5.0
    with pytest.raises(InvalidInput, match="no safety stock"):
        half_safety(Policy.of("x", "constant-order", {"quantity": 3}))


def small_world(desk):
    """The study's world on its chain."""
    from scenarios.chains import chain_of

    study = load_study(desk / "study.toml")
    chain = chain_of(study.scenario)
    return study.world(chain, "short", 1, 3, 2)


def test_stress_worlds_do_what_their_names_say(at_desk):
    """Fewer trucks, later suppliers; replayed demand can't be scaled and is not."""
    world = small_world(at_desk)
    named = {one.name: scenario_of(one, 0) for one in stress_worlds(world)}
    plain = scenario_of(world, 0)
    assert set(named) == {
        "trucks −20 %, slower",
        "suppliers a day later",
        "a warehouse closed for two days",
    }
    (closed,) = named["a warehouse closed for two days"].disruptions.others
    assert (closed.warehouse_number, closed.warehouses_days) == (1, 2)
    assert world.warmup_days <= closed.warehouses_from_day <= world.days - 2
    late = named["suppliers a day later"].network.suppliers.lead_time_days
    assert (late == plain.network.suppliers.lead_time_days + 1).all()
    slow = named["trucks −20 %, slower"]
    assert slow.frictions.truck_speed_factor == pytest.approx(0.8)
    from dataclasses import replace

    drawn = stress_worlds(replace(world, demand="expansion", panel_expansion=2.0))
    assert [one.demand_factor for one in drawn if one.name == "demand +20 %"] == [1.2]


def test_a_run_that_breaks_names_what_to_run_again(at_desk, monkeypatch):
    """World, policy, replication and seed."""
    from scenarios import runner

    def broken(*_, **__):
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(runner, "simulate", broken)
    with pytest.raises(RunFailed, match=r"ZeroDivisionError.*policy today, replication 3, seed 1"):
        run_job(Job(small_world(at_desk), Policy.of("today", "incumbent"), 3))


def test_an_arm_does_not_change_by_the_company_it_keeps(at_desk):
    """Alone, with others, in one process or two: the same facts."""
    world = small_world(at_desk)
    today = Policy.of("today", "incumbent")
    other = Policy.of("other", "base-stock", {"reviews_per_week": 1})
    alone = run_job(Job(world, today, 1, before_days=7))
    for workers in (1, 2):
        jobs = [Job(world, one, r, before_days=7) for one in (other, today) for r in (0, 1)]
        found = run_jobs(jobs, workers)[3]
        assert (found.facts.sku_facts == alone.facts.sku_facts).all()
        assert (found.facts.location_facts == alone.facts.location_facts).all()
        assert found.before is not None
        assert (found.before.sku_facts == alone.before.sku_facts).all()
        assert found.before.days == 7


def test_the_library_is_what_a_study_builds_on():
    """Its scenario's policy is the incumbent."""
    assert load_scenario("base").policy().name == "incumbent"


def test_a_study_can_try_a_parameter_that_is_not_set(at_desk):
    """TOML has no word for nothing."""
    old = "[weeks]"
    new = 'drop_penalty = ["none", 10.0]\n\n[weeks]'
    found = load_study(edited(at_desk, "penalty", (old, new)))
    assert found.values["space"]["drop_penalty"] == [None, 10.0]


@pytest.mark.parametrize(
    "source", sorted((ROOT / "docs/studies").glob("*.toml")), ids=lambda p: p.stem
)
def test_every_file_of_the_documented_studies_is_still_valid(source):
    kept = tomllib.loads(source.read_text(encoding="utf-8"))
    if "space" in kept:
        assert load_study(source).name == kept["name"]
    elif "arms" in kept:
        assert load_final(source).name == kept["name"]
    else:
        assert load_scenario(source).name == kept["name"]
