"""Backup, destroy, restore: the ledger ends in the same hash, or nothing is replaced."""

from __future__ import annotations

import json
import threading

import pytest
from click.testing import Result
from sqlalchemy import inspect
from typer.testing import CliRunner

from ops_api.backup import back_up, postgres, restore
from ops_api.backup.postgres import ToolFailed
from ops_api.backup.service import NotEmpty
from ops_api.database import make_engine
from ops_api.ledger.health import check_ledger
from ops_api.migrations.run import current, downgrade, upgrade
from policies.domain.errors import InvalidInput
from tests import databases
from tests.integration.api_service import START, Rig, make_rig
from ui.cli import app

STORE, SKU = "S0001", "K00001"


@pytest.fixture
def rig(tmp_path):
    made = make_rig(tmp_path)
    sell(made, 3)
    yield made
    made.engine.dispose()


@pytest.fixture
def other(tmp_path):
    """Address of another database, without tables."""
    url = databases.empty(tmp_path)
    yield url
    if databases.kind() == "postgresql":
        databases.cluster().drop(url)


def sell(rig: Rig, lines: int) -> None:
    batch = [rig.sale(STORE, SKU) for _ in range(lines)]
    assert rig.post("till", "/sales:batch", {"lines": batch}).json["counts"] == {"created": lines}


def destroy(rig: Rig) -> None:
    """Every table of it."""
    rig.engine.dispose()
    downgrade(rig.url, "base")


def sound(rig: Rig) -> dict:
    found = check_ledger(rig.engine)
    assert not any(found["violations"].values()), found
    return found


def test_backup_destroy_restore_ends_in_the_same_hash(rig, tmp_path):
    """And the service goes on where it stood: no event is taken twice, stock is the same."""
    line = rig.sale(STORE, SKU)
    rig.post("till", "/sales:batch", {"lines": [line]})
    before, stock = sound(rig), rig.on_hand(STORE, SKU)
    made = back_up(rig.url, tmp_path / "copy", START)
    assert (made.head_hash, made.movements) == (before["head_hash"], before["movements"])
    destroy(rig)
    restore(rig.url, tmp_path / "copy")
    assert sound(rig) == before
    assert rig.on_hand(STORE, SKU) == stock
    again = rig.post("till", "/sales:batch", {"lines": [line]})
    assert again.json["counts"] == {"duplicate": 1}
    sell(rig, 2)
    assert sound(rig)["movements"] == before["movements"] + 2


def test_a_backup_goes_into_another_database_too(rig, other, tmp_path):
    made = back_up(rig.url, tmp_path / "copy", START)
    restore(other, tmp_path / "copy")
    assert current(other) == made.schema
    back = back_up(other, tmp_path / "again", START)
    assert (back.head_hash, back.movements) == (made.head_hash, made.movements)


def test_what_is_written_during_a_backup_is_in_it_whole_or_not_at_all(rig, other, tmp_path):
    """Tills sell meanwhile; each copy is a ledger that holds."""
    stop = threading.Event()

    def tills() -> None:
        while not stop.is_set():
            sell(rig, 20)

    thread = threading.Thread(target=tills)
    thread.start()
    try:
        made = [back_up(rig.url, tmp_path / f"copy{i}", START) for i in range(3)]
    finally:
        stop.set()
        thread.join()
    assert made[0].movements < made[2].movements
    for number, one in enumerate(made):
        restore(other, tmp_path / f"copy{number}", replace=True)
        engine = make_engine(other)
        found = check_ledger(engine)
        engine.dispose()
        assert not any(found["violations"].values())
        assert (found["head_hash"], found["movements"]) == (one.head_hash, one.movements)


def test_a_database_with_data_is_not_overwritten_unasked(rig, tmp_path):
    back_up(rig.url, tmp_path / "copy", START)
    sell(rig, 1)
    later = sound(rig)
    with pytest.raises(NotEmpty, match="holds data"):
        restore(rig.url, tmp_path / "copy")
    assert sound(rig) == later
    restore(rig.url, tmp_path / "copy", replace=True)
    assert sound(rig)["movements"] == later["movements"] - 1


