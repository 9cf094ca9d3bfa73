"""Tables of counts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table

from ops_api.database import METADATA
from ops_api.ledger.schema import ID

COUNTS = Table(
    "counts",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("state", String(12), nullable=False),
    Column("location", ID, nullable=False),
    Column("purpose", String(12), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", ID, nullable=False),
    Column("posted_at", BigInteger),
    Column("version", Integer, nullable=False),
    Index("ix_counts_location", "location", "state"),
)
COUNT_LINES = Table(
    "count_lines",
    METADATA,
    Column("count_id", ID, primary_key=True),
    Column("sku", ID, primary_key=True),
    Column("lot", ID, primary_key=True),
    Column("counted", Integer),
    Column("counted_at", BigInteger),
    Column("counted_by", ID, nullable=False),
    Column("expected", Integer),
    # The blind first pass stays as it was: the accuracy KPI is made of it.
    Column("first_counted", Integer),
    Column("first_expected", Integer),
    Column("first_by", ID, nullable=False),
    Column("state", String(12), nullable=False),
    Column("in_tolerance", Boolean),
    Column("approved_by", ID, nullable=False),
)
