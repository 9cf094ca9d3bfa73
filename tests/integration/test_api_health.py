"""Each invariant is broken behind the service's back once, and found under its own name."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import select

from ops_api.ledger.chain import MOVEMENT_FIELDS
from ops_api.ledger.health import INVARIANTS, check_ledger
from ops_api.ledger.schema import MOVEMENTS
from tests.integration.api_service import Rig, make_rig

STORE, SKU = "S0001", "K00001"
_SHELF = f"location = '{STORE}' AND sku = '{SKU}'"
PLANTED = {
    "I1": [f"UPDATE balances SET on_hand = on_hand + 1 WHERE {_SHELF}"],
    "I2": ["UPDATE movements SET from_location = 'NOWHERE' WHERE seq = 3"],
    "I3": [f"UPDATE balances SET on_hand = -1 WHERE {_SHELF}"],
    "I4": [f"UPDATE balances SET reserved = reserved + 1 WHERE {_SHELF}"],
    "I5": ["UPDATE movements SET serial = '1' WHERE seq IN (3, 8) AND kind = 1"],
    "I6": ["UPDATE transfer_lines SET received_good = received_good - 1 WHERE received_good > 0"],
    "I7": ["UPDATE movements SET actor = 'somebody else' WHERE seq = 3"],
    "I8": ["UPDATE idempotency SET status = 0 WHERE key = (SELECT min(key) FROM idempotency)"],
    "I9": ["UPDATE movements SET to_location = from_location WHERE seq = 3"],
    "I10": ["UPDATE movements SET occurred_at = recorded_at + 900 WHERE seq = 3"],
    "I11": [f"DELETE FROM balances WHERE {_SHELF}"],
}
CHAIN = {
    "a row is gone": "DELETE FROM movements WHERE seq = 3",
    "the last row is gone": "DELETE FROM movements WHERE seq = (SELECT max(seq) FROM movements)",
    "rows are numbered anew": "UPDATE movements SET chain_seq = chain_seq + 9 WHERE chain = 'W01'",
    "an audit row says otherwise": "UPDATE audit SET actor = 'nobody' WHERE seq = 2",
    "an audit row is gone": "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)",
}


@pytest.fixture
def rig(tmp_path):
    """A service with a delivery on the road and partly received; sound so far."""
    made = make_rig(tmp_path)
    on_its_way(made)
    assert not any(check_ledger(made.engine)["violations"].values())
    yield made
    made.engine.dispose()


def on_its_way(rig: Rig) -> None:
    """A delivery of which a part has come."""
    body = {"origin": "W01", "destination": STORE, "lines": [{"sku": SKU, "quantity": 6}]}
    name = rig.post("clerk1", "/transfers", body).json["id"]
    rig.post("keeper", f"/transfers/{name}:approve")
    rig.post("keeper", f"/transfers/{name}:ship")
    line = {"event_id": str(uuid.uuid4()), "sku": SKU, "good": 4}
    rig.post("clerk1", f"/transfers/{name}:receive", {"lines": [line]})


def as_superuser(rig: Rig, *statements: str) -> dict[str, int]:
    """Edit with triggers and checks off; the triggers stand again afterwards."""
    edit = _on_postgresql if rig.engine.dialect.name == "postgresql" else _on_sqlite
    edit(rig, statements)
    return check_ledger(rig.engine)["violations"]


def _on_sqlite(rig: Rig, statements: tuple[str, ...]) -> None:
    with rig.engine.connect() as connection:
        raw = connection.connection.driver_connection
        raw.execute("PRAGMA ignore_check_constraints = ON")
        kept = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in kept:
            raw.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert raw.execute(statement).rowcount >= 1, statement
        for _, sql in kept:
            raw.execute(sql)
        raw.execute("PRAGMA ignore_check_constraints = OFF")


def _on_postgresql(rig: Rig, statements: tuple[str, ...]) -> None:
    checks = (
        "SELECT conrelid::regclass, conname FROM pg_constraint "
        "WHERE contype = 'c' AND conrelid <> 0"
    )
    with rig.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for table, name in connection.exec_driver_sql(checks).all():
            if "." not in str(table):
                connection.exec_driver_sql(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount >= 1, statement


def test_every_invariant_has_a_planted_fault():
    assert set(PLANTED) == set(INVARIANTS)


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_a_planted_fault_is_found_under_its_name(rig, invariant):
    assert as_superuser(rig, *PLANTED[invariant])[invariant] >= 1


@pytest.mark.parametrize("case", sorted(CHAIN))
def test_the_chain_shows_that(rig, case):
    assert as_superuser(rig, CHAIN[case])["I7"] >= 1


def test_one_edited_row_is_one_violation(rig):
    """Not one for every row that follows."""
    assert as_superuser(rig, *PLANTED["I7"])["I7"] == 1


def test_a_missing_trigger_is_found_before_anything_is_edited(rig):
    with rig.engine.begin() as connection:
        of = " ON movements" if rig.engine.dialect.name == "postgresql" else ""
        connection.exec_driver_sql(f"DROP TRIGGER movements_no_update{of}")
    assert check_ledger(rig.engine)["violations"]["I7"] == 1


@pytest.mark.parametrize("statement", ["UPDATE movements SET quantity = 1", "DELETE FROM audit"])
def test_the_database_itself_refuses_to_change_history(rig, statement):
    with (
        pytest.raises(Exception, match="never changed"),
        rig.engine.begin() as connection,
    ):
        connection.exec_driver_sql(statement)


def test_postgresql_refuses_to_empty_the_ledger_at_once(rig):
    if rig.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")
    with pytest.raises(Exception, match="never changed"), rig.engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE movements")


def test_an_edit_of_any_column_is_found(rig):
    """Each column of a movement, another row each time, edited and put back."""
    columns = {name: MOVEMENTS.c[name].type.python_type for name in MOVEMENT_FIELDS}
    with rig.engine.connect() as connection:
        numbers = list(
            connection.execute(select(MOVEMENTS.c.seq).order_by(MOVEMENTS.c.seq)).scalars()
        )
    for place, (name, kind) in enumerate(columns.items()):
        where = f"WHERE seq = {numbers[place % len(numbers)]}"
        change = f"{name} + 7" if kind is int else f"{name} || 'x'"
        back = f"{name} - 7" if kind is int else f"substr({name}, 1, length({name}) - 1)"
        assert as_superuser(rig, f"UPDATE movements SET {name} = {change} {where}")["I7"], name
        mended = as_superuser(rig, f"UPDATE movements SET {name} = {back} {where}")
        assert mended["I7"] == 0, name
