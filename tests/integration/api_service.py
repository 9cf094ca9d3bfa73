"""A service on a small chain, for tests of the API."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
import uuid
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask
from flask.testing import FlaskClient

from ops_api import create_app
from ops_api.database import make_engine
from ops_api.masterdata.service import load_network
from ops_api.migrations.run import upgrade
from ops_api.people.service import GrantSpec, create_person, issue_token
from ops_api.stock.queries import open_all
from policies.domain.network import Network
from scenarios.history.generate import generate_chain
from tests import databases
from tests.databases import cluster

START = dt.datetime(2024, 1, 10, 15, 0, tzinfo=dt.UTC)


@dataclass
class Clock:
    """A clock that tests set."""

    now: dt.datetime = START

    def __call__(self) -> dt.datetime:
        return self.now

    def forward(self, **delta: float) -> None:
        self.now += dt.timedelta(**delta)


@dataclass
class Rig:
    """The service, its clock, and a client for each log-in."""

    app: Flask
    network: Network
    clock: Clock
    url: str
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def engine(self) -> Any:
        return self.app.extensions["storetwin"].engine

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def send(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """One request; writes get a fresh key unless `key` is given."""
        key = headers.pop("key", str(uuid.uuid4()))
        wanted = {"Authorization": f"Bearer {self.tokens[who]}", "Idempotency-Key": key, **headers}
        kwargs = {} if body is None else {"json": body}
        return self.client.open(f"/api/v1{path}", method=method, headers=wanted, **kwargs)

    def post(self, who: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.send(who, "POST", path, {} if body is None else body, **headers)

    def get(self, who: str, path: str, **headers: str) -> Any:
        return self.send(who, "GET", path, **headers)

    def on_hand(self, place: str, sku: str) -> int:
        rows = self.get("boss", f"/stock?location={place}&sku={sku}").json["rows"]
        return sum(row["on_hand"] for row in rows)

    def road(self, place: str, sku: str) -> int:
        return self.get("boss", f"/stock?location={place}&sku={sku}").json["in_transit"]

    def sale(self, place: str, sku: str, quantity: int = 1, **changed: Any) -> dict[str, Any]:
        return {
            "event_id": str(uuid.uuid4()),
            "location": place,
            "sku": sku,
            "quantity": quantity,
            "occurred_at": self.clock.now.isoformat(),
            "unit_price_cents": 150,
        } | changed


PEOPLE = {
    "clerk1": GrantSpec("clerk", "location", "S0001"),
    "clerk2": GrantSpec("clerk", "location", "S0002"),
    "manager1": GrantSpec("manager", "location", "S0001"),
    "manager2": GrantSpec("manager", "location", "S0002"),
    "keeper": GrantSpec("keeper", "location", "W01"),
    "boss": GrantSpec("executive"),
    "planner": GrantSpec("planner"),
    "till": GrantSpec("integration"),
    "auditor": GrantSpec("auditor"),
    "driver": GrantSpec("driver"),
    "buyer": GrantSpec("buyer"),
    "admin": GrantSpec("it_admin"),
}


@dataclass(frozen=True)
class _Template:
    """A database with the chain, its people and opening stock: made once, copied for each."""

    url: str
    network: Network
    tokens: dict[str, str]

    def copy(self, folder: Path) -> str:
        """Address of a new copy."""
        if self.url.startswith("postgresql"):
            return cluster().create(self.url.rpartition("/")[2])
        shutil.copyfile(self.url.removeprefix("sqlite:///"), folder / "service.db")
        return f"sqlite:///{folder}/service.db"


@cache
def _template_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


@cache
def _template(kind: str) -> _Template:
    url = databases.empty(_template_folder().name)
    upgrade(url)
    engine = make_engine(url)
    network, _ = generate_chain(stores=3, skus=5, days=1, lines_per_store_day=1, seed=1)
    load_network(engine, network)
    tokens = {}
    for name, grant in PEOPLE.items():
        create_person(
            engine,
            name,
            name=name,
            login=name,
            password="correct horse battery",
            grants=[grant],
        )
        tokens[name] = issue_token(engine, name, device=f"phone of {name}")
    stock = np.full(network.shape, 10, dtype=np.int64)
    stock[network.warehouses] = 50
    open_all(engine, network, stock, int(START.timestamp()) - 86_400)
    if kind == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return _Template(url, network, tokens)


def make_rig(folder: Any, **config: Any) -> Rig:
    """Three stores, one warehouse, five SKUs, 50 of each in the warehouse and 10 in stores."""
    template = _template(databases.kind())
    url = template.copy(Path(folder))
    clock = Clock()
    app = create_app(
        {
            "DATABASE_URL": url,
            "SECRET_KEY": "a test key of good length",
            "CLOCK": clock,
            "TESTING": True,
            "CHECK_ANSWERS": True,
            **config,
        }
    )
    rig = Rig(app, template.network, clock, url, dict(template.tokens))
    databases.close_later(rig.engine)
    return rig
