"""Requests that wait for the database are written together: one transaction for all of them.

A transaction costs the same few milliseconds for one line as for fifty. So whoever comes
while another request is being written waits for its end, and then one of those who wait
writes for all. Nobody waits for company: a single request is written at once. Where a
transaction of several fails, each is tried by itself, so none pays for another's fault.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Generic, TypeVar

from sqlalchemy import Connection, Engine

from ops_api.database import write_with_retry
from ops_api.errors import Busy

J = TypeVar("J")
R = TypeVar("R")


class _Ticket(Generic[J, R]):
    """A job in the queue, and what became of it."""

    def __init__(self, job: J, keys: Collection[str]) -> None:
        self.job, self.keys = job, keys
        self.wakes = threading.Event()
        self.leads = False
        self.is_done = False
        self.answer: R | None = None
        self.error: BaseException | None = None

    def end(self, answer: R | None, error: BaseException | None = None) -> None:
        self.answer, self.error, self.is_done = answer, error, True
        self.wakes.set()


class Gatherer(Generic[J, R]):
    """Writes jobs, those that wait at the same time in one transaction.

    Parameters
    ----------
    work : writes jobs that share no key; one answer for each
    keys : what two jobs of one transaction may not have in common; their number is its size
    writers : transactions at the same time
    size : most keys of a transaction of several jobs
    """

    def __init__(
        self,
        engine: Engine,
        work: Callable[[Connection, Sequence[J]], Sequence[R]],
        keys: Callable[[J], Collection[str]],
        *,
        writers: int,
        size: int,
    ) -> None:
        self._engine, self._work, self._keys = engine, work, keys
        self._writers, self._size = writers, size
        self._lock = threading.Lock()
        self._waiting: deque[_Ticket[J, R]] = deque()
        self._leading = 0

    def do(self, job: J) -> R:
        """Write the job; returns when its transaction has ended.

        Raises
        ------
        Whatever the work raises for this job.
        """
        mine: _Ticket[J, R] = _Ticket(job, self._keys(job))
        with self._lock:
            self._waiting.append(mine)
            mine.leads = self._leading < self._writers
            self._leading += mine.leads
        while not mine.is_done:
            if mine.leads:
                self._lead(mine)
            mine.wakes.wait()
            mine.wakes.clear()
        if mine.error is not None:
            raise mine.error
        return mine.answer  # type: ignore[return-value]

    def _lead(self, mine: _Ticket[J, R]) -> None:
        """Write what waits until one's own job is done, then let the next one lead."""
        while True:
            with self._lock:
                if mine.is_done or not self._waiting:
                    self._hand_over(mine)
                    return
                group = self._next_group()
            self._write(group)

    def _hand_over(self, mine: _Ticket[J, R]) -> None:
        mine.leads = False
        if mine.is_done:
            mine.wakes.set()
        if self._waiting:
            heir = self._waiting[0]
            if not heir.leads:
                heir.leads = True
                heir.wakes.set()
                return
        self._leading -= 1

    def _next_group(self) -> list[_Ticket[J, R]]:
        group = [self._waiting.popleft()]
        keys = set(group[0].keys)
        while self._waiting:
            following = self._waiting[0]
            if len(keys) + len(following.keys) > self._size or not keys.isdisjoint(following.keys):
                break
            keys.update(following.keys)
            group.append(self._waiting.popleft())
        return group

    def _write(self, group: list[_Ticket[J, R]]) -> None:
        try:
            answers = self._together(group)
        except Busy as error:
            # The database is away: asking once more for each would only take longer.
            for ticket in group:
                ticket.end(None, error)
        except Exception as error:  # noqa: BLE001  whose fault it is shows when each is alone
            if len(group) == 1:
                group[0].end(None, error)
                return
            for ticket in group:
                self._write([ticket])
        except BaseException as error:
            for ticket in group:
                ticket.end(None, error)
            raise
        else:
            for ticket, answer in zip(group, answers, strict=True):
                ticket.end(answer)

    def _together(self, group: list[_Ticket[J, R]]) -> Sequence[R]:
        jobs = [ticket.job for ticket in group]
        return write_with_retry(self._engine, lambda connection: self._work(connection, jobs))
