"""A service on a tiny chain and the reality that posts to it, for tests of the emulator."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine
from werkzeug.serving import make_server

from ops_api import create_app
from ops_api.database import make_engine, writing
from ops_api.ledger.health import check_ledger
from ops_api.masterdata.service import load_network
from ops_api.migrations.run import upgrade
from ops_api.people.service import GrantSpec, create_person, issue_token
from ops_api.planning.planner import PlanRules, plan
from ops_api.planning.releases import ACTIVE, move, propose
from ops_api.stock.queries import open_all
from policies.domain.network import DAY_SECONDS
from scenarios.emulation.clock import DemoClock
from scenarios.emulation.habits import TOLD_NOTHING, Habits, Report
from scenarios.emulation.reality import Reality
from scenarios.emulation.wire import Wire
from scenarios.history.generate import generate_chain
from tests.integration.planner_service import release
from twin.scenario import Opening, Scenario, StoreRules
from twin.state import cover_opening

FIRST = 2
ROUGH = Habits(late_share=0.2, twice_share=0.3, refuse_share=0.1)


@dataclass(frozen=True)
class Lived:
    """What is left of one emulated stretch."""

    report: Report
    reality: Reality
    engine: Engine
    health: dict[str, Any]
    scenario: Scenario


def live(
    folder: Path,
    *,
    days: int = 3,
    seed: int = 4,
    habits: Habits = ROUGH,
    drop_share: float = 0.0,
) -> Lived:
    """Let the reference model live some days against a service of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    network, demand = generate_chain(stores=3, skus=12, days=8, lines_per_store_day=200, seed=6)
    bare = Scenario("reality", network, demand, FIRST, days, opening_cover_days=2.0)
    start = cover_opening(bare)
    scenario = Scenario(
        "reality",
        network,
        demand,
        FIRST,
        days,
        opening=Opening(start.book, start.physical),
        store=StoreRules(count_lines_per_day=4),
        frictions=TOLD_NOTHING,
    )
    url = f"sqlite:///{folder}/service.db"
    upgrade(url)
    engine = make_engine(url)
    begins = network.utc(FIRST * DAY_SECONDS)
    at = int(begins.timestamp())
    load_network(engine, network, at=at)
    tokens = _tokens(engine, network, at)
    open_all(engine, network, start.book.astype(np.int64), at)
    with writing(engine) as connection:
        name = propose(connection, release().text(), actor="planner", now=at)["id"]
        move(connection, name, ACTIVE, actor="boss", now=at)
    clock = DemoClock(begins)
    app = create_app(
        {
            "DATABASE_URL": url,
            "SECRET_KEY": "a test key of good length",
            "CLOCK": clock,
            "TESTING": True,
        }
    )
    rng = np.random.default_rng(99)

    def drops(_: int) -> bool:
        return bool(rng.random() < drop_share)

    def night(moment: dt.datetime) -> dict[str, Any]:
        return plan(engine, moment, rules=PlanRules(auto_approve_cents=10**12))

    # A line for each request would bury a failure's own words.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with served(app) as address:
        wire = Wire(address, tokens, clock, drops)
        reality = Reality(scenario, wire, night, seed=seed, habits=habits)
        report = reality.run()
        wire.session.close()
    return Lived(report, reality, engine, check_ledger(engine), scenario)


@contextmanager
def served(app: Any) -> Any:
    """The application on a free loopback port."""
    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _tokens(engine: Engine, network: Any, at: int) -> dict[str, str]:
    ids = network.locations.ids
    stores = [ids[i] for i in network.stores]
    depots = [ids[i] for i in network.warehouses]
    wanted = [("till", "integration", ""), ("boss", "executive", "")]
    wanted += [(f"keeper:{one}", "keeper", one) for one in depots]
    wanted += [(f"{role}:{one}", role, one) for role in ("clerk", "manager") for one in stores]
    for role in sorted({role for _, role, _ in wanted}):
        create_person(
            engine,
            role,
            name=role,
            login=role,
            password="correct horse battery",
            grants=[GrantSpec(role)],
            at=at,
        )
    return {
        name: issue_token(engine, role, device=name, location=place, at=at)
        for name, role, place in wanted
    }
