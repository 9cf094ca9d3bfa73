"""The living half of the demonstration: service, emulated reality, pages."""

from __future__ import annotations

import datetime as dt
import json
import logging
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask
from sqlalchemy import Engine
from werkzeug.serving import make_server

import ops_api
from ops_api import create_app
from ops_api.database import make_engine, writing
from ops_api.ledger.health import check_ledger
from ops_api.masterdata.service import load_network
from ops_api.migrations.run import upgrade
from ops_api.people.service import GrantSpec, create_person, issue_token
from ops_api.planning.facts import HISTORY, PROMISE, keep_facts
from ops_api.planning.ledger_columns import LedgerReader
from ops_api.planning.planner import PlanRules, plan
from ops_api.planning.releases import ACTIVE, SHADOW, move, propose
from ops_api.planning.view import keep_sales_history
from ops_api.purchasing.service import OrderDraft, create_orders
from ops_api.stock.queries import open_all
from ops_api.transfers.documents import PLANNER, Act, Draft, create_transfers
from ops_api.transfers.service import approve, ship
from policies.domain.decision import SUPPLIER
from policies.domain.network import DAY_SECONDS, Network
from scenarios.emulation.clock import DemoClock
from scenarios.emulation.habits import TOLD_NOTHING, Habits, Report
from scenarios.emulation.reality import Reality
from scenarios.emulation.wire import Wire
from scenarios.history.splits import first_day, last_day
from scenarios.worlds import WorldSpec, demand_of, load_opening, network_of
from twin.output import code_sha256, read
from twin.scenario import Opening, Scenario, StoreRules
from ui.demo.plan import DemoPlan
from ui.demo.steps import Steps
from ui.web.pages import DemoUser

Tell = Callable[[int, int], None]
DATABASE = "storetwin.db"
OPEN_DOCUMENTS = "open_documents.json"
TOKENS = "tokens.json"
APPROVES_ALL_CENTS = 10**12
"""In the demo a rule approves every proposal; keepers still cancel some of them."""


def service_sha256() -> str:
    """Hash of the service's sources: other code opens a new service."""
    return code_sha256([Path(str(ops_api.__file__)).parent])


def promoted_at(plan: DemoPlan, chain: Path) -> str:
    """When the gate's weeks end, on the chain's own calendar."""
    network = network_of(str(chain))
    return network.utc((last_day(plan.gate_weeks[1]) + 1) * DAY_SECONDS - 1).isoformat()


def open_service(
    plan: DemoPlan, chain: Path, steps: Steps, home: Path, tell: Tell
) -> dict[str, Any]:
    """Database, master data, people, opening stock, open orders, history, release."""
    network = network_of(str(chain))
    url = f"sqlite:///{home / DATABASE}"
    upgrade(url)
    engine = make_engine(url)
    begins = first_day(plan.live_weeks[0]) * DAY_SECONDS
    at = int(network.utc(begins).timestamp())
    load_network(engine, network, at=at)
    _people(engine, network, home, at)
    opening = load_opening(steps.path("replay") / "final")
    rows = _open_books(engine, network, opening, home, begins)
    _, history = read(steps.path("replay") / "result.nc")
    with writing(engine) as connection:
        if opening.sold is not None:
            last = begins // DAY_SECONDS - 1
            keep_sales_history(connection, network, opening.sold, last, at)
        keep_facts(connection, HISTORY, "replay", history[:1], is_simulated=True, at=at)
        _, promised = read(steps.path("promise") / "promise.nc")
        keep_facts(connection, PROMISE, "live weeks", promised, is_simulated=True, at=at)
    release = steps.path("gate") / "release.json"
    state = "none: the gate refused, so the incumbent runs"
    if not release.exists():
        release = _incumbent_release(plan, steps, home, promoted_at(plan, chain))
    with writing(engine) as connection:
        text = release.read_text(encoding="utf-8")
        name = propose(connection, text, actor="planner", now=at)["id"]
    for step in (SHADOW, ACTIVE):
        with writing(engine) as connection:
            state = move(connection, name, step, actor="executive", now=at)["state"]
    engine.dispose()
    return {"opening_rows": rows, "release": name, "release_state": state, "database": DATABASE}


