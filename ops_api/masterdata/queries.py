"""Reads of the master data."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from ops_api.bulk import among
from ops_api.masterdata.tables import ASSORTMENTS, GTINS, LANES, LOCATIONS, SKUS


def known_skus(connection: Connection, codes: set[str]) -> dict[str, str]:
    """SKU id of each code that is a SKU id or a GTIN (8 to 14 digits); others are left out."""
    if not codes:
        return {}
    rows = connection.execute(select(SKUS.c.id).where(among(connection, SKUS.c.id, sorted(codes))))
    out = {row[0]: row[0] for row in rows}
    gtins = {
        code.zfill(14): code
        for code in codes - out.keys()
        if code.isascii() and code.isdigit() and 8 <= len(code) <= 14
    }
    if gtins:
        found = connection.execute(
            select(GTINS.c.gtin, GTINS.c.sku).where(among(connection, GTINS.c.gtin, sorted(gtins)))
        )
        out |= {gtins[gtin]: sku for gtin, sku in found}
    return out


def known_locations(connection: Connection, names: set[str]) -> set[str]:
    """Those of `names` that are locations."""
    if not names:
        return set()
    rows = connection.execute(
        select(LOCATIONS.c.id).where(among(connection, LOCATIONS.c.id, sorted(names)))
    )
    return {row[0] for row in rows}


def list_skus(connection: Connection, *, after: str, limit: int, text: str) -> list[dict[str, Any]]:
    """SKUs by id, after a cursor."""
    query = select(SKUS).where(SKUS.c.id > after).order_by(SKUS.c.id).limit(limit)
    if text:
        query = query.where(SKUS.c.name.icontains(text, autoescape=True))
    found = [dict(row._mapping) for row in connection.execute(query)]
    gtins: dict[str, list[str]] = {row["id"]: [] for row in found}
    codes = select(GTINS.c.gtin, GTINS.c.sku).where(GTINS.c.sku.in_(list(gtins)))
    for gtin, sku in connection.execute(codes.order_by(GTINS.c.gtin)):
        gtins[sku].append(gtin)
    return [row | {"gtins": gtins[row["id"]]} for row in found]


def gtins_of(connection: Connection, sku: str) -> list[str]:
    """GTINs of a SKU."""
    rows = connection.execute(select(GTINS.c.gtin).where(GTINS.c.sku == sku).order_by(GTINS.c.gtin))
    return [row.gtin for row in rows]


def list_locations(connection: Connection) -> list[dict[str, Any]]:
    """All locations, in axis order."""
    rows = connection.execute(select(LOCATIONS).order_by(LOCATIONS.c.axis, LOCATIONS.c.id))
    return [dict(row._mapping) for row in rows]


def list_lanes(connection: Connection, destination: str) -> list[dict[str, Any]]:
    """Lanes that end at a location."""
    rows = connection.execute(
        select(LANES).where(LANES.c.destination == destination).order_by(LANES.c.origin)
    )
    return [dict(row._mapping) for row in rows]


def is_listed(connection: Connection, location: str, sku: str) -> bool:
    """Whether the SKU is in the location's assortment."""
    found = connection.execute(
        select(ASSORTMENTS.c.sku).where(
            ASSORTMENTS.c.location == location, ASSORTMENTS.c.sku == sku
        )
    )
    return found.first() is not None
