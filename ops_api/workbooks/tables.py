"""Table of imports: what was sent, and what became of each row."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, String, Table

from ops_api.database import METADATA
from ops_api.ledger.schema import ID

IMPORTS = Table(
    "imports",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("kind", String(24), nullable=False),
    Column("location", ID, nullable=False),
    Column("is_dry_run", Boolean, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("actor", ID, nullable=False),
    Column("applied", Integer, nullable=False),
    Column("returned", Integer, nullable=False),
    Column("unchanged", Integer, nullable=False),
    # Headings, rows as sent, and a status and reason for each: compressed JSON.
    Column("content", LargeBinary, nullable=False),
)
