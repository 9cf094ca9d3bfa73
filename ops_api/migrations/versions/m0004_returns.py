"""Returns, reservations with expiry, cartons

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "returns",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("location", sa.String(64), nullable=False),
        sa.Column("counterpart", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(24), nullable=False),
        sa.Column("basket", sa.String(64), nullable=False),
        sa.Column("transfer_id", sa.String(64), nullable=False),
        sa.Column("value_cents", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("approved_by", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
    )
    op.create_index("ix_returns_location", "returns", ["location", "state"])
    op.create_table(
        "return_lines",
        sa.Column("return_id", sa.String(64), primary_key=True),
        sa.Column("line", sa.Integer(), primary_key=True),
        sa.Column("sku", sa.String(64), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("lot", sa.String(64), nullable=False),
        sa.Column("serial", sa.String(64), nullable=False),
        sa.Column("condition", sa.String(16), nullable=False),
    )
    op.create_table(
        "reservation_heads",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("location", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(200), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
    )
    op.create_index("ix_reservation_heads_state", "reservation_heads", ["state", "expires_at"])
    op.create_index("ix_reservation_heads_location", "reservation_heads", ["location", "state"])
    op.create_table(
        "cartons",
        sa.Column("sscc", sa.String(18), primary_key=True),
        sa.Column("serial", sa.BigInteger(), nullable=False, unique=True),
        sa.Column("transfer_id", sa.String(64), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=True),
    )
    op.create_index("ix_cartons_transfer_id", "cartons", ["transfer_id"])
    op.create_table(
        "carton_lines",
        sa.Column("sscc", sa.String(18), primary_key=True),
        sa.Column("line", sa.Integer(), primary_key=True),
        sa.Column("lot", sa.String(64), primary_key=True),
        sa.Column("sku", sa.String(64), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    for name in ("carton_lines", "cartons", "reservation_heads", "return_lines", "returns"):
        op.drop_table(name)
