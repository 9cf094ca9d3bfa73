"""Runs of (world, policy, replication), one process or many, the same answer either way."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from policies.domain.errors import ScenarioInvalid, StoretwinError
from policies.domain.facts import DayFacts
from policies.registry import build_bundle
from scenarios.parts import write_part
from scenarios.worlds import WorldSpec, demand_of, drawing_of, scenario_of
from twin.checkpoint import Checkpoints
from twin.result import RunResult, Trace
from twin.run import simulate

Tell = Callable[[int, int], None]
T = TypeVar("T")


class RunFailed(StoretwinError):
    """A run ended in a defect of the program."""

    code = "RUN_FAILED"


@dataclass(frozen=True)
class Policy:
    """A policy by name and flat parameters; `label` names it in tables."""

    label: str
    name: str
    params: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, label: str, name: str, params: dict[str, Any] | None = None) -> Policy:
        """From a dict of parameters."""
        return cls(label, name, tuple(sorted((params or {}).items())))

    def as_dict(self) -> dict[str, Any]:
        """The parameters as a dict."""
        return dict(self.params)

    def check(self) -> None:
        """Raise if the registry has no such policy or parameter, or refuses a value."""
        build_bundle(self.name, self.as_dict())


@dataclass(frozen=True)
class Job:
    """One run. Only the facts of the KPI window come back, unless `keep_all`.

    With `part` the whole result is written there by the process that made it. With
    `checkpoint_days` as well, a run of more days than that is kept beside the part every so
    many days, and goes on from there if it is cut off; `part_key` is what parts are kept under.
    `before_days` days ahead of the window come back too, summed over the chain: they tell
    how much a fortnight differs from the next.
    """

    world: WorldSpec
    policy: Policy
    replication: int
    keep_all: bool = False
    before_days: int = 0
    part: str = ""
    part_key: str = ""
    checkpoint_days: int = 0
    trace: Trace = field(default_factory=Trace)


@dataclass(frozen=True)
class Outcome:
    """What a job leaves: facts after the warm-up, chain totals before, and what it took."""

    job: Job
    facts: DayFacts
    seconds: float
    lines: int
    result: RunResult | None = None
    before: DayFacts | None = None


RunJobs = Callable[[Sequence[Job], int, Tell | None], list[Outcome]]
"""What plays jobs: :func:`run_jobs`, or another simulator of the same facts."""


def run_job(job: Job) -> Outcome:
    """Simulate one job.

    Raises
    ------
    StoretwinError
        Named with world, policy, replication and seed, so that it can be repeated.
    """
    began = time.perf_counter()
    world, policy = job.world, job.policy
    if not 0 <= job.before_days <= world.warmup_days:
        raise ScenarioInvalid(
            f"{job.before_days} days before the window, the warm-up has {world.warmup_days}",
            field="before_days",
        )
    try:
        scenario = scenario_of(world, job.replication)
        bundle = replace(build_bundle(policy.name, policy.as_dict()), name=policy.label)
        checkpoints = _checkpoints(job)
        result = simulate(
            scenario,
            bundle,
            seed=world.seed,
            replication=job.replication,
            trace=job.trace,
            checkpoints=checkpoints,
        )
    except StoretwinError as error:
        error.detail = f"{error.detail} ({_named(job)})"
        raise
    except Exception as error:
        # A defect: its own message, and what to run again to see it.
        raise RunFailed(
            f"the run ended with {type(error).__name__}: {error} ({_named(job)})",
            remedy="run this world, policy, replication and seed alone; report it",
        ) from error
    if job.part:
        write_part(result, Path(job.part))
        if checkpoints is not None:
            checkpoints.clear()
    first = world.first_day + world.warmup_days
    facts = result.facts.window(first, world.last_day)
    return Outcome(
        job,
        facts,
        time.perf_counter() - began,
        result.counters.get("lines", 0),
        result if job.keep_all else None,
        chain_total(result.facts, first - job.before_days, first - 1) if job.before_days else None,
    )


def _checkpoints(job: Job) -> Checkpoints | None:
    if not job.part or job.checkpoint_days == 0 or job.world.days <= job.checkpoint_days:
        return None
    path = Path(job.part).with_suffix(".checkpoint")
    return Checkpoints(path, job.checkpoint_days, job.part_key)


def chain_total(facts: DayFacts, first: int, last: int) -> DayFacts:
    """(days, 1, 1) facts of `first` … `last`, summed over locations and categories."""
    part = facts.window(first, last)
    return replace(
        part,
        locations=("chain",),
        categories=("all",),
        sku_facts=part.sku_facts.sum(axis=(1, 2), keepdims=True),
        location_facts=part.location_facts.sum(axis=1, keepdims=True),
    )


def _named(job: Job) -> str:
    return (
        f"world {job.world.name}, policy {job.policy.label}, "
        f"replication {job.replication}, seed {job.world.seed}"
    )


def run_jobs(jobs: Sequence[Job], workers: int = 1, progress: Tell | None = None) -> list[Outcome]:
    """Outcomes in the order of `jobs`, by so many processes."""
    return _spread(run_job, jobs, workers, progress)


def make_parts(
    jobs: Sequence[Job], workers: int = 1, progress: Tell | None = None, dask: str = ""
) -> None:
    """Leave each job's result in its part; nothing of it comes back to this process.

    By `workers` processes of this machine, or by the Dask cluster at the address `dask`,
    whose workers read chains and write parts where this process does.
    """
    if dask:
        _spread_on_dask(_make_part, [_from_anywhere(job) for job in jobs], dask, progress)
    else:
        _spread(_make_part, jobs, workers, progress)


def _make_part(job: Job) -> None:
    run_job(job)


def _drawn_by_several(jobs: Sequence[Job]) -> list[Job]:
    """A job of each drawn demand that several meet, so that no two processes draw the same."""
    drawings = [drawing_of(job.world, job.replication) for job in jobs]
    counts = Counter(drawings)
    first = dict(zip(drawings[::-1], jobs[::-1], strict=True))
    return [job for drawing, job in first.items() if drawing and counts[drawing] > 1]


def _draw(job: Job) -> None:
    demand_of(job.world, job.replication)


def _spread(
    task: Callable[[Job], T], jobs: Sequence[Job], workers: int, progress: Tell | None
) -> list[T]:
    """What the task gives for each job, in their order."""
    if workers < 1:
        raise ScenarioInvalid(f"workers is {workers}", field="workers", remedy="at least 1")
    tell = progress or (lambda done, whole: None)
    done = 0
    if workers == 1 or len(jobs) == 1:
        outcomes = []
        for job in jobs:
            outcomes.append(task(job))
            done += 1
            tell(done, len(jobs))
        return outcomes
    pool = _pool(workers)
    found: dict[int, T] = {}
    try:
        list(pool.map(_draw, _drawn_by_several(jobs)))
        futures = {pool.submit(task, job): i for i, job in enumerate(jobs)}
        for future in as_completed(futures):
            found[futures[future]] = future.result()
            done += 1
            tell(done, len(jobs))
    except BaseException as error:
        _pools.pop((workers, str(Path.cwd())), None)
        pool.shutdown(cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            open_jobs = [_named(jobs[i]) for i in range(len(jobs)) if i not in found]
            raise RunFailed(
                f"a worker process was killed; not done: {'; '.join(open_jobs[:workers])}",
                remedy="most often memory ran out: use fewer workers",
            ) from error
        raise
    return [found[i] for i in range(len(jobs))]


def _spread_on_dask(
    task: Callable[[Job], None], jobs: Sequence[Job], address: str, progress: Tell | None
) -> None:
    """The task for each job, by the workers of a cluster.

    Raises
    ------
    ScenarioInvalid
        Where Dask is not installed or nobody answers at `address`.
    """
    try:
        import distributed  # noqa: PLC0415  an extra: most machines have none
    except ImportError as error:
        raise ScenarioInvalid(
            "Dask is not installed", field="--dask", remedy='pip install "storetwin[dask]"'
        ) from error
    try:
        client: Any = distributed.Client(address, timeout=_ANSWER_S)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise ScenarioInvalid(
            f"no Dask cluster answers at {address}",
            field="--dask",
            remedy="give its scheduler's address, as tcp://10.0.0.5:8786",
        ) from error
    with client:
        # Not pure: a job that was done before is not taken from the cluster's memory.
        client.gather(client.map(_draw, _drawn_by_several(jobs), pure=False))
        futures = client.map(task, jobs, pure=False)
        done: Any = distributed.as_completed(futures)  # type: ignore[no-untyped-call]
        for count, future in enumerate(done, start=1):
            future.result()
            if progress is not None:
                progress(count, len(jobs))


_ANSWER_S = 10
"""Seconds within which a cluster must answer."""


def _from_anywhere(job: Job) -> Job:
    """The job with whole paths: a cluster's workers have working directories of their own."""
    world = job.world
    opening = str(Path(world.opening).resolve()) if world.opening else ""
    world = replace(world, chain=str(Path(world.chain).resolve()), opening=opening)
    return replace(job, world=world, part=str(Path(job.part).resolve()) if job.part else "")


_pools: dict[tuple[int, str], ProcessPoolExecutor] = {}


def _pool(workers: int) -> ProcessPoolExecutor:
    """Worker processes that stay: a search has many small batches, and a new process
    spends seconds on imports and compiled code before its first run. Relative folders
    mean the same to a worker only while the working directory is the same.
    """
    key = (workers, str(Path.cwd()))
    if key not in _pools:
        # Spawned, not forked: a forked child would share the parent's threads and locks.
        context = multiprocessing.get_context("spawn")
        _pools[key] = ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent)
    return _pools[key]


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for its next job for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()
