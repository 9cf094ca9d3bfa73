"""The nightly planner: releases → view → frozen forecast → decision → proposals and routes.

One at a time; one plan for a release and business day, whoever asks how often. All rows
of a plan are written in one transaction with its log entry, so that a planner that died
has left either everything or a log entry that the next call takes up.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, insert, select, update

from ops_api.clock import epoch
from ops_api.database import reading, writing
from ops_api.ledger.rows import derived_id
from ops_api.ledger.write import announce, record_audit
from ops_api.masterdata.service import network_of
from ops_api.planning import locks
from ops_api.planning.day_panel import sales_panel
from ops_api.planning.documents import PlanHead, PlanRows, plan_rows
from ops_api.planning.executor import accept_small
from ops_api.planning.facts import pack_forecast, unpack_forecast
from ops_api.planning.ledger_columns import LedgerReader
from ops_api.planning.phantoms import Silence
from ops_api.planning.recent import recent_tours
from ops_api.planning.releases import ACTIVE, PILOT, SHADOW, checked, releases_in
from ops_api.planning.safety import safety_units, store_lines
from ops_api.planning.tables import (
    FORECASTS,
    PLANS,
    PROPOSAL_LINES,
    PROPOSALS,
    ROUTE_STOPS,
    ROUTES,
)
from ops_api.planning.view import view_from_sql
from ops_api.quality.rules import Finding
from ops_api.quality.service import blocked, keep_counts, left_out
from ops_api.transfers.documents import PLANNER
from policies.bundle import PolicyBundle
from policies.domain.decision import Decision
from policies.domain.errors import InvalidInput
from policies.domain.forecast import Forecast, SalesPanel
from policies.domain.network import DAY_SECONDS, BoolArray, Network
from policies.domain.view import NetworkView

LOCK = "planner"
PANEL_DAYS = 56


@dataclass(frozen=True)
class PlanRules:
    """What a deployment decides about planning.

    Attributes
    ----------
    auto_approve_cents : proposals worth less need no person; 0 = every one does
    panel_days : days of sales a forecast is made of
    silent_counts : most counts of silent shelves a store is asked for with a new forecast
    """

    auto_approve_cents: int = 0
    panel_days: int = PANEL_DAYS
    silent_counts: int = 5


@dataclass(frozen=True)
class _Night:
    """What one planner run works with."""

    engine: Engine
    network: Network
    as_of_s: int
    now: int
    rules: PlanRules
    reader: LedgerReader | None

    @property
    def day(self) -> int:
        return self.as_of_s // DAY_SECONDS


def plan(
    engine: Engine,
    as_of: dt.datetime,
    *,
    now: dt.datetime | None = None,
    rules: PlanRules | None = None,
    reader: LedgerReader | None = None,
) -> dict[str, Any]:
    """Plan the business day of `as_of` for every acting and shadow release.

    Parameters
    ----------
    as_of : aware time of the cut-off; what was recorded later is not seen
    now : aware time that rows are stamped with; default `as_of`
    reader : LedgerReader or None, one that has read most of the ledger already

    Returns
    -------
    dict
        ``proposals``, ``routes``, ``lines``, ``accepted``, ``seconds``, and ``plans``: one
        entry a release, ``kept`` where it was planned before.

    Raises
    ------
    Busy
        Another planner is at work.
    ReleaseRefused
        The installed policy code is not the release's; other releases are planned first.
    """
    if as_of.tzinfo is None:
        raise InvalidInput("a time without zone", field="as_of", remedy="give an aware time")
    began = time.perf_counter()
    stamp = epoch(now if now is not None else as_of)
    with locks.held(engine, LOCK, stamp):
        with reading(engine) as connection:
            network = reader.network if reader is not None else network_of(connection)
            acting = releases_in(connection, ACTIVE, PILOT)
            shadows = releases_in(connection, SHADOW)
        night = _Night(
            engine,
            network,
            network.seconds(as_of),
            stamp,
            rules or PlanRules(),
            reader,
        )
        pilots = _pilot_mask(network, acting)
        made, failure = [], None
        for release in (*acting, *shadows):
            try:
                made.append((release, _decide(night, release, pilots)))
            except Exception as error:  # noqa: BLE001
                # One release's fault keeps no other from being planned; it is raised after.
                failure = failure or error
        # Orders are placed when all have decided: none sees what another orders tonight.
        plans = [_place(night, release, known) for release, known in made]
        if failure is not None:
            raise failure
    totals = {key: sum(one[key] for one in plans) for key in ("proposals", "lines", "routes")}
    accepted = sum(one["accepted"] for one in plans)
    seconds = time.perf_counter() - began
    return {**totals, "accepted": accepted, "seconds": round(seconds, 3), "plans": plans}


def _decide(night: _Night, release: Any, pilots: BoolArray) -> tuple[str, bool]:
    """(id of the night's plan, whether it was there before); makes it where it was not."""
    plan_id = "PL-" + derived_id("plan", release.id, night.day)[:13]
    started = time.perf_counter()
    with writing(night.engine) as connection:
        known = connection.execute(select(PLANS).where(PLANS.c.id == plan_id)).first()
        if known is not None and known.state == "done":
            return plan_id, True
        _begin(connection, plan_id, release, night, known)
    try:
        _make(night, release, plan_id, pilots, started)
    except BaseException as error:
        with writing(night.engine) as connection:
            connection.execute(
                update(PLANS)
                .where(PLANS.c.id == plan_id)
                .values(state="failed", error=f"{type(error).__name__}: {error}"[:2_000])
            )
        raise
    return plan_id, False


def _place(night: _Night, release: Any, known: tuple[str, bool]) -> dict[str, Any]:
    """Accept what the rule lets through, also what a crash left open; the log's answer."""
    plan_id, is_kept = known
    accepted = 0
    if release.state != SHADOW:
        limit = night.rules.auto_approve_cents
        accepted = accept_small(night.engine, plan_id, limit, now=night.now)
    with reading(night.engine) as connection:
        done = connection.execute(select(PLANS).where(PLANS.c.id == plan_id)).one()
    return {
        "id": plan_id,
        "release": release.id,
        "stage": done.stage,
        "kept": is_kept,
        "proposals": done.proposals,
        "lines": done.lines,
        "routes": done.routes,
        "accepted": accepted,
        "seconds": round(done.seconds, 3),
    }


def _begin(connection: Connection, plan_id: str, release: Any, night: _Night, known: Any) -> None:
    if known is not None:
        connection.execute(
            update(PLANS)
            .where(PLANS.c.id == plan_id)
            .values(state="running", attempts=PLANS.c.attempts + 1, started_at=night.now, error="")
        )
        return
    connection.execute(
        insert(PLANS).values(
            id=plan_id,
            release_id=release.id,
            business_day=night.day,
            stage=release.state,
            state="running",
            as_of=epoch(night.network.utc(night.as_of_s)),
            started_at=night.now,
        )
    )


def _make(night: _Night, release: Any, plan_id: str, pilots: BoolArray, started: float) -> None:
    """Decide, and write everything at once."""
    bundle = checked(release.content).bundle()
    scope = _scope(night.network, release, pilots)
    with reading(night.engine) as connection:
        # A SKU with a pack of zero units, a store no truck reaches: better no order than that.
        barred, found = left_out(connection, night.network)
        if barred is not None:
            scope = ~barred if scope is None else scope & ~barred
        forecast, panel = current_forecast(
            connection, night.network, release.id, bundle, night.as_of_s, night.rules, night.reader
        )
        view = view_from_sql(
            connection,
            night.network,
            night.as_of_s,
            calendar=bundle.calendar,
            forecast=forecast,
            scope=scope,
            recent_routes=_recent(connection, night, bundle),
        )
    decision = bundle.decide(view)
    silence = Silence.of(view, panel) if release.state == ACTIVE else None
    state = "shadow" if release.state == SHADOW else "open"
    head = PlanHead(plan_id, release.id, state, "nightly", night.now, night.now)
    rows = plan_rows(view, decision, head, bundle.loading.cents_per_km)
    if release.state == SHADOW:
        rows.routes, rows.stops = [], []
        for proposal in rows.proposals:
            proposal["route_id"] = ""
    with writing(night.engine) as connection:
        if panel is not None:
            _freeze(connection, release.id, forecast, panel.days, night.now)
        if release.state != SHADOW:
            _expire(connection, plan_id, release.id, night.now)
        if release.state == ACTIVE:
            store_lines(connection, night.network, safety_units(forecast, night.network))
        if silence is not None:
            silence.write(connection, night.rules.silent_counts, plan_id, night.now)
        _write(connection, rows)
        keep_counts(connection, found, night.now)
        _say_left_out(connection, plan_id, found)
        _finish(connection, plan_id, view, decision, rows, night.now, started)


def _recent(
    connection: Connection, night: _Night, bundle: PolicyBundle
) -> tuple[tuple[int, ...], ...]:
    if not bundle.rules.stability_metres:
        return ()
    return recent_tours(connection, night.network, night.as_of_s // DAY_SECONDS)


def current_forecast(
    connection: Connection,
    network: Network,
    release_id: str,
    bundle: PolicyBundle,
    as_of_s: int,
    rules: PlanRules,
    reader: LedgerReader | None = None,
) -> tuple[Forecast, SalesPanel | None]:
    """The issue that holds tonight, and the sales it was made of if it is new.

    A new one is due when the last is `forecast_every_days` old, or sooner while it was
    made of fewer days than that.
    """
    day = as_of_s // DAY_SECONDS
    f = FORECASTS.c
    last = connection.execute(
        select(FORECASTS)
        .where(f.release_id == release_id, f.issued_day <= day + 1)
        .order_by(f.issued_day.desc())
        .limit(1)
    ).first()
    if last is not None:
        age = day + 1 - last.issued_day
        if age < min(bundle.forecast_every_days, last.panel_days):
            return unpack_forecast(last.content), None
    panel = sales_panel(connection, network, as_of_s, rules.panel_days, reader)
    return bundle.issue_forecast(panel, network), panel


def _pilot_mask(network: Network, acting: list[Any]) -> BoolArray:
    """(L,) bool: stores that a pilot decides for."""
    out = np.zeros(network.shape[0], dtype=np.bool_)
    for release in acting:
        if release.state == PILOT:
            for store in json.loads(release.pilot_locations):
                out[network.location_index(store)] = True
    return out


def _scope(network: Network, release: Any, pilots: BoolArray) -> BoolArray | None:
    """(L, K) bool: cells the release may order for; None = all."""
    rows = np.ones(network.shape[0], dtype=np.bool_)
    stores = checked(release.content).scope
    if stores:
        rows[network.stores] = False
        rows[[network.location_index(store) for store in stores]] = True
    if release.state == PILOT:
        rows &= pilots
    elif release.state == ACTIVE:
        rows &= ~pilots
    if rows.all():
        return None
    return np.repeat(rows[:, None], network.shape[1], axis=1)


def _freeze(
    connection: Connection, release_id: str, forecast: Forecast, panel_days: int, now: int
) -> None:
    connection.execute(
        insert(FORECASTS).values(
            id="FC-" + derived_id("forecast", release_id, forecast.issued_day)[:13],
            release_id=release_id,
            issued_day=forecast.issued_day,
            sha256=forecast.digest(),
            provenance=forecast.provenance[:400],
            panel_days=panel_days,
            recorded_at=now,
            content=pack_forecast(forecast),
        )
    )


def _expire(connection: Connection, plan_id: str, release_id: str, now: int) -> None:
    """What nobody decided yesterday is superseded by tonight's plan."""
    p = PROPOSALS.c
    connection.execute(
        update(PROPOSALS)
        .where(p.state == "open", p.release_id == release_id, p.plan_id != plan_id)
        .values(state="expired", decided_at=now, decided_by=PLANNER, open_for=None)
    )


def _write(connection: Connection, rows: PlanRows) -> None:
    for table, values in (
        (PROPOSALS, rows.proposals),
        (PROPOSAL_LINES, rows.lines),
        (ROUTES, rows.routes),
        (ROUTE_STOPS, rows.stops),
    ):
        if values:
            connection.execute(insert(table), values)


def _say_left_out(connection: Connection, plan_id: str, found: dict[str, list[Finding]]) -> None:
    names = sum(len(subjects) for subjects in blocked(found).values())
    connection.execute(update(PLANS).where(PLANS.c.id == plan_id).values(left_out=names))


def _finish(
    connection: Connection,
    plan_id: str,
    view: NetworkView,
    decision: Decision,
    rows: PlanRows,
    now: int,
    started: float,
) -> None:
    counts = {"proposals": len(rows.proposals), "lines": len(rows.lines)}
    forecast = view.forecast
    connection.execute(
        update(PLANS)
        .where(PLANS.c.id == plan_id)
        .values(
            state="done",
            finished_at=now,
            seconds=time.perf_counter() - started,
            forecast_id=forecast.digest()[:64] if forecast is not None else "",
            view_sha256=decision.header.view_sha256,
            decision_sha256=decision.digest(),
            routes=len(rows.routes),
            **counts,
        )
    )
    record_audit(
        connection, "plan.made", recorded_at=now, actor=PLANNER, subject=plan_id, detail=counts
    )
    announce(connection, "plan.made", {"plan": plan_id, **counts}, recorded_at=now)
