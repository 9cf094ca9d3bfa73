"""The same ledger gives the same view, decision and key figures, from columns and from SQL."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ops_api.database import reading
from ops_api.ledger.export import export_columns
from ops_api.ledger.health import check_ledger
from ops_api.ledger.schema import MOVEMENTS
from ops_api.planning.facts import day_facts_from_sql
from ops_api.planning.planner import PlanRules, current_forecast
from ops_api.planning.view import (
    Moment,
    book_from_sql,
    panel_from_sql,
    view_from_sql,
)
from policies.domain.facts import LATENT_FACTS, LOCATION_FACTS, SKU_FACTS
from policies.domain.kpis import KPIS, value
from policies.domain.ledger import Movement, MovementColumns, MovementKind
from policies.domain.network import DAY_SECONDS
from policies.domain.panel import day_facts
from policies.domain.stock import project
from policies.registry import build_bundle
from scenarios.history.generate import generate_chain
from tests.parity.parity_ledgers import (
    service_with,
    with_forecasts,
    with_history,
    with_prices,
)
from twin.result import Trace
from twin.run import simulate
from twin.scenario import Frictions, Opening, Scenario, StoreRules
from twin.state import cover_opening

DAYS, FIRST = 10, 3
LOADED_OTHERWISE = {"route_starts_micro", "empty_metres", "revenue_cents"}
"""The loader makes each stop a tour, and leaves prices to the test of revenue."""


@dataclasses.dataclass(frozen=True)
class Both:
    """One twin run, and the service that holds its ledger."""

    scenario: Scenario
    bundle: object
    run: object
    engine: object
    issued: dict[int, object] = dataclasses.field(default_factory=dict)
    """Day → the forecast that held that evening, with the days it may serve."""

    @property
    def network(self):
        return self.scenario.network

    def plan_s(self, day):
        return day * DAY_SECONDS + self.scenario.plan_s


def made(folder, policy, **params):
    network, demand = generate_chain(stores=4, skus=20, days=16, lines_per_store_day=60, seed=7)
    bare = Scenario("parity", network, demand, FIRST, DAYS, opening_cover_days=3.0)
    rng = np.random.default_rng(5)
    sold = rng.poisson(3.0, (5, *network.shape)).astype(np.int32)
    sold[:, network.warehouses] = 0
    start = cover_opening(bare)
    scenario = dataclasses.replace(
        bare,
        opening=Opening(start.book, start.physical, sold=sold),
        frictions=Frictions(0.02, 0.01, 0.05, 0.8, 0.05, 0.05, 0.05),
        store=StoreRules(count_lines_per_day=3),
    )
    bundle = build_bundle(policy, params)
    run = simulate(scenario, bundle, seed=9, trace=Trace(movements=True, decisions=True))
    engine = service_with(folder, network, run.movements, run.documents)
    with_history(engine, network, sold, FIRST - 1)
    return Both(scenario, bundle, run, engine)


@pytest.fixture(scope="module", params=["daily", "weekly"])
def both(request, tmp_path_factory, database):
    """Daily base stock with lateral transfers, and weekly (s, S)."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "daily":
        return made(folder, "base-stock", reviews_per_week=7, lateral_transfers=True)
    return made(folder, "incumbent", reviews_per_week=1)


def test_the_two_ledgers_hold_the_same_columns():
    """Schema equality: every field of a movement is a column, and no column lacks a reason."""
    fields = {item.name.removesuffix("_s") for item in dataclasses.fields(Movement)}
    columns = set(MOVEMENTS.c.keys())
    assert fields <= columns
    assert columns - fields == {"seq", "chain", "chain_seq", "hash"}
    exchange = {item.name.removesuffix("_s") for item in dataclasses.fields(MovementColumns)}
    assert exchange - columns == {"document"}


def test_what_was_loaded_comes_out_as_it_went_in(both):
    """Columns → SQL → columns."""
    book = both.run.movements.where(both.run.movements.visibility == 0)
    out = export_columns(both.engine, both.network)
    for name in ("kind", "sku", "from_location", "to_location", "quantity", "occurred_at_s"):
        assert (getattr(out, name) == getattr(book, name)).all(), name


def test_units_are_conserved_in_both(both):
    """All places of a SKU, virtual ones included, sum to 0; the health check agrees."""
    book = both.run.movements.where(both.run.movements.visibility == 0)
    shape = both.network.shape
    for rows in (book, export_columns(both.engine, both.network)):
        balances = project(rows, *shape)
        total = balances.on_hand.sum(axis=0) + balances.in_transit.sum(axis=0)
        total = total + sum(balances.virtual.values())
        assert (total == 0).all()
    violations = check_ledger(both.engine)["violations"]
    # The loader makes no reservations and has one document a line.
    assert {name: n for name, n in violations.items() if n and name not in ("I4", "I6")} == {}


def test_each_evening_the_planner_sees_what_the_twin_saw(both):
    """Stock, transit, orders and promises, at any evening, by the digest of the whole view."""
    for number, decision in enumerate(both.run.decisions):
        now = both.plan_s(FIRST + number)
        forecast = forecast_of(both, now)
        with reading(both.engine) as connection:
            view = view_from_sql(
                connection,
                both.network,
                now,
                calendar=both.bundle.calendar,
                forecast=forecast,
            )
        assert view.digest() == decision.header.view_sha256, f"evening {number}"


def test_each_evening_the_service_decides_what_the_twin_decided(both):
    """Lines and routes, byte for byte, with the forecast frozen when the twin froze its own."""
    moved = 0
    for number, decision in enumerate(both.run.decisions):
        now = both.plan_s(FIRST + number)
        with reading(both.engine) as connection:
            view = view_from_sql(
                connection,
                both.network,
                now,
                calendar=both.bundle.calendar,
                forecast=forecast_of(both, now),
            )
        again = both.bundle.decide(view)
        assert again.digest() == decision.digest(), f"evening {number}"
        moved += len(again.lines)
    assert moved > 50


