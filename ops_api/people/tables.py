"""Tables of people, grants and credentials."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table

from ops_api.database import METADATA
from ops_api.ledger.schema import ID

PEOPLE = Table(
    "people",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("login", ID, nullable=False, unique=True),
    Column("password_hash", String(200), nullable=False),
    Column("language", String(5), nullable=False),
    Column("is_active", Boolean, nullable=False),
    # A raised number ends every session of the person.
    Column("session_epoch", Integer, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
)
GRANTS = Table(
    "grants",
    METADATA,
    Column("person", ID, primary_key=True),
    Column("role", String(20), primary_key=True),
    Column("scope_kind", String(10), primary_key=True),
    Column("scope_value", ID, primary_key=True),
)
TOKENS = Table(
    "tokens",
    METADATA,
    Column("token_sha256", String(64), primary_key=True),
    Column("id", ID, nullable=False, unique=True),
    Column("person", ID, nullable=False, index=True),
    Column("device", ID, nullable=False),
    # Bound to one location; the empty string means wherever the person's grants reach.
    Column("location", ID, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("clock_offset_s", Integer, nullable=False),
)
