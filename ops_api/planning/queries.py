"""Reads of planning."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from ops_api.clock import iso
from ops_api.planning.executor import proposal_lines
from ops_api.planning.facts import PROMISE, kept_facts
from ops_api.planning.live import live_of
from ops_api.planning.schemas import KpiQuery, ProposalQuery, RouteQuery
from ops_api.planning.tables import (
    DECISION_QUEUE,
    PLANS,
    PROPOSALS,
    RELEASES,
    ROUTE_STOPS,
    ROUTES,
)
from policies.domain.decision import LineKind, Reason
from policies.domain.errors import InvalidInput
from policies.domain.facts import DayFacts
from policies.domain.kpis import KPIS, Kpi, value
from policies.explain import LineNumbers, sentence


def words(row: Any) -> dict[str, Any]:
    """A row with its times as text."""
    return {k: iso(v) if k.endswith("_at") else v for k, v in row._mapping.items()}


def list_releases(connection: Connection) -> list[dict[str, Any]]:
    """Releases, the one changed last first."""
    rows = connection.execute(
        select(RELEASES).order_by(RELEASES.c.changed_at.desc(), RELEASES.c.id)
    )
    out = []
    for row in rows.all():
        item = words(row)
        content = json.loads(item.pop("content"))
        item["pilot_locations"] = json.loads(item["pilot_locations"])
        item["policy"], item["params"] = content["policy"], content["params"]
        item["kpis"], item["gate"] = content["kpis"], content["gate"]
        out.append(item)
    return out


def list_proposals(
    connection: Connection, query: ProposalQuery, reach: frozenset[str] | None
) -> list[dict[str, Any]]:
    """Proposals that leave from or go to places within reach, with their lines."""
    p = PROPOSALS.c
    found = select(PROPOSALS)
    for column, wanted in (
        (p.destination, query.destination),
        (p.origin, query.origin),
        (p.state, query.state),
        (p.plan_id, query.plan),
    ):
        if wanted:
            found = found.where(column == wanted)
    if query.after:
        found = found.where(p.id > query.after)
    if reach is not None:
        found = found.where(p.destination.in_(sorted(reach)) | p.origin.in_(sorted(reach)))
    rows = connection.execute(found.order_by(p.id).limit(query.limit))
    return [whole_proposal(connection, row) for row in rows.all()]


def whole_proposal(connection: Connection, row: Any) -> dict[str, Any]:
    """A proposal with its lines, each with the numbers that explain it."""
    out = words(row)
    out["kind"] = LineKind(row.kind).name.lower()
    out["lines"] = [_line(line, row.route_id or "") for line in proposal_lines(connection, row.id)]
    return out


def _line(row: Any, tour: str) -> dict[str, Any]:
    demand = row.demand_milli_per_day / 1_000
    before = row.on_hand + row.on_order
    covers = _days(before, demand), _days(before + row.quantity, demand)
    numbers = LineNumbers(
        row.quantity,
        row.reason,
        demand,
        *covers,
        row.risk_before,
        row.risk_after,
        row.value_cents,
        truck=tour,
    )
    return {
        "line": row.line,
        "sku": row.sku,
        "quantity": row.quantity,
        "decided_quantity": row.decided_quantity,
        "reason": Reason(row.reason).name.lower(),
        "on_hand": row.on_hand,
        "on_order": row.on_order,
        "demand_per_day": demand,
        "cover_before_days": covers[0],
        "cover_after_days": covers[1],
        "risk_before": row.risk_before,
        "risk_after": row.risk_after,
        "value_cents": row.value_cents,
        "freight_cents": row.freight_cents,
        "sentence": {language: sentence(numbers, language) for language in ("zh", "en")},
    }


def _days(units: int, per_day: float) -> float | None:
    return round(units / per_day, 1) if per_day > 0 else None


def list_routes(
    connection: Connection, query: RouteQuery, reach: frozenset[str] | None
) -> list[dict[str, Any]]:
    """Routes from or to places within reach, newest first, with their stops."""
    r, s = ROUTES.c, ROUTE_STOPS.c
    found = select(ROUTES)
    if query.warehouse:
        found = found.where(r.warehouse == query.warehouse)
    if query.state:
        found = found.where(r.state == query.state)
    if reach is not None:
        served = select(s.route_id).where(s.location.in_(sorted(reach)))
        found = found.where(r.warehouse.in_(sorted(reach)) | r.id.in_(served))
    rows = connection.execute(
        found.order_by(r.planned_departs_at.desc(), r.id).limit(query.limit)
    ).all()
    return [whole_route(connection, row) for row in rows]


def whole_route(connection: Connection, row: Any) -> dict[str, Any]:
    """A route with its stops."""
    stops = connection.execute(
        select(ROUTE_STOPS).where(ROUTE_STOPS.c.route_id == row.id).order_by(ROUTE_STOPS.c.position)
    )
    return words(row) | {"stops": [words(stop) for stop in stops]}


def list_plans(connection: Connection, limit: int = 60) -> list[dict[str, Any]]:
    """The planner's run log, newest first."""
    rows = connection.execute(
        select(PLANS).order_by(PLANS.c.business_day.desc(), PLANS.c.id).limit(limit)
    )
    return [words(row) for row in rows]


