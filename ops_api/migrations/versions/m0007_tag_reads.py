"""Tags that readers saw

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tag_reads",
        sa.Column("session", sa.String(64), primary_key=True),
        sa.Column("epc", sa.String(24), primary_key=True),
        sa.Column("location", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("sku", sa.String(64), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
    )
    op.create_index("ix_tag_reads_location", "tag_reads", ["location", "read_at"])


def downgrade() -> None:
    op.drop_table("tag_reads")
