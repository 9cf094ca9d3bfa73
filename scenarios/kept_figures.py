"""What each run of a search came to, in a file, so that a killed search goes on where it was.

A line a run, written when the run is over. The search itself is not kept: it is seeded anew
for each of its points, so that from the same figures it asks for the same points again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from scenarios.runner import Policy

Figures = tuple[float, ...]


class KeptFigures:
    """Figures by window, policy and replication; without a path of this call alone."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[str, Figures] = {}
        if path is None or not path.exists():
            return
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                key, figures = json.loads(line)
            except ValueError:
                # Cut off while it was written: that run is played again.
                continue
            self._known[key] = tuple(figures)

    def get(self, window: str, policy: Policy, replication: int) -> Figures | None:
        """What the run came to, if it was played before."""
        return self._known.get(_key(window, policy, replication))

    def add(self, runs: Sequence[tuple[str, Policy, int, Figures]]) -> None:
        """Keep what these runs came to."""
        lines = [(_key(window, policy, r), figures) for window, policy, r, figures in runs]
        self._known.update(lines)
        if self._path is None or not lines:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            # A line that was cut off has no end: ours begins on its own.
            file.write("\n" + "\n".join(json.dumps(line) for line in lines) + "\n")


def _key(window: str, policy: Policy, replication: int) -> str:
    return json.dumps([window, policy.name, policy.as_dict(), replication], sort_keys=True)
