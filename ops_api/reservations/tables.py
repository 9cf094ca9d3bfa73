"""Table of reservations; what they hold stands with all other promises."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from ops_api.database import METADATA
from ops_api.ledger.schema import ID

RESERVATION_HEADS = Table(
    "reservation_heads",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("state", String(12), nullable=False),
    Column("location", ID, nullable=False),
    Column("purpose", String(200), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", ID, nullable=False),
    Column("closed_at", BigInteger),
    Column("version", Integer, nullable=False),
    Index("ix_reservation_heads_state", "state", "expires_at"),
    Index("ix_reservation_heads_location", "location", "state"),
)
