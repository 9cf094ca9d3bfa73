"""Table of tasks."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, String, Table, Text

from ops_api.database import METADATA
from ops_api.ledger.schema import ID

TASKS = Table(
    "tasks",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("kind", String(24), nullable=False),
    Column("state", String(12), nullable=False),
    Column("location", ID, nullable=False),
    Column("sku", ID, nullable=False),
    Column("document_id", ID, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    Column("closed_by", ID, nullable=False),
    Column("payload", Text, nullable=False),
    # At most one open task of a kind for the same thing; NULL once it is closed.
    Column("open_for", String(200), unique=True),
    Index("ix_tasks_location", "location", "state"),
)
