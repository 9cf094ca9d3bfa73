"""A storm: load, faults round by round, calm until all is answered, and the verdict.

``python -m tests.soak.storm kill-server --database postgresql --rounds 100 --seed 1``
prints one JSON object; exit status 1 where anything was lost, doubled or untrue.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, create_engine, make_url, text

from tests.databases import Cluster
from tests.soak.clients import Clerk, Client, Phone, Till
from tests.soak.server import Server
from tests.soak.verdict import FAULTS, verdict
from tests.soak.wire import FAIR, ROUGH, Wire
from tests.soak.world import World, make_world

_CALM_S = 120
_TMPFS = "400m"


class CannotMount(Exception):
    """This machine lets nobody mount a small file system."""


class Storm:
    """A server, its database, a network and twelve clients.

    Parameters
    ----------
    cluster : PostgreSQL of this storm's own, or None for SQLite
    hot : whether everybody works on the same thirty shelves, in long batches in any order
    """

    def __init__(self, folder: Path, cluster: Cluster | None, seed: int, *, hot: bool) -> None:
        self.cluster, self.draws = cluster, random.Random(seed)
        url = cluster.create() if cluster else f"sqlite:///{folder}/storm.db"
        sizes = {"stores": 6, "skus": 5} if hot else {}
        self.world: World = make_world(url, **sizes)
        self.server = Server(url, folder)
        self.server.start()
        self.wire = Wire(self.server.port, seed)
        self.clients = _clients(self.world, self.wire.port, seed)
        for client in self.clients:
            client.batch = 30 if hot else client.batch

    def begin(self) -> None:
        """Let the clients work."""
        for client in self.clients:
            client.start()

    def pause(self, least: float = 0.05, most: float = 0.6) -> None:
        """A random while under load."""
        time.sleep(self.draws.uniform(least, most))

    def end(self) -> dict[str, Any]:
        """Calm down, let everybody be answered, and judge."""
        self.wire.weather = FAIR
        for client in self.clients:
            client.ending.set()
        limit = time.monotonic() + _CALM_S
        for client in self.clients:
            client.join(max(0.1, limit - time.monotonic()))
        for client in self.clients:
            client.deadline.set()
            client.join()
        return verdict(self.world, self.clients)

    def close(self) -> None:
        """Free everything."""
        for client in self.clients:
            client.ending.set()
            client.deadline.set()
        self.wire.close()
        self.server.stop()


def _clients(world: World, port: int, seed: int) -> list[Client]:
    """Twelve, each with its own habits and clock."""
    day = dt.timedelta(days=1)
    made: list[Client] = [
        Till(world, port, seed * 100 + 1),
        Till(world, port, seed * 100 + 2, offset=2 * day),
        Till(world, port, seed * 100 + 3, offset=-3 * day),
        Till(world, port, seed * 100 + 4, old=0.1),
        Till(world, port, seed * 100 + 5, tells_clock=False, ahead=0.1),
        Till(world, port, seed * 100 + 6, old=0.05, offset=-day),
        Phone(world, port, seed * 100 + 7),
        Phone(world, port, seed * 100 + 8, offset=2 * day, old=0.1),
        Phone(world, port, seed * 100 + 9, tells_clock=False, ahead=0.1),
        *(Clerk(world, port, seed * 100 + number) for number in (10, 11, 12)),
    ]
    for number, client in enumerate(made):
        client.name = f"{type(client).__name__.lower()} {number}"
    return made


def kill_worker(storm: Storm) -> None:
    """One of the worker processes ends in the middle of whatever it does."""
    storm.pause()
    storm.server.kill_worker(storm.draws.randrange(8))


def kill_server(storm: Storm) -> None:
    """Master and workers end; somebody starts them again."""
    storm.pause()
    storm.server.kill()
    storm.pause(0, 0.2)
    storm.server.start()


def kill_database(storm: Storm) -> None:
    """PostgreSQL ends as by a power cut, and recovers."""
    assert storm.cluster is not None
    storm.pause()
    storm.cluster.kill()
    storm.pause(0, 0.3)
    storm.cluster.start()


def bad_network(storm: Storm) -> None:
    """Requests and replies get lost, and requests arrive twice."""
    for client in storm.clients:
        client.arrives_twice = True
    storm.wire.weather = ROUGH
    happened = sum(storm.wire.happened.values())
    while sum(storm.wire.happened.values()) == happened:
        time.sleep(0.005)


def calm(storm: Storm) -> None:
    """Nothing but the clients' own bad habits."""
    storm.pause()


