"""Readers of the ledger miss no row, in whatever order transactions end."""

from __future__ import annotations

import uuid

import numpy as np
import pytest
from sqlalchemy import text

from ops_api.database import reading, writing
from ops_api.ledger.reading import batches, rows_written
from ops_api.ledger.rows import Stamp, open_stock
from ops_api.ledger.schema import MOVEMENTS
from ops_api.ledger.write import post
from ops_api.planning.ledger_columns import LedgerReader
from tests.integration.planner_service import planning_rig


@pytest.fixture
def rig(tmp_path):
    return planning_rig(tmp_path)


def found(rig, store, quantity, sku=0):
    """Rows of stock that is put down at a store."""
    at = int(rig.clock.now.timestamp())
    name = str(uuid.uuid4())
    return [open_stock(Stamp(at, at, "test"), name, rig.network.skus.ids[sku], store, quantity)]


def read(rig, reader):
    with reading(rig.engine) as connection:
        reader.refresh(connection)
    return reader.columns()


def test_a_row_that_comes_to_light_late_is_read(rig):
    if rig.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer: rows come to light in the order of their numbers")
    reader = LedgerReader(rig.network)
    before = len(read(rig, reader))
    with rig.engine.connect() as slow, slow.begin():
        post(slow, found(rig, "S0001", 3))
        with writing(rig.engine) as quick:
            post(quick, found(rig, "S0002", 5))
        assert len(read(rig, reader)) == before + 1
    assert len(read(rig, reader)) == before + 2
    assert set(reader.columns().quantity[-2:].tolist()) == {3, 5}
    assert len(read(rig, reader)) == before + 2


def test_numbers_that_were_given_back_hide_nothing(rig):
    reader = LedgerReader(rig.network)
    before = len(read(rig, reader))
    with rig.engine.connect() as given_up:
        post(given_up, found(rig, "S0001", 3))
        given_up.rollback()
    with writing(rig.engine) as connection:
        post(connection, found(rig, "S0001", 4))
    assert len(read(rig, reader)) == before + 1
    with writing(rig.engine) as connection:
        post(connection, found(rig, "S0001", 5))
    assert read(rig, reader).quantity[-2:].tolist() == [4, 5]


def test_small_frames_hold_what_one_frame_holds(rig):
    with reading(rig.engine) as connection:
        whole = list(batches(connection, MOVEMENTS.c.seq > 0))
        parts = list(batches(connection, MOVEMENTS.c.seq > 0, rows=7))
        assert rows_written(connection) == sum(map(len, whole)) == sum(map(len, parts))
        counted = connection.execute(text("SELECT count(*) FROM movements")).scalar()
    assert sum(map(len, whole)) == counted
    assert len(parts) > 1
    for name in whole[0].columns:
        joined = np.concatenate([part[name].to_numpy() for part in parts])
        assert (joined == np.concatenate([part[name].to_numpy() for part in whole])).all()
