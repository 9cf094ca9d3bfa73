"""Tables of the master data."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    false,
)

from ops_api.database import METADATA
from ops_api.ledger.schema import ID

SKUS = Table(
    "skus",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("axis", Integer, unique=True),
    Column("name", String(200), nullable=False),
    Column("category", ID, nullable=False, index=True),
    Column("unit_cost_cents", Integer, nullable=False),
    Column("unit_price_cents", Integer, nullable=False),
    Column("pack_size", Integer, nullable=False),
    Column("mass_g", Integer, nullable=False),
    Column("volume_cm3", Integer, nullable=False),
    Column("shelf_life_days", Integer, nullable=False),
    Column("lot_tracked", Boolean, nullable=False),
    Column("lot_tracked_from", BigInteger),
    Column("serial_tracked", Boolean, nullable=False, server_default=false()),
    Column("count_tolerance_units", Integer, nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
)
GTINS = Table(
    "gtins",
    METADATA,
    Column("gtin", String(14), primary_key=True),
    Column("sku", ID, nullable=False, index=True),
    Column("units", Integer, nullable=False),
)
LOCATIONS = Table(
    "locations",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("axis", Integer, unique=True),
    Column("kind", SmallInteger, nullable=False),
    Column("name", String(200), nullable=False),
    Column("region", ID, nullable=False),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    Column("opens_s", Integer, nullable=False),
    Column("closes_s", Integer, nullable=False),
    Column("source", ID, nullable=False),
    Column("receives_from_s", Integer, nullable=False),
    Column("receives_until_s", Integer, nullable=False),
    Column("gln", String(13), nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
)
ASSORTMENTS = Table(
    "assortments",
    METADATA,
    Column("location", ID, primary_key=True),
    Column("sku", ID, primary_key=True),
    sqlite_with_rowid=False,
)
LANES = Table(
    "lanes",
    METADATA,
    Column("origin", ID, primary_key=True),
    Column("destination", ID, primary_key=True),
    Column("distance_m", Integer, nullable=False),
    sqlite_with_rowid=False,
)
SUPPLIERS = Table(
    "suppliers",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("category", ID, nullable=False),
    Column("mean_lead_time_days", Float, nullable=False),
)
LOTS = Table(
    "lots",
    METADATA,
    Column("sku", ID, primary_key=True),
    Column("lot", ID, primary_key=True),
    Column("expires_on", Integer),
    Column("on_hold", Boolean, nullable=False),
    Column("produced_on", Integer),
    Column("hold_reason", String(400), nullable=False, server_default=""),
    Column("recalled_at", BigInteger),
    Column("version", Integer, nullable=False, server_default="1"),
    Index("ix_lots_expiry", "expires_on"),
)
# What a category asks of its lots; the row of the empty category holds for all others.
EXPIRY_RULES = Table(
    "expiry_rules",
    METADATA,
    Column("category", ID, primary_key=True),
    Column("receipt_days", Integer, nullable=False),
    Column("receipt_share", Float, nullable=False),
    Column("sale_days", Integer, nullable=False),
    Column("version", Integer, nullable=False),
)
# Each version of a SKU as it was, with who made it and from when it held.
SKU_VERSIONS = Table(
    "sku_versions",
    METADATA,
    Column("sku", ID, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("valid_from", BigInteger, nullable=False),
    Column("actor", ID, nullable=False),
    Column("change_id", ID, nullable=False, index=True),
    Column("content", Text, nullable=False),
)
ARTEFACTS = Table(
    "artefacts",
    METADATA,
    Column("name", ID, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("tz", ID, nullable=False, server_default="UTC"),
)