def list_needs(
    connection: Connection, reach: frozenset[str] | None, limit: int = 200
) -> list[dict[str, Any]]:
    """Needs queued by sales, newest first."""
    q = DECISION_QUEUE.c
    found = select(DECISION_QUEUE).order_by(q.seq.desc()).limit(limit)
    if reach is not None:
        found = found.where(q.location.in_(sorted(reach)))
    return [words(row) for row in connection.execute(found)]


def kpi_table(
    connection: Connection, query: KpiQuery, now_s: int, reach: frozenset[str] | None
) -> dict[str, Any]:
    """Key figures of reality, or of the promise with its band over replications."""
    kpis = _wanted(query.kpi)
    live = live_of(connection)
    if query.source == "actual":
        facts = live.actual(connection, now_s)
        runs = [] if facts is None else [facts]
        kpis = [kpi for kpi in kpis if kpi.observable]
    else:
        runs = kept_facts(connection, PROMISE)
    runs = [_cut(run, query, reach) for run in runs]
    out: dict[str, Any] = {"source": query.source, "by": query.by, "kpis": []}
    if not runs:
        return out
    out |= {
        "first_day": runs[0].first_day,
        "last_day": runs[0].first_day + runs[0].days - 1,
        "as_known_at_s": runs[0].as_known_at_s,
        "replications": len(runs),
    }
    axis = () if query.by == "total" else (query.by,)
    if query.by != "total":
        out["keys"] = _keys(runs[0], query.by)
    for kpi in kpis:
        values = np.array([value(kpi, run, by=axis) for run in runs], dtype=np.float64)
        item = {
            "name": kpi.name,
            "unit": kpi.unit,
            "direction": kpi.direction,
            "value": _plain(np.median(values, axis=0)),
        }
        if query.source == "twin":
            # A band over few replications would be an invention.
            band = np.quantile(values, [0.1, 0.9], axis=0) if len(runs) >= 19 else [np.nan] * 2
            item |= {"p10": _plain(band[0]), "p90": _plain(band[1])}
        out["kpis"].append(item)
    return out


def _wanted(name: str) -> list[Kpi]:
    if not name:
        return list(KPIS.values())
    if name not in KPIS:
        raise InvalidInput(f"no KPI {name!r}", field="kpi", remedy=f"one of {', '.join(KPIS)}")
    return [KPIS[name]]


def _cut(facts: DayFacts, query: KpiQuery, reach: frozenset[str] | None) -> DayFacts:
    end = facts.first_day + facts.days - 1
    first = facts.first_day if query.first_day is None else max(query.first_day, facts.first_day)
    last = end if query.last_day is None else min(query.last_day, end)
    if last < first:
        raise InvalidInput(
            f"days {query.first_day} to {query.last_day} are not recorded",
            field="first_day",
            remedy=f"ask for days between {facts.first_day} and {end}",
        )
    part = facts.window(first, last)
    if reach is None:
        return part
    rows = [i for i, name in enumerate(part.locations) if name in reach]
    return DayFacts(
        part.first_day,
        tuple(part.locations[i] for i in rows),
        part.categories,
        part.sku_facts[:, rows],
        part.location_facts[:, rows],
        part.has_latent,
        part.as_known_at_s,
    )


def _keys(facts: DayFacts, by: str) -> list[Any]:
    if by == "day":
        return list(range(facts.first_day, facts.first_day + facts.days))
    return list(facts.locations if by == "location" else facts.categories)


def _plain(values: Any) -> Any:
    """Numbers as JSON has them: null for what has no figure."""
    flat: Iterable[float] = np.atleast_1d(np.asarray(values, dtype=np.float64)).tolist()
    out = [None if not np.isfinite(one) else one for one in flat]
    return out if np.ndim(values) else out[0]
