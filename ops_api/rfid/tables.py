"""Table of tags that readers saw."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, String, Table

from ops_api.database import METADATA
from ops_api.ledger.schema import ID

TAG_READS = Table(
    "tag_reads",
    METADATA,
    # One sweep of a reader; a tag that is seen again in it is the same observation.
    Column("session", ID, primary_key=True),
    Column("epc", String(24), primary_key=True),
    Column("location", ID, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("sku", ID, nullable=False),
    Column("code", String(40), nullable=False),
    Column("read_at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("actor", ID, nullable=False),
    Index("ix_tag_reads_location", "location", "read_at"),
)
