"""The service's benchmark: what it says was recorded stands in the ledger."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ops_api.database import make_engine
from policies.domain.errors import InvalidInput
from tests import databases
from tests.databases import cluster
from ui.bench.api import bench_api
from ui.bench.world import open_world, posted

KEYS = {
    "requests_per_second", "lines_per_second", "p50_ms", "p99_ms", "raw_lines_per_second",
    "ratio", "errors",
}  # fmt: skip


def test_the_command_prints_what_it_measured_over_http(tmp_path):
    """A server and tills in processes of their own, one second on SQLite."""
    command = [
        sys.executable, "-m", "ui.cli", "bench", "api", "--db", f"sqlite:///{tmp_path}/b.db",
        "--clients", "2", "--batch", "20", "--seconds", "1", "--json",
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    assert set(result) >= KEYS
    assert result["errors"] == {}
    assert result["created"] == result["recorded"] > 0
    assert result["lines_per_second"] > 0
    assert 0 < result["p50_ms"] <= result["p99_ms"]
    assert result["ratio"] == pytest.approx(
        result["lines_per_second"] / result["raw_lines_per_second"]
    )
    assert not any(result["violations"].values())


@pytest.mark.parametrize("kind", databases.KINDS)
def test_the_plain_driver_leaves_a_ledger_that_holds(kind, tmp_path):
    """The same effect as the service's: its rows pass the health check, chain included."""
    import numpy as np

    from ops_api.ledger.health import check_ledger
    from ui.bench.api import _sales
    from ui.bench.raw import raw_lines_per_second

    with databases.on(kind):
        url = databases.empty(tmp_path)
        world = open_world(url, 2, seed=1)
        sales = _sales(world, 2, 10, 0.01, np.random.default_rng(1))
        assert raw_lines_per_second(world, sales, 30.0) > 0
        engine = make_engine(url)
        violations = check_ledger(engine)["violations"]
        assert {k: v for k, v in violations.items() if v} == {}
        assert posted(world) == sum(len(batch) for mine in sales for batch in mine)
        engine.dispose()
        if kind == "postgresql":
            cluster().drop(url)


def test_a_database_that_is_in_use_is_not_sold_from(tmp_path):
    url = f"sqlite:///{tmp_path}/b.db"
    open_world(url, 1, seed=1)
    with pytest.raises(InvalidInput, match="holds 500 movements") as caught:
        bench_api(url, clients=1, batch=1, seconds=1)
    assert caught.value.field == "--db"


@pytest.mark.parametrize(
    ("ask", "field"),
    [({"clients": 0}, "--clients"), ({"batch": 1_001}, "--batch"), ({"seconds": 0}, "--seconds")],
)
def test_sizes_out_of_bounds_are_named(ask, field, tmp_path):
    with pytest.raises(InvalidInput) as caught:
        bench_api(f"sqlite:///{tmp_path}/b.db", **{"clients": 1, "batch": 1, "seconds": 1.0, **ask})
    assert caught.value.field == field
