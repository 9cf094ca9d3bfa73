"""Thirty-two clients on the last k units: exactly k get one.

``python -m tests.soak.contest --database postgresql --rounds 1000`` prints one JSON object.
"""

from __future__ import annotations

import argparse
import datetime as dt
import http.client
import json
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from ops_api.database import make_engine, reading
from ops_api.ledger.health import check_ledger
from ops_api.ledger.schema import BALANCES
from tests.databases import Cluster
from tests.soak.server import Server
from tests.soak.world import World, make_world

CLIENTS, LEVELS, STORES = 32, 8, 4
_TRIES = 50

Lines = dict[int, http.client.HTTPConnection]
"""Each thread's connection."""


def contest(database: str, rounds: int) -> dict[str, Any]:
    """One shelf a round with 1 to 8 units, asked for by everybody at the same instant.

    Whoever hears "busy" asks again under the same key.
    """
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="storetwin-contest-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        cluster = Cluster(inside=folder) if database == "postgresql" else None
        try:
            url = cluster.create() if cluster else f"sqlite:///{folder}/contest.db"
            skus = -(-rounds // STORES)
            world = make_world(url, stores=STORES, skus=skus, levels=LEVELS)
            server = Server(url, folder, threads=16)
            server.start()
            try:
                result = _rounds(world, server, rounds)
            finally:
                server.stop()
            result |= _book(world)
        finally:
            if cluster:
                cluster.stop()
    seconds = round(time.monotonic() - begun, 1)
    return {"database": database, "rounds": rounds, "seconds": seconds, **result}


def _rounds(world: World, server: Server, rounds: int) -> dict[str, Any]:
    answers: Counter[str] = Counter()
    wrong, changed = 0, 0
    gate, lines = threading.Barrier(CLIENTS), Lines()
    with ThreadPoolExecutor(CLIENTS) as pool:
        for number in range(rounds):
            store, sku = number % STORES, number // STORES
            asked = [(world, server.port, store, sku, str(uuid.uuid4())) for _ in range(CLIENTS)]

            def ask(what: tuple[Any, ...]) -> tuple[int, str]:
                gate.wait(60)
                return _reserve(*what, answers, lines)

            said = list(pool.map(ask, asked))
            got = sum(status == 201 for status, _ in said)
            refused = sum(code == "INSUFFICIENT_STOCK" for _, code in said)
            wrong += got != world.level(store, sku) or got + refused != CLIENTS
            # Whoever asks again under the same key hears the same, one winner and one loser.
            for index in {[status for status, _ in said].index(code) for code in (201, 409)}:
                changed += _reserve(*asked[index], answers, lines) != said[index]
    for line in lines.values():
        line.close()
    return {"wrong_rounds": wrong, "changed_answers": changed, "answers": dict(answers)}


def _reserve(
    world: World, port: int, store: int, sku: int, key: str, answers: Counter[str], lines: Lines
) -> tuple[int, str]:
    """(status, id of the reservation or code of the refusal)."""
    until = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    body = {
        "location": world.stores[store],
        "lines": [{"sku": world.skus[sku], "quantity": 1}],
        "expires_at": (until + dt.timedelta(days=30)).isoformat(),
    }
    headers = {
        "Authorization": f"Bearer {world.tokens['manager']}",
        "Content-Type": "application/json",
        "Idempotency-Key": key,
    }
    for _ in range(_TRIES):
        line = lines.setdefault(
            threading.get_ident(), http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        )
        try:
            line.request("POST", "/api/v1/reservations", json.dumps(body), headers)
            reply = line.getresponse()
            said = json.loads(reply.read())
        except (OSError, http.client.HTTPException):
            # An idle connection was closed: ask again under the same key.
            line.close()
            answers["lost"] += 1
            continue
        answers[str(reply.status)] += 1
        if reply.status != 503:
            return reply.status, said["id"] if reply.status == 201 else said["code"]
        time.sleep(0.02)
    return 503, "BUSY"


def _book(world: World) -> dict[str, Any]:
    """What the ledger says of it."""
    engine = make_engine(world.url)
    try:
        with reading(engine) as connection:
            reserved = connection.scalar(select(func.sum(BALANCES.c.reserved)))
        violations = check_ledger(engine)["violations"]
    finally:
        engine.dispose()
    return {"reserved": int(reserved or 0), "violations": sum(violations.values())}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    parser.add_argument("--rounds", type=int, default=100)
    asked = parser.parse_args()
    result = contest(asked.database, asked.rounds)
    print(json.dumps(result))
    sys.exit(bool(result["wrong_rounds"] or result["changed_answers"] or result["violations"]))


if __name__ == "__main__":
    main()
