"""The benchmark of a long ledger fills one that is sound, and asks it what it says it asks."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from ops_api.database import make_engine, reading
from ops_api.masterdata.service import network_of
from ops_api.planning.day_book import DayBook
from ops_api.planning.facts import day_facts_from_sql
from policies.domain.network import DAY_SECONDS
from tests import databases
from ui.cli import app

SIZES = ["--movements", "6000", "--stores", "5", "--skus", "30", "--days", "24", "--json"]


def bench(url, *more):
    done = CliRunner().invoke(app, ["bench", "ledger", "--db", url, *SIZES, *more])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def schema(url):
    """Indexes and constraints of the tables that were filled."""
    engine = make_engine(url)
    try:
        with reading(engine) as connection:
            return {
                row[0]
                for row in connection.execute(
                    text(
                        "SELECT indexdef FROM pg_indexes WHERE tablename IN "
                        "('movements', 'sale_values') UNION SELECT conname || "
                        "pg_get_constraintdef(oid) FROM pg_constraint WHERE contype IN ('p', 'u')"
                    )
                )
            }
    finally:
        engine.dispose()


def test_a_filled_ledger_is_sound_and_its_days_are_those_of_the_whole(tmp_path):
    """With the indexes of any other; asked again, it is not filled again."""
    databases.need_postgres()
    cluster = databases.cluster()
    url, plain = cluster.create(), cluster.create()
    found = bench(url, "--no-plan")
    assert found["rows"] == 6_000 + 5 * 30
    assert found["health"]["full_rows"] == found["rows"] + 1
    assert found["health"]["full_violations"] == found["health"]["incremental_violations"] == 0
    assert found["health"]["incremental_rows"] == 20_000
    assert found["day_facts"]["late_sale_days"] == 4
    again = bench(url, "--no-plan", "--filled")
    assert again["fill_seconds"] is None
    assert again["rows"] == found["rows"] + 1 + 20_000
    CliRunner().invoke(app, ["db", "upgrade", "--db", plain])
    assert schema(url) == schema(plain)
    engine = make_engine(url)
    try:
        with reading(engine) as connection:
            network = network_of(connection)
            now = 25 * DAY_SECONDS
            first, days = DayBook(network).ledger_days(connection, now)
            whole = day_facts_from_sql(connection, network, first, now // DAY_SECONDS, now)
        assert np.array_equal(np.stack(days), whole.sku_facts)
    finally:
        engine.dispose()
        cluster.drop(url)
        cluster.drop(plain)


def test_a_ledger_in_use_is_not_filled():
    databases.need_postgres()
    cluster = databases.cluster()
    url = cluster.create()
    try:
        bench(url, "--no-plan")
        done = CliRunner().invoke(app, ["bench", "ledger", "--db", url, *SIZES])
        assert done.exit_code == 2
    finally:
        cluster.drop(url)


def test_another_database_has_no_such_benchmark(tmp_path):
    done = CliRunner().invoke(app, ["bench", "ledger", "--db", f"sqlite:///{tmp_path}/x.db"])
    assert done.exit_code == 2


@pytest.mark.benchmark
def test_fifty_million_movements():
    """Filled, asked and checked: some 20 minutes, 30 GB of disk."""
    databases.need_postgres()
    cluster = databases.Cluster()
    try:
        url = cluster.create()
        sizes = ["--movements", "50000000", "--days", "180", "--no-plan", "--json"]
        done = CliRunner().invoke(app, ["bench", "ledger", "--db", url, *sizes])
        assert done.exit_code == 0, done.output
        found = json.loads(done.output)
    finally:
        cluster.stop()
    for name in ("stock_now_ms", "as_of_yesterday_ms", "as_of_middle_ms", "known_at_middle_ms"):
        assert found[name]["worst"] <= 200, found
    assert found["day_facts"]["day_seconds"]["worst"] <= 2, found
