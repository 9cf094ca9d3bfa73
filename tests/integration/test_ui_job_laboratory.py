"""The planner's page over real jobs: a tiny chain, a worker process, a compared table."""

import json
import tomllib

import pytest

from scenarios.chains import generated
from scenarios.scenario import from_values
from scenarios.worlds import network_of
from tests.ui_browser import wait_until
from ui.job_laboratory import Base, JobLaboratory, Setting
from ui.laboratory import WhatIf


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    settings = {"stores": 3, "skus": 20, "days": 28, "lines_per_store_day": 60, "seed": 1}
    return generated(settings, tmp_path_factory.mktemp("chains"))


@pytest.fixture
def laboratory(chain, tmp_path):
    network = network_of(str(chain))
    setting = Setting.of(chain, network, (1, 4), 2, 1.0, 1)
    bases = {"before": Base("incumbent", {}), "promoted": Base("base-stock", {"fractile_0": 0.8})}
    return JobLaboratory(setting, bases, tmp_path / "jobs")


def whatif(laboratory: JobLaboratory, **changes: object) -> WhatIf:
    base = laboratory.offer().bases["before"]
    given = {**vars(base), "name": "more service", "replications": 2, **changes}
    return WhatIf(**given)


def test_the_form_and_the_file_are_the_same_scenario(laboratory):
    what = whatif(laboratory, policy="base-stock", service_target=0.98, demand_factor=1.2)
    text = laboratory.as_toml(what)
    values = tomllib.loads(text)
    assert values.pop("extends") == "base"
    resolved = from_values(values).values
    assert resolved["demand_factor"] == 1.2
    assert resolved["policy"]["name"] == "base-stock"
    assert set(resolved["policy"]["params"].values()) == {0.98}


def test_an_unchanged_target_keeps_the_fractiles_of_each_class(laboratory):
    base = laboratory.offer().bases["promoted"]
    kept = tomllib.loads(laboratory.as_toml(WhatIf(**{**vars(base), "name": "same"})))
    assert kept["policy"]["params"] == {"fractile_0": 0.8}


def test_only_policies_with_fractiles_are_steered_by_a_target(laboratory):
    offer = laboratory.offer()
    assert "base-stock" in offer.with_target
    assert "incumbent" not in offer.with_target


def test_a_job_runs_to_a_compared_table_with_verdicts(laboratory):
    what = whatif(laboratory, policy="base-stock", service_target=0.98)
    assert laboratory.seconds(what) is None
    job = laboratory.submit(what, "planner")
    wait_until(lambda: not laboratory.progress(job).is_active, 90, "the job ends")
    assert laboratory.progress(job).state == "done", laboratory.progress(job).message
    found = laboratory.result(job)
    assert found.name == "more service"
    assert found.pairs == 2
    fill = next(row for row in found.rows if row.name == "true_fill_rate")
    assert fill.new - fill.base == pytest.approx(fill.difference)
    assert {row.verdict for row in found.rows} <= {"better", "worse", "unclear"}
    assert laboratory.seconds(what) > 0
    assert [name for _, name in laboratory.jobs()] == ["more service"]


def test_a_stopped_job_says_so_and_has_no_table(laboratory, tmp_path):
    job = laboratory.submit(whatif(laboratory, replications=20), "planner")
    laboratory.stop(job)
    assert laboratory.progress(job).state == "stopped"
    assert laboratory.result(job) is None
    kept = json.loads((tmp_path / "jobs" / job / "job.json").read_text())
    assert kept["asked_by"] == "planner"
