"""Clients that follow a list closely are given each row once, however late it comes to light."""

from __future__ import annotations

import threading
import uuid

import pytest

from ops_api.database import writing
from ops_api.ledger.rows import Stamp, open_stock
from ops_api.ledger.schema import AUDIT, MOVEMENTS
from ops_api.ledger.settled import settled_up_to
from ops_api.ledger.write import post, record_audit
from tests.integration.api_service import make_rig

STORE, OTHER = "S0001", "S0002"
SKU = "K00001"


@pytest.fixture
def rig(tmp_path):
    return make_rig(tmp_path)


def put_down(rig, connection, place, quantity):
    at = int(rig.clock.now.timestamp())
    rows = open_stock(Stamp(at, at, "test"), str(uuid.uuid4()), SKU, place, quantity)
    post(connection, [rows])
    record_audit(
        connection, "test.note", recorded_at=at, actor="test", location=place, subject=str(quantity)
    )


class Follower:
    """A client that asks again from where it was told to go on."""

    def __init__(self, rig, who, path, member, limit=100):
        self.rig, self.who, self.path, self.member = rig, who, path, member
        self.limit, self.after, self.seen = limit, 0, []

    def ask(self):
        while True:
            address = f"{self.path}?after={self.after}&limit={self.limit}"
            answer = self.rig.get(self.who, address).json
            self.seen += [row["seq"] for row in answer[self.member]]
            assert answer["follow"] >= self.after
            self.after = answer["follow"]
            if answer["next"] is None:
                return self.seen


def followers(rig):
    return (
        Follower(rig, "boss", "/movements", "movements"),
        Follower(rig, "auditor", "/audit", "audit"),
    )


def in_database(rig, table):
    with rig.engine.connect() as connection:
        return [row.seq for row in connection.execute(table.select().order_by(table.c.seq))]


def test_a_row_of_a_slow_writer_is_given_when_it_comes_to_light_and_none_twice(rig):
    if rig.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer: rows come to light in the order of their numbers")
    moves, audit = followers(rig)
    before = (len(moves.ask()), len(audit.ask()))
    with rig.engine.connect() as slow, slow.begin():
        put_down(rig, slow, STORE, 3)
        with writing(rig.engine) as quick:
            put_down(rig, quick, OTHER, 5)
        # The quick row is there, and kept back: behind it the slow one would be lost.
        assert (len(moves.ask()), len(audit.ask())) == before
    assert moves.ask() == in_database(rig, MOVEMENTS)
    assert audit.ask() == in_database(rig, AUDIT)
    assert len(moves.seen) == before[0] + 2
    assert moves.ask() == in_database(rig, MOVEMENTS)


def test_what_lies_before_a_slow_writers_row_is_given_at_once(rig):
    if rig.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer")
    moves, _ = followers(rig)
    before = len(moves.ask())
    with writing(rig.engine) as quick:
        put_down(rig, quick, OTHER, 5)
    with rig.engine.connect() as slow, slow.begin():
        put_down(rig, slow, STORE, 3)
        assert len(moves.ask()) == before + 1


def test_a_file_of_the_whole_list_keeps_nothing_back(rig):
    if rig.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer")
    with rig.engine.connect() as slow, slow.begin():
        put_down(rig, slow, STORE, 3)
        with writing(rig.engine) as quick:
            put_down(rig, quick, OTHER, 5)
        rows = rig.get("boss", "/exports/movements?form=csv").data.decode("utf-8-sig")
    assert len(rows.splitlines()) - 1 == len(in_database(rig, MOVEMENTS)) - 1


def test_numbers_given_back_by_a_rollback_hold_nobody_up(rig):
    moves, audit = followers(rig)
    moves.ask()
    with rig.engine.connect() as given_up:
        put_down(rig, given_up, STORE, 3)
        given_up.rollback()
    with writing(rig.engine) as connection:
        put_down(rig, connection, STORE, 4)
    assert moves.ask() == in_database(rig, MOVEMENTS)
    assert audit.ask() == in_database(rig, AUDIT)


def test_a_follower_of_four_writers_gets_every_row_once(rig):
    moves = Follower(rig, "boss", "/movements", "movements", limit=7)
    failed = []

    def write(place):
        try:
            for units in range(1, 16):
                with writing(rig.engine) as connection:
                    put_down(rig, connection, place, units)
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    places = [STORE, OTHER, "W01", "S0003"]
    writers = [threading.Thread(target=write, args=(place,)) for place in places]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        moves.ask()
    for writer in writers:
        writer.join()
    assert not failed
    assert moves.ask() == in_database(rig, MOVEMENTS)


def test_a_list_without_rows_is_followed_from_where_the_client_stands(rig):
    with rig.engine.connect() as connection:
        assert settled_up_to(connection, MOVEMENTS, 10**9) == 10**9