def _incumbent_release(plan: DemoPlan, steps: Steps, home: Path, at: str) -> Path:
    """Today's policy as a release, so that the service plans by it where the gate refused."""
    from policies.registry import defaults
    from policies.release import Release, installed_source_sha256, params_sha256

    params = defaults("incumbent")
    gate = steps.answers["gate"]
    made = Release(
        name="today's policy, (s, S) reviewed weekly",
        version="1",
        policy="incumbent",
        params=params,
        params_sha256=params_sha256("incumbent", params),
        source_sha256=installed_source_sha256(),
        scenario_sha256=gate["scenario_sha256"],
        data_sha256=gate["data_sha256"],
        seeds=(plan.seed,),
        kpis=(),
        gate={"promoted": False, "reasons": gate["reasons"]},
        created_at=at,
    )
    path = home / "incumbent.json"
    path.write_text(made.text(), encoding="utf-8")
    return path


def _people(engine: Engine, network: Network, home: Path, at: int) -> None:
    """Demo users with passwords made here, and tokens of the emulated devices."""
    stores = [network.locations.ids[i] for i in network.stores]
    depots = [network.locations.ids[i] for i in network.warehouses]
    grants = {
        "executive": GrantSpec("executive"),
        "planner": GrantSpec("planner"),
        "clerk": GrantSpec("clerk", "location", stores[0]),
        "manager": GrantSpec("manager", "location", stores[0]),
        "keeper": GrantSpec("keeper", "location", depots[0]),
        "auditor": GrantSpec("auditor"),
    }
    passwords = {name: secrets.token_urlsafe(9) for name in grants}
    for name, grant in grants.items():
        create_person(
            engine,
            name,
            name=name,
            login=name,
            password=passwords[name],
            grants=[grant],
            at=at,
        )
    tokens = _device_tokens(engine, stores, depots, at)
    for file, content in (("passwords.json", passwords), (TOKENS, tokens)):
        path = home / file
        path.touch(mode=0o600)
        path.write_text(json.dumps(content))


def _device_tokens(engine: Engine, stores: list[str], depots: list[str], at: int) -> dict[str, str]:
    """Tokens of the emulated devices, each bound to its place; nobody logs in behind them."""
    roles = ("integration", "executive", "keeper", "clerk", "manager")
    for role in roles:
        create_person(
            engine,
            f"emulated-{role}",
            name=f"emulated {role}",
            login=f"emulated-{role}",
            password=secrets.token_urlsafe(24),
            grants=[GrantSpec(role)],
            at=at,
        )
    wanted = [("till", "integration", ""), ("boss", "executive", "")]
    wanted += [(f"keeper:{one}", "keeper", one) for one in depots]
    wanted += [(f"{role}:{one}", role, one) for role in ("clerk", "manager") for one in stores]
    return {
        name: issue_token(
            engine, f"emulated-{role}", device=f"emulated {name}", location=place, at=at
        )
        for name, role, place in wanted
    }


def _open_books(engine: Engine, network: Network, opening: Opening, home: Path, begins: int) -> int:
    """Opening stock and open orders; what is on the road has left its origin."""
    at = int(network.utc(begins).timestamp())
    stock = opening.book.astype(np.int64).copy()
    lines = opening.on_order_lines
    moving = lines[lines[:, 0] != SUPPLIER]
    # The opening state has goods on the road already taken from their origin.
    np.add.at(stock, (moving[:, 0], moving[:, 2]), moving[:, 3])
    rows = open_all(engine, network, stock, at)
    act = Act(PLANNER, at, at)
    names = {}
    lanes, number = np.unique(lines[:, [0, 1, 4]], axis=0, return_inverse=True)
    for i, (origin, destination, due) in enumerate(lanes.tolist()):
        mine = lines[number.ravel() == i]
        goods = tuple((network.skus.ids[int(r[2])], int(r[3]), 0) for r in mine)
        due_at = int(network.utc(due).timestamp())
        to = network.locations.ids[destination]
        document = f"OPEN-{i:04d}"
        names[f"{origin},{destination},{due}"] = document
        with writing(engine) as connection:
            if origin == SUPPLIER:
                supplier = network.suppliers.ids[int(network.skus.category[int(mine[0][2])])]
                order = OrderDraft(document, supplier, to, goods, "opening", at, due_at)
                create_orders(connection, [order], act, state="sent")
            else:
                source = network.locations.ids[origin]
                kind = "replenish" if network.locations.source[origin] < 0 else "lateral"
                draft = Draft(document, source, to, goods, kind, "opening", "", at, due_at)
                create_transfers(connection, [draft], act)
                approve(connection, document, act)
                ship(connection, document, act)
    (home / OPEN_DOCUMENTS).write_text(json.dumps(names))
    return rows


