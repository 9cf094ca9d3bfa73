"""Tables of planning: releases, plans, proposals, routes, safety lines, kept day facts."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from ops_api.database import METADATA
from ops_api.ledger.schema import BIG_KEY, ID

RELEASES = Table(
    "releases",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("policy_version", ID, nullable=False),
    # proposed | shadow | pilot | active | retired
    Column("state", String(12), nullable=False),
    Column("source_sha256", String(64), nullable=False),
    Column("content_sha256", String(64), nullable=False, unique=True),
    Column("content", Text, nullable=False),
    # JSON list of the stores that a pilot decides for.
    Column("pilot_locations", Text, nullable=False, server_default="[]"),
    Column("proposed_by", ID, nullable=False),
    Column("approved_by", ID, nullable=False, server_default=""),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    # The release that was active before this one: where a rollback leads.
    Column("replaced", ID, nullable=False, server_default=""),
    Column("version", Integer, nullable=False),
    Index("ix_releases_state", "state"),
)
RELEASE_EVENTS = Table(
    "release_events",
    METADATA,
    Column("seq", BIG_KEY, primary_key=True, autoincrement=True),
    Column("release_id", ID, nullable=False, index=True),
    Column("from_state", String(12), nullable=False),
    Column("to_state", String(12), nullable=False),
    Column("actor", ID, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("note", String(400), nullable=False, server_default=""),
)
PLANNER_LOCK = Table(
    "planner_lock",
    METADATA,
    Column("name", ID, primary_key=True),
    Column("holder", ID, nullable=False),
    Column("taken_at", BigInteger, nullable=False),
)
PLANS = Table(
    "plans",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("release_id", ID, nullable=False),
    # Number of the business day on the network's calendar.
    Column("business_day", Integer, nullable=False),
    Column("stage", String(12), nullable=False),
    # running | done | failed
    Column("state", String(12), nullable=False),
    Column("as_of", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("seconds", Float, nullable=False, server_default="0"),
    Column("forecast_id", ID, nullable=False, server_default=""),
    Column("view_sha256", String(64), nullable=False, server_default=""),
    Column("decision_sha256", String(64), nullable=False, server_default=""),
    Column("proposals", Integer, nullable=False, server_default="0"),
    Column("lines", Integer, nullable=False, server_default="0"),
    Column("routes", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="1"),
    Column("error", Text, nullable=False, server_default=""),
    # SKUs and locations that blocking rules of data quality kept out.
    Column("left_out", Integer, nullable=False, server_default="0"),
    UniqueConstraint("release_id", "business_day"),
)
FORECASTS = Table(
    "forecasts",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("release_id", ID, nullable=False),
    Column("issued_day", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("provenance", String(400), nullable=False),
    # Days of sales it was made of: a young forecast is issued again sooner.
    Column("panel_days", Integer, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    UniqueConstraint("release_id", "issued_day"),
)
AVAILABILITY = Table(
    "availability_estimates",
    METADATA,
    Column("business_day", Integer, primary_key=True),
    Column("location", ID, primary_key=True),
    # Cells (SKUs of the place) that are listed, and that have stock in the book.
    Column("listed", Integer, nullable=False),
    Column("stocked", Integer, nullable=False),
    # Of these, as many are not there as is to be expected by their silence.
    Column("phantoms", Float, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
)
PROPOSALS = Table(
    "proposals",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("plan_id", ID, nullable=False, index=True),
    Column("release_id", ID, nullable=False),
    # nightly | intraday
    Column("trigger", String(12), nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("origin", ID, nullable=False),
    Column("destination", ID, nullable=False),
    # open | accepted | edited | refused | expired | shadow
    Column("state", String(12), nullable=False),
    Column("value_cents", BigInteger, nullable=False),
    Column("line_count", Integer, nullable=False),
    Column("need_detected_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("decided_at", BigInteger),
    Column("decided_by", ID, nullable=False, server_default=""),
    Column("refusal", String(24), nullable=False, server_default=""),
    Column("document_id", ID, nullable=False, server_default=""),
    Column("route_id", ID, nullable=False, server_default=""),
    Column("version", Integer, nullable=False),
    # "location|sku" of an open intraday proposal; NULL once it is decided.
    Column("open_for", String(200), unique=True),
    Index("ix_proposals_destination", "destination", "state"),
    Index("ix_proposals_origin", "origin", "state"),
)
PROPOSAL_LINES = Table(
    "proposal_lines",
    METADATA,
    Column("proposal_id", ID, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("sku", ID, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("decided_quantity", Integer),
    Column("reason", SmallInteger, nullable=False),
    Column("on_hand", Integer, nullable=False),
    Column("on_order", Integer, nullable=False),
    Column("demand_milli_per_day", BigInteger, nullable=False),
    # What the decision knew beside: NULL where it had no forecast, or was made out of turn.
    Column("risk_before", Float),
    Column("risk_after", Float),
    Column("value_cents", BigInteger),
    Column("freight_cents", Float),
    sqlite_with_rowid=False,
)
ROUTES = Table(
    "routes",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("plan_id", ID, nullable=False, index=True),
    Column("warehouse", ID, nullable=False),
    # one of planned, under_way, returned
    Column("state", String(12), nullable=False),
    Column("planned_departs_at", BigInteger, nullable=False),
    Column("planned_returns_at", BigInteger, nullable=False),
    Column("planned_metres", BigInteger, nullable=False),
    Column("kg", Float, nullable=False),
    Column("m3", Float, nullable=False),
    Column("departed_at", BigInteger),
    Column("returned_at", BigInteger),
    Column("odometer_out_m", BigInteger),
    Column("actual_metres", BigInteger),
    Column("driver", ID, nullable=False, server_default=""),
    Column("version", Integer, nullable=False),
    Index("ix_routes_warehouse", "warehouse", "state"),
)
ROUTE_STOPS = Table(
    "route_stops",
    METADATA,
    Column("route_id", ID, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("location", ID, nullable=False),
    Column("planned_at", BigInteger, nullable=False),
    Column("arrived_at", BigInteger),
    Column("unloaded_at", BigInteger),
    Column("is_on_time", Boolean),
    # Mass that was loaded for the stop: the weight by which a tour is shared.
    Column("kg", Float, nullable=False, server_default="0"),
    Index("ix_route_stops_location", "location"),
)
SAFETY_LINES = Table(
    "safety_lines",
    METADATA,
    Column("location", ID, primary_key=True),
    Column("sku", ID, primary_key=True),
    Column("units", Integer, nullable=False),
    # Down after it has fired, up again once stock has clearly recovered.
    Column("is_armed", Boolean, nullable=False),
    sqlite_with_rowid=False,
)
DECISION_QUEUE = Table(
    "decision_queue",
    METADATA,
    Column("seq", BIG_KEY, primary_key=True, autoincrement=True),
    Column("location", ID, nullable=False),
    Column("sku", ID, nullable=False),
    Column("queued_at", BigInteger, nullable=False),
    # open | proposed | dropped
    Column("state", String(12), nullable=False),
    Column("level", Integer, nullable=False),
    Column("line", Integer, nullable=False),
    Column("handled_at", BigInteger),
    Column("outcome", String(40), nullable=False, server_default=""),
    Column("proposal_id", ID, nullable=False, server_default=""),
    # At most one open need of a (location, SKU); NULL once it is handled.
    Column("open_for", String(200), unique=True),
    Index("ix_decision_queue_state", "state", "seq"),
)
KEPT_FACTS = Table(
    "kept_facts",
    METADATA,
    Column("source", String(12), primary_key=True),
    Column("name", ID, primary_key=True),
    Column("replication", Integer, primary_key=True),
    Column("first_day", Integer, nullable=False),
    Column("days", Integer, nullable=False),
    Column("is_simulated", Boolean, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
# Facts of the days that are over, as the ledger tells them; see ops_api.planning.day_book.
DAY_FACTS = Table(
    "day_facts",
    METADATA,
    Column("day", Integer, primary_key=True, autoincrement=False),
    # The facts hold for whoever knows what was recorded from the one time until the other.
    Column("newest_recorded_at", BigInteger, nullable=False),
    Column("next_recorded_at", BigInteger),
    Column("facts", LargeBinary, nullable=False),
    Column("change", LargeBinary, nullable=False),
)
DAY_FACT_CHAINS = Table(
    "day_fact_chains",
    METADATA,
    Column("chain", String(140), primary_key=True),
    # Rows of the chain that the facts rest on.
    Column("seq", BigInteger, nullable=False),
)
DAY_FACT_MARK = Table(
    "day_fact_mark",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("basis_sha256", String(64), nullable=False),
    Column("first_day", Integer, nullable=False),
)
