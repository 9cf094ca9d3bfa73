"""Checkpoints: a run that was killed goes on from a midnight and ends with the same bytes.

Arrays, tables and counters of the run are written as they are; processes are led again
from the tape (:mod:`twin.tape`). There is no state of random generators to keep: every
draw belongs to a key and a counter.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policies.domain.errors import ScenarioInvalid
from twin.loads import Load
from twin.output import code_sha256
from twin.tape import PlainPickler, PlainUnpickler, Tape, is_done

if TYPE_CHECKING:
    from twin.run import World

_FORMAT = 1


@dataclass(frozen=True)
class Checkpoints:
    """Where and how often a run is kept so that it can go on.

    Attributes
    ----------
    path : Path, the checkpoint; the tape lies beside it
    every_days : int ≥ 1, simulated days between two of them
    key : str
        Stands for everything that decides the run and is not in its header: the world's
        demand, network and rules. A checkpoint under another key is not used.
    """

    path: Path
    every_days: int = 28
    key: str = ""

    def __post_init__(self) -> None:
        if self.every_days < 1:
            raise ScenarioInvalid(
                f"checkpoints every {self.every_days} days",
                field="checkpoint_days",
                remedy="give at least 1",
            )

    @property
    def tape_path(self) -> Path:
        """Where the tape lies."""
        return self.path.with_name(self.path.name + ".tape")

    def is_due(self, done: int, days: int) -> bool:
        """Whether the run is kept after `done` of `days` days."""
        return done % self.every_days == 0 and done < days

    def clear(self) -> None:
        """Take both files away: the run is over."""
        self.path.unlink(missing_ok=True)
        self.tape_path.unlink(missing_ok=True)


class Keeper:
    """Keeps one run and brings it back.

    Parameters
    ----------
    world : World, under construction: its scenario, bundle and seed are known
    checkpoints : Checkpoints
    """

    def __init__(self, world: World, checkpoints: Checkpoints) -> None:
        scenario = world.scenario
        self.checkpoints = checkpoints
        self._header = {
            "format": _FORMAT,
            "key": checkpoints.key,
            "code": code_sha256(),
            "scenario": scenario.name,
            "window": (scenario.first_day, scenario.days, scenario.warmup_days),
            "policy": (world.bundle.name, world.bundle.params_sha256),
            "draws": (world.seed, world.replication),
            "trace": vars(world.trace),
        }
        self._kept = find(checkpoints, self._header)
        self.tape = Tape(checkpoints.tape_path, self._kept.tape_bytes if self._kept else 0)

    def resume(self, world: World) -> int:
        """Bring `world` to where it was kept; returns how many days are over."""
        if self._kept is None:
            return 0
        for done in range(self._kept.done):
            world.pass_day(world.scenario.first_day + done)
        self.tape.live()
        restore(self.checkpoints, self._kept, self.tape, _parts(world), _constants(world))
        return self._kept.done

    def keep(self, world: World, done: int) -> None:
        """Write a checkpoint if one is due after `done` days."""
        if self.checkpoints.is_due(done, world.scenario.days):
            parts, constants = _parts(world), _constants(world)
            save(self.checkpoints, self._header, done, self.tape, parts, constants)


def _parts(world: World) -> dict[str, Any]:
    """What changes while a run runs, by name."""
    return {
        "world": world,
        "state": world.state,
        "journal": world.journal,
        "floor": world.floor,
        "recorder": world.recorder,
        "planner": world.planner,
    }


def _constants(world: World) -> dict[str, Any]:
    """What a run makes anew when it starts, and processes, which are led again."""
    return {
        "scenario": world.scenario,
        "network": world.scenario.network,
        "demand": world.scenario.demand,
        "bundle": world.bundle,
        "trace": world.trace,
        "lines": world.state.lines,
        "master": world.state.master,
        "frailty": world.state.frailty,
        "env": world.env,
        "logistics": world.logistics,
        "tape": world.tape,
        "keeper": world.keeper,
    }


@dataclass(frozen=True)
class Kept:
    """A checkpoint that was found: days that are done, the tape's length, where parts begin."""

    done: int
    tape_bytes: int
    parts_at: int


def find(checkpoints: Checkpoints, header: Mapping[str, Any]) -> Kept | None:
    """The checkpoint of this run; None = there is none, it is another's, or half a file."""
    if not (checkpoints.path.exists() and checkpoints.tape_path.exists()):
        return None
    try:
        with checkpoints.path.open("rb") as file:
            head, done, tape_bytes = PlainUnpickler(file).load()
            at = file.tell()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError):
        return None
    if head != header or checkpoints.tape_path.stat().st_size < tape_bytes:
        return None
    return Kept(done, tape_bytes, at)


def save(
    checkpoints: Checkpoints,
    header: Mapping[str, Any],
    done: int,
    tape: Tape,
    parts: Mapping[str, Any],
    constants: Mapping[str, Any],
) -> None:
    """Write everything that changes while a run runs; whole or not at all.

    Parameters
    ----------
    done : int, days that are over
    parts : objects whose attributes are written; a reference from one to another is kept
    constants : objects that a run makes anew when it starts: only their names are written
    """
    tape_bytes = tape.flush()
    unfinished = checkpoints.path.with_name(checkpoints.path.name + ".part")
    with unfinished.open("wb") as file:
        PlainPickler(file, protocol=5).dump((dict(header), done, tape_bytes))
        writer = _Writer(file, {**constants, **parts})
        writer.dump({name: vars(part) for name, part in parts.items()})
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(checkpoints.path)


def restore(
    checkpoints: Checkpoints,
    kept: Kept,
    tape: Tape,
    parts: Mapping[str, Any],
    constants: Mapping[str, Any],
) -> None:
    """Put the attributes of `parts` back; loads under way are those of the tape."""
    with checkpoints.path.open("rb") as file:
        file.seek(kept.parts_at)
        states = _Reader(file, {**constants, **parts}, tape.open).load()
    for name, part in parts.items():
        vars(part).update(states[name])


class _Writer(PlainPickler):
    def __init__(self, file: Any, known: Mapping[str, Any]) -> None:
        super().__init__(file, protocol=5)
        self._name = {id(value): name for name, value in known.items()}
        self._known = known  # kept alive: an id is an object's only as long as it lives

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, Load) and not obj.is_return:
            return None if is_done(obj) else obj.number
        return self._name.get(id(obj))


class _Reader(PlainUnpickler):
    def __init__(self, file: Any, known: Mapping[str, Any], loads: Mapping[int, Load]) -> None:
        super().__init__(file)
        self._known, self._loads = known, loads

    def persistent_load(self, pid: Any) -> Any:
        return self._known[pid] if isinstance(pid, str) else self._loads[pid]
