"""Tables of the ledger. Movement columns are those of ``policies.domain.ledger.Movement``.

Differences of storage, and no others: locations and SKUs stand by their text ids
(:func:`policies.domain.ledger.location_name`), times are whole seconds of UTC since
1970 (``occurred_at``, ``recorded_at``), and each row carries its place in the hash
chain of its location.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from ops_api.database import METADATA

# SQLite numbers rows by itself only in a column of exactly this type.
BIG_KEY = BigInteger().with_variant(Integer, "sqlite")
ID = String(64)
PLACE = String(140)

_STOCK_COLUMNS = ["quantity", "lot", "condition", "recorded_at", "run_id", "visibility"]

MOVEMENTS = Table(
    "movements",
    METADATA,
    Column("seq", BIG_KEY, primary_key=True, autoincrement=True),
    Column("movement_id", ID, nullable=False, unique=True),
    Column("run_id", ID, nullable=False, server_default="actual"),
    Column("visibility", SmallInteger, nullable=False, server_default="0"),
    Column("occurred_at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("sku", ID, nullable=False),
    Column("from_location", PLACE, nullable=False),
    Column("to_location", PLACE, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("lot", ID, nullable=False, server_default=""),
    Column("serial", ID, nullable=False, server_default=""),
    Column("condition", String(16), nullable=False, server_default="good"),
    Column("owner", ID, nullable=False, server_default=""),
    Column("document_id", ID, nullable=False, server_default=""),
    Column("sscc", String(18), nullable=False, server_default=""),
    Column("actor", ID, nullable=False, server_default=""),
    Column("device", ID, nullable=False, server_default=""),
    Column("reverses", ID, nullable=False, server_default=""),
    Column("chain", PLACE, nullable=False),
    Column("chain_seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("chain", "chain_seq"),
    CheckConstraint("quantity > 0", name="quantity_positive"),
    CheckConstraint("from_location <> to_location", name="two_ends"),
    # With what stock at a moment needs, so that a store's year is read from the index alone.
    Index(
        "ix_movements_from",
        "from_location",
        "sku",
        "occurred_at",
        postgresql_include=_STOCK_COLUMNS,
    ),
    Index(
        "ix_movements_to", "to_location", "sku", "occurred_at", postgresql_include=_STOCK_COLUMNS
    ),
    Index(
        "ix_movements_time",
        "occurred_at",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 32, "autosummarize": True},
    ),
    # A movement is reversed once; the empty string means "reverses nothing".
    Index(
        "uq_movements_reverses",
        "reverses",
        unique=True,
        sqlite_where=text("reverses <> ''"),
        postgresql_where=text("reverses <> ''"),
    ),
    Index(
        "ix_movements_document",
        "document_id",
        sqlite_where=text("document_id <> ''"),
        postgresql_where=text("document_id <> ''"),
    ),
    sqlite_autoincrement=True,
)

CHAIN_HEADS = Table(
    "chain_heads",
    METADATA,
    Column("chain", PLACE, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)

BALANCES = Table(
    "balances",
    METADATA,
    Column("location", PLACE, primary_key=True),
    Column("sku", ID, primary_key=True),
    Column("lot", ID, primary_key=True, server_default=""),
    Column("condition", String(16), primary_key=True, server_default="good"),
    Column("on_hand", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False, server_default="0"),
    CheckConstraint("on_hand >= 0", name="on_hand_not_negative"),
    CheckConstraint("reserved >= 0 AND reserved <= on_hand", name="reserved_within"),
    sqlite_with_rowid=False,
)

RESERVATIONS = Table(
    "reservations",
    METADATA,
    Column("document_id", ID, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("location", PLACE, primary_key=True),
    Column("sku", ID, primary_key=True),
    Column("lot", ID, primary_key=True, server_default=""),
    Column("quantity", BigInteger, nullable=False),
    CheckConstraint("quantity >= 0", name="quantity_not_negative"),
    Index("ix_reservations_place", "location", "sku"),
)

# Where each serial is; the empty place means outside of the chain.
SERIALS = Table(
    "serials",
    METADATA,
    Column("sku", ID, primary_key=True),
    Column("serial", ID, primary_key=True),
    Column("location", PLACE, nullable=False),
    Column("movement_id", ID, nullable=False),
)

PERIODS = Table(
    "periods",
    METADATA,
    Column("id", String(7), primary_key=True),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger, nullable=False),
    Column("closed_by", ID, nullable=False),
)
# Facts of a closed period that came to light later: they count in the period that was open.
LATE_POSTINGS = Table(
    "late_postings",
    METADATA,
    Column("movement_id", ID, primary_key=True),
    Column("occurred_in", String(7), nullable=False, index=True),
    Column("posted_in", String(7), nullable=False, index=True),
)

SALE_VALUES = Table(
    "sale_values",
    METADATA,
    Column("movement_id", ID, primary_key=True),
    Column("unit_price_cents", BigInteger, nullable=False),
    Column("basket", ID, nullable=False, server_default=""),
    sqlite_with_rowid=False,
)

COUNT_BASELINES = Table(
    "count_baselines",
    METADATA,
    Column("location", PLACE, primary_key=True),
    Column("sku", ID, primary_key=True),
    Column("lot", ID, primary_key=True, server_default=""),
    Column("counted_at", BigInteger, primary_key=True),
    Column("document_id", ID, nullable=False),
    Column("counted", BigInteger, nullable=False),
)

IDEMPOTENCY = Table(
    "idempotency",
    METADATA,
    Column("key", ID, primary_key=True),
    Column("body_sha256", String(64), nullable=False),
    Column("actor", ID, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("answer", Text, nullable=False, server_default=""),
    sqlite_with_rowid=False,
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("seq", BIG_KEY, primary_key=True, autoincrement=True),
    Column("recorded_at", BigInteger, nullable=False),
    Column("actor", ID, nullable=False),
    Column("device", ID, nullable=False, server_default=""),
    Column("action", ID, nullable=False),
    Column("location", PLACE, nullable=False, server_default=""),
    Column("subject", ID, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default="{}"),
    Column("chain", PLACE, nullable=False),
    Column("chain_seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("chain", "chain_seq"),
    sqlite_autoincrement=True,
)

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("seq", BIG_KEY, primary_key=True, autoincrement=True),
    Column("topic", ID, nullable=False),
    Column("location", PLACE, nullable=False, server_default=""),
    Column("recorded_at", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
    # When it was handed to every webhook that wants it.
    Column("delivered_at", BigInteger),
    Index(
        "ix_outbox_waiting",
        "seq",
        sqlite_where=text("delivered_at IS NULL"),
        postgresql_where=text("delivered_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

# Up to where the health check found each chain sound, and what the rows until there sum to.
CHECKED_CHAINS = Table(
    "checked_chains",
    METADATA,
    Column("chain", PLACE, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)
CHECKED_SUMS = Table(
    "checked_sums",
    METADATA,
    Column("name", String(16), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

NEVER_CHANGED = ("movements", "audit", "sale_values", "count_baselines")
"""Tables whose rows are neither updated nor deleted; triggers see to it."""


def trigger_statements(dialect: str) -> list[str]:
    """DDL that refuses UPDATE, DELETE and TRUNCATE on the tables of :data:`NEVER_CHANGED`."""
    out = []
    if dialect == "postgresql":
        out.append(
            "CREATE OR REPLACE FUNCTION storetwin_refuse() RETURNS trigger AS $$ BEGIN "
            "RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME; END $$ LANGUAGE plpgsql"
        )
    for table in NEVER_CHANGED:
        for verb in ("UPDATE", "DELETE"):
            name = f"{table}_no_{verb.lower()}"
            if dialect == "postgresql":
                out.append(
                    f"CREATE TRIGGER {name} BEFORE {verb} ON {table} "
                    "FOR EACH ROW EXECUTE FUNCTION storetwin_refuse()"
                )
            else:
                out.append(
                    f"CREATE TRIGGER {name} BEFORE {verb} ON {table} BEGIN "
                    f"SELECT RAISE(ABORT, 'rows of {table} are never changed'); END"
                )
        if dialect == "postgresql":
            out.append(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION storetwin_refuse()"
            )
    return out


def trigger_names(dialect: str) -> list[str]:
    """Triggers that :func:`trigger_statements` makes."""
    verbs = ("update", "delete", "truncate") if dialect == "postgresql" else ("update", "delete")
    return [f"{table}_no_{verb}" for table in NEVER_CHANGED for verb in verbs]
