"""A check that begins at a checkpoint reads what is new, and says what the full one would."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from ops_api.ledger.health import INVARIANTS, check_ledger
from ops_api.ledger.schema import MOVEMENTS
from ops_api.migrations.run import downgrade, upgrade
from tests.integration.api_service import Rig, make_rig
from tests.integration.test_api_health import PLANTED, as_superuser, on_its_way
from ui.cli import app

STORE, SKU = "S0001", "K00001"
# What is told by rows of the past is the full check's to find.
_OF_THE_PAST = {"I2", "I5", "I7", "I9", "I10"}


@pytest.fixture
def rig(tmp_path):
    """A sound service with a checkpoint, then a delivery that is on its way and some sales."""
    made = make_rig(tmp_path)
    on_its_way(made)
    sell(made, 5)
    assert not broken(made, keeps=True)
    yield made
    made.engine.dispose()


def sell(rig: Rig, lines: int) -> None:
    batch = [rig.sale(STORE, SKU) for _ in range(lines)]
    assert rig.post("till", "/sales:batch", {"lines": batch}).json["counts"] == {"created": lines}


def broken(rig: Rig, **how: bool) -> set[str]:
    found = check_ledger(rig.engine, **how)["violations"]
    assert set(found) == set(INVARIANTS)
    return {name for name, count in found.items() if count}


def newest(rig: Rig) -> int:
    with rig.engine.connect() as connection:
        return connection.scalar(select(func.max(MOVEMENTS.c.seq)))


def test_only_new_rows_are_read_and_the_answer_is_the_full_ones(rig):
    sell(rig, 7)
    on_its_way(rig)
    part = check_ledger(rig.engine, incremental=True)
    whole = check_ledger(rig.engine)
    assert 7 < part["rows_read"] < whole["rows_read"]
    assert not any(part["violations"].values())
    assert {**part, "rows_read": 0} == {**whole, "rows_read": 0}


def test_each_check_that_holds_moves_the_checkpoint(rig):
    sell(rig, 3)
    assert check_ledger(rig.engine, incremental=True, keeps=True)["rows_read"] == 3
    sell(rig, 2)
    assert check_ledger(rig.engine, incremental=True, keeps=True)["rows_read"] == 2
    assert check_ledger(rig.engine, incremental=True)["rows_read"] == 0


@pytest.mark.parametrize("invariant", sorted(set(INVARIANTS) - _OF_THE_PAST))
def test_faults_that_are_no_row_of_the_past_are_found_from_a_checkpoint(rig, invariant):
    as_superuser(rig, *PLANTED[invariant])
    assert invariant in broken(rig, incremental=True)


@pytest.mark.parametrize(
    ("invariant", "change"),
    [
        ("I2", "from_location = 'NOWHERE'"),
        ("I7", "actor = 'somebody else'"),
        ("I9", "to_location = from_location"),
        ("I10", "occurred_at = recorded_at + 900"),
    ],
)
def test_an_edit_of_a_new_row_is_found_from_a_checkpoint(rig, invariant, change):
    sell(rig, 3)
    as_superuser(rig, f"UPDATE movements SET {change} WHERE seq = {newest(rig) - 1}")
    assert invariant in broken(rig, incremental=True)


def test_an_edit_below_a_checkpoint_is_found_by_the_full_check_alone(rig):
    """That is what it is for; after it no new checkpoint is kept."""
    as_superuser(rig, *PLANTED["I7"])
    sell(rig, 1)
    assert broken(rig, incremental=True) == set()
    assert broken(rig) == {"I7"}
    assert broken(rig, keeps=True) == {"I7"}
    assert check_ledger(rig.engine, incremental=True)["rows_read"] == 1


def test_a_row_that_is_gone_from_the_end_is_found_from_a_checkpoint(rig):
    """Also where it was the last one that the checkpoint had seen."""
    as_superuser(rig, f"DELETE FROM movements WHERE seq = {newest(rig)}")
    assert "I7" in broken(rig, incremental=True)


def test_a_chain_that_was_linked_anew_does_not_meet_its_checkpoint(rig):
    """Who edits a row and forges all hashes after it, and the head, is still found."""
    forged = "0" * 63 + "1"
    last = newest(rig)
    as_superuser(
        rig,
        f"UPDATE movements SET hash = '{forged}' WHERE seq = {last}",
        f"UPDATE chain_heads SET hash = '{forged}' WHERE chain = '{STORE}'",
    )
    assert broken(rig, incremental=True) == {"I7"}
    with rig.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM checked_chains")
        connection.exec_driver_sql("DELETE FROM checked_sums")
    assert broken(rig) == {"I7"}


def test_the_command_is_full_unless_it_is_told_otherwise(rig):
    url = rig.engine.url.render_as_string(hide_password=False)
    sell(rig, 4)
    part = CliRunner().invoke(app, ["check-ledger", "--db", url, "--incremental", "--json"])
    assert json.loads(part.output)["rows_read"] == 4
    as_superuser(rig, *PLANTED["I7"])
    whole = CliRunner().invoke(app, ["check-ledger", "--db", url, "--json"])
    assert whole.exit_code == 1
    assert json.loads(whole.output)["violations"]["I7"] == 1


def test_the_services_answer_begins_at_the_checkpoint(rig):
    sell(rig, 2)
    told = rig.get("admin", "/health/ledger").json
    assert told["rows_read"] == 2
    assert not any(told["violations"].values())


def test_a_migration_down_and_up_begins_again_with_the_first_row(rig):
    url = rig.engine.url.render_as_string(hide_password=False)
    before = check_ledger(rig.engine)
    rig.engine.dispose()
    downgrade(url, "0010")
    upgrade(url)
    assert check_ledger(rig.engine, incremental=True) == before
