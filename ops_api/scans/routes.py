"""What is this code? GTIN, SSCC, GS1 elements, Digital Link, EPC tag, transfer number."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from biip.gs1_element_strings import GS1ElementStrings
from pydantic import StringConstraints
from sqlalchemy import Connection, select

from ops_api.masterdata.queries import known_skus
from ops_api.masterdata.tables import LOCATIONS, SKUS
from ops_api.scans.elements import read_elements
from ops_api.stock.queries import stock_now
from ops_api.transfers.packing import carton_of
from ops_api.transfers.tables import TRANSFERS
from ops_api.web.body import Strict
from ops_api.web.fields import OptionalId
from ops_api.web.registry import Call, Endpoint, Registry, Site
from ops_api.web.schemas import JsonObject
from policies.domain import epc
from policies.domain.errors import BadBarcode
from policies.domain.identifiers import check_digit, decode_sgtin96, gln, gtin14, sscc

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
        or _weighed(call.connection, text, call.settings.weighed_codes)
        or _digits(call.connection, text)
        or _tag(call.connection, text)
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
        return _carton(connection, sscc(text))
    if len(text) not in _GTIN_LENGTHS:
        return None
    return _goods(connection, gtin14(text))


def _weighed(connection: Connection, text: str, forms: tuple[str, ...]) -> dict[str, Any] | None:
    """The chain's own code on weighed goods: item with grams or price.

    The item is known by its own id (PLU), or by the code with zeros for the variable part.
    """
    if len(text) != 13 or not (text.isascii() and text.isdigit()):
        return None
    form = next((one for one in forms if _fits(one, text)), None)
    if form is None or gtin14(text) in known_skus(connection, {gtin14(text)}):
        return None
    item = "".join(d for d, letter in zip(text, form, strict=True) if letter == "I")
    fixed = "".join(
        "0" if letter in "WP" else d for d, letter in zip(text[:-1], form, strict=False)
    )
    base = fixed + check_digit(fixed)
    known = known_skus(connection, {item, item.lstrip("0") or "0", base})
    if not known:
        return {"kind": "unknown_plu", "plu": item, **_variable(text, form)}
    sku = next(iter(known.values()))
    row = connection.execute(select(SKUS.c.id, SKUS.c.name).where(SKUS.c.id == sku)).one()
    found = {"kind": "sku", "sku": row.id, "name": row.name, "plu": item}
    return found | _variable(text, form)


def _fits(form: str, text: str) -> bool:
    return all(letter in "IWPC" or letter == d for letter, d in zip(form, text, strict=True))


def _variable(text: str, form: str) -> dict[str, int]:
    out = {}
    for letter, name in (("W", "weight_g"), ("P", "price_cents")):
        digits = "".join(d for d, one in zip(text, form, strict=True) if one == letter)
        if digits:
            out[name] = int(digits)
    return out


def _carton(connection: Connection, number: str) -> dict[str, Any]:
    """A carton, with its transfer and content where we packed it."""
    return {"kind": "sscc", "sscc": number} | (carton_of(connection, number) or {})


def _tag(connection: Connection, text: str) -> dict[str, Any] | None:
    """An RFID tag of 96 bits, as 24 hexadecimal digits."""
    first = epc.header(text)
    if first == epc.SGTIN_HEADER:
        item = decode_sgtin96(text)
        return {**_goods(connection, item.gtin), "serial": str(item.serial)}
    if first == epc.SSCC_HEADER:
        return _carton(connection, epc.decode_sscc96(text))
    if first == epc.SGLN_HEADER:
        place = epc.decode_sgln96(text)
        return {**_place(connection, place.gln), "extension": str(place.extension)}
    return None


def _elements(connection: Connection, text: str) -> dict[str, Any] | None:
    """Elements of a GS1 string or link; the library reads, and the wrapper insists on sense."""
    elements = read_elements(text)
    if elements is None:
        return None
    carton = elements.get(ai="00")
    if carton is not None:
        return _carton(connection, sscc(str(carton.value)))
    item = elements.get(ai="01") or elements.get(ai="02")
    if item is not None:
        return _item(connection, elements, gtin14(str(item.value)))
    place = elements.get(ai="414")
    return _place(connection, gln(str(place.value))) if place is not None else None


def _item(connection: Connection, elements: GS1ElementStrings, gtin: str) -> dict[str, Any]:
    """Goods with their lot, serial, count and dates."""
    out = _goods(connection, gtin)
    for name, code in (("lot", "10"), ("serial", "21"), ("count", "37")):
        values = elements.filter(ai=code)
        if len({element.value for element in values}) > 1:
            raise BadBarcode(f"the code holds two different {name}s", field="code")
        if values:
            out[name] = values[0].value
    dates: dict[str, dt.date] = {}
    for name, code in (("expires_on", "17"), ("best_before", "15"), ("produced_on", "11")):
        element = elements.get(ai=code)
        if element is not None and element.date is not None:
            dates[name] = element.date
    # Most packs carry only the day of production: the SKU's shelf life gives the rest.
    shelf_life = out.get("shelf_life_days", 0)
    if set(dates) == {"produced_on"} and shelf_life > 0:
        dates["expires_on"] = dates["produced_on"] + dt.timedelta(days=shelf_life)
    return out | {name: date.isoformat() for name, date in dates.items()}


def _place(connection: Connection, number: str) -> dict[str, Any]:
    row = connection.execute(
        select(LOCATIONS.c.id, LOCATIONS.c.name).where(LOCATIONS.c.gln == number)
    ).first()
    if row is None:
        return {"kind": "unknown_gln", "gln": number}
    return {"kind": "location", "location": row.id, "name": row.name, "gln": number}


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
        "shelf_life_days": row.shelf_life_days,
    }
