"""The tape: what set processes going and what they were told, so that they can be led again.

A SimPy process can't be saved. But processes only wait, queue and drive; everything they
do to the world goes through a floor and a watcher, and everything they learn of it comes
from a night's loads and routes and from what the floor writes into a load. With those on
tape the same processes run again to the same second without any stock: the queue of
events, who holds a dock and who waits for a truck are then what they were, ties included.
The alternative, a table of the pending work of each kind of process, would have to know
every process by heart.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from policies.domain.decision import Route
from policies.domain.errors import StoretwinError
from twin.loads import Load
from twin.logistics import Floor, Watcher
from twin.road import Stop, Tour

Night = tuple[int, list[Load], tuple[Route, ...], set[int]]
_SAFE_BUILTINS = frozenset({"set", "frozenset", "slice", "range", "complex", "bytearray"})
_SAFE_PACKAGES = frozenset({"policies", "twin", "numpy", "collections", "datetime"})


class CheckpointDiffers(StoretwinError):
    """A run that is led again does not do what it did the first time."""

    code = "CHECKPOINT_DIFFERS"


class PlainPickler(pickle.Pickler):
    """Writes what :class:`PlainUnpickler` reads."""

    def reducer_override(self, obj: Any) -> Any:
        """Members of enumerations by their value, on every Python.

        Early releases of Python 3.11 write the call of ``getattr`` that finds the member.
        """
        return (type(obj), (obj.value,)) if isinstance(obj, Enum) else NotImplemented


def plain_bytes(value: Any) -> bytes:
    """What :class:`PlainUnpickler` reads back as `value`."""
    out = io.BytesIO()
    PlainPickler(out, protocol=5).dump(value)
    return out.getvalue()


class PlainUnpickler(pickle.Unpickler):
    """Reads what a run wrote: data classes of ours and arrays, nothing that acts."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse whatever a run does not write."""
        package = module.partition(".")[0]
        if package in _SAFE_PACKAGES or (module == "builtins" and name in _SAFE_BUILTINS):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"a checkpoint holds no {module}.{name}")


class Tape:
    """A file of entries, in the order in which they happened.

    Parameters
    ----------
    path : Path
    kept_bytes : int
        As much of the file is led again (see :meth:`replay`); what stands behind was
        written after the last checkpoint by a run that was cut off, and is thrown away.
    """

    def __init__(self, path: Path, kept_bytes: int = 0) -> None:
        self.path = path
        self.open: dict[int, Load] = {}
        """Loads under way while the tape is led again, by number."""
        self._kept_bytes = kept_bytes
        self._new: list[tuple[Any, ...]] = []
        self._frame: list[tuple[Any, ...]] = []
        self._at = 0
        self._read_bytes = 0
        self.is_replaying = kept_bytes > 0
        if not kept_bytes:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)

    def add(self, *entry: Any) -> None:
        """Note what happened; it is on the disk after :meth:`flush`."""
        self._new.append(entry)

    def add_night(self, now: int, loads: Sequence[Load], routes: Any, unserved: set[int]) -> None:
        """Note what a night sets going, as it is before anything moves."""
        night: Night = (now, list(loads), tuple(routes), set(unserved))
        self.add("night", plain_bytes(night))

    def flush(self) -> int:
        """Write what was noted; returns the bytes of the whole tape."""
        with self.path.open("ab") as file:
            PlainPickler(file, protocol=5).dump(self._new)
            file.flush()
            end = file.tell()
        self._new = []
        return end

    def next(self) -> tuple[Any, ...]:
        """The next entry of the part that is led again."""
        while self._at == len(self._frame):
            if self._read_bytes >= self._kept_bytes:
                raise _differs("it went on after the tape's end")
            with self.path.open("rb") as file:
                file.seek(self._read_bytes)
                self._frame, self._at = PlainUnpickler(file).load(), 0
                self._read_bytes = file.tell()
        entry = self._frame[self._at]
        self._at += 1
        return entry

    def next_night(self, now: int) -> Night:
        """The night's loads, routes and unserved places that were noted at `now`."""
        name, *rest = self.next()
        night: Night | None = None
        if name == "night":
            night = PlainUnpickler(io.BytesIO(rest[0])).load()
        if night is None or night[0] != now:
            raise _differs(f"a plan was made at {now} s")
        self.open = {number: load for number, load in self.open.items() if not is_done(load)}
        self.open |= {load.number: load for load in night[1]}
        return night

    def live(self) -> None:
        """The part to be led again is over: from here on things are real and are noted."""
        if self._read_bytes != self._kept_bytes or self._at < len(self._frame):
            raise _differs("it ended before the tape did")
        with self.path.open("rb+") as file:
            file.truncate(self._kept_bytes)
        self._frame, self._at, self.is_replaying = [], 0, False


