"""Nobody loses a unit, whatever ends in the middle: a short seed here, full counts in soak."""

from __future__ import annotations

import pytest

from tests import databases
from tests.soak.contest import contest
from tests.soak.storm import CannotMount, faultless, run

SHORT = {
    "sqlite": {"bad-network": 12, "kill-worker": 2, "full-disk": 2, "kill-server": 1},
    "postgresql": {"bad-network": 12, "kill-worker": 2, "kill-database": 1, "kill-server": 1},
}
SOAK = ("hot-rows", "kill-worker", "kill-server", "kill-database", "bad-network", "full-disk")


@pytest.mark.parametrize("kind", databases.KINDS)
def test_a_short_storm_of_every_fault_loses_and_doubles_nothing(kind):
    if kind == "postgresql":
        databases.need_postgres()
    result = run(SHORT[kind], kind, seed=1)
    assert faultless(result) == {}, result
    assert result["effective"] > 50
    assert result["sent"] > result["facts"]
    assert sum(result["network"].values()) >= 10


def test_writers_of_the_same_thirty_shelves_never_deadlock():
    """Long batches in any order over six stores, by tills, phones and clerks."""
    databases.need_postgres()
    result = run({"hot-rows": 6}, "postgresql", seed=1)
    assert faultless(result) == {}, result
    assert result["deadlocks"] == 0
    assert set(result["replies"]) <= {"200", "201", "409"}


def test_exactly_k_of_thirty_two_get_the_last_k_units():
    databases.need_postgres()
    result = contest("postgresql", 12)
    assert (result["wrong_rounds"], result["changed_answers"], result["violations"]) == (0, 0, 0)
    assert set(result["answers"]) <= {"201", "409"}


@pytest.mark.soak
@pytest.mark.parametrize("kind", databases.KINDS)
def test_exactly_k_get_the_last_k_units_a_thousand_times(kind):
    if kind == "postgresql":
        databases.need_postgres()
    result = contest(kind, 1_000)
    assert (result["wrong_rounds"], result["changed_answers"], result["violations"]) == (0, 0, 0)


@pytest.mark.soak
@pytest.mark.parametrize("fault", SOAK)
@pytest.mark.parametrize("kind", databases.KINDS)
def test_a_hundred_rounds_of_a_fault_lose_and_double_nothing(kind, fault):
    if kind == "postgresql":
        databases.need_postgres()
    if (kind, fault) == ("sqlite", "kill-database"):
        pytest.skip("SQLite has no server of its own")
    try:
        result = run({fault: 100}, kind, seed=2)
    except CannotMount as why:
        pytest.skip(f"no small file system can be mounted here: {why}")
    assert faultless(result) == {}, result
