"""The twin's ledger and documents, loaded into the service's database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from sqlalchemy import Engine, insert

from ops_api.counts.tables import COUNT_LINES, COUNTS
from ops_api.database import make_engine, writing
from ops_api.ledger.export import import_columns
from ops_api.ledger.schema import SALE_VALUES
from ops_api.masterdata.service import load_network
from ops_api.migrations.run import upgrade
from ops_api.planning.facts import pack_forecast
from ops_api.planning.tables import FORECASTS, PLANS, ROUTE_STOPS, ROUTES
from ops_api.planning.view import keep_sales_history
from ops_api.planning.wallclock import WallClock
from ops_api.purchasing.tables import PURCHASE_LINES, PURCHASE_ORDERS
from ops_api.transfers.tables import TRANSFER_LINES, TRANSFERS
from policies.domain.documents import Documents
from policies.domain.forecast import Forecast
from policies.domain.ledger import MovementColumns, MovementKind
from policies.domain.network import Network
from tests import databases


def service_with(
    folder: Any, network: Network, movements: MovementColumns, documents: Documents
) -> Engine:
    """A database that holds what the twin recorded; latent rows stay in the twin."""
    url = databases.empty(folder)
    upgrade(url)
    engine = make_engine(url)
    databases.close_later(engine)
    load_network(engine, network)
    book = movements.where(movements.visibility == 0)
    import_columns(engine, network, book)
    with writing(engine) as connection:
        loader = _Loader(connection, network)
        loader.transfers(documents)
        loader.purchases(documents, book)
        loader.counts(documents)
        loader.stops(documents)
    return engine


def with_history(engine: Engine, network: Network, sold: np.ndarray, last_day: int) -> None:
    """What was sold before the ledger began."""
    with writing(engine) as connection:
        keep_sales_history(connection, network, sold, last_day, 0)


def with_prices(engine: Engine, network: Network, cents: np.ndarray) -> None:
    """Every sale at its SKU's price."""
    with writing(engine) as connection:
        rows = connection.exec_driver_sql(
            f"SELECT movement_id, sku FROM movements WHERE kind = {int(MovementKind.SELL)}"
        ).all()
        connection.execute(
            insert(SALE_VALUES),
            [
                {
                    "movement_id": name,
                    "unit_price_cents": int(cents[network.sku_index(sku)]),
                    "basket": "",
                }
                for name, sku in rows
            ],
        )


def with_forecasts(engine: Engine, issues: list[tuple[Forecast, int]]) -> None:
    """Issues of an acting release, as the planner freezes them."""
    with writing(engine) as connection:
        connection.execute(
            insert(PLANS).values(
                id="plan",
                release_id="acting",
                business_day=0,
                stage="active",
                state="done",
                as_of=0,
                started_at=0,
            )
        )
        for forecast, panel_days in issues:
            connection.execute(
                insert(FORECASTS).values(
                    id=f"F{forecast.issued_day}",
                    release_id="acting",
                    issued_day=forecast.issued_day,
                    sha256=forecast.digest(),
                    provenance=forecast.provenance,
                    panel_days=panel_days,
                    recorded_at=0,
                    content=pack_forecast(forecast),
                )
            )


