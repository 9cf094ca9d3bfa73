"""Looks at queued needs while the service runs, so that one is answered within seconds."""

from __future__ import annotations

import logging
import threading
from typing import Any

from sqlalchemy import Engine, select

from ops_api.clock import Clock, epoch
from ops_api.database import reading, write_with_retry
from ops_api.errors import Busy
from ops_api.planning.intraday import UrgentRules, run_intraday
from ops_api.planning.tables import DECISION_QUEUE
from ops_api.reservations.service import expire_due, is_due

LOOK_S = 2.0


class NeedsWorker:
    """One thread that turns queued needs into proposals.

    Parameters
    ----------
    engine : Engine
    clock : Clock, the service's own
    rules : UrgentRules, optional
    """

    def __init__(self, engine: Engine, clock: Clock, rules: UrgentRules | None = None) -> None:
        self.engine, self.clock, self.rules = engine, clock, rules
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="needs")

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the look under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(20)

    def look(self) -> dict[str, Any] | None:
        """One look; None where nothing waits or another worker is at it."""
        now = epoch(self.clock())
        with reading(self.engine) as connection:
            over = is_due(connection, now)
        if over:
            write_with_retry(self.engine, lambda connection: expire_due(connection, now))
        with reading(self.engine) as connection:
            query = select(DECISION_QUEUE.c.seq).where(DECISION_QUEUE.c.state == "open").limit(1)
            if connection.execute(query).first() is None:
                return None
        try:
            return run_intraday(self.engine, self.clock(), rules=self.rules)
        except Busy:
            return None

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            try:
                self.look()
            except Exception:
                # A fault of one look must not end all later ones; the queue keeps the need.
                logging.getLogger("storetwin.needs").exception("queued needs were not looked at")
