"""Decisions out of turn: a queued need becomes one proposal from the cheapest source.

A need is queued by the sale that fell below the safety line (:mod:`.safety`). Here it is
looked at once more as of now: what has recovered, or is ordered already, is dropped.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine, func, insert, select, update

from ops_api.clock import epoch
from ops_api.database import reading, writing
from ops_api.ledger.rows import derived_id
from ops_api.ledger.write import announce
from ops_api.planning import locks
from ops_api.planning.axis import Moment
from ops_api.planning.facts import unpack_forecast
from ops_api.planning.live import live_of
from ops_api.planning.releases import ACTIVE, releases_in
from ops_api.planning.safety import read_lines
from ops_api.planning.tables import DECISION_QUEUE, FORECASTS, PROPOSAL_LINES, PROPOSALS
from ops_api.planning.view import Book, book_from_sql
from ops_api.planning.wallclock import WallClock
from ops_api.quality.service import left_out
from policies.domain.decision import LineKind, Reason
from policies.domain.facts import CostModel
from policies.domain.network import DAY_SECONDS, Network

Ints = npt.NDArray[np.int64]
LOCK = "intraday"


@dataclass(frozen=True)
class UrgentRules:
    """When a decision out of turn is worth its run.

    Attributes
    ----------
    target_days : cover the shelf is filled to
    giver_days : cover a neighbour keeps for itself, and never less than its own safety line
    daily_cap : most proposals out of turn of a store and day
    at_most : needs looked at in one call
    """

    target_days: float = 3.0
    giver_days: float = 7.0
    daily_cap: int = 5
    at_most: int = 200


@dataclass(frozen=True)
class Offer:
    """Where units come from, how many, and what the run costs."""

    origin: int
    units: int
    cents: float


def cheapest_source(
    network: Network,
    spare: Ints,
    place: int,
    sku: int,
    wanted: int,
    costs: CostModel,
) -> Offer | None:
    """The source with the lowest cost per unit, or None where nobody has any to spare.

    Parameters
    ----------
    spare : (L,) int64, units of the SKU each location can give
    wanted : int, units asked for

    A van goes there and back, so the distance decides; the location's own warehouse wins
    a tie. A warehouse gives whole packs, a store what it can.
    """
    pack = int(network.skus.pack_size[sku])
    give = np.minimum(spare, wanted)
    give = np.where(network.locations.source < 0, give // pack * pack, give)
    give[place] = 0
    metres = network.distance_m[:, place].astype(np.float64) + network.distance_m[place]
    cents = metres / 1_000.0 * costs.km_cents
    can = np.flatnonzero(give > 0)
    if can.size == 0:
        return None
    own = can == network.locations.source[place]
    order = np.lexsort((can, ~own, cents[can] / give[can]))
    best = int(can[order[0]])
    return Offer(best, int(give[best]), float(cents[best]))


def run_intraday(
    engine: Engine,
    now: dt.datetime,
    *,
    rules: UrgentRules | None = None,
    costs: CostModel | None = None,
) -> dict[str, Any]:
    """Look at every open need; returns ``proposed``, ``dropped`` and the proposals' ids.

    Raises
    ------
    Busy
        Another worker is at it.
    """
    stamp = epoch(now)
    at_most = (rules or UrgentRules()).at_most
    with locks.held(engine, LOCK, stamp):
        # Looked at without the writer's lock: a proposal is no effect, and its approval
        # asks again whether the units are free.
        with reading(engine) as connection:
            needs = connection.execute(
                select(DECISION_QUEUE)
                .where(DECISION_QUEUE.c.state == "open")
                .order_by(DECISION_QUEUE.c.seq)
                .limit(at_most)
            ).fetchall()
            if not needs:
                return {"proposed": 0, "dropped": 0, "proposals": []}
            desk = _Desk(connection, now, rules or UrgentRules(), costs or CostModel())
        with writing(engine) as connection:
            desk.connection = connection
            made = [desk.handle(need) for need in needs]
    proposals = [name for name in made if name]
    return {
        "proposed": len(proposals),
        "dropped": len(made) - len(proposals),
        "proposals": proposals,
    }


class _Desk:
    """One look at the book, and what has been given away since."""

    def __init__(
        self, connection: Connection, now: dt.datetime, rules: UrgentRules, costs: CostModel
    ) -> None:
        self.connection, self.rules, self.costs = connection, rules, costs
        self.network = live_of(connection).network(connection)
        self.now, now_s = epoch(now), self.network.seconds(now)
        self.clock = WallClock(self.network)
        self.day = now_s // DAY_SECONDS
        self.book: Book = book_from_sql(connection, self.network, Moment(self.now, self.now))
        self.release = next((one.id for one in releases_in(connection, ACTIVE)), "")
        # What the nightly plan leaves out is not ordered out of turn either.
        self.barred, _ = left_out(connection, self.network)
        self.level = self._level()
        self.spare = self._spare()

    def handle(self, need: Any) -> str:
        """The proposal made for a need, or "" where it was dropped."""
        place = self.network.location_index(need.location)
        sku = self.network.sku_index(need.sku)
        if self.barred is not None and self.barred[place, sku]:
            return self._close(need, "master data")
        available = int(self.book.free[place, sku])
        coming = int(self.book.in_transit[place, sku])
        if available + coming >= need.line:
            return self._close(need, "recovered")
        if int(self.book.on_order[place, sku]) > coming:
            return self._close(need, "on order")
        if self._today(need.location) >= self.rules.daily_cap:
            return self._close(need, "daily cap")
        pack = int(self.network.skus.pack_size[sku])
        target = max(need.line, int(np.ceil(self.level[place, sku] * self.rules.target_days)))
        wanted = -(-max(target - available - coming, 1) // pack) * pack
        offer = cheapest_source(self.network, self.spare[:, sku], place, sku, wanted, self.costs)
        if offer is None:
            return self._close(need, "no source")
        self.spare[offer.origin, sku] -= offer.units
        return self._propose(need, offer, place, sku, available)

    def _level(self) -> npt.NDArray[np.float64]:
        """(L, K) expected units of a day by the acting release's last issue; 0 without one."""
        f = FORECASTS.c
        row = self.connection.execute(
            select(f.content)
            .where(f.release_id == self.release)
            .order_by(f.issued_day.desc())
            .limit(1)
        ).first()
        if row is None:
            return np.zeros(self.network.shape)
        forecast = unpack_forecast(row.content)
        out: npt.NDArray[np.float64] = forecast.level.astype(np.float64)
        return out

    def _spare(self) -> Ints:
        """(L, K) units that each location can give: a warehouse all that is free."""
        free = np.maximum(self.book.free, 0)
        keeps = np.ceil(self.level * self.rules.giver_days).astype(np.int64)
        np.maximum(keeps, read_lines(self.connection, self.network), out=keeps)
        is_store = (self.network.locations.source >= 0)[:, None]
        out: Ints = np.where(is_store, np.maximum(free - keeps, 0), free)
        return out

    def _today(self, location: str) -> int:
        p = PROPOSALS.c
        since = self.clock.day_start(self.day)
        return int(
            self.connection.execute(
                select(func.count())
                .select_from(PROPOSALS)
                .where(p.destination == location, p.trigger == "intraday", p.created_at >= since)
            ).scalar_one()
        )

    def _close(self, need: Any, outcome: str, proposal: str = "") -> str:
        self.connection.execute(
            update(DECISION_QUEUE)
            .where(DECISION_QUEUE.c.seq == need.seq)
            .values(
                state="proposed" if proposal else "dropped",
                outcome=outcome,
                handled_at=self.now,
                proposal_id=proposal,
                open_for=None,
            )
        )
        return proposal

    def _propose(self, need: Any, offer: Offer, place: int, sku: int, available: int) -> str:
        cell = f"{need.location}|{need.sku}"
        p = PROPOSALS.c
        if self.connection.execute(select(p.id).where(p.open_for == cell)).first() is not None:
            return self._close(need, "already proposed")
        ids, skus = self.network.locations.ids, self.network.skus
        own = offer.origin == int(self.network.locations.source[place])
        kind = LineKind.REPLENISH if own else LineKind.LATERAL
        name = "PR-" + derived_id("intraday", need.seq)[:13]
        self.connection.execute(
            insert(PROPOSALS).values(
                id=name,
                plan_id="",
                release_id=self.release,
                trigger="intraday",
                kind=int(kind),
                origin=ids[offer.origin],
                destination=need.location,
                state="open",
                value_cents=int(skus.unit_cost_cents[sku]) * offer.units,
                line_count=1,
                need_detected_at=need.queued_at,
                due_at=self.clock.day_start(self.day + 1),
                created_at=self.now,
                version=1,
                open_for=cell,
            )
        )
        self.connection.execute(
            insert(PROPOSAL_LINES).values(
                proposal_id=name,
                line=0,
                sku=need.sku,
                quantity=offer.units,
                reason=int(Reason.BELOW_SAFETY_LINE),
                on_hand=available,
                on_order=int(self.book.on_order[place, sku]),
                demand_milli_per_day=int(np.rint(self.level[place, sku] * 1e3)),
                value_cents=int(skus.unit_cost_cents[sku]) * offer.units,
                freight_cents=round(offer.cents, 1),
            )
        )
        announce(
            self.connection,
            "proposal.urgent",
            {"proposal": name},
            recorded_at=self.now,
            location=need.location,
        )
        return self._close(need, "proposed", name)
