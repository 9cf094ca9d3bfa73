"""Addresses of lots and expiry rules."""

from __future__ import annotations

from typing import Any

from ops_api.ledger.write import record_audit
from ops_api.lots.queries import list_lots, trace
from ops_api.lots.rules import Dated, date_of, day_number, keep_rule, rules
from ops_api.lots.schemas import ExpiryRule, LotAssignment, LotQuery, LotStep, TraceQuery
from ops_api.lots.service import assign_lot, hold_lot, release_lot, require_lot
from ops_api.masterdata.service import require_location, require_sku
from ops_api.transfers.routes import act_of
from ops_api.web.registry import Call, Chain, Endpoint, Registry, Rows, Site
from ops_api.web.schemas import JsonObject


def register(registry: Registry) -> None:
    """Add the endpoints of lots."""
    for name, path, permission, scope, handler, query, statuses in (
        ("lots", "/lots", "lot.read", Rows(), lots, LotQuery, (200,)),
        # A lot goes through many hands: who may read lots may follow one from end to end.
        ("lot_trace", "/lots/trace", "lot.read", Chain(), do_trace, TraceQuery, (200, 404)),
        ("expiry_rules", "/expiry-rules", "masterdata.read", Chain(), list_rules, None, (200,)),
    ):
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
    for name, path, permission, handler, body in (
        ("lot_hold", "/lots:hold", "lot.hold", do_hold, LotStep),
        ("lot_recall", "/lots:recall", "lot.recall", do_recall, LotStep),
        ("lot_release", "/lots:release", "lot.release", do_release, LotStep),
        ("expiry_rule_keep", "/expiry-rules", "masterdata.write", do_keep, ExpiryRule),
    ):
        registry.add(
            Endpoint(
                name=name,
                method="POST",
                path=path,
                permission=permission,
                # Quality is the chain's: a bad lot is bad in every store.
                scope=Chain(),
                handler=handler,
                statuses=(200, 404, 409, 422),
                answer=JsonObject,
                body=body,
                writes=True,
                keyed=True,
            )
        )
    registry.add(
        Endpoint(
            name="lot_assign",
            method="POST",
            path="/lots:assign",
            permission="lot.assign",
            scope=Site(lambda body: [body.location]),
            handler=do_assign,
            statuses=(200, 409, 422),
            answer=JsonObject,
            body=LotAssignment,
            writes=True,
            keyed=True,
        )
    )


def lots(call: Call) -> dict[str, Any]:
    """Lots within reach, the first to expire first."""
    query: LotQuery = call.query
    found = list_lots(
        call.connection,
        sku=query.sku,
        place=query.location,
        expires_before=day_number(query.expires_before),
        on_hold=query.on_hold,
        reach=call.reach,
        limit=query.limit,
    )
    return {"lots": found}


def do_trace(call: Call) -> dict[str, Any]:
    """Where a lot came from, where it is, and how the rest of it left."""
    query: TraceQuery = call.query
    found = require_lot(call.connection, query.sku, query.lot)
    head = {
        "sku": found.sku,
        "lot": found.lot,
        "expires_on": date_of(found.expires_on),
        "on_hold": bool(found.on_hold),
    }
    return head | trace(call.connection, query.sku, query.lot)


def do_hold(call: Call) -> dict[str, Any]:
    """Hold a lot everywhere."""
    body: LotStep = call.body
    return hold_lot(call.connection, body.sku, body.lot, body.reason, act_of(call))


def do_recall(call: Call) -> dict[str, Any]:
    """Hold a lot and have it taken off every shelf."""
    body: LotStep = call.body
    return hold_lot(call.connection, body.sku, body.lot, body.reason, act_of(call), recalls=True)


def do_release(call: Call) -> dict[str, Any]:
    """Free a lot that was held."""
    body: LotStep = call.body
    release_lot(call.connection, body.sku, body.lot, body.reason, act_of(call))
    return {"sku": body.sku, "lot": body.lot, "on_hold": False}


def do_assign(call: Call) -> dict[str, Any]:
    """Name the lot of goods that came into the book without one."""
    body: LotAssignment = call.body
    require_location(call.connection, body.location)
    sku = require_sku(call.connection, body.sku)
    dated = Dated(body.lot, day_number(body.expires_on), day_number(body.produced_on))
    act = act_of(call, body.occurred_at)
    assign_lot(call.connection, body.event_id, body.location, sku, body.quantity, dated, act)
    return {"sku": sku.id, "lot": body.lot, "location": body.location}


def list_rules(call: Call) -> dict[str, Any]:
    """Expiry rules by category."""
    return {"rules": [dict(row._mapping) for row in rules(call.connection).values()]}


def do_keep(call: Call) -> dict[str, Any]:
    """Write a category's expiry rule; a version that is not the newest is refused."""
    body: ExpiryRule = call.body
    values = body.model_dump(exclude={"category", "version"})
    version = keep_rule(call.connection, body.category, values, body.version)
    record_audit(
        call.connection,
        "expiry_rule.keep",
        recorded_at=call.now,
        actor=call.principal.person,
        subject=body.category,
        detail=values,
    )
    return {"category": body.category, "version": version, **values}
