"""The safety line of each (store, SKU), and the need that is queued when stock falls below it.

The line is what a store expects to sell until a truck that leaves in the coming night is
unloaded: one day's demand. It is stored by the nightly plan, so that a sale only has to
compare two numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ops_api.bulk import listed_cells, unlist
from ops_api.ledger.rows import transit
from ops_api.ledger.schema import BALANCES
from ops_api.ledger.write import Posted
from ops_api.planning.blocked import blocked_here
from ops_api.planning.tables import DECISION_QUEUE, SAFETY_LINES
from ops_api.transfers.tables import TRANSFERS
from ops_api.wire import ask
from policies.domain.forecast import Forecast
from policies.domain.network import Network

LINE_DAYS = 1.0
REARM_SHARE = 0.5
"""A line fires again only after stock has stood this share above it."""


def safety_units(forecast: Forecast, network: Network) -> npt.NDArray[np.int64]:
    """(L, K) int64: expected sales of the coming day in stores, rounded; 0 elsewhere."""
    stores = network.listed & (network.locations.source >= 0)[:, None]
    out: npt.NDArray[np.int64] = np.rint(forecast.level * LINE_DAYS).astype(np.int64) * stores
    return out


def store_lines(connection: Connection, network: Network, units: npt.NDArray[np.int64]) -> int:
    """Write the lines that changed, and arm those that had fired; returns how many."""
    ids, skus = network.locations.ids, network.skus.ids
    s = SAFETY_LINES.c
    known = {
        (place, sku): (line, armed)
        for place, sku, line, armed in connection.execute(
            select(s.location, s.sku, s.units, s.is_armed)
        )
    }
    wanted = {
        (ids[i], skus[k]): int(units[i, k])
        for i, k in zip(*(axis.tolist() for axis in np.nonzero(units)), strict=True)
    }
    for cell in known.keys() - wanted.keys():
        wanted[cell] = 0
    rows = [
        {"location": place, "sku": sku, "units": line, "is_armed": True}
        for (place, sku), line in wanted.items()
        if known.get((place, sku)) != (line, True)
    ]
    if rows:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(SAFETY_LINES)
        statement = statement.on_conflict_do_update(
            index_elements=["location", "sku"],
            set_={"units": statement.excluded.units, "is_armed": statement.excluded.is_armed},
        )
        connection.execute(statement, rows)
    return len(rows)


def read_lines(connection: Connection, network: Network) -> npt.NDArray[np.int64]:
    """(L, K) int64: the stored lines."""
    s = SAFETY_LINES.c
    out = np.zeros(network.shape, dtype=np.int64)
    place = {name: i for i, name in enumerate(network.locations.ids)}
    sku = {name: k for k, name in enumerate(network.skus.ids)}
    rows = connection.execute(select(s.location, s.sku, s.units).where(s.units > 0))
    for where, goods, units in rows:
        if where in place and goods in sku:
            out[place[where], sku[goods]] = units
    return out


def queue_needs(connection: Connection, posted: Posted) -> None:
    """Listener of the write path: queue what fell below its line, in the same transaction."""
    near = posted.near
    cells = sorted(cell for cell in posted.cells if near is None or cell in near)
    found: dict[str, list[Level]] = {}
    if cells:
        rows = ask(connection, unlist(connection, _LEVELS), listed_cells(connection, cells))
        for place, *level in rows:
            found.setdefault(place, []).append(Level(*level))
    for place, levels in sorted(found.items()):
        _look(connection, place, levels, posted.recorded_at)


class Level(NamedTuple):
    """Stock of a SKU beside its line: units of both, and rows of stock that have a lot."""

    sku: str
    line: int
    is_armed: bool
    free: int
    lots: int


# Only what may fire or be armed again comes back: of most sales nothing does. Of goods with
# lots some may not be for sale, which is looked at afterwards. Whoever locked the shelves has
# told which cells may come back from here (``ledger.shelf``): a wider condition goes into both.
_LEVELS = """
WITH cells AS MATERIALIZED (CELLS(?)), levels AS (
    SELECT s.location, s.sku, s.units, s.is_armed,
        coalesce(sum(b.on_hand - b.reserved), 0) AS free,
        count(CASE WHEN b.lot <> '' THEN 1 END) AS lots
    FROM cells c JOIN safety_lines s ON s.location = c.location AND s.sku = c.sku
    LEFT JOIN balances b
        ON b.location = s.location AND b.sku = s.sku AND b.condition = 'good'
    WHERE s.units > 0
    GROUP BY s.location, s.sku, s.units, s.is_armed
)
SELECT * FROM levels WHERE lots > 0 OR is_armed = (free < units) ORDER BY location, sku
"""


def _look(connection: Connection, place: str, levels: list[Level], now: int) -> None:
    """Fire lines that were crossed, arm those that are clear again."""
    # Goods followed by lot alone can lie there and not be for sale: nobody else waits for this.
    followed = [level.sku for level in levels if level.lots]
    if followed:
        gone = blocked_here(connection, place, followed, now)
        levels = [one._replace(free=one.free - gone.get(one.sku, 0)) for one in levels]
    low = [one for one in levels if one.is_armed and one.free < one.line]
    clear = [
        one.sku for one in levels if not one.is_armed and one.free >= one.line * (1 + REARM_SHARE)
    ]
    if low:
        road = _road(connection, place, [one.sku for one in low])
        low = [one for one in low if one.free + road.get(one.sku, 0) < one.line]
    if low:
        _queue(connection, place, low, now)
        _arm(connection, place, [one.sku for one in low], is_armed=False)
    if clear:
        _arm(connection, place, clear, is_armed=True)


def _road(connection: Connection, place: str, skus: list[str]) -> dict[str, int]:
    """Units on the way to `place`, by SKU."""
    t, b = TRANSFERS.c, BALANCES.c
    origins = connection.execute(
        select(t.origin)
        .distinct()
        .where(t.destination == place, t.state.in_(("shipped", "partially_received")))
    )
    lanes = [transit(row.origin, place) for row in origins]
    if not lanes:
        return {}
    query = (
        select(b.sku, func.sum(b.on_hand))
        .where(b.location.in_(lanes), b.sku.in_(skus))
        .group_by(b.sku)
    )
    return {sku: int(units) for sku, units in connection.execute(query)}


def _queue(connection: Connection, place: str, low: list[Level], now: int) -> None:
    rows: list[dict[str, Any]] = [
        {
            "location": place,
            "sku": one.sku,
            "queued_at": now,
            "state": "open",
            "level": int(one.free),
            "line": one.line,
            "open_for": f"{place}|{one.sku}",
        }
        for one in low
    ]
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(DECISION_QUEUE).on_conflict_do_nothing(index_elements=["open_for"])
    connection.execute(statement, rows)


def _arm(connection: Connection, place: str, skus: list[str], *, is_armed: bool) -> None:
    s = SAFETY_LINES.c
    connection.execute(
        update(SAFETY_LINES).where(s.location == place, s.sku.in_(skus)).values(is_armed=is_armed)
    )


def store_line(connection: Connection, place: str, sku: str, units: int) -> None:
    """Set one line by hand (a manager's wish, a test)."""
    s = SAFETY_LINES.c
    found = connection.execute(select(s.units).where(s.location == place, s.sku == sku)).first()
    if found is None:
        connection.execute(
            insert(SAFETY_LINES).values(location=place, sku=sku, units=units, is_armed=True)
        )
    else:
        connection.execute(
            update(SAFETY_LINES)
            .where(s.location == place, s.sku == sku)
            .values(units=units, is_armed=True)
        )
