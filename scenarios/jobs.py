"""What-if jobs: submitted by a page, run in a worker process, read back from a folder.

A job is a folder with what was asked (``job.json``), how far it is (``state.json``) and
what came out (``result.json``). The web process only writes and reads these; a closed
browser or a restarted server loses nothing. See docs/adr/0005-jobs.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import uuid
from pathlib import Path
from typing import Any

from policies.domain.errors import InvalidInput
from scenarios.scenario import from_values
from scenarios.whole_files import write_whole

JOBS = Path("var/jobs")
ENDED = ("done", "failed", "stopped")
MOST_OPEN = 4


def submit(form: dict[str, Any], folder: Path = JOBS) -> str:
    """Check a form, write the job and start its worker; returns the job's id.

    Parameters
    ----------
    form : dict
        ``name``; ``scenario`` (keys over the library's base); ``compare_with`` (a policy
        table, default the incumbent); ``replications``.
    """
    base = str(form.get("extends", "base"))
    scenario = from_values({**form.get("scenario", {}), "name": form["name"]}, base)
    open_jobs = [job for job in list_jobs(folder) if job["state"] not in ENDED]
    if len(open_jobs) >= MOST_OPEN:
        raise InvalidInput(
            f"{len(open_jobs)} what-ifs are already running",
            field="jobs",
            remedy="wait for one to end, or stop one",
        )
    job_id = uuid.uuid4().hex[:12]
    home = folder / job_id
    home.mkdir(parents=True)
    write_whole(home / "job.json", {**form, "id": job_id, "resolved": scenario.values})
    write_whole(home / "state.json", {"state": "queued", "done": 0, "whole": 0})
    (home / "pid").write_text(str(_start(home.resolve())))
    return job_id


def status(job_id: str, folder: Path = JOBS) -> dict[str, Any]:
    """``{id, name, state, done, whole, seconds_left, estimate, half_width, error}``.

    A worker that died without saying so shows as failed.
    """
    home = _home(job_id, folder)
    state = dict(json.loads((home / "state.json").read_text()))
    if state["state"] not in ENDED and not _is_alive(home):
        state |= {"state": "failed", "error": "the worker process ended without an answer"}
        write_whole(home / "state.json", state)
    job = json.loads((home / "job.json").read_text())
    return {"id": job_id, "name": job["name"], **state}


def stop(job_id: str, folder: Path = JOBS) -> dict[str, Any]:
    """End a job; what was computed stays in its folder."""
    home = _home(job_id, folder)
    state = status(job_id, folder)
    if state["state"] not in ENDED:
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            os.killpg(int((home / "pid").read_text()), signal.SIGTERM)
        write_whole(home / "state.json", {**state, "state": "stopped"})
    return status(job_id, folder)


def result(job_id: str, folder: Path = JOBS) -> dict[str, Any]:
    """``{kpis: [{name, incumbent, winner, difference, low, high, verdict}], inputs, …}``."""
    home = _home(job_id, folder)
    if not (home / "result.json").exists():
        raise InvalidInput(
            f"job {job_id} has no result", field="job", remedy="wait until its state is done"
        )
    return dict(json.loads((home / "result.json").read_text()))


def list_jobs(folder: Path = JOBS) -> list[dict[str, Any]]:
    """All jobs, newest first."""
    homes = [path for path in folder.glob("*") if (path / "job.json").exists()]
    homes.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    return [status(path.name, folder) for path in homes]


def _start(home: Path) -> int:
    """Process id of a worker in a session of its own, so that it outlives the server."""
    log = os.open(home / "log.txt", os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        # The worker finds the same code as its parent, installed or not.
        paths = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "scenarios.worker", str(home)],
            {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            file_actions=[(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)],
            setsid=True,
        )
    finally:
        os.close(log)


def _home(job_id: str, folder: Path) -> Path:
    home = folder / job_id
    # An id comes from outside: only what submit makes names a folder.
    if not (job_id.isalnum() and (home / "job.json").exists()):
        raise InvalidInput(f"no job {job_id[:40]!r}", field="job")
    return home


def _is_alive(home: Path) -> bool:
    try:
        pid = int((home / "pid").read_text())
    except (FileNotFoundError, ValueError):
        return True  # Just submitted: the pid is written right after the start.
    try:
        # Reap our own ended child, which would count as alive otherwise.
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