def full_disk(storm: Storm) -> None:
    """No file grows beyond a size (SQLite), or the file system is full (PostgreSQL)."""
    storm.pause()
    if storm.cluster is None:
        path = Path(str(make_url(storm.world.url).database))
        log = path.with_name(path.name + "-wal")
        size = max(log.stat().st_size if log.exists() else 0, 1) + 4_096 * storm.draws.randrange(8)
        with _smaller(storm.server.workers, size):
            storm.pause(0.2, 0.6)
        return
    filler = storm.cluster.folder.parent / "filler"
    try:
        with filler.open("wb") as sink:
            while sink.write(bytes(1 << 16)):
                sink.flush()
    except OSError:
        storm.pause(0.5, 1.5)
    filler.unlink()
    _revive(storm.cluster)


def _revive(cluster: Cluster) -> None:
    """Start it again where a full disk ended it."""
    deadline = time.monotonic() + 60
    while True:
        try:
            cluster.sql("SELECT 1")
            return
        except Exception:  # noqa: BLE001  starting, recovering, or gone
            assert time.monotonic() < deadline, "PostgreSQL does not come back"
            if not (cluster.data / "postmaster.pid").exists():
                cluster.start()
            time.sleep(0.2)


@contextmanager
def _smaller(processes: list[int], size: int) -> Iterator[None]:
    kept = {}
    for process in processes:
        kept[process] = resource.prlimit(process, resource.RLIMIT_FSIZE)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (size, kept[process][1]))
    try:
        yield
    finally:
        for process, limits in kept.items():
            resource.prlimit(process, resource.RLIMIT_FSIZE, limits)


ROUNDS: dict[str, Callable[[Storm], None]] = {
    "calm": calm,
    "hot-rows": calm,
    "kill-worker": kill_worker,
    "kill-server": kill_server,
    "kill-database": kill_database,
    "bad-network": bad_network,
    "full-disk": full_disk,
}


def run(faults: dict[str, int], database: str, seed: int) -> dict[str, Any]:
    """So many rounds of each fault, one after the other, on one server.

    Parameters
    ----------
    faults : rounds by name of :data:`ROUNDS`
    """
    begun = time.monotonic()
    with _place(small="full-disk" in faults and database == "postgresql") as folder:
        cluster = None
        if database == "postgresql":
            cluster = Cluster(durable=True, inside=folder)
        try:
            storm = Storm(folder, cluster, seed, hot="hot-rows" in faults)
            try:
                storm.begin()
                for name, rounds in faults.items():
                    for _ in range(rounds):
                        ROUNDS[name](storm)
                    storm.wire.weather = FAIR
                result = storm.end()
                result["network"] = dict(storm.wire.happened)
                result["deadlocks"] = _deadlocks(storm) if cluster else 0
            finally:
                storm.close()
        finally:
            if cluster:
                cluster.stop()
    seconds = round(time.monotonic() - begun, 1)
    return {"database": database, "rounds": faults, "seed": seed, "seconds": seconds, **result}


def _deadlocks(storm: Storm) -> int:
    """Deadlocks that PostgreSQL has ended since it was started."""
    engine = create_engine(storm.world.url, poolclass=NullPool)
    with engine.connect() as connection:
        query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        return int(connection.execute(text(query)).scalar_one())


@contextmanager
def _place(*, small: bool) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="storetwin-storm-") as name:
        folder = Path(name)
        # The server that runs as another user must find its way in.
        folder.chmod(0o755)
        if not small:
            yield folder
            return
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_TMPFS},mode=0755", "tmpfs", name]
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CannotMount(done.stderr.strip())
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", name], check=False)


def faultless(result: dict[str, Any]) -> dict[str, Any]:
    """What a storm may not leave; empty where all is well."""
    return {name: result[name] for name in FAULTS if result[name]}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fault", choices=sorted(ROUNDS))
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    result = run({asked.fault: asked.rounds}, asked.database, asked.seed)
    print(json.dumps(result))
    sys.exit(bool(faultless(result)))


if __name__ == "__main__":
    main()
