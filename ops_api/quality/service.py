"""Running the rules, keeping the trend, and telling the planner what to leave out."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, delete, insert, select

from ops_api.lots.rules import business_day, date_of, rules
from ops_api.masterdata.service import NETWORK
from ops_api.masterdata.tables import (
    ARTEFACTS,
    ASSORTMENTS,
    GTINS,
    LANES,
    LOCATIONS,
    SKUS,
    SUPPLIERS,
)
from ops_api.planning.live import live_of
from ops_api.quality.rules import RULES, Finding, MasterData
from ops_api.quality.tables import QUALITY_COUNTS
from policies.domain.network import Network

TREND_DAYS = 28


def read_master_data(connection: Connection, network: Network | None = None) -> MasterData:
    """What the rules look at: rows, and the barcodes as the network claims them."""
    claims: dict[str, list[str]] = defaultdict(list)
    for gtin, sku in connection.execute(select(GTINS.c.gtin, GTINS.c.sku)):
        claims[gtin].append(sku)
    if network is None and _has_network(connection):
        network = live_of(connection).network(connection)
    if network is not None:
        # The barcode table holds one SKU per code; a second claim shows in the network only.
        for gtin, sku in zip(network.skus.gtin, network.skus.ids, strict=True):
            if gtin and sku not in claims[gtin]:
                claims[gtin].append(sku)
    sources: dict[str, set[str]] = defaultdict(set)
    for origin, destination in connection.execute(select(LANES.c.origin, LANES.c.destination)):
        sources[destination].add(origin)
    a = ASSORTMENTS.c
    return MasterData(
        skus=list(connection.execute(select(SKUS).order_by(SKUS.c.id))),
        locations=list(connection.execute(select(LOCATIONS).order_by(LOCATIONS.c.id))),
        claims=dict(claims),
        sources=dict(sources),
        listed_at={row[0] for row in connection.execute(select(a.location).distinct())},
        listed={row[0] for row in connection.execute(select(a.sku).distinct())},
        supplied={row[0] for row in connection.execute(select(SUPPLIERS.c.category))},
        dated={name for name in rules(connection) if name},
    )


def findings(connection: Connection, network: Network | None = None) -> dict[str, list[Finding]]:
    """What each rule finds now."""
    data = read_master_data(connection, network)
    return {name: list(rule.find(data)) for name, rule in RULES.items()}


def keep_counts(connection: Connection, found: dict[str, list[Finding]], at: int) -> None:
    """One count per rule and day: the last of the day stands."""
    day = business_day(connection, at)
    connection.execute(delete(QUALITY_COUNTS).where(QUALITY_COUNTS.c.day == day))
    connection.execute(
        insert(QUALITY_COUNTS),
        [{"day": day, "rule": name, "found": len(rows)} for name, rows in found.items()],
    )


def trend(connection: Connection, at: int) -> dict[str, list[dict[str, Any]]]:
    """Counts of the last days by rule."""
    q = QUALITY_COUNTS.c
    since = business_day(connection, at) - TREND_DAYS
    out: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(
        select(QUALITY_COUNTS).where(q.day > since).order_by(q.day, q.rule)
    ):
        out[row.rule].append({"day": date_of(row.day), "count": row.found})
    return out


def blocked(found: dict[str, list[Finding]]) -> dict[str, dict[str, list[str]]]:
    """SKUs and locations that blocking rules keep out of the plan, each with its rules."""
    out: dict[str, dict[str, list[str]]] = {"sku": {}, "location": {}}
    for name, rule in RULES.items():
        if rule.is_blocking:
            for one in found[name]:
                out[rule.subject].setdefault(one.subject, []).append(name)
    return out


def left_out(
    connection: Connection, network: Network
) -> tuple[npt.NDArray[np.bool_] | None, dict[str, list[Finding]]]:
    """(L, K) bool: cells that the plan leaves out, None where there are none; and why."""
    found = findings(connection, network)
    out = blocked(found)
    skus = np.isin(np.array(network.skus.ids), list(out["sku"]))
    places = np.isin(np.array(network.locations.ids), list(out["location"]))
    if not skus.any() and not places.any():
        return None, found
    return places[:, None] | skus[None, :], found


def rules_of_sku(connection: Connection, sku: str) -> list[str]:
    """Blocking rules that keep a SKU out of the plan."""
    return blocked(findings(connection))["sku"].get(sku, [])


def _has_network(connection: Connection) -> bool:
    query = select(ARTEFACTS.c.name).where(ARTEFACTS.c.name == NETWORK)
    return connection.execute(query).first() is not None
