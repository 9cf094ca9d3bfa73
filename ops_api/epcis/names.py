"""Identifiers of goods and places as EPCIS writes them: GS1 Digital Links, else our own URNs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from sqlalchemy import Connection, select

from ops_api.epcis.vocabulary import DIGITAL_LINK
from ops_api.ledger.rows import is_real
from ops_api.masterdata.tables import GTINS, LOCATIONS
from ops_api.workbooks.sheets import first_gtins
from policies.domain.errors import InvalidInput

_SKU, _PLACE = "urn:storetwin:sku:", "urn:storetwin:location:"
_LINK = re.compile(
    r"^https?://[^/]+/(?P<ai>00|01|414)/(?P<code>\d+)"
    r"(?:/10/(?P<lot>[^/]+))?(?:/21/(?P<serial>[^/]+))?$"
)


@dataclass(frozen=True)
class Goods:
    """What a query asks for; empty members match anything."""

    sku: str = ""
    lot: str = ""
    serial: str = ""
    sscc: str = ""


@dataclass(frozen=True)
class Names:
    """Numbers of GS1 by our ids."""

    gtins: dict[str, str]
    glns: dict[str, str]

    @classmethod
    def read(cls, connection: Connection) -> Names:
        """Of every SKU and location that has one."""
        rows = connection.execute(select(LOCATIONS.c.id, LOCATIONS.c.gln))
        return cls(first_gtins(connection), {row.id: row.gln for row in rows if row.gln})

    def goods(self, sku: str, lot: str = "", serial: str = "") -> str:
        """A class (with its lot), or one item where a serial is known."""
        gtin = self.gtins.get(sku)
        base = f"{DIGITAL_LINK}/01/{gtin.zfill(14)}" if gtin else _SKU + quote(sku, safe="")
        if lot:
            base += f"/10/{quote(lot, safe='')}"
        if serial:
            base += f"/21/{quote(serial, safe='')}"
        return base

    def place(self, location: str) -> str:
        """A location; virtual ones (customer, supplier, a lane) have a name of ours."""
        gln = self.glns.get(location) if is_real(location) else None
        return f"{DIGITAL_LINK}/414/{gln}" if gln else _PLACE + quote(location, safe="")


def carton(sscc: str) -> str:
    """A logistic unit."""
    return f"{DIGITAL_LINK}/00/{sscc}"


def location_of(connection: Connection, name: str) -> str:
    """Our id of a place named by a Digital Link, our URN, or the id itself."""
    if name.startswith(_PLACE):
        return unquote(name.removeprefix(_PLACE))
    found = _LINK.match(name)
    if found is None:
        return name
    if found["ai"] != "414":
        raise InvalidInput("the link names no place", field="EQ_bizLocation")
    row = connection.execute(select(LOCATIONS.c.id).where(LOCATIONS.c.gln == found["code"])).first()
    return "" if row is None else str(row.id)


def goods_of(connection: Connection, name: str) -> Goods | None:
    """What a name means here; None where nothing here is called so.

    Raises
    ------
    InvalidInput
        It is neither a Digital Link with AI 00 or 01 nor a URN of ours.
    """
    if name.startswith(_SKU):
        sku, _, rest = name.removeprefix(_SKU).partition("/10/")
        lot, _, serial = rest.partition("/21/")
        return Goods(unquote(sku), unquote(lot), unquote(serial))
    found = _LINK.match(name)
    if found is None or found["ai"] == "414":
        raise InvalidInput(
            "no name of goods",
            field="MATCH_epc",
            remedy="a GS1 Digital Link with AI 00 or 01, or a urn:storetwin:sku",
        )
    if found["ai"] == "00":
        return Goods(sscc=found["code"])
    bare = found["code"].lstrip("0")
    spelt = [bare.zfill(width) for width in (8, 12, 13, 14)]
    row = connection.execute(select(GTINS.c.sku).where(GTINS.c.gtin.in_(spelt))).first()
    if row is None:
        return None
    return Goods(row.sku, unquote(found["lot"] or ""), unquote(found["serial"] or ""))
