"""Goods: lots and their rules, serials, photos, periods, versions of SKUs

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ops_api.masterdata.artefact import unpack

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "skus", sa.Column("serial_tracked", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("skus", sa.Column("lot_tracked_from", sa.BigInteger(), nullable=True))
    op.add_column("lots", sa.Column("produced_on", sa.Integer(), nullable=True))
    op.add_column(
        "lots", sa.Column("hold_reason", sa.String(400), server_default="", nullable=False)
    )
    op.add_column("lots", sa.Column("recalled_at", sa.BigInteger(), nullable=True))
    op.add_column("lots", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.add_column("artefacts", sa.Column("tz", sa.String(64), server_default="UTC", nullable=False))
    _fill_time_zones()
    op.create_table(
        "expiry_rules",
        sa.Column("category", sa.String(64), primary_key=True),
        sa.Column("receipt_days", sa.Integer(), nullable=False),
        sa.Column("receipt_share", sa.Float(), nullable=False),
        sa.Column("sale_days", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
    )
    op.create_table(
        "sku_versions",
        sa.Column("sku", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("change_id", sa.String(64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
    )
    op.create_index("ix_sku_versions_change_id", "sku_versions", ["change_id"])
    op.create_table(
        "serials",
        sa.Column("sku", sa.String(64), primary_key=True),
        sa.Column("serial", sa.String(64), primary_key=True),
        sa.Column("location", sa.String(140), nullable=False),
        sa.Column("movement_id", sa.String(64), nullable=False),
    )
    op.create_table(
        "periods",
        sa.Column("id", sa.String(7), primary_key=True),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_by", sa.String(64), nullable=False),
    )
    op.create_table(
        "late_postings",
        sa.Column("movement_id", sa.String(64), primary_key=True),
        sa.Column("occurred_in", sa.String(7), nullable=False),
        sa.Column("posted_in", sa.String(7), nullable=False),
    )
    op.create_index("ix_late_postings_occurred_in", "late_postings", ["occurred_in"])
    op.create_index("ix_late_postings_posted_in", "late_postings", ["posted_in"])
    op.create_table(
        "photos",
        sa.Column("document_id", sa.String(64), primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("media_type", sa.String(24), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
    )
    # Receipts now say which of the shipped lots they settle.
    op.execute(
        "UPDATE shipment_lots SET settled = (SELECT received_good + received_damaged + "
        "closed_short FROM transfer_lines WHERE transfer_lines.transfer_id = "
        "shipment_lots.transfer_id AND transfer_lines.line = shipment_lots.line)"
    )


def _fill_time_zones() -> None:
    artefacts = sa.table(
        "artefacts",
        sa.column("name", sa.String),
        sa.column("content", sa.LargeBinary),
        sa.column("tz", sa.String),
    )
    connection = op.get_bind()
    for name, content in connection.execute(
        sa.select(artefacts.c.name, artefacts.c.content).where(artefacts.c.name == "network")
    ).all():
        connection.execute(
            artefacts.update().where(artefacts.c.name == name).values(tz=unpack(content).tz)
        )


def downgrade() -> None:
    for name in (
        "photos",
        "late_postings",
        "periods",
        "serials",
        "sku_versions",
        "expiry_rules",
    ):
        op.drop_table(name)
    op.drop_column("artefacts", "tz")
    for name in ("version", "recalled_at", "hold_reason", "produced_on"):
        op.drop_column("lots", name)
    op.drop_column("skus", "lot_tracked_from")
    op.drop_column("skus", "serial_tracked")
