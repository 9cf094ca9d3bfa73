"""Movements of the ledger as events of EPCIS 2.0."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from ops_api.clock import iso
from ops_api.epcis.names import Names, carton
from ops_api.epcis.vocabulary import CONTEXT, SCHEMA_VERSION, SENSES
from ops_api.ledger.rows import is_real
from policies.domain.ledger import MovementKind

_EXTENSION = "storetwin"


def event_of(row: Any, names: Names, zone: ZoneInfo) -> dict[str, Any]:
    """The event of one movement: goods in a carton as an aggregation, else an object event."""
    kind = MovementKind(row.kind)
    sense = SENSES[kind]
    happened = dt.datetime.fromtimestamp(row.occurred_at, dt.UTC).astimezone(zone)
    offset = happened.strftime("%z")
    out: dict[str, Any] = {
        "type": "AggregationEvent" if row.sscc else "ObjectEvent",
        "eventID": f"urn:uuid:{row.movement_id}",
        "eventTime": iso(row.occurred_at),
        "recordTime": iso(row.recorded_at),
        "eventTimeZoneOffset": f"{offset[:3]}:{offset[3:]}",
        "action": sense.action,
        "bizStep": sense.step,
        "disposition": "damaged" if row.condition == "damaged" else sense.disposition,
        "readPoint": {"id": names.place(_seen_at(row))},
    }
    if is_real(row.to_location):
        # Where goods are thereafter; goods that left are at no place of ours.
        out["bizLocation"] = {"id": names.place(row.to_location)}
    out |= _what(row, names)
    if row.document_id:
        behind = {"bizTransaction": f"urn:storetwin:document:{row.document_id}"}
        typed = {"type": sense.transaction} if sense.transaction else {}
        out["bizTransactionList"] = [typed | behind]
    if kind not in {MovementKind.ADJUST, MovementKind.COUNT_REBASE, MovementKind.AUTO_FOUND}:
        out["sourceList"] = [{"type": "location", "source": names.place(row.from_location)}]
        out["destinationList"] = [{"type": "location", "destination": names.place(row.to_location)}]
    out[f"{_EXTENSION}:kind"] = kind.name.lower()
    out[f"{_EXTENSION}:from"] = row.from_location
    out[f"{_EXTENSION}:to"] = row.to_location
    if row.reverses:
        out[f"{_EXTENSION}:reverses"] = f"urn:uuid:{row.reverses}"
    return out


def _what(row: Any, names: Names) -> dict[str, Any]:
    """The goods: one item by its serial, else a quantity of a class."""
    quantities = [{"epcClass": names.goods(row.sku, row.lot), "quantity": row.quantity}]
    items = [names.goods(row.sku, row.lot, row.serial)]
    if row.sscc:
        goods = {"childEPCs": items} if row.serial else {"childQuantityList": quantities}
        return {"parentID": carton(row.sscc), **goods}
    return {"epcList": items} if row.serial else {"quantityList": quantities}


def _seen_at(row: Any) -> str:
    """Where it was observed: at the end that is a location, the receiving one of two."""
    return str(row.to_location if is_real(row.to_location) else row.from_location)


def document_of(events: list[dict[str, Any]], created_at: int) -> dict[str, Any]:
    """The answer to a query, as JSON-LD."""
    return {
        "@context": [CONTEXT, {_EXTENSION: "urn:storetwin:"}],
        "type": "EPCISQueryDocument",
        "schemaVersion": SCHEMA_VERSION,
        "creationDate": iso(created_at),
        "epcisBody": {
            "queryResults": {
                "queryName": "SimpleEventQuery",
                "resultsBody": {"eventList": events},
            }
        },
    }