def service_app(database: Path, clock: Callable[[], dt.datetime], secret: str) -> Flask:
    """The service on the demo's database, with the demo's clock."""
    return create_app(
        {
            "DATABASE_URL": f"sqlite:///{database}",
            "SECRET_KEY": secret,
            "CLOCK": clock,
            # Served to this machine over plain HTTP.
            "COOKIE_SECURE": False,
        },
    )


class Running:
    """The service in a thread of its own, on a free loopback port."""

    def __init__(self, app: Flask) -> None:
        # One line per request would bury the demo's own words.
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self) -> Running:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(20)


def reality_of(
    plan: DemoPlan,
    chain: Path,
    opening: Opening,
    wire: Wire,
    home: Path,
    night: Callable[[dt.datetime], Any],
    tell: Tell,
    *,
    seed: int | None = None,
) -> Reality:
    """The emulated reality of the live weeks, with the live weeks' own receipts."""
    network = network_of(str(chain))
    start, end = first_day(plan.live_weeks[0]), last_day(plan.live_weeks[1])
    spec = WorldSpec(
        "reality",
        str(chain),
        start,
        end - start + 1,
        demand="expansion" if plan.panel_expansion != 1 else "replay",
        panel_expansion=plan.panel_expansion,
        # Another seed than the twin's: other households of the same weeks come in.
        seed=plan.seed + 1,
    )
    scenario = Scenario(
        name="emulated reality",
        network=network,
        demand=demand_of(spec, 0),
        first_day=start,
        days=spec.days,
        opening=opening,
        store=StoreRules(count_lines_per_day=5),
        frictions=TOLD_NOTHING,
        panel_expansion=plan.panel_expansion,
    )
    kept = json.loads((home / OPEN_DOCUMENTS).read_text())
    documents = {tuple(map(int, key.split(","))): name for key, name in kept.items()}
    return Reality(
        scenario,
        wire,
        night,
        seed=plan.seed if seed is None else seed,
        habits=Habits(),
        open_documents={(a, b, c): name for (a, b, c), name in documents.items()},
        progress=tell,
    )


def emulate_live(
    plan: DemoPlan, chain: Path, steps: Steps, home: Path, tell: Tell
) -> dict[str, Any]:
    """Post the live weeks; afterwards every invariant is checked on every row."""
    network = network_of(str(chain))
    service = steps.path("service")
    database = home / DATABASE
    database.write_bytes((service / DATABASE).read_bytes())
    begins = first_day(plan.live_weeks[0]) * DAY_SECONDS
    clock = DemoClock(network.utc(begins))
    engine = make_engine(f"sqlite:///{database}")
    reader = LedgerReader(network)

    def night(at: dt.datetime) -> dict[str, Any]:
        rules = PlanRules(auto_approve_cents=APPROVES_ALL_CENTS)
        done = plan_night(engine, at, rules, reader)
        return {key: done[key] for key in ("proposals", "routes", "seconds")}

    secret = secrets.token_hex(32)
    with Running(service_app(database, clock, secret)) as running:
        opening = load_opening(steps.path("replay") / "final")
        wire = Wire(running.url, json.loads((service / TOKENS).read_text()), clock)
        reality = reality_of(plan, chain, opening, wire, service, night, tell)
        report = reality.run()
    health = check_ledger(engine)
    engine.dispose()
    (home / "report.json").write_text(json.dumps(vars(report)))
    return {
        "emulation": _brief(report),
        "ledger": health,
        "demo_time": clock().isoformat(),
    }


def plan_night(
    engine: Engine, at: dt.datetime, rules: PlanRules, reader: LedgerReader
) -> dict[str, Any]:
    """One night's plan."""
    return plan(engine, at, rules=rules, reader=reader)


def _brief(report: Report) -> dict[str, Any]:
    nights = [night["seconds"] for night in report.nights]
    return {
        **{key: value for key, value in vars(report).items() if key != "nights"},
        "nights": len(nights),
        "plan_seconds_mean": sum(nights) / max(len(nights), 1),
    }


def demo_users(home: Path, network: Network) -> tuple[DemoUser, ...]:
    """The people that the log-in page lists."""
    passwords = json.loads((home / "passwords.json").read_text())
    store = network.locations.ids[int(network.stores[0])]
    depot = network.locations.ids[int(network.warehouses[0])]
    places = {"clerk": store, "manager": store, "keeper": depot}
    return tuple(
        DemoUser(name, password, name, places.get(name, "")) for name, password in passwords.items()
    )
