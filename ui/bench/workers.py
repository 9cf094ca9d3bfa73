"""Replications per hour of one process and of several, each run a program of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from policies.domain.errors import InvalidInput, StoretwinError

CHAIN = """name = "workers"
about = "A generated chain of sixty stores for half a year, to measure workers with."
extends = "tiny"
weeks = [2, 24]
kpi_from_week = 8

[generated]
stores = 60
skus = 800
days = 168
lines_per_store_day = 800
seed = 3
"""


class BenchFailed(StoretwinError):
    """A measured program ended with an error."""

    code = "BENCH_FAILED"


def bench_workers(replications: int, *, workers: int, rounds: int = 1) -> dict[str, Any]:
    """``storetwin run`` by one process and by `workers`, in turn, on the same chain.

    The seconds are those the program states: from reading the scenario to the written
    result, without its imports. The chain is made before the first of them.

    Returns
    -------
    dict
        ``replications_per_hour`` by number of workers (the better of `rounds`), their
        ``ratio``, and whether all wrote the ``same_result``.
    """
    for name, value, least, most in (
        ("--replications", replications, 2, 10_000),
        ("--workers", workers, 2, 64),
        ("--rounds", rounds, 1, 20),
    ):
        if not least <= value <= most:
            raise InvalidInput(f"{name} is {value}", field=name, remedy=f"give {least} to {most}")
    seconds: dict[int, list[float]] = {1: [], workers: []}
    hashes = set()
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "workers.toml").write_text(CHAIN)
        _run(home, "warm", 1, 1)
        for turn in range(rounds):
            for count, taken in seconds.items():
                answer = _run(home, f"{turn}-{count}", replications, count)
                taken.append(float(answer["seconds"]))
                hashes.add(answer["result_sha256"])
    rate = {str(count): 3600 * replications / min(taken) for count, taken in seconds.items()}
    return {
        "replications": replications,
        "workers": workers,
        "seconds": {str(count): taken for count, taken in seconds.items()},
        "replications_per_hour": rate,
        "ratio": rate[str(workers)] / rate["1"],
        "same_result": len(hashes) == 1,
        "result_sha256": min(hashes),
    }


def _run(home: str, out: str, replications: int, workers: int) -> dict[str, Any]:
    paths = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", "ui.cli", "run", "workers.toml", "--out", out, "--json"]
    command += ["--replications", str(replications), "--workers", str(workers)]
    done = subprocess.run(  # noqa: S603  our own program
        command,
        cwd=home,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchFailed(
            f"a run by {workers} ended with status {done.returncode}: {done.stderr[-500:]}",
            remedy="run it alone to see why",
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
