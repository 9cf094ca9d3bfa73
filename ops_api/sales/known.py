"""What the service knows about sales before it posts them, read and locked in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from ops_api.bulk import listed, unlist
from ops_api.ledger.chain import LOCKED_HEADS, Heads
from ops_api.sales.lines import Job
from ops_api.wire import ask

# What another writer committed while this statement waited for a chain is not seen by it: the
# same event id, or a chain's first row, then breaks a unique key, and all is done again.
_KNOWN = f"""
WITH heads AS MATERIALIZED ({LOCKED_HEADS})
SELECT 'head', chain, hash, seq FROM heads
UNION ALL SELECT 'key', key, body_sha256, 0 FROM idempotency WHERE key = ANY(?)
UNION ALL SELECT 'sku', id, id, 0 FROM skus WHERE id = ANY(?)
UNION ALL SELECT 'gtin', gtin, sku, 0 FROM gtins WHERE gtin = ANY(?)
UNION ALL SELECT 'place', id, '', 0 FROM locations WHERE id = ANY(?)
"""  # noqa: S608 -- text of our own


@dataclass
class Known:
    """What stands in the database about some requests' lines.

    Attributes
    ----------
    heads : ends of the chains of their places, locked for the transaction
    keys : body_sha256 of the event ids that came before
    skus : SKU id of each code that is a SKU id or a GTIN (8 to 14 digits)
    places : those that are locations
    """

    heads: Heads = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    skus: dict[str, str] = field(default_factory=dict)
    places: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, connection: Connection, jobs: Sequence[Job]) -> Known:
        """Read and lock; nothing is written yet."""
        chains: set[str] = set()
        for job in jobs:
            reach = job.poster.reach
            places = {sale.location for sale in job.sales}
            places = places if reach is None else places & reach
            chains |= places
            if len(places) == 1:
                chains |= {f"audit:{place}" for place in places}
        sales = [sale for job in jobs for sale in job.sales]
        codes = {sale.sku for sale in sales}
        gtins = {
            code: code.zfill(14)
            for code in codes
            if code.isascii() and code.isdigit() and 8 <= len(code) <= 14
        }
        asked = (
            sorted(chains),
            [sale.event_id for sale in sales],
            sorted(codes),
            sorted(set(gtins.values())),
            sorted({sale.location for sale in sales}),
        )
        out = cls()
        found: dict[str, str] = {}
        for kind, name, value, number in ask(
            connection,
            unlist(connection, _KNOWN),
            tuple(listed(connection, values) for values in asked),
        ):
            if kind == "head":
                out.heads[name] = (number, value)
            elif kind == "key":
                out.keys[name] = value
            elif kind == "sku":
                out.skus[name] = value
            elif kind == "gtin":
                found[name] = value
            else:
                out.places.add(name)
        # A SKU's own id goes before a barcode of the same digits.
        by_gtin = {code: found[gtin] for code, gtin in gtins.items() if gtin in found}
        out.skus = by_gtin | out.skus
        return out
