"""Statements that bypass SQLAlchemy: the same errors, and plans that stay on the index."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from ops_api.bulk import insert_rows
from ops_api.database import engine_of_writers, writing
from ops_api.errors import Busy
from ops_api.ledger.schema import CHAIN_HEADS
from ops_api.wire import ask
from tests import databases
from tests.integration.api_service import make_rig


@pytest.fixture(scope="module")
def engine(tmp_path_factory, database):
    return make_rig(tmp_path_factory.mktemp("wire")).engine


@pytest.fixture(scope="module")
def writers(engine):
    return engine_of_writers(engine)


def head(name):
    return {"chain": name, "seq": 1, "hash": "a"}


def test_a_broken_key_is_an_integrity_error_and_ends_the_transaction(writers):
    """Whoever retries knows it by its class."""
    with writing(writers) as connection:
        insert_rows(connection, CHAIN_HEADS, [head("wire twice")])
    with pytest.raises(IntegrityError), writing(writers) as connection:
        insert_rows(connection, CHAIN_HEADS, [head("wire once"), head("wire twice")])
    with writing(writers) as connection:
        found = ask(connection, "SELECT chain FROM chain_heads WHERE chain LIKE 'wire on_e'", ())
    assert found == []


def test_what_nobody_began_is_still_undone(writers):
    """SQLAlchemy sees none of these statements: it would begin with a later one, or never."""
    with writers.connect() as connection:
        insert_rows(connection, CHAIN_HEADS, [head("wire undone")])
        assert connection.in_transaction()
        connection.rollback()
    with writing(writers) as connection:
        query = "SELECT chain FROM chain_heads WHERE chain = 'wire undone'"
        assert ask(connection, query, ()) == []


def test_a_connection_that_is_lost_is_busy_and_is_not_used_again(engine, writers):
    """The client sends it again; nothing was recorded."""
    if databases.kind() == "sqlite":
        pytest.skip("SQLite has no server to lose")

    def lose():
        with writing(writers) as connection:
            mine = ask(connection, "SELECT pg_backend_pid()", ())[0][0]
            with writing(engine) as other:
                ask(other, "SELECT pg_terminate_backend(%s::int)", (str(mine),))
            ask(connection, "SELECT 1", ())

    with pytest.raises(Busy) as lost:
        lose()
    assert isinstance(lost.value.__cause__, OperationalError)
    with writing(writers) as connection:
        assert ask(connection, "SELECT 1", ()) == [(1,)]


def test_a_per_cent_sign_that_is_no_parameter_is_refused(writers):
    """It would be taken for one."""
    if databases.kind() == "sqlite":
        pytest.skip("SQLite's parameters are question marks")
    with writing(writers) as connection, pytest.raises(ValueError, match="per cent"):
        ask(connection, "SELECT 1 WHERE 'a' LIKE '%'", ())


def test_a_plan_kept_from_an_empty_table_reaches_rows_by_the_index_when_it_is_full(writers):
    """A plan that reads the table whole would stay with the connection for weeks."""
    if databases.kind() == "sqlite":
        pytest.skip("SQLite keeps no plans")
    query = "SELECT seq FROM chain_heads WHERE chain = ANY(%s::text[])"
    with writing(writers) as connection:
        for _ in range(8):
            ask(connection, query, ("{wire one}",))
        insert_rows(connection, CHAIN_HEADS, [head(f"wire {i}") for i in range(5_000)])
        read = "SELECT pg_stat_get_xact_numscans('chain_heads'::regclass)"
        before = ask(connection, read, ())
        for _ in range(8):
            assert len(ask(connection, query, ("{wire 1,wire 4999}",))) == 2
        assert ask(connection, read, ()) == before


def test_the_connections_of_writers_end_with_the_service(tmp_path, database):
    """Else each application of a process would leave some behind."""
    rig = make_rig(tmp_path)
    mine = engine_of_writers(rig.engine)
    with writing(mine) as connection:
        ask(connection, "SELECT 1", ())
    rig.engine.dispose()
    assert mine.pool.checkedin() == 0
