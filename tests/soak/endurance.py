"""A long day: steady sales, stores that come back with full queues, and memory that stays.

``python -m tests.soak.endurance --database postgresql --minutes 30`` prints one JSON object;
exit status 1 where a line was lost or doubled, an invariant is broken, or memory grew by more
than a twentieth. Tills send on a clock: a slow answer makes the next one late, and it is the
wait from the planned time that counts.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ops_api.database import make_engine
from ops_api.ledger.health import check_ledger
from tests.databases import Cluster
from tests.soak.server import Server
from ui.bench.world import BenchWorld, open_world, posted, sale

STORES, TILLS = 60, 15
LINES_PER_SECOND, LINES_PER_RECEIPT = 45.0, 3
RETURNING, QUEUED, BATCH = 20, 500, 100
MOST_GROWTH = 0.05


@dataclass
class Seen:
    """What the clients saw.

    Attributes
    ----------
    waits : (planned second, seconds until the answer) of every live receipt
    drains : (begun, seconds until the last of 10,000 queued events was answered)
    memory : (second, bytes) of the server's processes together
    """

    waits: list[tuple[float, float]] = field(default_factory=list)
    drains: list[tuple[float, float]] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    created: int = 0
    other: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, counts: dict[str, int], status: int) -> None:
        """Add one answer."""
        with self.lock:
            self.created += counts.get("created", 0)
            for name, count in counts.items():
                if name != "created":
                    self.other[name] = self.other.get(name, 0) + count
            if status != 200:
                self.other[str(status)] = self.other.get(str(status), 0) + 1


class Sender:
    """One connection that is made again when it breaks; a request is sent until answered."""

    def __init__(self, port: int, token: str, seen: Seen) -> None:
        self.port, self.seen = port, seen
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def send(self, lines: list[dict[str, Any]]) -> None:
        """Send until it is answered for good."""
        body = json.dumps({"lines": lines})
        while True:
            try:
                self.line.request("POST", "/api/v1/sales:batch", body, self.headers)
                reply = self.line.getresponse()
                told = json.loads(reply.read())
            except (OSError, http.client.HTTPException):
                self.line.close()
                self.seen.note({"broken": 1}, 200)
                continue
            self.seen.note(told.get("counts", {}), reply.status)
            if reply.status not in (429, 503):
                return
            time.sleep(0.2)


def endure(url: str, minutes: float, seed: int) -> dict[str, Any]:
    """Run it against an empty database."""
    world = open_world(url, STORES, seed)
    before = posted(world)
    seen, stop = Seen(), threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(url, Path(folder))
        server.start()
        try:
            began = time.monotonic()
            threads = [
                threading.Thread(target=_till, args=(world, server.port, number, seed, seen, stop))
                for number in range(TILLS)
            ]
            threads.append(threading.Thread(target=_watch, args=(server, began, seen, stop)))
            for thread in threads:
                thread.start()
            end = began + 60 * minutes
            turn = 0
            while (left := end - time.monotonic()) > 0:
                # Twice in a short run, every five minutes in a long one.
                time.sleep(min(left, 60 * min(5.0, minutes / 3)))
                if end - time.monotonic() > 0:
                    _come_back(world, server.port, seed, turn, began, seen)
                    turn += 1
            stop.set()
            for thread in threads:
                thread.join()
        finally:
            stop.set()
            server.stop()
    engine = make_engine(url)
    try:
        violations = sum(check_ledger(engine)["violations"].values())
    finally:
        engine.dispose()
    return _answer(world, seen, posted(world) - before, minutes, violations)


def _till(
    world: BenchWorld, port: int, number: int, seed: int, seen: Seen, stop: threading.Event
) -> None:
    rng = np.random.default_rng([seed, 1, number])
    sender = Sender(port, world.token, seen)
    every = TILLS * LINES_PER_RECEIPT / LINES_PER_SECOND
    planned = time.monotonic() + every * number / TILLS
    while not stop.is_set():
        time.sleep(max(0.0, planned - time.monotonic()))
        store = world.stores[int(rng.integers(len(world.stores)))]
        sender.send([sale(world, store, rng) for _ in range(LINES_PER_RECEIPT)])
        with seen.lock:
            seen.waits.append((planned, time.monotonic() - planned))
        planned += every


def _come_back(
    world: BenchWorld, port: int, seed: int, turn: int, began: float, seen: Seen
) -> None:
    """Twenty stores at once with 500 events each, in batches of 100."""
    rng = np.random.default_rng([seed, 2, turn])
    queues = [
        [sale(world, store, rng) for _ in range(QUEUED)] for store in world.stores[:RETURNING]
    ]

    def drain(queue: list[dict[str, Any]]) -> None:
        sender = Sender(port, world.token, seen)
        for first in range(0, QUEUED, BATCH):
            sender.send(queue[first : first + BATCH])

    threads = [threading.Thread(target=drain, args=(queue,)) for queue in queues]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen.drains.append((start - began, time.monotonic() - start))


def _watch(server: Server, began: float, seen: Seen, stop: threading.Event) -> None:
    while not stop.wait(5.0):
        seen.memory.append((time.monotonic() - began, sum(map(_bytes, server.workers))))


def _bytes(process: int) -> int:
    """Memory of its own: what workers share counts in parts."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    row = next(line for line in text.splitlines() if line.startswith("Pss:"))
    return 1024 * int(row.split()[1])


def _answer(
    world: BenchWorld, seen: Seen, recorded: int, minutes: float, violations: int
) -> dict[str, Any]:
    waits = 1000 * np.array([wait for _, wait in seen.waits])
    # Caches fill in the first fifth: growth is from there on.
    settled = [size for at, size in seen.memory if at >= 12 * minutes]
    part = max(1, len(settled) // 5)
    first, last = np.median(settled[:part]), np.median(settled[-part:])
    return {
        "database": world.url.partition(":")[0],
        "minutes": minutes,
        "lines_per_second": LINES_PER_SECOND,
        "receipts": len(waits),
        "p50_ms": float(np.quantile(waits, 0.5)),
        "p99_ms": float(np.quantile(waits, 0.99)),
        "drains_s": [round(seconds, 1) for _, seconds in seen.drains],
        "memory_mb": [round(first / 1e6, 1), round(last / 1e6, 1)],
        "memory_growth": float(last / first - 1),
        "memory_by_tenth_mb": [
            round(float(np.median(part)) / 1e6, 1)
            for part in np.array_split([size for _, size in seen.memory], 10)
            if len(part)
        ],
        "created": seen.created,
        "recorded": recorded,
        "other": seen.other,
        "violations": violations,
    }


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    ask = parser.parse_args()
    if ask.database == "postgresql":
        cluster = Cluster(durable=True)
        try:
            told = endure(cluster.create(), ask.minutes, ask.seed)
        finally:
            cluster.stop()
    else:
        with tempfile.TemporaryDirectory() as folder:
            told = endure(f"sqlite:///{folder}/day.db", ask.minutes, ask.seed)
    print(json.dumps(told))
    wrong = told["created"] != told["recorded"] or told["violations"]
    return int(bool(wrong) or told["memory_growth"] > MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
