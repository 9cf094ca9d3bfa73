"""The service in processes of its own, which may be killed: a master and its workers."""

from __future__ import annotations

import http.client
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.databases import _children, _free_port

_START_S = 90


class Server:
    """gunicorn with threads in two workers, on a port that it keeps.

    Parameters
    ----------
    url : SQLAlchemy address
    folder : where its log goes
    """

    def __init__(self, url: str, folder: Path, *, workers: int = 2, threads: int = 8) -> None:
        self.url, self.log = url, folder / "server.log"
        self.port = _free_port()
        self._sizes = ("--workers", str(workers), "--threads", str(threads))
        self._count = workers
        self._secret = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start (again) and wait until it answers."""
        command = [
            sys.executable, "-m", "gunicorn", "tests.soak.wsgi:make()", "--preload",
            "--bind", f"127.0.0.1:{self.port}", "--worker-class", "gthread", *self._sizes,
            "--timeout", "60", "--graceful-timeout", "5", "--log-level", "warning",
            "--no-control-socket",
        ]  # fmt: skip
        with self.log.open("ab") as sink:
            self._process = subprocess.Popen(
                command,
                stdout=sink,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "STORM_DATABASE": self.url, "STORM_SECRET": self._secret},
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_S
        while not self.answers():
            assert self._process.poll() is None, self.log.read_text()[-2_000:]
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether a worker answers."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            line.request("GET", "/api/v1/health/live")
            return line.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            line.close()

    @property
    def workers(self) -> list[int]:
        """Process ids of the workers."""
        assert self._process is not None
        return _children(self._process.pid)

    def kill_worker(self, which: int) -> None:
        """End one worker at once; the master makes another."""
        workers = self.workers
        if workers:
            _end(workers[which % len(workers)])

    def kill(self) -> None:
        """End master and workers at once."""
        assert self._process is not None
        workers = self.workers
        for process in (self._process.pid, *workers):
            _end(process)
        self._process.wait()
        deadline = time.monotonic() + 20
        while any(Path(f"/proc/{one}/cmdline").exists() and _runs(one) for one in workers):
            assert time.monotonic() < deadline, "a worker did not end"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it in order."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()


def _runs(process: int) -> bool:
    """Neither gone nor a zombie that nobody has asked for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _end(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return
