"""What a running service keeps in memory between reads: network and day facts."""

from __future__ import annotations

import threading
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import Connection, Engine, func, select

from ops_api.ledger.reading import rows_written
from ops_api.masterdata.artefact import unpack
from ops_api.masterdata.service import NETWORK, network_of
from ops_api.masterdata.tables import ARTEFACTS
from ops_api.planning.day_book import DayBook
from ops_api.planning.facts import HISTORY, kept_facts
from ops_api.planning.tables import ROUTES
from ops_api.transfers.tables import DOCUMENT_EVENTS
from policies.domain.errors import InvalidInput
from policies.domain.facts import LATENT_FACTS, SKU_FACTS, DayFacts
from policies.domain.network import DAY_SECONDS, Network

_AGE_S = 60
"""Facts of the same day are not computed again within so many seconds of service time."""


class Live:
    """Memory of one engine; every method is safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._sha = ""
        self._network: Network | None = None
        self._days: DayBook | None = None
        self._facts: DayFacts | None = None
        self._mark: tuple[int, ...] = ()
        self._history: DayFacts | None = None
        self._history_known = False

    def network(self, connection: Connection) -> Network:
        """The network that was loaded last, unpacked once."""
        with self._lock:
            found = connection.execute(
                select(ARTEFACTS.c.sha256).where(ARTEFACTS.c.name == NETWORK)
            ).first()
            if found is None:
                return network_of(connection)
            if self._network is None or found.sha256 != self._sha:
                content = connection.execute(
                    select(ARTEFACTS.c.content).where(ARTEFACTS.c.name == NETWORK)
                ).scalar_one()
                self._network, self._sha = unpack(content), found.sha256
                self._facts = self._days = None
            return self._network

    def facts(self, connection: Connection, now_s: int) -> DayFacts | None:
        """Facts from the ledger's first day to the day of `now_s`; None before the first row."""
        with self._lock:
            network = self.network(connection)
            mark = self._state(connection)
            kept = self._facts
            if kept is not None:
                same_day = kept.first_day + kept.days - 1 == now_s // DAY_SECONDS
                young = 0 <= now_s - kept.as_known_at_s < _AGE_S
                if same_day and (young or mark == self._mark):
                    return kept
            if self._days is None:
                self._days = DayBook(network)
            self._facts = self._days.facts(connection, now_s)
            self._mark = mark
            return self._facts

    def actual(self, connection: Connection, now_s: int) -> DayFacts | None:
        """Simulated history before the ledger, then the ledger's own days."""
        live = self.facts(connection, now_s)
        with self._lock:
            if not self._history_known:
                kept = kept_facts(connection, HISTORY)
                self._history = kept[0] if kept else None
                self._history_known = self._history is not None
            return joined(self._history, live)

    @staticmethod
    def _state(connection: Connection) -> tuple[int, ...]:
        queries = (
            select(func.max(DOCUMENT_EVENTS.c.seq)),
            select(func.sum(ROUTES.c.version)),
        )
        others = (int(connection.execute(query).scalar() or 0) for query in queries)
        return rows_written(connection), *others


_KNOWN: WeakKeyDictionary[Engine, Live] = WeakKeyDictionary()
_GUARD = threading.Lock()


def live_of(connection: Connection) -> Live:
    """The memory of a connection's engine."""
    with _GUARD:
        return _KNOWN.setdefault(connection.engine, Live())


def joined(history: DayFacts | None, live: DayFacts | None) -> DayFacts | None:
    """One line of days; where both know a day the ledger's word stands.

    Raises
    ------
    InvalidInput
        The two speak of other places or categories.
    """
    if history is not None and history.has_latent:
        history = observable(history)
    if history is None or live is None:
        return live if history is None else history
    if (history.locations, history.categories) != (live.locations, live.categories):
        raise InvalidInput("history and ledger have other places or categories", field="history")
    first = min(history.first_day, live.first_day)
    days = max(history.first_day + history.days, live.first_day + live.days) - first
    sku = np.zeros((days, *live.sku_facts.shape[1:]), dtype=np.int64)
    place = np.zeros((days, *live.location_facts.shape[1:]), dtype=np.int64)
    for facts in (history, live):
        rows = slice(facts.first_day - first, facts.first_day - first + facts.days)
        sku[rows], place[rows] = facts.sku_facts, facts.location_facts
    return DayFacts(first, live.locations, live.categories, sku, place, False, live.as_known_at_s)


def observable(facts: DayFacts) -> DayFacts:
    """The same facts without what only a twin can know."""
    sku = facts.sku_facts.copy()
    sku[..., [SKU_FACTS.index(name) for name in sorted(LATENT_FACTS)]] = 0
    return replace(facts, sku_facts=sku, has_latent=False)
