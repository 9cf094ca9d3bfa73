"""Table of the trend of data quality."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table

from ops_api.database import METADATA
from ops_api.ledger.schema import ID

QUALITY_COUNTS = Table(
    "quality_counts",
    METADATA,
    Column("day", Integer, primary_key=True),
    Column("rule", ID, primary_key=True),
    Column("found", Integer, nullable=False),
)
