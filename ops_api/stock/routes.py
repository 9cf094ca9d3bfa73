"""Addresses of stock, movements and audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from ops_api.clock import epoch, iso
from ops_api.ledger.reversal import ends_of, reverse_movement
from ops_api.ledger.rows import ACTUAL
from ops_api.ledger.schema import AUDIT, MOVEMENTS
from ops_api.ledger.settled import settled_up_to
from ops_api.masterdata.service import require_location
from ops_api.people.roles import EXECUTIVE, KEEPER, MANAGER, Principal
from ops_api.stock.opening import Opening, open_shelves
from ops_api.stock.queries import in_transit_to, stock_as_of, stock_now
from ops_api.web.registry import Call, Chain, Document, Endpoint, Registry, Rows, Site
from ops_api.web.schemas import Empty, JsonObject, MovementQuery, StockQuery
from policies.domain.ledger import MovementKind

_SITE = Site(lambda query: [query.location])


def register(registry: Registry) -> None:
    """Add the endpoints."""
    reads = (
        ("stock", "/stock", "stock.read", _SITE, stock, StockQuery, (200,)),
        ("movements", "/movements", "movement.read", Rows(), movements, MovementQuery, (200,)),
        ("audit", "/audit", "audit.read", Chain(), audit, MovementQuery, (200,)),
    )
    for name, path, permission, scope, handler, query, statuses in reads:
        registry.add(
            Endpoint(
                name=name,
                method="GET",
                path=path,
                permission=permission,
                scope=scope,
                handler=handler,
                statuses=statuses,
                answer=JsonObject,
                query=query,
            )
        )
    registry.add(
        Endpoint(
            name="movement_reverse",
            method="POST",
            path="/movements/{id}:reverse",
            permission="movement.reverse",
            scope=Document(ends_of),
            handler=reverse,
            statuses=(201, 409, 403, 422),
            answer=JsonObject,
            body=Empty,
            writes=True,
            keyed=True,
        )
    )

    registry.add(
        Endpoint(
            name="opening_stock",
            method="POST",
            path="/opening-stock",
            permission="opening.post",
            scope=Chain(),
            handler=opening,
            statuses=(201, 404, 409),
            answer=JsonObject,
            body=Opening,
            writes=True,
            keyed=True,
        )
    )


def opening(call: Call) -> dict[str, Any]:
    """Begin the book of shelves that have none: once per location and SKU."""
    lines = [(line.location, line.sku, line.quantity) for line in call.body.lines]
    made = open_shelves(call.connection, lines, call.now, call.principal.person)
    return {"lines": made}


def stock(call: Call) -> dict[str, Any]:
    """Stock of a location now, or at a time as known at another."""
    query: StockQuery = call.query
    require_location(call.connection, query.location)
    sku = query.sku or None
    if query.as_of is None and query.known_at is None:
        rows = stock_now(call.connection, query.location, sku, query.limit)
        return {
            "location": query.location,
            "as_of": iso(call.now),
            "known_at": iso(call.now),
            "rows": rows,
            "in_transit": in_transit_to(call.connection, query.location, sku),
        }
    as_of = epoch(query.as_of) if query.as_of else call.now
    known_at = epoch(query.known_at) if query.known_at else call.now
    rows = stock_as_of(
        call.connection, query.location, sku, as_of, known_at, query.limit, now=call.now
    )
    return {
        "location": query.location,
        "as_of": iso(as_of),
        "known_at": iso(known_at),
        "rows": rows,
    }


def movements(call: Call) -> dict[str, Any]:
    """Movements after a cursor, within the caller's reach: none is skipped or given twice."""
    query: MovementQuery = call.query
    m = MOVEMENTS.c
    settled = settled_up_to(call.connection, MOVEMENTS, query.after, whole=call.is_whole)
    found = select(MOVEMENTS).where(m.seq > query.after, m.run_id == ACTUAL, m.visibility == 0)
    found = found.where(m.seq <= settled)
    if query.location:
        found = found.where((m.from_location == query.location) | (m.to_location == query.location))
    if query.sku:
        found = found.where(m.sku == query.sku)
    if call.reach is not None:
        reach = sorted(call.reach)
        found = found.where(m.from_location.in_(reach) | m.to_location.in_(reach))
    rows = call.connection.execute(found.order_by(m.seq).limit(query.limit)).all()
    return {"movements": [_movement(row) for row in rows]} | _cursors(rows, query.limit, settled)


def _cursors(rows: Sequence[Any], limit: int, settled: int) -> dict[str, int | None]:
    """`next` where there may be more now; `follow` is where a client goes on later."""
    more = rows[-1].seq if len(rows) == limit else None
    return {"next": more, "follow": settled if more is None else more}


def _movement(row: Any) -> dict[str, Any]:
    return dict(row._mapping) | {
        "kind": MovementKind(row.kind).name.lower(),
        "occurred_at": iso(row.occurred_at),
        "recorded_at": iso(row.recorded_at),
    }


def reverse(call: Call) -> dict[str, Any]:
    """Undo a movement by its exact opposite; own ones for ten minutes, later a manager."""
    places = ends_of(call.connection, call.path["id"])
    new = reverse_movement(
        call.connection,
        call.path["id"],
        actor=call.principal.person,
        now=call.now,
        undo_s=call.settings.undo_s,
        is_manager=leads_at(call.principal, places),
        listeners=call.settings.stock_listeners,
    )
    return {"movement_id": new, "reverses": call.path["id"]}


def leads_at(principal: Principal, places: tuple[str, ...]) -> bool:
    """Whether a manager's rights of this person reach one of the places."""
    leads = {EXECUTIVE, KEEPER, MANAGER}
    return any(
        grant.role in leads and (grant.locations is None or grant.locations.intersection(places))
        for grant in principal.grants
    )


def audit(call: Call) -> dict[str, Any]:
    """The audit trail after a cursor: no row is skipped or given twice."""
    query: MovementQuery = call.query
    settled = settled_up_to(call.connection, AUDIT, query.after, whole=call.is_whole)
    found = select(AUDIT).where(AUDIT.c.seq > query.after, AUDIT.c.seq <= settled)
    if query.location:
        found = found.where(AUDIT.c.location == query.location)
    rows = call.connection.execute(found.order_by(AUDIT.c.seq).limit(query.limit)).all()
    told = [dict(row._mapping) | {"recorded_at": iso(row.recorded_at)} for row in rows]
    return {"audit": told} | _cursors(rows, query.limit, settled)
