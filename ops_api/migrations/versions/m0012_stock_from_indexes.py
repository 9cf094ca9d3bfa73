"""Stock at a moment from the indexes of movements alone

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_INCLUDED = ["quantity", "lot", "condition", "recorded_at", "run_id", "visibility"]


def upgrade() -> None:
    _make_again(_INCLUDED)


def downgrade() -> None:
    _make_again([])


def _make_again(included: list[str]) -> None:
    # SQLite has no columns beside the key of an index, and keeps its rows nearer.
    if op.get_bind().dialect.name != "postgresql":
        return
    for side in ("from", "to"):
        name, columns = f"ix_movements_{side}", [f"{side}_location", "sku", "occurred_at"]
        op.drop_index(name, table_name="movements")
        if included:
            op.create_index(name, "movements", columns, postgresql_include=included)
        else:
            op.create_index(name, "movements", columns)
