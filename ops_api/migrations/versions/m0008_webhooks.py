"""Webhooks and their deliveries

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("url", sa.String(400), nullable=False),
        sa.Column("secret", sa.String(120), nullable=False),
        sa.Column("topics", sa.Text(), nullable=False),
        sa.Column("location", sa.String(64), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("webhook_id", sa.String(64), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True),
        sa.Column("location", sa.String(64), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
    )
    op.create_index(
        "ix_webhook_deliveries_state",
        "webhook_deliveries",
        ["state", "webhook_id", "location", "seq"],
    )
    waiting = sa.text("delivered_at IS NULL")
    op.create_index(
        "ix_outbox_waiting", "outbox", ["seq"], sqlite_where=waiting, postgresql_where=waiting
    )


def downgrade() -> None:
    op.drop_index("ix_outbox_waiting", table_name="outbox")
    op.drop_table("webhook_deliveries")
    op.drop_table("webhooks")
