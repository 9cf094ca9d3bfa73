"""Requests written together: who is written with whom, and who pays for whose fault."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from ops_api.errors import Busy
from ops_api.gather import Gatherer


class Book:
    """Work that notes its transactions; the first one lasts until it is let go."""

    def __init__(self) -> None:
        self.transactions: list[list[str]] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def write(self, _connection, jobs):
        first = not self.transactions
        self.transactions.append(["+".join(job) for job in jobs])
        if first:
            self.begun.set()
            assert self.go.wait(20)
        if any("bad" in job for job in jobs):
            raise ValueError("bad")
        if any("away" in job for job in jobs):
            raise Busy("the database is away")
        return ["+".join(job).upper() for job in jobs]


def run(jobs, *, writers=1, size=10):
    """Answers (or errors) of `jobs` that all wait behind a first one, and the transactions."""
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    book = Book()
    gatherer = Gatherer(engine, book.write, set, writers=writers, size=size)
    out = {}

    def send(name, job):
        try:
            out[name] = gatherer.do(job)
        except (ValueError, Busy) as error:
            out[name] = type(error)

    threads = [threading.Thread(target=send, args=("first", ["first"]))]
    threads[0].start()
    assert book.begun.wait(20)
    for number, job in enumerate(jobs):
        threads.append(threading.Thread(target=send, args=(number, job)))
        threads[-1].start()
        deadline = time.monotonic() + 20
        while len(gatherer._waiting) <= number:
            assert time.monotonic() < deadline
            time.sleep(0.001)
    book.go.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    engine.dispose()
    return out, book.transactions


def test_those_who_wait_are_written_in_one_transaction_in_their_order():
    """Each gets its own answer."""
    out, transactions = run([["a"], ["b"], ["c"]])
    assert out == {"first": "FIRST", 0: "A", 1: "B", 2: "C"}
    assert transactions == [["first"], ["a", "b", "c"]]


def test_jobs_that_share_a_key_are_written_one_after_the_other():
    """The second then sees what became of the first."""
    _, transactions = run([["a"], ["a"], ["b"]])
    assert transactions == [["first"], ["a"], ["a", "b"]]


def test_a_transaction_takes_no_more_than_its_size():
    """And at least one job, however large."""
    _, transactions = run([["a", "b", "c"], ["d"], ["e"], ["f"]], size=2)
    assert transactions == [["first"], ["a+b+c"], ["d", "e"], ["f"]]


def test_one_bad_job_does_not_sink_its_neighbours():
    """All are tried again, each by itself."""
    out, transactions = run([["a"], ["bad"], ["c"]])
    assert out == {"first": "FIRST", 0: "A", 1: ValueError, 2: "C"}
    assert transactions == [["first"], ["a", "bad", "c"], ["a"], ["bad"], ["c"]]


def test_a_database_that_is_away_is_not_asked_once_for_each():
    """Every one of them hears that nothing was recorded."""
    out, transactions = run([["a"], ["away"]])
    assert out == {"first": "FIRST", 0: Busy, 1: Busy}
    assert len(transactions) == 2


@pytest.mark.parametrize("writers", [1, 2, 3])
def test_many_threads_all_get_their_own_answer(writers):
    """Whoever leads, whoever waits: nobody is left behind."""
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    gatherer = Gatherer(
        engine, lambda _, jobs: [job[0] for job in jobs], list, writers=writers, size=5
    )
    wrong = []

    def send(thread):
        for i in range(300):
            name = f"{thread}-{i}"
            if gatherer.do([name]) != name:
                wrong.append(name)

    threads = [threading.Thread(target=send, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert wrong == []
    engine.dispose()
