"""Addresses of planning: releases, proposals, routes, plans, needs, KPIs."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Connection, select

from ops_api.clock import epoch
from ops_api.ledger.clocks import check_not_ahead
from ops_api.ledger.rows import derived_id
from ops_api.planning import executor, planner, releases, trucks
from ops_api.planning.live import live_of
from ops_api.planning.queries import (
    kpi_table,
    list_needs,
    list_plans,
    list_proposals,
    list_releases,
    list_routes,
    whole_proposal,
    whole_route,
)
from ops_api.planning.schemas import (
    Acceptance,
    Edit,
    KpiQuery,
    NewRelease,
    NewRoute,
    PlanNow,
    ProposalQuery,
    Refusal,
    ReleaseStep,
    RouteEnd,
    RouteQuery,
    RouteStep,
)
from ops_api.planning.tables import PROPOSALS, ROUTES
from ops_api.planning.wallclock import WallClock
from ops_api.transfers.routes import act_of
from ops_api.web.body import Strict
from ops_api.web.registry import (
    Call,
    Chain,
    Document,
    Endpoint,
    Handler,
    Registry,
    Rows,
    Scope,
    Site,
    unknown_document,
)
from ops_api.web.schemas import JsonObject


def ends_of_proposal(connection: Connection, proposal: str) -> tuple[str, ...]:
    """Origin and destination of a proposal."""
    found = connection.execute(
        select(PROPOSALS.c.origin, PROPOSALS.c.destination).where(PROPOSALS.c.id == proposal)
    ).first()
    return (found.origin, found.destination) if found else ()


_PROPOSAL = Document(ends_of_proposal)
_ROUTE = Document(trucks.ends_of)


def register(registry: Registry) -> None:
    """Add the endpoints of planning."""
    reads: tuple[tuple[str, str, str, Scope, Handler, type[Strict] | None], ...] = (
        ("releases", "/releases", "release.read", Chain(), releases_list, None),
        ("proposals", "/proposals", "proposal.read", Rows(), proposals, ProposalQuery),
        ("proposal", "/proposals/{id}", "proposal.read", _PROPOSAL, proposal, None),
        ("routes", "/routes", "route.read", Rows(), routes, RouteQuery),
        ("route", "/routes/{id}", "route.read", _ROUTE, route, None),
        ("plans", "/plans", "release.read", Chain(), plans, None),
        ("needs", "/needs", "proposal.read", Rows(), needs, None),
        ("kpis", "/kpis", "kpi.read", Rows(), kpis, KpiQuery),
    )
    for name, path, permission, scope, handler, query in reads:
        registry.add(
            Endpoint(
                name=name,
                method="GET",
                path=path,
                permission=permission,
                scope=scope,
                handler=handler,
                statuses=(200,),
                answer=JsonObject,
                query=query,
            )
        )
    writes: tuple[tuple[str, str, str, Scope, Handler, type[Strict], int], ...] = (
        (
            "release_create",
            "/releases",
            "release.propose",
            Chain(),
            release_create,
            NewRelease,
            201,
        ),
        *(
            (
                f"release_{step}",
                f"/releases/{{id}}:{step}",
                "release.decide",
                Chain(),
                handler,
                ReleaseStep,
                200,
            )
            for step, handler in _RELEASE_STEPS.items()
        ),
        *(
            (
                f"proposal_{step}",
                f"/proposals/{{id}}:{step}",
                "proposal.decide",
                _PROPOSAL,
                handler,
                body,
                200,
            )
            for step, handler, body in (
                ("accept", proposal_accept, Acceptance),
                ("edit", proposal_edit, Edit),
                ("refuse", proposal_refuse, Refusal),
            )
        ),
        (
            "route_create",
            "/routes",
            "route.record",
            Site(lambda body: [body.origin]),
            route_create,
            NewRoute,
            201,
        ),
        *(
            (f"route_{step}", f"/routes/{{id}}:{step}", "route.record", _ROUTE, handler, body, 200)
            for step, handler, body in (
                ("depart", route_depart, RouteEnd),
                ("arrive", route_arrive, RouteStep),
                ("unload", route_unload, RouteStep),
                ("return", route_return, RouteEnd),
            )
        ),
    )
    # No key: a plan is made once for a release and business day, however often it is asked.
    registry.add(
        Endpoint(
            name="plan_run",
            method="POST",
            path="/plans:run",
            permission="plan.run",
            scope=Chain(),
            handler=plan_run,
            statuses=(200, 409, 422),
            answer=JsonObject,
            body=PlanNow,
        )
    )
    for name, path, permission, place, act, body, success in writes:
        registry.add(
            Endpoint(
                name=name,
                method="POST",
                path=path,
                permission=permission,
                scope=place,
                handler=act,
                statuses=(success, 403, 404, 409, 422),
                answer=JsonObject,
                body=body,
                writes=True,
                keyed=True,
            )
        )


def releases_list(call: Call) -> dict[str, Any]:
    """Releases with their evidence, newest change first."""
    return {"releases": list_releases(call.connection)}


def release_create(call: Call) -> dict[str, Any]:
    """Take a release file in; refused where it belongs to other policy code."""
    body: NewRelease = call.body
    return releases.propose(
        call.connection, body.release, actor=call.principal.person, now=call.now
    )


def _step(to: str, call: Call) -> dict[str, Any]:
    body: ReleaseStep = call.body
    return releases.move(
        call.connection,
        call.path["id"],
        to,
        actor=call.principal.person,
        now=call.now,
        pilot_locations=tuple(body.locations),
        note=body.note,
    )


def release_shadow(call: Call) -> dict[str, Any]:
    """Compute its proposals beside the acting release, execute none."""
    return _step(releases.SHADOW, call)


def release_pilot(call: Call) -> dict[str, Any]:
    """Let it decide for the named stores."""
    return _step(releases.PILOT, call)


def release_activate(call: Call) -> dict[str, Any]:
    """Let it decide for the chain; the one before it is retired."""
    return _step(releases.ACTIVE, call)


def release_retire(call: Call) -> dict[str, Any]:
    """Keep it for audit only."""
    return _step(releases.RETIRED, call)


def release_rollback(call: Call) -> dict[str, Any]:
    """Pull it back; the one it replaced acts again."""
    body: ReleaseStep = call.body
    return releases.rollback(
        call.connection,
        call.path["id"],
        actor=call.principal.person,
        now=call.now,
        note=body.note,
    )


_RELEASE_STEPS = {
    "shadow": release_shadow,
    "pilot": release_pilot,
    "activate": release_activate,
    "retire": release_retire,
    "rollback": release_rollback,
}


def proposals(call: Call) -> dict[str, Any]:
    """Proposals within reach; `next` is the cursor of a further page."""
    query: ProposalQuery = call.query
    rows = list_proposals(call.connection, query, call.reach)
    return {"proposals": rows, "next": rows[-1]["id"] if len(rows) == query.limit else None}


def proposal(call: Call) -> dict[str, Any]:
    """One proposal with the numbers that explain it."""
    found = select(PROPOSALS).where(PROPOSALS.c.id == call.path["id"])
    row = call.connection.execute(found).first()
    if row is None:
        raise unknown_document(call.path["id"])
    return whole_proposal(call.connection, row)


def proposal_accept(call: Call) -> dict[str, Any]:
    """Accept as proposed: it becomes an order."""
    return executor.accept(call.connection, call.path["id"], act_of(call))


def proposal_edit(call: Call) -> dict[str, Any]:
    """Accept with other quantities."""
    body: Edit = call.body
    return executor.accept(call.connection, call.path["id"], act_of(call), body.quantities)


def proposal_refuse(call: Call) -> dict[str, Any]:
    """Refuse, with a reason code."""
    body: Refusal = call.body
    return executor.refuse(call.connection, call.path["id"], act_of(call), body.reason)


def routes(call: Call) -> dict[str, Any]:
    """Routes within reach with their stops, newest first."""
    return {"routes": list_routes(call.connection, call.query, call.reach)}


def route(call: Call) -> dict[str, Any]:
    """One route with its stops."""
    found = select(ROUTES).where(ROUTES.c.id == call.path["id"])
    row = call.connection.execute(found).first()
    if row is None:
        raise unknown_document(call.path["id"])
    return whole_route(call.connection, row)


def route_create(call: Call) -> dict[str, Any]:
    """Open a run that no plan foresaw."""
    body: NewRoute = call.body
    stops = [trucks.NewStop(one.location, epoch(one.planned_at), one.kg) for one in body.stops]
    name = "RT-" + derived_id(call.key)[:13]
    act = act_of(call, body.departs_at)
    return trucks.open_route(call.connection, name, body.origin, stops, body.metres, act)


def _end(step: Any, call: Call) -> dict[str, Any]:
    body: RouteEnd = call.body
    out: dict[str, Any] = step(
        call.connection, call.path["id"], act_of(call, body.occurred_at), body.odometer_m
    )
    return out


def _at_stop(step: Any, call: Call) -> dict[str, Any]:
    body: RouteStep = call.body
    out: dict[str, Any] = step(
        call.connection, call.path["id"], body.location, act_of(call, body.occurred_at)
    )
    return out


def route_depart(call: Call) -> dict[str, Any]:
    """The truck leaves."""
    return _end(trucks.depart, call)


def route_arrive(call: Call) -> dict[str, Any]:
    """The truck stands at a stop."""
    return _at_stop(trucks.arrive, call)


def route_unload(call: Call) -> dict[str, Any]:
    """A stop's load is off."""
    return _at_stop(trucks.unload, call)


def route_return(call: Call) -> dict[str, Any]:
    """The truck is back."""
    return _end(trucks.come_back, call)


def plans(call: Call) -> dict[str, Any]:
    """The planner's run log."""
    return {"plans": list_plans(call.connection)}


def plan_run(call: Call) -> dict[str, Any]:
    """Run the nightly planner now; a day that is planned is kept as it is."""
    body: PlanNow = call.body
    now = dt.datetime.fromtimestamp(call.now, dt.UTC)
    check_not_ahead(epoch(body.as_of or now), call.now, call.settings.future_tolerance_s)
    return planner.plan(
        call.connection.engine,
        body.as_of or now,
        now=now,
        rules=planner.PlanRules(
            call.settings.auto_approve_cents, silent_counts=call.settings.silent_counts
        ),
    )


def needs(call: Call) -> dict[str, Any]:
    """Stock that fell below its safety line, and what became of it."""
    return {"needs": list_needs(call.connection, call.reach)}


def kpis(call: Call) -> dict[str, Any]:
    """Key figures of reality or of the promise, by the same functions."""
    network = live_of(call.connection).network(call.connection)
    now_s = WallClock(network).second(call.now)
    return kpi_table(call.connection, call.query, now_s, call.reach)
