"""`storetwin run --dask`: a cluster's workers write the same bytes as local ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.commands import run_command

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1",
                      dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def cluster(tmp_path):
    """Address of two worker processes, which end with the test."""
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()


def run_far(home: Path, address: str) -> subprocess.CompletedProcess:
    """The command with `--dask`, in a process of its own."""
    command = [sys.executable, "-m", "ui.cli", "run", "tiny", "--replications", "2", "--json"]
    return subprocess.run(
        [*command, "--out", "far", "--dask", address],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_cluster_writes_the_same_bytes_as_local_workers(tmp_path, monkeypatch, cluster):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    local = run_command("tiny", out=home / "local", replications=2)
    done = run_far(home, cluster)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result_sha256"] == local["result_sha256"]
    first, second = (home / name / "result.nc" for name in ("local", "far"))
    assert first.read_bytes() == second.read_bytes()


def test_an_address_without_a_cluster_is_refused(tmp_path):
    done = run_far(tmp_path, "nonsense://nowhere")
    assert done.returncode == 2
    assert "no Dask cluster answers at nonsense://nowhere" in done.stderr
