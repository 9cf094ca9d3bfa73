"""Tables of purchase orders and supplier receipts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from ops_api.database import METADATA
from ops_api.ledger.schema import ID

PURCHASE_ORDERS = Table(
    "purchase_orders",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("state", String(24), nullable=False),
    Column("supplier", ID, nullable=False),
    Column("destination", ID, nullable=False),
    Column("source", ID, nullable=False),
    Column("value_cents", BigInteger, nullable=False),
    Column("need_detected_at", BigInteger, nullable=False),
    Column("due_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", ID, nullable=False),
    Column("approved_at", BigInteger),
    Column("approved_by", ID, nullable=False),
    Column("sent_at", BigInteger),
    Column("received_at", BigInteger),
    Column("closed_at", BigInteger),
    Column("version", Integer, nullable=False),
    Index("ix_purchase_orders_destination", "destination", "state"),
)
PURCHASE_LINES = Table(
    "purchase_lines",
    METADATA,
    Column("purchase_order_id", ID, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("sku", ID, nullable=False, index=True),
    Column("ordered", Integer, nullable=False),
    Column("received", Integer, nullable=False),
    Column("closed_short", Integer, nullable=False),
    Column("reason", Integer, nullable=False),
)
RECEIPTS = Table(
    "receipts",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("location", ID, nullable=False, index=True),
    Column("purchase_order_id", ID, nullable=False, index=True),
    Column("occurred_at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("actor", ID, nullable=False),
    Column("units", Integer, nullable=False),
)
