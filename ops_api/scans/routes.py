"""What is this code? GTIN, SSCC, GS1 element string, transfer number."""

from __future__ import annotations

from typing import Annotated, Any

import biip
from pydantic import StringConstraints
from sqlalchemy import Connection, select

from ops_api.masterdata.queries import known_skus
from ops_api.masterdata.tables import SKUS
from ops_api.stock.queries import stock_now
from ops_api.transfers.tables import TRANSFERS
from ops_api.web.body import Strict
from ops_api.web.fields import OptionalId
from ops_api.web.registry import Call, Endpoint, Registry, Site
from ops_api.web.schemas import JsonObject
from policies.domain.errors import BadBarcode
from policies.domain.identifiers import gtin14, sscc

Code = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_GTIN_LENGTHS = (8, 12, 13, 14)


class Scan(Strict):
    """A code as the scanner gave it; FNC1 may be the group separator."""

    code: Code
    location: OptionalId = ""


def register(registry: Registry) -> None:
    """Add the resolver."""
    registry.add(
        Endpoint(
            name="scan_resolve",
            method="POST",
            path="/scans/resolve",
            permission="scan.resolve",
            scope=Site(lambda body: [body.location] if body.location else []),
            handler=resolve,
            statuses=(200, 400, 404),
            answer=JsonObject,
            body=Scan,
        )
    )


def resolve(call: Call) -> dict[str, Any]:
    """The SKU, lot, expiry, carton or document behind a code, and how many lie here."""
    body: Scan = call.body
    text = body.code.strip().removeprefix("]C1").removeprefix("]d2").removeprefix("]Q3")
    found = (
        _document(call.connection, text)
        or _own_sku(call.connection, text)
        or _digits(call.connection, text)
        or _elements(call.connection, text)
    )
    if found is None:
        raise BadBarcode(
            f"{text[:40]!r} is no code we know",
            field="code",
            remedy="scan again, or type the number",
        )
    if "sku" in found and body.location:
        rows = stock_now(call.connection, body.location, found["sku"], 100)
        found["on_hand"] = sum(row["on_hand"] for row in rows)
        found["location"] = body.location
    return found


def _document(connection: Connection, text: str) -> dict[str, Any] | None:
    head = connection.execute(select(TRANSFERS).where(TRANSFERS.c.id == text)).first()
    if head is None:
        return None
    return {"kind": "transfer", "document": head.id, "state": head.state}


def _own_sku(connection: Connection, text: str) -> dict[str, Any] | None:
    row = connection.execute(select(SKUS.c.id, SKUS.c.name).where(SKUS.c.id == text)).first()
    return {"kind": "sku", "sku": row.id, "name": row.name} if row else None


def _digits(connection: Connection, text: str) -> dict[str, Any] | None:
    if not (text.isascii() and text.isdigit()):
        return None
    if len(text) == 18:
        return {"kind": "sscc", "sscc": sscc(text)}
    if len(text) not in _GTIN_LENGTHS:
        return None
    return _goods(connection, gtin14(text))


def _elements(connection: Connection, text: str) -> dict[str, Any] | None:
    """A GS1 element string; the library reads, and the wrapper insists on sense."""
    try:
        parsed = biip.parse(text.replace("(", "").replace(")", "") if "(" in text else text)
    except biip.ParseError:
        return None
    message = parsed.gs1_message.element_strings if parsed.gs1_message else None
    if message is None:
        return None
    carton = message.get(ai="00")
    if carton is not None:
        return {"kind": "sscc", "sscc": sscc(str(carton.value))}
    item = message.get(ai="01") or message.get(ai="02")
    if item is None:
        return None
    out = _goods(connection, gtin14(str(item.value)))
    for name, code in (("lot", "10"), ("serial", "21"), ("count", "37")):
        elements = message.filter(ai=code)
        if len({element.value for element in elements}) > 1:
            raise BadBarcode(f"the code holds two different {name}s", field="code")
        if elements:
            out[name] = elements[0].value
    for name, code in (("expires_on", "17"), ("best_before", "15"), ("produced_on", "11")):
        element = message.get(ai=code)
        if element is not None and element.date is not None:
            out[name] = element.date.isoformat()
    return out


def _goods(connection: Connection, gtin: str) -> dict[str, Any]:
    known = known_skus(connection, {gtin})
    if gtin not in known:
        return {"kind": "unknown_gtin", "gtin": gtin}
    row = connection.execute(select(SKUS).where(SKUS.c.id == known[gtin])).one()
    return {
        "kind": "sku",
        "sku": row.id,
        "name": row.name,
        "gtin": gtin,
        "pack_size": row.pack_size,
    }
