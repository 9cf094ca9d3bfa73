"""Risk and cost of a proposal's lines; availability less what is likely not there

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_NUMBERS = (
    ("risk_before", sa.Float()),
    ("risk_after", sa.Float()),
    ("value_cents", sa.BigInteger()),
    ("freight_cents", sa.Float()),
)


def upgrade() -> None:
    for name, kind in _NUMBERS:
        op.add_column("proposal_lines", sa.Column(name, kind, nullable=True))
    op.create_table(
        "availability_estimates",
        sa.Column("business_day", sa.Integer(), primary_key=True),
        sa.Column("location", sa.String(64), primary_key=True),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.Column("stocked", sa.Integer(), nullable=False),
        sa.Column("phantoms", sa.Float(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("availability_estimates")
    for name, _ in reversed(_NUMBERS):
        op.drop_column("proposal_lines", name)
