"""Master data in bulk: a whole network in, the same network out."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, delete, insert, select, text

from ops_api.database import reading, writing
from ops_api.ledger.rows import may_name_location
from ops_api.ledger.write import record_audit
from ops_api.masterdata.artefact import pack, unpack
from ops_api.masterdata.tables import (
    ARTEFACTS,
    ASSORTMENTS,
    GTINS,
    LANES,
    LOCATIONS,
    SKUS,
    SUPPLIERS,
)
from policies.domain.errors import InvalidInput, UnknownLocation, UnknownSku
from policies.domain.network import Network

NETWORK = "network"


def load_network(engine: Engine, network: Network, *, at: int = 0, actor: str = "setup") -> str:
    """Store a network as rows and as the frozen artefact that the planner reads.

    Loading again replaces the master data; the ledger is not touched.

    Parameters
    ----------
    at : whole seconds of UTC since 1970, from when the data holds

    Returns
    -------
    str
        SHA-256 of the artefact.
    """
    for name in network.locations.ids:
        if not may_name_location(name):
            raise InvalidInput(
                f"{name!r} can't name a location",
                field="locations.ids",
                row=name,
                remedy="use no colon, no '>' and no name of a virtual location",
            )
    content = pack(network)
    sha = hashlib.sha256(content).hexdigest()
    with writing(engine) as connection:
        kept = _tracking(connection)
        for table in (SKUS, GTINS, LOCATIONS, ASSORTMENTS, LANES, SUPPLIERS):
            connection.execute(delete(table))
        connection.execute(delete(ARTEFACTS).where(ARTEFACTS.c.name == NETWORK))
        _insert(connection, SKUS, [row | kept.get(row["id"], {}) for row in _sku_rows(network, at)])
        _insert(connection, GTINS, _gtin_rows(network))
        _insert(connection, LOCATIONS, _location_rows(network, at))
        _insert(connection, ASSORTMENTS, _assortment_rows(network))
        _insert(connection, LANES, _lane_rows(network))
        _insert(connection, SUPPLIERS, _supplier_rows(network))
        connection.execute(
            insert(ARTEFACTS).values(
                name=NETWORK, sha256=sha, content=content, recorded_at=at, tz=network.tz
            )
        )
        record_audit(
            connection, "masterdata.load", recorded_at=at, actor=actor, detail={"sha256": sha}
        )
    return sha


def read_network(engine: Engine) -> Network:
    """The network that was loaded last."""
    with reading(engine) as connection:
        return network_of(connection)


def network_of(connection: Connection) -> Network:
    """The network that was loaded last, inside a transaction."""
    found = connection.execute(
        select(ARTEFACTS.c.content).where(ARTEFACTS.c.name == NETWORK)
    ).first()
    if found is None:
        raise InvalidInput("no network is loaded", field="network", remedy="load one first")
    return unpack(found.content)


def require_sku(connection: Connection, sku: str) -> Any:
    """Master data of a SKU; raises :class:`UnknownSku`."""
    found = connection.execute(select(SKUS).where(SKUS.c.id == sku)).first()
    if found is None:
        raise UnknownSku(
            f"no SKU {sku[:64]!r}",
            field="sku",
            row=sku[:64],
            remedy="check the code, or add the SKU to the master data",
        )
    return found


def require_location(connection: Connection, location: str) -> Any:
    """Master data of a location; raises :class:`UnknownLocation`."""
    found = connection.execute(select(LOCATIONS).where(LOCATIONS.c.id == location)).first()
    if found is None:
        raise UnknownLocation(
            f"no location {location[:64]!r}",
            field="location",
            row=location[:64],
            remedy="check the location's id",
        )
    return found


def require_skus(connection: Connection, skus: list[str]) -> dict[str, Any]:
    """Master data of several SKUs by id; raises :class:`UnknownSku` for the first unknown."""
    rows = connection.execute(select(SKUS).where(SKUS.c.id.in_(sorted(set(skus)))))
    found = {row.id: row for row in rows}
    for sku in skus:
        if sku not in found:
            require_sku(connection, sku)
    return found


def time_zone(connection: Connection) -> str:
    """The zone of the network that was loaded last; UTC before."""
    found = connection.execute(select(ARTEFACTS.c.tz).where(ARTEFACTS.c.name == NETWORK)).scalar()
    return str(found or "UTC")


def create_sku(connection: Connection, values: dict[str, Any], *, at: int) -> None:
    """Add one SKU outside the planning axis; it is planned once a network with it is loaded."""
    gtin = values.pop("gtin", "")
    connection.execute(insert(SKUS).values(**values, axis=None, valid_from=at, version=1))
    if gtin:
        connection.execute(insert(GTINS).values(gtin=gtin, sku=values["id"], units=1))


_TRACKED = ("lot_tracked", "lot_tracked_from", "serial_tracked", "count_tolerance_units")


def _tracking(connection: Connection) -> dict[str, dict[str, Any]]:
    """What a network file does not say of SKUs: how they are followed, and their version."""
    columns = [SKUS.c[name] for name in _TRACKED]
    return {
        row.id: {name: getattr(row, name) for name in _TRACKED} | {"version": row.version + 1}
        for row in connection.execute(select(SKUS.c.id, SKUS.c.version, *columns))
    }


def _insert(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _sku_rows(network: Network, at: int) -> list[dict[str, Any]]:
    skus = network.skus
    return [
        {
            "id": skus.ids[k],
            "axis": k,
            "name": skus.names[k],
            "category": skus.categories[int(skus.category[k])],
            "unit_cost_cents": int(skus.unit_cost_cents[k]),
            "unit_price_cents": int(skus.unit_price_cents[k]),
            "pack_size": int(skus.pack_size[k]),
            "mass_g": int(skus.mass_g[k]),
            "volume_cm3": int(skus.volume_cm3[k]),
            "shelf_life_days": int(skus.shelf_life_days[k]),
            "lot_tracked": False,
            "lot_tracked_from": None,
            "serial_tracked": False,
            "count_tolerance_units": 0,
            "valid_from": at,
            "version": 1,
        }
        for k in range(len(skus.ids))
    ]


def _gtin_rows(network: Network) -> list[dict[str, Any]]:
    first = {
        gtin: sku
        for sku, gtin in zip(reversed(network.skus.ids), reversed(network.skus.gtin), strict=True)
        if gtin
    }
    return [{"gtin": gtin, "sku": sku, "units": 1} for gtin, sku in sorted(first.items())]


def _location_rows(network: Network, at: int) -> list[dict[str, Any]]:
    locations = network.locations
    return [
        {
            "id": locations.ids[i],
            "axis": i,
            "kind": int(locations.kind[i]),
            "name": locations.names[i],
            "region": locations.region[i],
            "latitude": float(locations.latitude[i]),
            "longitude": float(locations.longitude[i]),
            "opens_s": int(locations.opens_s[i]),
            "closes_s": int(locations.closes_s[i]),
            "source": locations.ids[int(locations.source[i])] if locations.source[i] >= 0 else "",
            "receives_from_s": int(locations.receives_from_s[i]),
            "receives_until_s": int(locations.receives_until_s[i]),
            "gln": "",
            "valid_from": at,
            "version": 1,
        }
        for i in range(len(locations.ids))
    ]


def _assortment_rows(network: Network) -> list[dict[str, Any]]:
    rows, cols = np.nonzero(network.listed)
    ids, skus = network.locations.ids, network.skus.ids
    return [
        {"location": ids[i], "sku": skus[k]}
        for i, k in zip(rows.tolist(), cols.tolist(), strict=True)
    ]


def _lane_rows(network: Network) -> list[dict[str, Any]]:
    """A lane from each warehouse to every other location; store to store is any pair."""
    ids = network.locations.ids
    return [
        {"origin": ids[w], "destination": ids[i], "distance_m": int(network.distance_m[w, i])}
        for w in network.warehouses.tolist()
        for i in range(len(ids))
        if i != w
    ]


def _supplier_rows(network: Network) -> list[dict[str, Any]]:
    suppliers = network.suppliers
    return [
        {
            "id": suppliers.ids[c],
            "category": network.skus.categories[c],
            "mean_lead_time_days": float(suppliers.lead_time_days[c].mean()),
        }
        for c in range(len(suppliers.ids))
    ]


def is_ready(connection: Connection) -> bool:
    """Whether the database answers and its tables are there."""
    connection.execute(text("SELECT 1"))
    connection.execute(select(SKUS.c.id).limit(1))
    return True
