"""Which demands are drawn before jobs are spread over processes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from scenarios import runner
from scenarios.runner import Job, Policy
from scenarios.worlds import WorldSpec

POLICY = Policy.of("P", "order_up_to")


@pytest.fixture
def world(tmp_path):
    (tmp_path / "network").mkdir()
    (tmp_path / "network" / "a.json").write_text(json.dumps({}))
    return WorldSpec("w", str(tmp_path), 0, 7, demand="expansion", panel_expansion=2.0)


def drawn(jobs):
    return [(job.world.name, job.replication) for job in runner._drawn_by_several(jobs)]


def test_customers_that_one_job_meets_are_drawn_by_the_process_that_plays_it(world):
    assert drawn([Job(world, POLICY, r) for r in range(4)]) == []


def test_customers_that_several_jobs_meet_are_drawn_once_before(world):
    slow = replace(world, name="slow", lead_time_extra_days=2)
    jobs = [Job(one, POLICY, r) for one in (world, slow) for r in range(2)]
    jobs.append(Job(replace(world, name="other seed", seed=9), POLICY, 0))
    assert sorted(r for _, r in drawn(jobs)) == [0, 1]


def test_a_replay_is_not_drawn(world):
    replay = replace(world, demand="replay", panel_expansion=1.0)
    assert drawn([Job(replay, POLICY, 0), Job(replay, POLICY, 0)]) == []
