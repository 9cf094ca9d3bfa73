"""Routes on the road: what a driver's phone, a gate or a telematics box reports.

Kilometres come from the odometer where both readings are there, else the plan's stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from ops_api.errors import StateInvalid
from ops_api.ledger.write import announce, record_audit
from ops_api.masterdata.service import require_location
from ops_api.masterdata.tables import LOCATIONS
from ops_api.planning.live import live_of
from ops_api.planning.tables import ROUTE_STOPS, ROUTES
from ops_api.planning.wallclock import WallClock
from ops_api.transfers.documents import Act
from ops_api.web.registry import unknown_document
from policies.domain.errors import InvalidInput, UnknownLocation
from policies.domain.network import DAY_SECONDS

PLANNED, UNDER_WAY, RETURNED = "planned", "under_way", "returned"


@dataclass(frozen=True)
class NewStop:
    """A stop of a run that no plan foresaw."""

    location: str
    planned_at: int
    kg: float = 0.0


def ends_of(connection: Connection, route: str) -> tuple[str, ...]:
    """Warehouse and stops of a route."""
    head = connection.execute(select(ROUTES.c.warehouse).where(ROUTES.c.id == route)).first()
    if head is None:
        return ()
    stops = connection.execute(
        select(ROUTE_STOPS.c.location).where(ROUTE_STOPS.c.route_id == route)
    )
    return (head.warehouse, *(row.location for row in stops))


def open_route(
    connection: Connection, route: str, origin: str, stops: list[NewStop], metres: int, act: Act
) -> dict[str, Any]:
    """A run out of plan: a van, a second truck."""
    for place in (origin, *(stop.location for stop in stops)):
        require_location(connection, place)
    connection.execute(
        insert(ROUTES).values(
            id=route,
            plan_id="",
            warehouse=origin,
            state=PLANNED,
            planned_departs_at=act.occurred_at,
            planned_returns_at=act.occurred_at,
            planned_metres=metres,
            kg=sum(stop.kg for stop in stops),
            m3=0.0,
            version=1,
        )
    )
    connection.execute(
        insert(ROUTE_STOPS),
        [
            {
                "route_id": route,
                "position": i,
                "location": stop.location,
                "planned_at": stop.planned_at,
                "kg": stop.kg,
            }
            for i, stop in enumerate(stops)
        ],
    )
    return {"id": route, "state": PLANNED}


def depart(
    connection: Connection, route: str, act: Act, odometer_m: int | None = None
) -> dict[str, Any]:
    """The truck leaves its warehouse."""
    head = _head(connection, route, (PLANNED,))
    values = {"departed_at": act.occurred_at, "odometer_out_m": odometer_m, "driver": act.actor}
    return _move(connection, head, UNDER_WAY, act, **values)


def arrive(connection: Connection, route: str, location: str, act: Act) -> dict[str, Any]:
    """The truck stands at a stop's door; on time = inside its receiving window."""
    _head(connection, route, (UNDER_WAY,))
    stop = _stop(connection, route, location, reached=False)
    connection.execute(
        update(ROUTE_STOPS)
        .where(ROUTE_STOPS.c.route_id == route, ROUTE_STOPS.c.position == stop.position)
        .values(arrived_at=act.occurred_at, is_on_time=_on_time(connection, location, act))
    )
    return {"id": route, "state": UNDER_WAY, "position": stop.position}


def unload(connection: Connection, route: str, location: str, act: Act) -> dict[str, Any]:
    """The load of a stop is off."""
    _head(connection, route, (UNDER_WAY,))
    stop = _stop(connection, route, location, reached=True)
    connection.execute(
        update(ROUTE_STOPS)
        .where(ROUTE_STOPS.c.route_id == route, ROUTE_STOPS.c.position == stop.position)
        .values(unloaded_at=act.occurred_at)
    )
    return {"id": route, "state": UNDER_WAY, "position": stop.position}


def come_back(
    connection: Connection, route: str, act: Act, odometer_m: int | None = None
) -> dict[str, Any]:
    """The truck is back."""
    head = _head(connection, route, (UNDER_WAY,))
    metres = head.planned_metres
    if odometer_m is not None and head.odometer_out_m is not None:
        metres = odometer_m - head.odometer_out_m
        if metres < 0:
            raise InvalidInput(
                "the odometer ran backwards",
                field="odometer_m",
                row=route,
                remedy="read it again; it stood higher at departure",
            )
    return _move(connection, head, RETURNED, act, returned_at=act.occurred_at, actual_metres=metres)


def _head(connection: Connection, route: str, states: tuple[str, ...]) -> Any:
    found = connection.execute(select(ROUTES).where(ROUTES.c.id == route).with_for_update()).first()
    if found is None:
        raise unknown_document(route)
    if found.state not in states:
        raise StateInvalid(
            f"route {route} is {found.state}",
            field="state",
            row=route,
            remedy=f"this step needs {' or '.join(states)}",
            facts={"document": route, "state": found.state},
        )
    return found


def _stop(connection: Connection, route: str, location: str, *, reached: bool) -> Any:
    """The first stop at the location that was (not) reached and not unloaded yet."""
    s = ROUTE_STOPS.c
    query = select(ROUTE_STOPS).where(s.route_id == route, s.location == location)
    query = query.where(s.arrived_at.is_not(None) if reached else s.arrived_at.is_(None))
    found = connection.execute(
        query.where(s.unloaded_at.is_(None)).order_by(s.position).limit(1)
    ).first()
    if found is None:
        raise UnknownLocation(
            f"route {route} has no such stop at {location}",
            field="location",
            row=location,
            remedy="arrive first, and once at each stop",
        )
    return found


def _on_time(connection: Connection, location: str, act: Act) -> bool:
    """A truck before the window waits for it, so only the window's end can be missed."""
    place = connection.execute(select(LOCATIONS).where(LOCATIONS.c.id == location)).one()
    at = WallClock(live_of(connection).network(connection)).second(act.occurred_at)
    return bool(at % DAY_SECONDS <= place.receives_until_s)


def _move(connection: Connection, head: Any, state: str, act: Act, **values: Any) -> dict[str, Any]:
    connection.execute(
        update(ROUTES)
        .where(ROUTES.c.id == head.id)
        .values(state=state, version=ROUTES.c.version + 1, **values)
    )
    record_audit(
        connection,
        f"route.{state}",
        recorded_at=act.recorded_at,
        actor=act.actor,
        device=act.device,
        location=head.warehouse,
        subject=head.id,
    )
    announce(
        connection,
        f"route.{state}",
        {"route": head.id},
        recorded_at=act.recorded_at,
        location=head.warehouse,
    )
    return {"id": head.id, "state": state}
