"""A tiny generated chain and a stand-in log-in for the tests of the pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from flask import Flask, session

from policies.domain.facts import LOCATION_FACTS, SKU_FACTS, CostModel, DayFacts
from ui.access import SESSION_KEY, Person, person_of_cookie
from ui.sources import NotTold, Places, Situation

START = dt.date(2026, 1, 5)
PASSWORD = "demo-pass"
PEOPLE = {
    "clerk": Person("clerk", "Clerk of S001", "clerk", ("S001",)),
    "planner": Person("planner", "Planner", "planner"),
    "executive": Person("executive", "Management", "executive"),
}


def places(stores: int, warehouses: int = 2) -> Places:
    """Warehouses first, then stores, scattered by a seeded stream."""
    rng = np.random.default_rng(np.random.SeedSequence([7, stores]))
    size = stores + warehouses
    ids = tuple(f"W{i + 1}" for i in range(warehouses)) + tuple(
        f"S{i + 1:03d}" for i in range(stores)
    )
    regions = ("East", "West", "North")
    return Places(
        ids,
        ids,
        tuple(regions[i % 3] for i in range(size)),
        rng.normal(31.0, 2.0, size),
        rng.normal(118.0, 3.0, size),
        np.arange(size) >= warehouses,
        coordinates_assigned=True,
    )


def facts(
    where: Places, first_day: int, days: int, seed: int, availability: np.ndarray | float = 0.97
) -> DayFacts:
    """Day facts with the given availability per location (scalar, (L,) or (D, L))."""
    rng = np.random.default_rng(np.random.SeedSequence([11, seed]))
    size = len(where.ids)
    table = np.zeros((days, size, 1, len(SKU_FACTS)), dtype=np.int64)
    store = where.is_store[None, :]

    def put(name: str, values: np.ndarray) -> None:
        table[:, :, 0, SKU_FACTS.index(name)] = np.where(store, values, 0)

    def around(mean: float, spread: float) -> np.ndarray:
        return np.maximum(rng.normal(mean, spread, (days, size)), 0)

    ranged = np.full((days, size), 200)
    share = np.clip(
        np.broadcast_to(availability, (days, size)) + rng.normal(0, 0.004, (days, size)), 0, 1
    )
    put("ranged_sku_days", ranged)
    put("in_stock_sku_days", np.rint(ranged * (share - 0.01)))
    put("open_sku_seconds", ranged * 50_000)
    put("in_stock_open_sku_seconds", np.rint(ranged * 50_000 * share))
    sold = around(900, 60)
    put("units_sold", sold)
    put("revenue_cents", sold * 300)
    put("cost_of_goods_sold_cents", sold * 200)
    put("closing_stock_units", around(14_000, 300))
    put("closing_stock_cents", around(2_800_000, 50_000))
    put("slow_stock_cents", around(330_000, 12_000))
    put("forecast_milliunits", around(905_000, 10_000))
    put("transfer_lines_received", np.full((days, size), 60))
    put("transfer_lines_right", np.minimum(np.rint(around(58.2, 0.8)), 60))
    put("replenishment_lines", np.full((days, size), 60))
    put("replenishment_seconds", around(60 * 1.3 * 86_400, 60 * 5_000))
    places_facts = np.zeros((days, size, len(LOCATION_FACTS)), dtype=np.int64)
    return DayFacts(first_day, where.ids, ("all",), table, places_facts, False, 0)


@dataclass(eq=False)
class FixtureSource:
    """A promise of `runs` replications and a reality that departs from it in the last week."""

    stores: int = 24
    days: int = 70
    promised_days: int = 21
    runs: int = 8
    state: Situation | None = None
    where: Places = field(init=False)

    def __post_init__(self) -> None:
        self.where = places(self.stores)
        last = dt.datetime.combine(START, dt.time()) + dt.timedelta(days=self.days)
        self.state = self.state or Situation(
            version="1",
            now=last + dt.timedelta(hours=10, minutes=24),
            known_at=last + dt.timedelta(hours=10, minutes=4),
            start_date=START,
            currency="USD",
            is_demo=True,
            is_emulated=True,
            simulated_until_day=self.days - self.promised_days - 1,
            release="base-stock-7",
            promoted_day=self.days - self.promised_days,
            not_told=(
                NotTold("truck_speed_factor", 0.85, 1.0),
                NotTold("shrink_per_unit_sold", 0.004, 0.001),
                NotTold("refuse_share", 0.06, 0.0),
            ),
            panel_expansion=12.0,
        )

    def situation(self) -> Situation:
        assert self.state is not None
        return self.state

    def tick(self, minutes: int) -> None:
        """Let the demo clock go on without new figures."""
        assert self.state is not None
        self.state = replace(self.state, now=self.state.now + dt.timedelta(minutes=minutes))

    def places(self) -> Places:
        return self.where

    def costs(self) -> CostModel:
        return CostModel()

    def actual(self) -> DayFacts | None:
        size = len(self.where.ids)
        level = np.full((self.days, size), 0.97)
        level[-14:, 2 : 2 + max(size // 6, 1)] = 0.93
        return facts(self.where, 0, self.days, 99, level)

    def promise(self) -> list[DayFacts]:
        first = self.days - self.promised_days
        return [facts(self.where, first, self.promised_days, run) for run in range(self.runs)]


class FixtureGate:
    """Log-in against :data:`PEOPLE`."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def log_in(self, name: str, password: str) -> Person | None:
        person = PEOPLE.get(name)
        if person is None or password != PASSWORD:
            return None
        session[SESSION_KEY] = person.as_session()
        return person

    def log_out(self) -> None:
        session.clear()

    def person(self, cookies: Mapping[str, str]) -> Person | None:
        return person_of_cookie(self._app, cookies.get("session"))


def demo_clock() -> dt.datetime:
    """A demo that stands still."""
    return dt.datetime.fromisoformat("2026-03-16T10:24:00")


def flask_app() -> tuple[Flask, FixtureGate]:
    """A Flask app with the server-rendered pages and the stand-in log-in."""
    from tests.phone_fixture import Till, api
    from ui import phone
    from ui.web import DemoUser, make_blueprint

    app = Flask("fixture", static_folder=None)
    app.secret_key = "only-for-tests"
    gate = FixtureGate(app)
    users = [DemoUser(name, PASSWORD, person.role) for name, person in PEOPLE.items()]
    app.register_blueprint(make_blueprint(gate, users, demo_clock=demo_clock))
    app.register_blueprint(phone.make_blueprint(gate, emulated=True, demo_clock=demo_clock))
    app.register_blueprint(api(Till(), gate))
    return app, gate
