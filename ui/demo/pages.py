"""Serving the demonstration: one port, a clock that goes on, a reality that keeps posting."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from sqlalchemy import Engine, func, select

from ops_api.database import make_engine, reading
from ops_api.ledger.schema import MOVEMENTS
from ops_api.planning.facts import day_facts_from_sql
from ops_api.planning.ledger_columns import LedgerReader
from ops_api.planning.worker import NeedsWorker
from policies.domain.facts import CostModel, DayFacts
from policies.domain.network import DAY_SECONDS, Network
from scenarios.emulation.clock import DemoClock
from scenarios.emulation.habits import TOLD_NOTHING
from scenarios.history.splits import first_day
from scenarios.worlds import network_of
from ui.demo.afterwards import Afterwards
from ui.demo.live import DATABASE, demo_users, service_app
from ui.demo.plan import DemoPlan
from ui.demo.study import TOLD
from ui.job_laboratory import Base, JobLaboratory, Setting
from ui.run_source import RunSource
from ui.serve import Serving, kept_secret, make_server, run
from ui.sources import NotTold, Places, Situation

SPEED = 30.0
"""The demo clock goes this much faster than real time while pages are served."""


class LiveFacts:
    """Recorded day facts of the service, read again when the ledger has grown."""

    def __init__(
        self, engine: Engine, network: Network, first: int, clock: Callable[[], dt.datetime]
    ) -> None:
        self.engine, self.network, self.first, self.clock = engine, network, first, clock
        self.reader = LedgerReader(network)
        self._lock = threading.Lock()
        self._kept: tuple[str, DayFacts] | None = None

    def version(self) -> str:
        """Changes when a full emulated hour has passed and rows have come in."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(func.max(MOVEMENTS.c.seq))).scalar() or 0
        return f"{self.clock():%Y%m%d%H}-{rows // 1_000}"

    def newest(self) -> dt.datetime | None:
        """When the service recorded its last movement."""
        with reading(self.engine) as connection:
            at = connection.execute(select(func.max(MOVEMENTS.c.recorded_at))).scalar()
        return None if at is None else dt.datetime.fromtimestamp(int(at), dt.UTC)

    def __call__(self) -> DayFacts | None:
        """Facts of the full days since the service was opened."""
        version = self.version()
        with self._lock:
            if self._kept is not None and self._kept[0] == version:
                return self._kept[1]
            now = self.network.seconds(self.clock())
            # A day that is not over would look like a bad one.
            last = (now + 1) // DAY_SECONDS - 1
            if last < self.first:
                return None
            with reading(self.engine) as connection:
                facts = day_facts_from_sql(
                    connection, self.network, self.first, last, now, self.reader
                )
            self._kept = (version, facts)
            return facts


def not_told() -> tuple[NotTold, ...]:
    """What reality was given that the twin was not told."""
    names = [name for name in vars(TOLD) if getattr(TOLD, name) != getattr(TOLD_NOTHING, name)]
    return tuple(
        NotTold(name, float(getattr(TOLD_NOTHING, name)), float(getattr(TOLD, name)))
        for name in names
    )


def serve_demo(plan: DemoPlan, home: Path, port: int, console: Console) -> None:
    """Serve until interrupted; prints the address and the log-ins."""
    folder = home / plan.data
    chain = folder / "chain" / "files"
    network = network_of(str(chain))
    live = json.loads((folder / "live" / "step.json").read_text())["answer"]
    start = dt.datetime.fromisoformat(live["demo_time"])
    clock = DemoClock(start)
    database = folder / "live" / DATABASE
    service = service_app(database, clock, kept_secret(folder / "secret"))
    engine = service.extensions["storetwin"].engine
    begins = first_day(plan.live_weeks[0])
    facts = LiveFacts(engine, network, begins, clock)
    release = json.loads((folder / "gate" / "step.json").read_text())["answer"].get("release")

    def situation() -> Situation:
        zone, newest = ZoneInfo(network.tz), facts.newest()
        here = clock().astimezone(zone).replace(tzinfo=None)
        return Situation(
            version=facts.version(),
            now=here,
            known_at=None if newest is None else newest.astimezone(zone).replace(tzinfo=None),
            start_date=network.start_date,
            currency=network.currency,
            is_demo=True,
            is_emulated=True,
            simulated_until_day=begins - 1,
            release=release["name"] if release else "",
            promoted_day=begins,
            not_told=not_told(),
            panel_expansion=plan.panel_expansion,
        )

    source = RunSource(
        Places.of(network),
        situation,
        facts,
        promise=folder / "promise" / "promise.nc",
        history=folder / "replay" / "result.nc",
        costs=CostModel(),
    )
    tuned = json.loads((folder / "tune" / "step.json").read_text())["answer"]
    bases = {
        "today": Base("incumbent", {}),
        "tuned": Base(tuned["policy"], tuned["params"]),
    }
    if release:
        bases = dict(reversed(bases.items()))
    last = plan.gate_weeks[1]
    setting = Setting.of(
        chain,
        network,
        (max(1, last - 9), last),
        max(1, last - 5),
        plan.panel_expansion,
        plan.seed,
    )
    serving = Serving(
        source=source,
        laboratory=JobLaboratory(setting, bases, folder / "jobs"),
        demo_users=demo_users(folder / "service", network),
        demo_clock=lambda: clock().astimezone(ZoneInfo(network.tz)).replace(tzinfo=None),
        is_emulated=True,
        cache=folder / "cache",
    )
    server = make_server(service, serving, port)
    clock.run_on(SPEED)
    address = f"http://127.0.0.1:{server.port}"
    going_on = Afterwards(plan, folder, make_engine(f"sqlite:///{database}"), clock, address)
    console.print(f"\n[bold]storetwin is at {address}[/bold]")
    for user in serving.demo_users:
        console.print(f"  {user.role:<10} log-in {user.name:<10} password {user.password}")
    console.print("Stop with Ctrl-C; the next start resumes from here.")

    needs = NeedsWorker(engine, clock)

    def ready() -> None:
        going_on.start()
        needs.start()

    run(server, ready=ready)
