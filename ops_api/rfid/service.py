"""Decoding a reader's sweep, keeping it, and making counted lines of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select

from ops_api.masterdata.queries import known_skus
from ops_api.rfid.tables import TAG_READS
from policies.domain import epc
from policies.domain.errors import StoretwinError
from policies.domain.identifiers import decode_sgtin96

ITEM, CARTON, PLACE, UNKNOWN, BAD = "item", "carton", "place", "unknown_gtin", "bad"


@dataclass(frozen=True)
class Tag:
    """What a tag says: the GTIN, SSCC or GLN behind it."""

    epc: str
    kind: str
    code: str = ""


def decode(text: str) -> Tag:
    """A tag of 96 bits; one that can't be read is `bad`, never an error of the sweep."""
    name = text.upper()
    try:
        first = epc.header(name)
        if first == epc.SGTIN_HEADER:
            return Tag(name, ITEM, decode_sgtin96(name).gtin)
        if first == epc.SSCC_HEADER:
            return Tag(name, CARTON, epc.decode_sscc96(name))
        if first == epc.SGLN_HEADER:
            return Tag(name, PLACE, epc.decode_sgln96(name).gln)
    except StoretwinError:
        pass
    return Tag(name[:24], BAD)


def keep_reads(
    connection: Connection,
    session: str,
    location: str,
    reads: Iterable[tuple[str, int]],
    *,
    now: int,
    actor: str,
) -> dict[str, Any]:
    """Keep the tags of a sweep that were not seen in it before.

    Parameters
    ----------
    reads : (tag as hexadecimal digits, time read in whole seconds of UTC)

    Returns
    -------
    dict
        ``new`` and ``again`` reads, and tags by ``kinds``.
    """
    first: dict[str, tuple[Tag, int]] = {}
    total = 0
    for text, at in reads:
        total += 1
        tag = decode(text)
        first.setdefault(tag.epc, (tag, at))
    t = TAG_READS.c
    known = {
        row.epc
        for row in connection.execute(
            select(t.epc).where(t.session == session, t.epc.in_(list(first)))
        )
    }
    fresh = [(tag, at) for name, (tag, at) in first.items() if name not in known]
    skus = known_skus(connection, {tag.code for tag, _ in fresh if tag.kind == ITEM})
    kinds: dict[str, int] = {}
    rows = []
    for tag, at in fresh:
        sku = skus.get(tag.code, "") if tag.kind == ITEM else ""
        kind = UNKNOWN if tag.kind == ITEM and not sku else tag.kind
        kinds[kind] = kinds.get(kind, 0) + 1
        rows.append(
            {
                "session": session,
                "epc": tag.epc,
                "location": location,
                "kind": kind,
                "sku": sku,
                "code": tag.code,
                "read_at": at,
                "recorded_at": now,
                "actor": actor,
            }
        )
    if rows:
        connection.execute(insert(TAG_READS), rows)
    return {"new": len(rows), "again": total - len(rows), "kinds": kinds}


def seen_items(connection: Connection, session: str, location: str) -> dict[str, int]:
    """Distinct items of each SKU in a sweep at a location."""
    t = TAG_READS.c
    rows = connection.execute(
        select(t.sku, func.count())
        .where(t.session == session, t.location == location, t.kind == ITEM)
        .group_by(t.sku)
        .order_by(t.sku)
    )
    return {sku: int(units) for sku, units in rows}


def last_read(connection: Connection, session: str) -> int:
    """When the sweep's last tag was read; 0 where there is none."""
    query = select(func.max(TAG_READS.c.read_at)).where(TAG_READS.c.session == session)
    return int(connection.execute(query).scalar() or 0)
