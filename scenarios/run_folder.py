"""A run as a folder: replications that are done stay, so a run that was cut off goes on.

``parts/<replication>.npz`` is written by whoever simulated it, whole or not at all;
``parts/<replication>.checkpoint`` is there while it is being simulated;
``state.json`` says how far the run is and under which key its parts were made. Another
world, policy or code is another key, and its parts are thrown away.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policies.domain.errors import StoretwinError
from scenarios.runner import Job, Policy, make_parts
from scenarios.whole_files import write_whole
from scenarios.worlds import WorldSpec
from twin.output import code_sha256

Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class RunFolder:
    """One scenario under one policy, replication by replication.

    Attributes
    ----------
    home : Path
    world : WorldSpec
    policy : Policy
    checkpoint_days : int
        Simulated days between two checkpoints of a replication under way; 0 = none.
    """

    home: Path
    world: WorldSpec
    policy: Policy
    checkpoint_days: int = 0

    def key(self) -> str:
        """SHA-256 of everything that decides a replication but its number."""
        text = json.dumps(
            [self.world.sha256(), self.policy.name, self.policy.as_dict(), code_sha256()],
            sort_keys=True,
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def part(self, replication: int) -> Path:
        """Where a replication lies."""
        return self.home / "parts" / f"{replication}.npz"

    def run(
        self,
        replications: int,
        workers: int = 1,
        progress: Tell | None = None,
        dask: str = "",
    ) -> list[Path]:
        """The file of each replication; those that lie here already are not run again.

        By `workers` processes of this machine, or by the Dask cluster at the address `dask`.

        Raises
        ------
        StoretwinError
            The first replication that failed, by its number; the others are kept.
        """
        began, key = time.perf_counter(), self.key()
        self._clear_of_others(key)
        wanted = range(replications)
        missing = [r for r in wanted if not self.part(r).exists()]
        kept = replications - len(missing)

        def tell(done: int, _: int) -> None:
            gone = time.perf_counter() - began
            left = gone / done * (len(missing) - done) if done else None
            self._state("running", key, kept + done, replications, seconds_left=left)
            if progress is not None:
                progress(kept + done, replications)

        tell(0, len(missing))
        jobs = [self._job(r, key) for r in missing]
        try:
            make_parts(jobs, workers, tell, dask)
        except StoretwinError as error:
            done = sum(self.part(r).exists() for r in wanted)
            self._state("failed", key, done, replications, error=str(error))
            raise
        for left in self.home.glob("parts/*.checkpoint*"):
            left.unlink()  # of a replication that was cut off just when it was over
        self._state("done", key, replications, replications, seconds_left=0.0)
        return [self.part(r) for r in wanted]

    def _job(self, replication: int, key: str) -> Job:
        return Job(
            self.world,
            self.policy,
            replication,
            part=str(self.part(replication)),
            part_key=key,
            checkpoint_days=self.checkpoint_days,
        )

    def _clear_of_others(self, key: str) -> None:
        state = self.home / "state.json"
        known = json.loads(state.read_text(encoding="utf-8")) if state.exists() else {}
        if known.get("key") != key:
            shutil.rmtree(self.home / "parts", ignore_errors=True)
        self.home.mkdir(parents=True, exist_ok=True)

    def _state(self, state: str, key: str, done: int, whole: int, **more: Any) -> None:
        about = {"state": state, "key": key, "done": done, "whole": whole}
        write_whole(self.home / "state.json", {**about, **more})
