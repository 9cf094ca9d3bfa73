"""Tables of transfers."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, String, Table

from ops_api.database import METADATA
from ops_api.ledger.schema import ID

TRANSFERS = Table(
    "transfers",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(24), nullable=False),
    Column("origin", ID, nullable=False),
    Column("destination", ID, nullable=False),
    Column("source", ID, nullable=False),
    Column("route_id", ID, nullable=False),
    Column("note", String(400), nullable=False),
    Column("value_cents", BigInteger, nullable=False),
    Column("need_detected_at", BigInteger, nullable=False),
    Column("due_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", ID, nullable=False),
    Column("approved_at", BigInteger),
    Column("approved_by", ID, nullable=False),
    Column("shipped_at", BigInteger),
    Column("received_at", BigInteger),
    Column("closed_at", BigInteger),
    Column("version", Integer, nullable=False),
    Index("ix_transfers_destination", "destination", "state"),
    Index("ix_transfers_origin", "origin", "state"),
)
TRANSFER_LINES = Table(
    "transfer_lines",
    METADATA,
    Column("transfer_id", ID, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("sku", ID, nullable=False, index=True),
    Column("proposed", Integer, nullable=False),
    Column("approved", Integer, nullable=False),
    Column("picked", Integer, nullable=False),
    Column("shipped", Integer, nullable=False),
    Column("received_good", Integer, nullable=False),
    Column("received_damaged", Integer, nullable=False),
    Column("received_over", Integer, nullable=False),
    Column("closed_short", Integer, nullable=False),
    Column("reason", Integer, nullable=False),
    CheckConstraint(
        "received_good + received_damaged + closed_short <= shipped", name="not_above_shipped"
    ),
)
SHIPMENT_LOTS = Table(
    "shipment_lots",
    METADATA,
    Column("transfer_id", ID, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("lot", ID, primary_key=True),
    Column("shipped", Integer, nullable=False),
    Column("settled", Integer, nullable=False),
    CheckConstraint("settled <= shipped", name="settled_within"),
)
DOCUMENT_EVENTS = Table(
    "document_events",
    METADATA,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("document_id", ID, nullable=False, index=True),
    Column("document_kind", String(16), nullable=False),
    Column("state", String(24), nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("actor", ID, nullable=False),
)
# A packed carton or pallet; its number is unique, its content one row per line and lot.
CARTONS = Table(
    "cartons",
    METADATA,
    Column("sscc", String(18), primary_key=True),
    Column("serial", BigInteger, nullable=False, unique=True),
    Column("transfer_id", ID, nullable=False, index=True),
    Column("received_at", BigInteger),
)
CARTON_LINES = Table(
    "carton_lines",
    METADATA,
    Column("sscc", String(18), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("lot", ID, primary_key=True),
    Column("sku", ID, nullable=False),
    Column("quantity", Integer, nullable=False),
)
