"""Facts of single days, and rows of the ledger by their time

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "day_facts",
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("newest_recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("next_recorded_at", sa.BigInteger(), nullable=True),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("change", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "day_fact_chains",
        sa.Column("chain", sa.String(140), primary_key=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "day_fact_mark",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("basis_sha256", sa.String(64), nullable=False),
        sa.Column("first_day", sa.Integer(), nullable=False),
    )
    # Rows are written nearly in the order of their time: a summary of each stretch of pages
    # finds a day, and is a thousandth of a tree that every write would have to grow.
    op.create_index(
        "ix_movements_time",
        "movements",
        ["occurred_at"],
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 32, "autosummarize": True},
    )


def downgrade() -> None:
    op.drop_index("ix_movements_time", table_name="movements")
    op.drop_table("day_fact_mark")
    op.drop_table("day_fact_chains")
    op.drop_table("day_facts")
