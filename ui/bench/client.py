"""The tills of a benchmark, in a process of their own: ``python -m ui.bench.client``.

Reads its task as JSON from standard input (the token stays off the command line) and
prints what it measured as JSON. Each till has one connection and waits for an answer
before it sends again; bodies are made before the clock starts.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Tally:
    """What one till saw."""

    latencies: list[float] = field(default_factory=list)
    created: int = 0
    errors: dict[str, int] = field(default_factory=dict)

    def fail(self, reason: str) -> None:
        """Count an answer that is not a plain success."""
        self.errors[reason] = self.errors.get(reason, 0) + 1


def drive(task: dict[str, Any]) -> dict[str, Any]:
    """Send until the time is up.

    Parameters
    ----------
    task : ``address``, ``token``, ``seconds``, and ``bodies``: for each till its requests
        as text, sent in this order until they or the time run out
    """
    address = urlsplit(task["address"])
    tallies = [Tally() for _ in task["bodies"]]
    gate = threading.Barrier(len(tallies) + 1)
    threads = [
        threading.Thread(target=_till, args=(address.netloc, task, bodies, tally, gate))
        for bodies, tally in zip(task["bodies"], tallies, strict=True)
    ]
    for thread in threads:
        thread.start()
    gate.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    errors: dict[str, int] = {}
    for tally in tallies:
        for reason, count in tally.errors.items():
            errors[reason] = errors.get(reason, 0) + count
    return {
        "seconds": time.perf_counter() - begun,
        "latencies": [value for tally in tallies for value in tally.latencies],
        "created": sum(tally.created for tally in tallies),
        "errors": errors,
        "ran_dry": any(
            len(tally.latencies) == len(bodies)
            for tally, bodies in zip(tallies, task["bodies"], strict=True)
        ),
    }


def _till(
    netloc: str, task: dict[str, Any], bodies: list[str], tally: Tally, gate: threading.Barrier
) -> None:
    headers = {"Authorization": f"Bearer {task['token']}", "Content-Type": "application/json"}
    line = http.client.HTTPConnection(netloc, timeout=60)
    line.connect()
    payloads = [body.encode() for body in bodies]
    gate.wait()
    stop = time.perf_counter() + task["seconds"]
    for payload in payloads:
        begun = time.perf_counter()
        if begun >= stop:
            break
        try:
            line.request("POST", "/api/v1/sales:batch", payload, headers)
            reply = line.getresponse()
            body = reply.read()
        except OSError as error:
            tally.fail(type(error).__name__)
            line.close()
            continue
        tally.latencies.append(time.perf_counter() - begun)
        if reply.status != 200:
            tally.fail(str(reply.status))
            continue
        counts = json.loads(body)["counts"]
        tally.created += counts.get("created", 0)
        for status, count in counts.items():
            if status != "created":
                tally.errors[status] = tally.errors.get(status, 0) + count
    line.close()


if __name__ == "__main__":
    print(json.dumps(drive(json.load(sys.stdin))))