class TapedFloor:
    """A floor whose answers are noted, or given from the tape while it is led again."""

    def __init__(self, floor: Floor, tape: Tape) -> None:
        self._floor, self._tape = floor, tape

    def ship(self, load: Load, now: int) -> None:
        """As :meth:`Floor.ship`."""
        self._call("ship", self._floor.ship, load, now)

    def cut(self, load: Load, now: int) -> None:
        """As :meth:`Floor.cut`."""
        self._call("cut", self._floor.cut, load, now)

    def fall_short(self, load: Load, now: int) -> None:
        """As :meth:`Floor.fall_short`."""
        self._call("fall_short", self._floor.fall_short, load, now)

    def receive(self, load: Load, now: int) -> None:
        """As :meth:`Floor.receive`."""
        self._call("receive", self._floor.receive, load, now)

    def _call(self, name: str, act: Callable[[Load, int], None], load: Load, now: int) -> None:
        if not self._tape.is_replaying:
            act(load, now)
            self._tape.add(name, load.number, now, _answer(load, is_leaving=name == "ship"))
            return
        noted, number, at, answer = self._tape.next()
        if (noted, number, at) != (name, load.number, now):
            raise _differs(f"load {load.number} had its {name} at {now} s")
        if "shipped" in answer:
            load.shipped[:] = answer.pop("shipped")
        vars(load).update(answer)


def _answer(load: Load, *, is_leaving: bool) -> dict[str, Any]:
    """What a floor may have written into a load."""
    plain = {name: value for name, value in vars(load).items() if not hasattr(value, "shape")}
    return plain | {"shipped": load.shipped.copy()} if is_leaving else plain


class TapedWatcher:
    """A watcher that is told nothing while processes are led again."""

    def __init__(self, watcher: Watcher, tape: Tape) -> None:
        self._watcher, self._tape = watcher, tape

    def departed(self, tour: Tour) -> None:
        """As :meth:`Watcher.departed`."""
        if not self._tape.is_replaying:
            self._watcher.departed(tour)

    def arrived(self, tour: Tour, stop: Stop) -> None:
        """As :meth:`Watcher.arrived`."""
        if not self._tape.is_replaying:
            self._watcher.arrived(tour, stop)

    def unloaded(self, tour: Tour, stop: Stop) -> None:
        """As :meth:`Watcher.unloaded`."""
        if not self._tape.is_replaying:
            self._watcher.unloaded(tour, stop)

    def returned(self, tour: Tour) -> None:
        """As :meth:`Watcher.returned`."""
        if not self._tape.is_replaying:
            self._watcher.returned(tour)


def is_done(load: Load) -> bool:
    """Received, or cut to nothing."""
    return load.received_s >= 0 or (load.shipped_s >= 0 and load.total_shipped == 0)


def _differs(what: str) -> CheckpointDiffers:
    return CheckpointDiffers(
        f"a run led again from its tape differs from the first time: {what}",
        field="checkpoint",
        remedy="delete the checkpoint and run anew; report it with the scenario",
    )
