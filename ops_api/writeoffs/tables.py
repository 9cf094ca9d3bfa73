"""Table of write-offs."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table

from ops_api.database import METADATA
from ops_api.ledger.schema import ID

WRITE_OFFS = Table(
    "write_offs",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("state", String(12), nullable=False),
    Column("location", ID, nullable=False),
    Column("sku", ID, nullable=False),
    Column("lot", ID, nullable=False),
    Column("condition", String(16), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("reason", String(24), nullable=False),
    Column("value_cents", BigInteger, nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", ID, nullable=False),
    Column("approved_by", ID, nullable=False),
    Column("version", Integer, nullable=False),
    Index("ix_write_offs_location", "location", "state"),
)
# Pictures that go with a document; the content is kept once per document and hash.
PHOTOS = Table(
    "photos",
    METADATA,
    Column("document_id", ID, primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("media_type", String(24), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("actor", ID, nullable=False),
)
