"""The tours of the last seven nights, which tonight's may be asked to resemble."""

from __future__ import annotations

from sqlalchemy import Connection, select

from ops_api.planning.tables import ROUTE_STOPS, ROUTES
from ops_api.planning.wallclock import WallClock
from policies.domain.network import DAY_SECONDS, Network

NIGHTS = 7
Tours = tuple[tuple[int, ...], ...]


def recent_tours(connection: Connection, network: Network, day: int) -> Tours:
    """Stops of planned tours that left on the seven days up to `day`, the newest day first.

    Runs out of plan are left out, as are stops that are no location of the network any more.
    """
    clock, r, s = WallClock(network), ROUTES.c, ROUTE_STOPS.c
    found = connection.execute(
        select(r.id, r.planned_departs_at, r.warehouse, s.location)
        .join(ROUTE_STOPS, s.route_id == r.id)
        .where(
            r.plan_id != "",
            r.planned_departs_at >= clock.day_start(day - NIGHTS + 1),
            r.planned_departs_at < clock.day_start(day + 1),
        )
        .order_by(r.id, s.position)
    )
    index = {name: i for i, name in enumerate(network.locations.ids)}
    tours: dict[tuple[int, str], list[int]] = {}
    for row in found:
        if row.location in index:
            night = clock.second(row.planned_departs_at) // DAY_SECONDS
            tours.setdefault((-night, row.id), []).append(index[row.location])
    rows = sorted((night, tuple(stops)) for (night, _), stops in tours.items())
    return tuple(stops for _, stops in rows)
