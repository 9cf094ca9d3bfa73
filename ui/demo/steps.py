"""Steps that show progress, are timed, and are skipped when nothing they read has changed."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Tell = Callable[[int, int], None]
Work = Callable[[Path, Tell], dict[str, Any]]


def digest(*parts: object) -> str:
    """SHA-256 over the text forms of `parts`."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


@dataclass
class Steps:
    """A chain of steps in a folder; each keeps its answer and what it was made from.

    A step's key covers its own settings and the keys of all steps before it, so a
    change anywhere upstream runs everything downstream again.
    """

    folder: Path
    console: Console
    done: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    _key: str = ""

    def path(self, name: str) -> Path:
        """Folder of a step's files."""
        return self.folder / name

    def run(self, name: str, title: str, settings: object, work: Work) -> dict[str, Any]:
        """The answer of `work`, from the last time if nothing it was made from changed."""
        self._key = digest(self._key, name, settings)
        home = self.path(name)
        record = home / "step.json"
        if record.exists():
            known = json.loads(record.read_text())
            if known["key"] == self._key:
                self.console.print(f"[dim]✓ {title} (kept from before)[/dim]")
                self._note(name, known["seconds"], known["answer"])
                return dict(known["answer"])
        if home.exists():
            shutil.rmtree(home)
        home.mkdir(parents=True)
        started = time.perf_counter()
        answer = self._with_bar(title, home, work)
        seconds = round(time.perf_counter() - started, 2)
        # Written last: a step cut off in the middle has no record and runs again.
        record.write_text(json.dumps({"key": self._key, "seconds": seconds, "answer": answer}))
        self.console.print(f"✓ {title} [dim]{seconds:.1f} s[/dim]")
        self._note(name, seconds, answer)
        return answer

    def _note(self, name: str, seconds: float, answer: dict[str, Any]) -> None:
        self.done.append({"name": name, "seconds": seconds})
        self.answers[name] = answer

    def _with_bar(self, title: str, home: Path, work: Work) -> dict[str, Any]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as bars:
            task = bars.add_task(title, total=None)

            def tell(part: int, whole: int) -> None:
                bars.update(task, completed=part, total=max(whole, 1))

            return work(home, tell)
