"""Data quality: the trend, and what a plan left out

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "quality_counts",
        sa.Column("day", sa.Integer(), primary_key=True),
        sa.Column("rule", sa.String(64), primary_key=True),
        sa.Column("found", sa.Integer(), nullable=False),
    )
    op.add_column("plans", sa.Column("left_out", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("plans", "left_out")
    op.drop_table("quality_counts")
