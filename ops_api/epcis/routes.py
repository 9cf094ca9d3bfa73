"""The address where other systems query the ledger's events (EPCIS 2.0, SimpleEventQuery)."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints
from sqlalchemy import Select, and_, or_, select

from ops_api.clock import epoch
from ops_api.epcis.events import document_of, event_of
from ops_api.epcis.names import Names, goods_of, location_of
from ops_api.epcis.vocabulary import bare, kinds_of_action, kinds_of_step
from ops_api.ledger.rows import ACTUAL
from ops_api.ledger.schema import MOVEMENTS
from ops_api.ledger.settled import settled_up_to
from ops_api.masterdata.service import time_zone
from ops_api.web.body import Strict
from ops_api.web.fields import Cursor, Limit, Moment
from ops_api.web.registry import Call, Endpoint, Registry, Rows
from ops_api.web.schemas import JsonObject

Words = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^[^\x00-\x1f]*$")]
_MANY = Field(description="one value, or several separated by |")
_AT_MOST = 50


class EpcisQuery(Strict):
    """Parameters of the EPCIS 2.0 query, by their own names."""

    eventType: Annotated[Words, _MANY] = ""  # noqa: N815
    EQ_bizStep: Annotated[Words, _MANY] = ""
    EQ_action: Annotated[Words, _MANY] = ""
    EQ_bizLocation: Annotated[Words, _MANY] = ""
    EQ_readPoint: Annotated[Words, _MANY] = ""
    EQ_eventID: Annotated[Words, _MANY] = ""
    MATCH_epc: Annotated[Words, _MANY] = ""
    GE_eventTime: Moment | None = None
    LT_eventTime: Moment | None = None
    GE_recordTime: Moment | None = None
    LT_recordTime: Moment | None = None
    perPage: Limit = 200  # noqa: N815
    nextPageToken: Cursor = 0  # noqa: N815


def register(registry: Registry) -> None:
    """Add the endpoint."""
    registry.add(
        Endpoint(
            name="epcis_events",
            method="GET",
            path="/events",
            permission="movement.read",
            scope=Rows(),
            handler=events,
            statuses=(200,),
            answer=JsonObject,
            query=EpcisQuery,
        )
    )


def events(call: Call) -> dict[str, Any]:
    """Events of the ledger by step, time, place and goods, in the order they were recorded."""
    query: EpcisQuery = call.query
    m = MOVEMENTS.c
    settled = settled_up_to(call.connection, MOVEMENTS, query.nextPageToken)
    found = select(MOVEMENTS).where(
        m.seq > query.nextPageToken, m.seq <= settled, m.run_id == ACTUAL, m.visibility == 0
    )
    if call.reach is not None:
        reach = sorted(call.reach)
        found = found.where(m.from_location.in_(reach) | m.to_location.in_(reach))
    found = _where(call, _when(found, query), query)
    rows = call.connection.execute(found.order_by(m.seq).limit(query.perPage)).all()
    names, zone = Names.read(call.connection), ZoneInfo(time_zone(call.connection))
    out = document_of([event_of(row, names, zone) for row in rows], call.now)
    full = len(rows) == query.perPage
    return out | {"nextPageToken": rows[-1].seq if full else None}


def _when(found: Select[Any], query: EpcisQuery) -> Select[Any]:
    m = MOVEMENTS.c
    if query.GE_eventTime is not None:
        found = found.where(m.occurred_at >= epoch(query.GE_eventTime))
    if query.LT_eventTime is not None:
        found = found.where(m.occurred_at < epoch(query.LT_eventTime))
    if query.GE_recordTime is not None:
        found = found.where(m.recorded_at >= epoch(query.GE_recordTime))
    if query.LT_recordTime is not None:
        found = found.where(m.recorded_at < epoch(query.LT_recordTime))
    return found


def _where(call: Call, found: Select[Any], query: EpcisQuery) -> Select[Any]:
    """Kinds, places and goods."""
    m = MOVEMENTS.c
    if query.EQ_bizStep:
        steps = {bare(word) for word in _several(query.EQ_bizStep)}
        found = found.where(m.kind.in_(kinds_of_step(steps)))
    if query.EQ_action:
        found = found.where(m.kind.in_(kinds_of_action(set(_several(query.EQ_action)))))
    if query.eventType:
        types = set(_several(query.eventType))
        shown = [m.sscc != ""] if "AggregationEvent" in types else []
        shown += [m.sscc == ""] if "ObjectEvent" in types else []
        # A type that no movement is told as finds nothing.
        found = found.where(or_(*shown) if shown else m.seq < 0)
    if query.EQ_eventID:
        ids = [word.removeprefix("urn:uuid:") for word in _several(query.EQ_eventID)]
        found = found.where(m.movement_id.in_(ids))
    for asked, real_only in ((query.EQ_bizLocation, True), (query.EQ_readPoint, False)):
        if asked:
            places = [location_of(call.connection, word) for word in _several(asked)]
            ends = m.to_location.in_(places)
            # A shipment is read at the place that it leaves.
            found = found.where(ends if real_only else or_(ends, m.from_location.in_(places)))
    if query.MATCH_epc:
        wanted = [goods_of(call.connection, word) for word in _several(query.MATCH_epc)]
        each = [
            and_(*(m[name] == value for name, value in vars(goods).items() if value))
            for goods in wanted
            if goods is not None
        ]
        found = found.where(or_(*each) if each else m.seq < 0)
    return found


def _several(text: str) -> list[str]:
    return [part for part in text.split("|") if part][:_AT_MOST]
