"""Planning: releases, plans, proposals, routes, needs, kept facts

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "decision_queue",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("handled_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(length=40), server_default="", nullable=False),
        sa.Column("proposal_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("open_for", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_decision_queue")),
        sa.UniqueConstraint("open_for", name=op.f("uq_decision_queue_open_for")),
    )
    op.create_index("ix_decision_queue_state", "decision_queue", ["state", "seq"], unique=False)
    op.create_table(
        "forecasts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("release_id", sa.String(length=64), nullable=False),
        sa.Column("issued_day", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("provenance", sa.String(length=400), nullable=False),
        sa.Column("panel_days", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forecasts")),
        sa.UniqueConstraint(
            "release_id", "issued_day", name=op.f("uq_forecasts_release_id_issued_day")
        ),
    )
    op.create_table(
        "kept_facts",
        sa.Column("source", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("replication", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.Integer(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("is_simulated", sa.Boolean(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("source", "name", "replication", name=op.f("pk_kept_facts")),
    )
    op.create_table(
        "planner_lock",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_planner_lock")),
    )
    op.create_table(
        "plans",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("release_id", sa.String(length=64), nullable=False),
        sa.Column("business_day", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("seconds", sa.Float(), server_default="0", nullable=False),
        sa.Column("forecast_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("view_sha256", sa.String(length=64), server_default="", nullable=False),
        sa.Column("decision_sha256", sa.String(length=64), server_default="", nullable=False),
        sa.Column("proposals", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lines", sa.Integer(), server_default="0", nullable=False),
        sa.Column("routes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="1", nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint(
            "release_id", "business_day", name=op.f("uq_plans_release_id_business_day")
        ),
    )
    op.create_table(
        "proposal_lines",
        sa.Column("proposal_id", sa.String(length=64), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("decided_quantity", sa.Integer(), nullable=True),
        sa.Column("reason", sa.SmallInteger(), nullable=False),
        sa.Column("on_hand", sa.Integer(), nullable=False),
        sa.Column("on_order", sa.Integer(), nullable=False),
        sa.Column("demand_milli_per_day", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("proposal_id", "line", name=op.f("pk_proposal_lines")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "proposals",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("release_id", sa.String(length=64), nullable=False),
        sa.Column("trigger", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("value_cents", sa.BigInteger(), nullable=False),
        sa.Column("line_count", sa.Integer(), nullable=False),
        sa.Column("need_detected_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.String(length=64), server_default="", nullable=False),
        sa.Column("refusal", sa.String(length=24), server_default="", nullable=False),
        sa.Column("document_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("route_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("open_for", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposals")),
        sa.UniqueConstraint("open_for", name=op.f("uq_proposals_open_for")),
    )
    op.create_index("ix_proposals_destination", "proposals", ["destination", "state"], unique=False)
    op.create_index("ix_proposals_origin", "proposals", ["origin", "state"], unique=False)
    op.create_index(op.f("ix_proposals_plan_id"), "proposals", ["plan_id"], unique=False)
    op.create_table(
        "release_events",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("release_id", sa.String(length=64), nullable=False),
        sa.Column("from_state", sa.String(length=12), nullable=False),
        sa.Column("to_state", sa.String(length=12), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.String(length=400), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_release_events")),
    )
    op.create_index(
        op.f("ix_release_events_release_id"), "release_events", ["release_id"], unique=False
    )
    op.create_table(
        "releases",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("policy_version", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("source_sha256", sa.String(length=64), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("pilot_locations", sa.Text(), server_default="[]", nullable=False),
        sa.Column("proposed_by", sa.String(length=64), nullable=False),
        sa.Column("approved_by", sa.String(length=64), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("replaced", sa.String(length=64), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releases")),
        sa.UniqueConstraint("content_sha256", name=op.f("uq_releases_content_sha256")),
    )
    op.create_index("ix_releases_state", "releases", ["state"], unique=False)
    op.create_table(
        "route_stops",
        sa.Column("route_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("planned_at", sa.BigInteger(), nullable=False),
        sa.Column("arrived_at", sa.BigInteger(), nullable=True),
        sa.Column("unloaded_at", sa.BigInteger(), nullable=True),
        sa.Column("is_on_time", sa.Boolean(), nullable=True),
        sa.Column("kg", sa.Float(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("route_id", "position", name=op.f("pk_route_stops")),
    )
    op.create_index("ix_route_stops_location", "route_stops", ["location"], unique=False)
    op.create_table(
        "routes",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("warehouse", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("planned_departs_at", sa.BigInteger(), nullable=False),
        sa.Column("planned_returns_at", sa.BigInteger(), nullable=False),
        sa.Column("planned_metres", sa.BigInteger(), nullable=False),
        sa.Column("kg", sa.Float(), nullable=False),
        sa.Column("m3", sa.Float(), nullable=False),
        sa.Column("departed_at", sa.BigInteger(), nullable=True),
        sa.Column("returned_at", sa.BigInteger(), nullable=True),
        sa.Column("odometer_out_m", sa.BigInteger(), nullable=True),
        sa.Column("actual_metres", sa.BigInteger(), nullable=True),
        sa.Column("driver", sa.String(length=64), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_routes")),
    )
    op.create_index(op.f("ix_routes_plan_id"), "routes", ["plan_id"], unique=False)
    op.create_index("ix_routes_warehouse", "routes", ["warehouse", "state"], unique=False)
    op.create_table(
        "safety_lines",
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("is_armed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("location", "sku", name=op.f("pk_safety_lines")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("safety_lines")
    op.drop_index("ix_routes_warehouse", table_name="routes")
    op.drop_index(op.f("ix_routes_plan_id"), table_name="routes")
    op.drop_table("routes")
    op.drop_index("ix_route_stops_location", table_name="route_stops")
    op.drop_table("route_stops")
    op.drop_index("ix_releases_state", table_name="releases")
    op.drop_table("releases")
    op.drop_index(op.f("ix_release_events_release_id"), table_name="release_events")
    op.drop_table("release_events")
    op.drop_index(op.f("ix_proposals_plan_id"), table_name="proposals")
    op.drop_index("ix_proposals_origin", table_name="proposals")
    op.drop_index("ix_proposals_destination", table_name="proposals")
    op.drop_table("proposals")
    op.drop_table("proposal_lines")
    op.drop_table("plans")
    op.drop_table("planner_lock")
    op.drop_table("kept_facts")
    op.drop_table("forecasts")
    op.drop_index("ix_decision_queue_state", table_name="decision_queue")
    op.drop_table("decision_queue")
