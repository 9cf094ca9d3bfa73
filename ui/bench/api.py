"""``storetwin bench api``: how fast the service takes sales, beside what its database could."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ops_api.database import make_engine
from ops_api.ledger.health import check_ledger
from policies.domain.errors import InvalidInput, StoretwinError
from ui.bench.raw import raw_lines_per_second
from ui.bench.world import BenchWorld, open_world, posted, sale

_PLACE = re.compile(r"storetwin is at (http://\S+)")
_START_SECONDS = 120
_EXPECTED = 60_000
"""Lines a second that the bodies made beforehand allow for, over all tills."""


class ServerDidNotStart(StoretwinError):
    """The service under test ended or stayed silent."""


def bench_api(
    url: str, *, clients: int, batch: int, seconds: float, seed: int = 1
) -> dict[str, Any]:
    """Sales of `clients` tills, `batch` lines a request, for `seconds`.

    The service runs in its own process, as ``storetwin serve`` starts it; the tills in
    another. Before it, a plain driver writes the same rows into the same database for as
    long. Afterwards every line that was answered "created" must be in the ledger.

    Returns
    -------
    dict with requests_per_second, lines_per_second, p50_ms, p99_ms, raw_lines_per_second,
    ratio, errors, created, ledger (movements found), violations
    """
    for name, value, most in (
        ("--clients", clients, 512), ("--batch", batch, 1_000), ("--seconds", seconds, 3_600),
    ):  # fmt: skip
        if not 0 < value <= most:
            raise InvalidInput(f"{name} is {value}", field=name, remedy=f"give 1 to {most}")
    world = open_world(url, clients, seed)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 99]))
    raw_sales = _sales(world, clients, batch, seconds, rng)
    raw = raw_lines_per_second(world, raw_sales, seconds)
    del raw_sales
    before = posted(world)
    bodies = [
        [json.dumps({"lines": lines}) for lines in mine]
        for mine in _sales(world, clients, batch, seconds, rng)
    ]
    with served(url) as address:
        task = {"address": address, "token": world.token, "bodies": bodies, "seconds": seconds}
        told = _drive(task)
    recorded = posted(world) - before
    engine = make_engine(url)
    try:
        violations = check_ledger(engine)["violations"]
    finally:
        engine.dispose()
    waits = np.array(told["latencies"]) * 1000
    speed = told["created"] / told["seconds"]
    return {
        "requests_per_second": len(waits) / told["seconds"],
        "lines_per_second": speed,
        "p50_ms": float(np.quantile(waits, 0.5)) if len(waits) else float("nan"),
        "p99_ms": float(np.quantile(waits, 0.99)) if len(waits) else float("nan"),
        "raw_lines_per_second": raw,
        "ratio": speed / raw if raw else float("nan"),
        "errors": told["errors"],
        "created": told["created"],
        "recorded": recorded,
        "violations": violations,
        "ran_dry": told["ran_dry"],
        "clients": clients,
        "batch": batch,
        "seconds": told["seconds"],
        "database": url.partition(":")[0].partition("+")[0],
    }


def _sales(
    world: BenchWorld, clients: int, batch: int, seconds: float, rng: np.random.Generator
) -> list[list[list[dict[str, Any]]]]:
    """For each till, its batches: more than it can send in the time, within bounds."""
    lines = min(_EXPECTED * seconds, 1_500_000.0) / clients
    if batch == 1:
        lines = min(lines, 5_000.0 * seconds / clients)
    each = max(2, int(lines / batch))
    return [
        [[sale(world, world.stores[till], rng) for _ in range(batch)] for _ in range(each)]
        for till in range(clients)
    ]


@contextmanager
def served(url: str) -> Iterator[str]:
    """The service in a process of its own; its address."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("w") as sink:
            process = subprocess.Popen(  # noqa: S603 -- our own command
                [sys.executable, "-m", "ui.cli", "serve", "--db", url, "--port", "0"],
                cwd=folder,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        try:
            yield _address(process, log)
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = _PLACE.search(log.read_text())
        if found:
            return found[1]
        time.sleep(0.1)
    raise ServerDidNotStart("the service did not start: " + log.read_text()[-2_000:])


def _drive(task: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "ui.bench.client"],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StoretwinError("the tills ended early: " + done.stderr[-2_000:])
    out: dict[str, Any] = json.loads(done.stdout)
    return out
