"""`storetwin run`, killed with SIGKILL in mid-run, goes on and ends with the same bytes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scenarios.commands import run_command

ROOT = Path(__file__).resolve().parents[2]
LONG = """
name = "long"
extends = "tiny"
weeks = [1, 30]
kpi_from_week = 3

[generated]
stores = 12
skus = 100
days = 210
lines_per_store_day = 100
seed = 4

[perishables]
tracked = true
lifo_share = 0.3

[frictions]
shrink_per_unit_sold = 0.01
misscan_per_line = 0.01
receipt_error_per_line = 0.02
delay_share = 0.1

[misplacement]
share_per_day = 0.01

[risk_counts]
lines_per_day = 3

[goods_returns]
every_days = 10
cover_days = 40
keep_days = 20
supplier_share = 0.2

[[recalls]]
sku_share = 0.05
from_day = 60
days = 20
lot_share = 0.5
action = "return"

[[conversions]]
input = "K00051"
outputs = {K00044 = 4.0, K00048 = 5.0}
units_per_day = 2

[substitution.matrix]
K00044 = {K00048 = 0.5}
"""


def start(home: Path, *more: str) -> subprocess.Popen:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "ui.cli", "run", "long.toml", "--out", "cut", "--json"]
    return subprocess.Popen(
        [*command, "--replications", "2", "--checkpoint-days", "7", *more],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kept(home: Path) -> list[Path]:
    """Checkpoints that lie in the run's folder."""
    return sorted((home / "cut" / "parts").glob("*.checkpoint"))


def kill_after_a_checkpoint(home: Path, pause_s: float) -> bool:
    """Start, wait for a checkpoint newer than any before, a little more, and kill."""
    known = {path: path.stat().st_mtime_ns for path in kept(home)}
    process = start(home)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if any(known.get(path) != path.stat().st_mtime_ns for path in kept(home)):
            break
        time.sleep(0.002)
    time.sleep(pause_s)
    process.kill()
    process.communicate()
    return process.returncode == -9


def test_a_run_killed_again_and_again_ends_with_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "long.toml").write_text(LONG)
    whole = run_command("long.toml", out=tmp_path / "whole", replications=2, checkpoint_days=0)
    moments = random.Random(7)
    killed = [kill_after_a_checkpoint(tmp_path, moments.uniform(0, 0.2)) for _ in range(3)]
    assert any(killed)
    assert not (tmp_path / "cut" / "result.nc").exists() or not all(killed)
    process = start(tmp_path)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert json.loads(out)["result_sha256"] == whole["result_sha256"]
    first, second = (tmp_path / name / "result.nc" for name in ("whole", "cut"))
    assert first.read_bytes() == second.read_bytes()
    assert [path.name for path in sorted((tmp_path / "cut/parts").iterdir())] == ["0.npz", "1.npz"]


@pytest.mark.soak
def test_two_workers_killed_at_ten_moments_end_with_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "long.toml").write_text(LONG)
    whole = run_command("long.toml", out=tmp_path / "whole", replications=2, checkpoint_days=0)
    moments = random.Random(11)
    for _ in range(10):
        process = start(tmp_path, "--workers", "2")
        time.sleep(moments.uniform(1.5, 9.0))
        process.kill()
        process.communicate()
        time.sleep(0.5)  # its workers end with it
    process = start(tmp_path, "--workers", "2")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert json.loads(out)["result_sha256"] == whole["result_sha256"]
