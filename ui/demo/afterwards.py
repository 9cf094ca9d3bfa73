"""While the demo serves, the emulated reality goes on from where the live weeks ended."""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, Engine, select

from ops_api.database import reading
from ops_api.planning.axis import Moment
from ops_api.planning.ledger_columns import LedgerReader
from ops_api.planning.planner import PlanRules
from ops_api.planning.view import book_from_sql
from ops_api.purchasing.tables import PURCHASE_LINES, PURCHASE_ORDERS
from ops_api.transfers.tables import TRANSFER_LINES, TRANSFERS
from policies.domain.decision import SUPPLIER
from policies.domain.network import DAY_SECONDS, Network
from scenarios.emulation.clock import DemoClock
from scenarios.emulation.habits import TOLD_NOTHING, Habits
from scenarios.emulation.reality import Reality
from scenarios.emulation.wire import Wire
from scenarios.history.splits import first_day
from scenarios.worlds import WorldSpec, demand_of, network_of
from twin.scenario import Opening, Scenario, StoreRules
from ui.demo.live import APPROVES_ALL_CENTS, TOKENS, plan_night
from ui.demo.plan import DemoPlan

DAYS = 14
_LOOK_S = 2.0
_ARRIVES_S = 9 * 3600


class Afterwards:
    """A thread that keeps the emulated reality abreast of the demo clock.

    Demand is drawn from the weeks before the live ones: later weeks of the recorded
    history are kept for the final test and not read.
    """

    def __init__(
        self, plan: DemoPlan, folder: Path, engine: Engine, clock: DemoClock, url: str
    ) -> None:
        self.clock, self._stop = clock, threading.Event()
        chain = folder / "chain" / "files"
        network = network_of(str(chain))
        self.network = network
        now = network.seconds(clock())
        day = -(-now // DAY_SECONDS)
        with reading(engine) as connection:
            opening, documents = _opening(connection, network, day)
        begin = first_day(plan.live_weeks[0])
        spec = WorldSpec(
            "afterwards",
            str(chain),
            day,
            DAYS,
            demand="bootstrap",
            panel_expansion=plan.panel_expansion,
            bootstrap_days=(max(0, begin - 42), begin - 1),
            seed=plan.seed + 2,
        )
        scenario = Scenario(
            name="emulated reality",
            network=network,
            demand=demand_of(spec, 0),
            first_day=day,
            days=DAYS,
            opening=opening,
            store=StoreRules(count_lines_per_day=5),
            frictions=TOLD_NOTHING,
        )
        reader, rules = LedgerReader(network), PlanRules(auto_approve_cents=APPROVES_ALL_CENTS)

        def night(at: dt.datetime) -> dict[str, object]:
            return plan_night(engine, at, rules, reader)

        tokens = json.loads((folder / "service" / TOKENS).read_text())
        self.reality = Reality(
            scenario,
            Wire(url, tokens, clock),
            night,
            seed=plan.seed + 2 + day,
            habits=Habits(),
            open_documents=documents,
        )
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to follow the clock."""
        self.thread.start()

    def stop(self) -> None:
        """End after the present second."""
        self._stop.set()

    def _run(self) -> None:
        try:
            self.reality.take_over()
            while not self._stop.wait(_LOOK_S):
                target = min(self.network.seconds(self.clock()), self.reality.model.end_s)
                self.reality.model.run_until(target)
        except Exception:
            # Pages go on showing what was recorded; the log says why it stopped.
            logging.getLogger("storetwin.demo").exception("the emulated reality has stopped")
            raise


def _opening(
    connection: Connection, network: Network, day: int
) -> tuple[Opening, dict[tuple[int, int, int], str]]:
    """State of the service at the demo's present, and the documents under way.

    The emulated shelves start as the book says: what shrank before is not known to it.
    """
    now = day * DAY_SECONDS
    book = book_from_sql(connection, network, Moment.of(network, now))
    stock = book.on_hand.astype(np.int32)
    rows: list[tuple[int, int, int, int, int]] = []
    names: dict[tuple[int, int, int], str] = {}
    t, line = TRANSFERS.c, TRANSFER_LINES.c
    moving = connection.execute(
        select(t.id, t.origin, t.destination, line.sku, line.shipped, line.received_good)
        .join_from(TRANSFERS, TRANSFER_LINES, t.id == line.transfer_id)
        .where(t.state == "shipped", line.shipped > 0)
        .order_by(t.id)
    ).all()
    orders = connection.execute(
        select(
            PURCHASE_ORDERS.c.id,
            PURCHASE_ORDERS.c.destination,
            PURCHASE_LINES.c.sku,
            PURCHASE_LINES.c.ordered,
        )
        .join_from(
            PURCHASE_ORDERS,
            PURCHASE_LINES,
            PURCHASE_ORDERS.c.id == PURCHASE_LINES.c.purchase_order_id,
        )
        .where(PURCHASE_ORDERS.c.state == "sent")
        .order_by(PURCHASE_ORDERS.c.id)
    ).all()
    found = [
        (r.id, network.location_index(r.origin), r.destination, r.sku, r.shipped) for r in moving
    ]
    found += [(r.id, SUPPLIER, r.destination, r.sku, r.ordered) for r in orders]
    due_of: dict[str, int] = {}
    for document, origin, place, sku, units in found:
        # One second apart, so that each document is a load of its own.
        wait = DAY_SECONDS if origin == SUPPLIER else 0
        due = due_of.setdefault(document, now + wait + _ARRIVES_S + len(due_of))
        to = network.location_index(place)
        names[origin, to, due] = document
        rows.append((origin, to, network.sku_index(sku), units, due))
    lines = np.array(rows, dtype=np.int64).reshape(-1, 5)
    return Opening(stock, stock.copy(), lines), names
