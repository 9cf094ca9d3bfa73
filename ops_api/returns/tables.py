"""Tables of returns."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from ops_api.database import METADATA
from ops_api.ledger.schema import ID

RETURNS = Table(
    "returns",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("state", String(12), nullable=False),
    Column("location", ID, nullable=False),
    # The warehouse or supplier it goes to; empty for what a customer brings.
    Column("counterpart", ID, nullable=False),
    Column("reason", String(24), nullable=False),
    Column("basket", ID, nullable=False),
    Column("transfer_id", ID, nullable=False),
    Column("value_cents", BigInteger, nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", ID, nullable=False),
    Column("approved_by", ID, nullable=False),
    Column("version", Integer, nullable=False),
    Index("ix_returns_location", "location", "state"),
)
RETURN_LINES = Table(
    "return_lines",
    METADATA,
    Column("return_id", ID, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("sku", ID, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("lot", ID, nullable=False),
    Column("serial", ID, nullable=False),
    Column("condition", String(16), nullable=False),
)