def test_an_empty_schema_may_be_restored_into(rig, other, tmp_path):
    upgrade(other)
    made = back_up(rig.url, tmp_path / "copy", START)
    assert restore(other, tmp_path / "copy") == made


def spoil(folder, change) -> None:
    path = folder / "manifest.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps(change(values)))


CHANGES = {
    "head_hash": lambda values: values | {"head_hash": "0" * 64},
    "movements": lambda values: values | {"movements": values["movements"] + 1},
    "sha256": lambda values: values | {"sha256": "0" * 64},
    "schema": lambda values: values | {"schema": "9999"},
    "format": lambda values: values | {"format": 2},
    "file": lambda values: values | {"file": "../../elsewhere"},
    "database": lambda values: values | {"database": "other"},
    "unknown key": lambda values: values | {"more": 1},
}


@pytest.mark.parametrize("which", sorted(CHANGES))
def test_a_backup_that_is_not_what_it_says_replaces_nothing(rig, which, tmp_path):
    back_up(rig.url, tmp_path / "copy", START)
    spoil(tmp_path / "copy", CHANGES[which])
    before = sound(rig)
    with pytest.raises((InvalidInput, ToolFailed)):
        restore(rig.url, tmp_path / "copy", replace=True)
    assert sound(rig) == before


def test_a_cut_off_file_is_found_by_its_hash(rig, tmp_path):
    made = back_up(rig.url, tmp_path / "copy", START)
    data = tmp_path / "copy" / made.file
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(InvalidInput, match="cut off"):
        restore(rig.url, tmp_path / "copy", replace=True)


def test_a_backup_that_fails_leaves_no_folder(tmp_path, other):
    with pytest.raises(InvalidInput):
        back_up(other, tmp_path / "copy", START)
    assert not list(tmp_path.glob("copy*"))


def test_a_folder_in_use_is_left_alone(rig, tmp_path):
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine").write_text("")
    with pytest.raises(InvalidInput, match="there already"):
        back_up(rig.url, tmp_path / "copy", START)


@pytest.mark.parametrize("revision", ["-1", "0001"])
def test_a_migration_down_and_up_keeps_the_ledger(rig, revision):
    """Its hash, its rows, and what the till is told about a sale it sent before."""
    before = sound(rig)
    line = rig.sale(STORE, SKU)
    rig.post("till", "/sales:batch", {"lines": [line]})
    after = sound(rig)
    assert after["head_hash"] != before["head_hash"]
    rig.engine.dispose()
    downgrade(rig.url, revision)
    upgrade(rig.url)
    assert sound(rig) == after
    again = rig.post("till", "/sales:batch", {"lines": [line]})
    assert again.json["counts"] == {"duplicate": 1}
    assert inspect(rig.engine).has_table("webhooks")


def test_missing_programs_are_named(rig, tmp_path, monkeypatch):
    if databases.kind() != "postgresql":
        pytest.skip("SQLite needs none")
    monkeypatch.setattr(postgres, "_DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolFailed, match="pg_dump is not installed"):
        back_up(rig.url, tmp_path / "copy", START)


def test_the_commands_print_what_was_done(rig, tmp_path):
    def run(*arguments: str) -> Result:
        command = ["db", *arguments, "--db", rig.url, "--json"]
        return CliRunner().invoke(app, command)

    before = sound(rig)
    saved = run("backup", "--out", str(tmp_path / "copy"))
    assert saved.exit_code == 0, saved.output
    assert json.loads(saved.stdout)["head_hash"] == before["head_hash"]
    refused = run("restore", "--from", str(tmp_path / "copy"))
    assert refused.exit_code == 2
    assert "--replace" in refused.stderr
    done = run("restore", "--from", str(tmp_path / "copy"), "--replace")
    assert done.exit_code == 0, done.output
    assert sound(rig) == before
