"""Addresses of the master data."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from ops_api.errors import AlreadyExists
from ops_api.ledger.write import record_audit
from ops_api.masterdata.changes import SkuChange, change_skus
from ops_api.masterdata.queries import (
    gtins_of,
    known_skus,
    list_lanes,
    list_locations,
    list_skus,
)
from ops_api.masterdata.schemas import ChangedSku, LaneQuery, NewSku
from ops_api.masterdata.service import create_sku, require_location, require_sku
from ops_api.masterdata.tables import SKU_VERSIONS
from ops_api.web.registry import Call, Chain, Endpoint, Registry
from ops_api.web.schemas import JsonObject, PageQuery
from policies.domain.identifiers import gtin14


def register(registry: Registry) -> None:
    """Add the endpoints of master data."""
    for name, path, handler, query, statuses in (
        ("skus", "/skus", skus, PageQuery, (200,)),
        ("sku", "/skus/{id}", sku, None, (200, 404)),
        ("locations", "/locations", locations, None, (200,)),
        ("lanes", "/lanes", lanes, LaneQuery, (200, 404)),
    ):
        registry.add(
            Endpoint(
                name=name,
                method="GET",
                path=path,
                permission="masterdata.read",
                scope=Chain(),
                handler=handler,
                statuses=statuses,
                answer=JsonObject,
                query=query,
            )
        )
    registry.add(
        Endpoint(
            name="sku_versions",
            method="GET",
            path="/skus/{id}/versions",
            permission="masterdata.read",
            scope=Chain(),
            handler=versions,
            statuses=(200, 404),
            answer=JsonObject,
        )
    )
    registry.add(
        Endpoint(
            name="sku_change",
            method="POST",
            path="/skus/{id}:change",
            permission="masterdata.write",
            scope=Chain(),
            handler=change,
            statuses=(200, 404, 409),
            answer=JsonObject,
            body=ChangedSku,
            writes=True,
            keyed=True,
        )
    )
    registry.add(
        Endpoint(
            name="sku_create",
            method="POST",
            path="/skus",
            permission="masterdata.write",
            scope=Chain(),
            handler=create,
            statuses=(201, 409),
            answer=JsonObject,
            body=NewSku,
            writes=True,
            keyed=True,
        )
    )


def skus(call: Call) -> dict[str, Any]:
    """SKUs by id after a cursor, with their GTINs."""
    query: PageQuery = call.query
    rows = list_skus(call.connection, after=query.after, limit=query.limit, text=query.text)
    return {"skus": rows, "next": rows[-1]["id"] if len(rows) == query.limit else None}


def sku(call: Call) -> dict[str, Any]:
    """One SKU with its GTINs."""
    row = require_sku(call.connection, call.path["id"])
    return dict(row._mapping) | {"gtins": gtins_of(call.connection, row.id)}


def locations(call: Call) -> dict[str, Any]:
    """All locations, in axis order."""
    return {"locations": list_locations(call.connection)}


def lanes(call: Call) -> dict[str, Any]:
    """Allowed origins of a location, with the road's length."""
    require_location(call.connection, call.query.destination)
    return {"lanes": list_lanes(call.connection, call.query.destination)}


def create(call: Call) -> dict[str, Any]:
    """Add a SKU."""
    values = call.body.model_dump()
    name = values["id"]
    if known_skus(call.connection, {name}):
        raise AlreadyExists(f"SKU {name} is there", field="id", row=name)
    if values["gtin"]:
        values["gtin"] = gtin14(values["gtin"])
        if known_skus(call.connection, {values["gtin"]}):
            raise AlreadyExists(
                f"GTIN {values['gtin']} belongs to another SKU", field="gtin", row=name
            )
    values["lot_tracked_from"] = call.now if values["lot_tracked"] else None
    create_sku(call.connection, values, at=call.now)
    record_audit(
        call.connection,
        "sku.create",
        recorded_at=call.now,
        actor=call.principal.person,
        subject=name,
    )
    call.path["id"] = name
    return sku(call)


def change(call: Call) -> dict[str, Any]:
    """Change a SKU; from another version than the newest it is refused."""
    body: ChangedSku = call.body
    name = call.path["id"]
    values = body.model_dump(exclude={"version"}, exclude_none=True)
    refused = change_skus(
        call.connection,
        [SkuChange(name, body.version, values)],
        change_id=call.key,
        actor=call.principal.person,
        at=call.now,
    )
    if name in refused:
        raise refused[name]
    return sku(call)


def versions(call: Call) -> dict[str, Any]:
    """Earlier versions of a SKU, oldest first, each with who replaced it."""
    require_sku(call.connection, call.path["id"])
    rows = call.connection.execute(
        select(SKU_VERSIONS)
        .where(SKU_VERSIONS.c.sku == call.path["id"])
        .order_by(SKU_VERSIONS.c.version)
    )
    return {
        "versions": [
            json.loads(row.content) | {"replaced_by": row.actor, "change_id": row.change_id}
            for row in rows
        ]
    }