class _Loader:
    def __init__(self, connection: Any, network: Network) -> None:
        self.connection, self.clock = connection, WallClock(network)
        self.places, self.skus = network.locations.ids, network.skus.ids

    def _at(self, second: int, *, after: int = 0) -> int | None:
        return None if second < 0 else self.clock.epoch(int(second)) + after

    def transfers(self, documents: Documents) -> None:
        """One transfer a line; an order is placed in the second after its decision."""
        lines = documents.transfers
        heads, rows = [], []
        for i in range(len(lines.sku)):
            name = f"T{i}"
            ordered, shipped = int(lines.ordered[i]), int(lines.shipped[i])
            good = int(lines.received[i])
            came = self._at(int(lines.received_s[i]))
            left = self._at(int(lines.shipped_s[i]))
            heads.append(
                {
                    "id": name,
                    "kind": "replenish",
                    "state": "received" if came else "shipped" if left else "reserved",
                    "origin": self.places[int(lines.origin[i])],
                    "destination": self.places[int(lines.destination[i])],
                    "source": "",
                    "route_id": "",
                    "note": "",
                    "value_cents": 0,
                    "need_detected_at": self._at(int(lines.need_s[i])),
                    "due_at": None,
                    "created_at": self._at(int(lines.need_s[i]), after=1),
                    "created_by": "planner",
                    "approved_at": self._at(int(lines.need_s[i]), after=1),
                    "approved_by": "planner",
                    "shipped_at": left,
                    "received_at": came,
                    "closed_at": None,
                    "version": 1,
                }
            )
            rows.append(
                {
                    "transfer_id": name,
                    "line": 0,
                    "sku": self.skus[int(lines.sku[i])],
                    "proposed": ordered,
                    "approved": ordered,
                    "picked": shipped,
                    "shipped": shipped,
                    "received_good": good,
                    "received_damaged": 0,
                    "received_over": 0,
                    "closed_short": shipped - good if came else 0,
                    "reason": 0,
                }
            )
        self._write((TRANSFERS, heads), (TRANSFER_LINES, rows))

    def purchases(self, documents: Documents, movements: MovementColumns) -> None:
        """One order a line, under the document number that its receipt carries."""
        came = movements.kind == MovementKind.RECEIVE
        number = {
            (int(place), int(sku), int(at)): f"actual-{document}"
            for place, sku, at, document in zip(
                movements.to_location[came],
                movements.sku[came],
                movements.occurred_at_s[came],
                movements.document[came],
                strict=True,
            )
        }
        lines = documents.purchases
        heads: dict[str, dict[str, Any]] = {}
        rows = []
        for i in range(len(lines.sku)):
            key = (int(lines.location[i]), int(lines.sku[i]), int(lines.received_s[i]))
            name = number.get(key, f"open-{i}")
            heads.setdefault(
                name,
                {
                    "id": name,
                    "state": "received" if lines.received_s[i] >= 0 else "sent",
                    "supplier": "",
                    "destination": self.places[key[0]],
                    "source": "",
                    "value_cents": 0,
                    "need_detected_at": self._at(int(lines.ordered_s[i])),
                    "due_at": None,
                    "created_at": self._at(int(lines.ordered_s[i]), after=1),
                    "created_by": "planner",
                    "approved_at": self._at(int(lines.ordered_s[i]), after=1),
                    "approved_by": "planner",
                    "sent_at": self._at(int(lines.ordered_s[i]), after=1),
                    "received_at": self._at(key[2]),
                    "closed_at": None,
                    "version": 1,
                },
            )
            rows.append(
                {
                    "purchase_order_id": name,
                    "line": i,
                    "sku": self.skus[key[1]],
                    "ordered": int(lines.ordered[i]),
                    "received": int(lines.received[i]),
                    "closed_short": 0,
                    "reason": 0,
                }
            )
        self._write((PURCHASE_ORDERS, list(heads.values())), (PURCHASE_LINES, rows))

    def counts(self, documents: Documents) -> None:
        """One count a line."""
        lines = documents.counts
        heads, rows = [], []
        for i in range(len(lines.sku)):
            at = self._at(int(lines.at_s[i]))
            heads.append(
                {
                    "id": f"C{i}",
                    "state": "posted",
                    "location": self.places[int(lines.location[i])],
                    "purpose": "random",
                    "created_at": at,
                    "created_by": "clerk",
                    "posted_at": at,
                    "version": 1,
                }
            )
            rows.append(
                {
                    "count_id": f"C{i}",
                    "sku": self.skus[int(lines.sku[i])],
                    "lot": "",
                    "counted": int(lines.counted[i]),
                    "counted_at": at,
                    "counted_by": "clerk",
                    "expected": int(lines.expected[i]),
                    "first_counted": int(lines.counted[i]),
                    "first_expected": int(lines.expected[i]),
                    "first_by": "clerk",
                    "state": "posted",
                    "in_tolerance": True,
                    "approved_by": "",
                }
            )
        self._write((COUNTS, heads), (COUNT_LINES, rows))

    def stops(self, documents: Documents) -> None:
        """One route a stop, with the stop's share of its tour as its own metres."""
        stops = documents.stops
        heads, rows = [], []
        for i in range(len(stops.location)):
            at = self._at(int(stops.at_s[i]))
            assert at is not None
            place = self.places[int(stops.location[i])]
            heads.append(
                {
                    "id": f"R{i:05d}",
                    "plan_id": "",
                    "warehouse": self.places[0],
                    "state": "returned",
                    "planned_departs_at": at,
                    "planned_returns_at": at,
                    "planned_metres": int(stops.metres[i]),
                    "kg": 1.0,
                    "m3": 0.0,
                    "departed_at": at - int(stops.seconds[i]),
                    "returned_at": at,
                    "actual_metres": int(stops.metres[i]),
                    "version": 1,
                }
            )
            rows.append(
                {
                    "route_id": f"R{i:05d}",
                    "position": 0,
                    "location": place,
                    "planned_at": at,
                    "arrived_at": at,
                    "unloaded_at": at,
                    "is_on_time": bool(stops.is_on_time[i]),
                    "kg": 1.0,
                }
            )
        self._write((ROUTES, heads), (ROUTE_STOPS, rows))

    def _write(self, *tables: tuple[Any, Iterable[dict[str, Any]]]) -> None:
        for table, rows in tables:
            values = list(rows)
            if values:
                self.connection.execute(insert(table), values)