def forecast_of(both, now):
    """The issue that held at `now`, made from SQL at the evenings the planner would."""
    for day in range(FIRST, now // DAY_SECONDS + 1):
        if day in both.issued:
            continue
        last = both.issued.get(day - 1)
        if last is not None and day + 1 - last[0].issued_day < min(
            both.bundle.forecast_every_days, last[1]
        ):
            both.issued[day] = last
            continue
        with reading(both.engine) as connection:
            forecast, panel = current_forecast(
                connection, both.network, "none", both.bundle, both.plan_s(day), PlanRules()
            )
            both.issued[day] = forecast, panel.days
    return both.issued[now // DAY_SECONDS][0]


def test_the_sales_panel_of_sql_is_the_one_that_the_twin_grew(both):
    """Sales and time out of stock, the days before the ledger included."""
    day = FIRST + DAYS - 1
    rows = both.run.movements
    with reading(both.engine) as connection:
        panel = panel_from_sql(connection, both.network, both.plan_s(day), 56)
    assert panel.days == DAYS + 5
    assert (panel.sold[:5] == both.scenario.opening.sold).all()
    sale = (rows.kind == MovementKind.SELL) & (rows.occurred_at_s <= both.plan_s(day))
    expected = np.zeros((DAYS, *both.network.shape), dtype=np.int64)
    at = rows.occurred_at_s[sale] // DAY_SECONDS - FIRST
    np.add.at(expected, (at, rows.from_location[sale], rows.sku[sale]), rows.quantity[sale])
    assert (panel.sold[5:] == expected).all()
    assert panel.out_share is not None
    assert panel.out_share.max() > 0


def test_day_facts_and_every_observable_kpi_are_equal(both):
    """The twin's streamed facts, the projector on its columns, and the projector on SQL."""
    network, last = both.network, FIRST + DAYS - 1
    end = (last + 1) * DAY_SECONDS
    forecast_of(both, both.plan_s(last))
    issues = {held[0].issued_day: held for held in both.issued.values()}
    with_forecasts(both.engine, list(issues.values()))
    with reading(both.engine) as connection:
        sql = day_facts_from_sql(connection, network, FIRST, last, end)
    columns = day_facts(
        network,
        both.run.movements,
        both.run.documents,
        FIRST,
        last,
        known_at_s=end,
        sold_before=both.scenario.opening.sold,
    )
    streamed = both.run.facts
    for name in (*SKU_FACTS, *LOCATION_FACTS):
        if name in LATENT_FACTS:
            continue
        if name not in LOADED_OTHERWISE:
            assert (sql.get(name) == streamed.get(name)).all(), name
            if name != "forecast_milliunits":
                assert (columns.get(name) == streamed.get(name)).all(), name
    unlike = {"cost_per_case", "empty_km_share", "write_off_rate"}
    compared = [name for name, kpi in KPIS.items() if kpi.observable and name not in unlike]
    for name in compared:
        a = value(KPIS[name], sql, by=("day",))
        assert np.array_equal(a, value(KPIS[name], streamed, by=("day",)), equal_nan=True), name
    assert "days_of_supply" in compared
    assert sql.get("forecast_milliunits").sum() > 0


def test_revenue_is_what_tills_took(both, tmp_path):
    """A sale's value is a side table of the ledger."""
    network, last = both.network, FIRST + DAYS - 1
    engine = service_with(tmp_path, network, both.run.movements, both.run.documents)
    cents = np.arange(1, network.shape[1] + 1)
    with_prices(engine, network, cents)
    with reading(engine) as connection:
        facts = day_facts_from_sql(connection, network, FIRST, last, (last + 1) * DAY_SECONDS)
    rows = both.run.movements
    sale = rows.kind == MovementKind.SELL
    assert facts.get("revenue_cents").sum() == (rows.quantity[sale] * cents[rows.sku[sale]]).sum()


def test_what_was_recorded_later_is_not_seen(both):
    """No look-ahead: a view of the past is the same whatever has been recorded since."""
    middle = both.plan_s(FIRST + 4)
    rows = both.run.movements.where(both.run.movements.visibility == 0)
    known = rows.known(middle)
    expected = project(known, *both.network.shape)
    with reading(both.engine) as connection:
        book = book_from_sql(connection, both.network, Moment.of(both.network, middle))
    assert len(known) < len(rows)
    assert (book.on_hand == expected.on_hand).all()
    assert (book.in_transit == expected.in_transit).all()


def test_a_row_that_was_heard_of_late_is_seen_from_then_on(both, tmp_path):
    """Two clocks: stock at T as known at R, from SQL as from columns."""
    network = both.network
    rows = both.run.movements.where(both.run.movements.visibility == 0)
    late = rows.recorded_at_s.copy()
    late[np.isin(rows.kind, (MovementKind.SELL, MovementKind.AUTO_FOUND))] += 6 * 3_600
    rows = dataclasses.replace(rows, recorded_at_s=late)
    at = both.plan_s(FIRST + 5)
    engine = service_with(tmp_path, network, rows, both.run.documents)
    seen = set()
    for known in (at, at + 3 * 3_600, at + 7 * 3_600):
        expected = project(rows, *network.shape, at, known)
        with reading(engine) as connection:
            book = book_from_sql(connection, network, Moment.of(network, at, known))
        assert (book.on_hand == expected.on_hand).all()
        seen.add(int(book.on_hand.sum()))
    assert len(seen) == 3
