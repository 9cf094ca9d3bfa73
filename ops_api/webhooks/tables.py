"""Tables of webhooks and their deliveries."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from ops_api.database import METADATA
from ops_api.ledger.schema import ID

WEBHOOKS = Table(
    "webhooks",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("url", String(400), nullable=False),
    # A nonce: the key that signs is derived from it and the service's own key.
    Column("secret", String(120), nullable=False),
    Column("topics", Text, nullable=False),
    Column("location", ID, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", ID, nullable=False),
)
DELIVERIES = Table(
    "webhook_deliveries",
    METADATA,
    Column("webhook_id", ID, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("location", ID, nullable=False),
    # waiting | delivered | dead
    Column("state", String(12), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("last_status", Integer, nullable=False),
    Column("done_at", BigInteger),
    Index("ix_webhook_deliveries_state", "state", "webhook_id", "location", "seq"),
)
