"""Reality for the demonstration: the reference model, driven by the service's own orders."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from policies.domain.decision import LineKind, Route
from policies.domain.network import Network
from scenarios.emulation.habits import Habits, Report
from scenarios.emulation.wire import Wire, stable_id
from twin.hooks import Hooks, Tonight
from twin.loads import Load, cases_of
from twin.reference_model import ReferenceModel
from twin.road import Stop, Tour
from twin.scenario import Scenario

PlanNight = Callable[[dt.datetime], Any]
_FLUSH_S = 4 * 3600
_SCANNED_ONE_BY_ONE = 10
"""Every tenth store sends scan by scan; the others hand in a delivery at once."""
_BATCH = 500


class Reality(Hooks):
    """Tills, phones, trucks and keepers of one chain.

    Parameters
    ----------
    scenario : Scenario with the frictions that are true here
    wire : Wire with a token for "till", "keeper:<warehouse>", "clerk:<store>" and
        "manager:<store>"
    plan_night : callable (aware time), runs the service's planner
    open_documents : document ids of the opening's open order lines by (origin,
        destination, due second), as they were created when the service was opened
    """

    def __init__(
        self,
        scenario: Scenario,
        wire: Wire,
        plan_night: PlanNight,
        *,
        seed: int,
        habits: Habits | None = None,
        open_documents: Mapping[tuple[int, int, int], str] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.network: Network = scenario.network
        self.scenario, self.wire, self.plan_night = scenario, wire, plan_night
        self.habits = habits or Habits()
        self.seed = seed
        self.rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(4_771,)))
        self.tell = progress or (lambda done, whole: None)
        self._open_documents = dict(open_documents or {})
        self._documents: dict[int, str] = {}
        self._numbers = 0
        self._tills: dict[int, list[tuple[int, dict[str, Any]]]] = {}
        self._held: list[tuple[int, int, list[tuple[int, dict[str, Any]]]]] = []
        self._routes: dict[Route, str] = {}
        self.nights: list[dict[str, Any]] = []
        self.model = ReferenceModel(scenario, self, seed=seed, hooks=self)

    def run(self, until_s: int | None = None) -> Report:
        """Live to the end of the scenario (or to `until_s`) and report."""
        self.model.run_until(self.model.end_s if until_s is None else until_s)
        return self.report()

    def take_over(self) -> None:
        """Go on with what was approved before this reality began and has not left."""
        now = int(self.model.env.now)
        self.model.logistics.start(self._transfers(now), self._planned_routes(now), set())

    def report(self) -> Report:
        """What has been posted so far; tills that are still open hand in first."""
        self._release((now := int(self.model.env.now)) + 86_400)
        for place in list(self._tills):
            self._flush(place, now, may_wait=False)
        tally = self.wire.tally
        return Report(
            len(tally.posted),
            len(tally.posted & tally.effective),
            sum(count > 1 for count in tally.created.values()),
            tally.duplicates,
            tally.late,
            dict(tally.refused),
            self.model.lines,
            self.wire.requests,
            self.nights,
        )

    # -- tills ------------------------------------------------------------------------

    def sold(self, place: int, sku: int, units: int, row: int, at_s: int) -> None:
        """A till rings up a line."""
        demand = self.scenario.demand
        price = int(demand.unit_price_cents[row]) if row >= 0 else 0
        queue = self._tills.setdefault(place, [])
        event = {
            "event_id": stable_id(self.seed, "sale", place, row, at_s, sku),
            "location": self.network.locations.ids[place],
            "sku": self.network.skus.ids[sku],
            "quantity": units,
            "occurred_at": self._iso(at_s),
            "unit_price_cents": price,
            "device": "till",
            "sequence": max(row, 0),
        }
        queue.append((at_s, event))
        if len(queue) >= _BATCH or at_s - queue[0][0] >= _FLUSH_S:
            self._flush(place, at_s)

    def _flush(self, place: int, now: int, *, may_wait: bool = True) -> None:
        queue = self._tills.pop(place, [])
        if not queue:
            return
        if may_wait and self.rng.random() < self.habits.late_share:
            wait = self.rng.uniform(*self.habits.late_hours) * 3600
            self._held.append((now + int(wait), place, queue))
            return
        self._send(queue, now)
        if self.rng.random() < self.habits.twice_share:
            self._send(queue, now)
        self._release(now)

    def _release(self, now: int) -> None:
        """Send what was held back until now, oldest first."""
        due = sorted((one for one in self._held if one[0] <= now), key=lambda one: one[0])
        self._held = [one for one in self._held if one[0] > now]
        for at, _, queue in due:
            self._send(queue, max(min(at, now), int(self.model.env.now)))

    def _send(self, queue: list[tuple[int, dict[str, Any]]], now: int) -> None:
        self.wire.tally.late += sum(now - at > _FLUSH_S + 3600 for at, _ in queue)
        for start in range(0, len(queue), _BATCH):
            part = [event for _, event in queue[start : start + _BATCH]]
            self.wire.lines("till", "/sales:batch", "lines", part, self._time(now))

    # -- nights -----------------------------------------------------------------------

    def tonight(self, model: ReferenceModel, now_s: int) -> Tonight:
        """Hand in the day, let the service plan, and take what was approved."""
        for place in list(self._tills):
            self._flush(place, now_s)
        self._release(now_s)
        at = self._time(now_s)
        self.wire.clock.set(at)
        self._close_stale(now_s)
        self.nights.append(dict(self.plan_night(at) or {}))
        loads = self._transfers(now_s) + self._purchases(now_s)
        return Tonight(loads, self._planned_routes(now_s))

    def _transfers(self, now_s: int) -> list[Load]:
        loads = []
        for warehouse in self.network.locations.ids:
            for one in self._list("transfers", origin=warehouse, state="reserved"):
                keeper = self._keeper(warehouse)
                if self.rng.random() < self.habits.refuse_share:
                    key = stable_id(self.seed, one["id"], "cancel")
                    path = f"/transfers/{one['id']}:cancel"
                    self.wire.step(keeper, path, {}, key, self._time(now_s))
                    continue
                lines = [line for line in one["lines"] if line["approved"] > 0]
                if lines:
                    kind = LineKind.REPLENISH if self._is_depot(warehouse) else LineKind.LATERAL
                    origin = self.network.location_index(warehouse)
                    to = self.network.location_index(one["destination"])
                    amounts = [line["approved"] for line in lines]
                    loads.append(self._load(one["id"], kind, origin, to, lines, amounts, now_s))
        return loads

    def _purchases(self, now_s: int) -> list[Load]:
        loads = []
        for one in self._list("purchase-orders", state="sent"):
            if one["id"] in self._documents.values() or one["id"] in self._open_documents.values():
                continue
            to = self.network.location_index(one["destination"])
            amounts = [line["ordered"] for line in one["lines"]]
            loads.append(
                self._load(one["id"], LineKind.PURCHASE, -1, to, one["lines"], amounts, now_s)
            )
        return loads

    def _load(
        self,
        document: str,
        kind: LineKind,
        origin: int,
        to: int,
        lines: list[dict[str, Any]],
        amounts: list[int],
        now_s: int,
    ) -> Load:
        sku = np.array([self.network.sku_index(line["sku"]) for line in lines], dtype=np.int32)
        ordered = np.array(amounts, dtype=np.int32)
        self._numbers += 1
        self._documents[self._numbers] = document
        return Load(
            self._numbers,
            kind,
            origin,
            to,
            now_s,
            sku,
            ordered,
            np.zeros(len(sku), dtype=np.int32),
            cases_of(self.network, sku, ordered),
        )

    def _planned_routes(self, now_s: int) -> tuple[Route, ...]:
        routes = []
        for one in self._list("routes", state="planned"):
            stops = sorted(one["stops"], key=lambda stop: stop["position"])
            places = [self.network.location_index(stop["location"]) for stop in stops]
            departs = self._seconds(one["planned_departs_at"])
            if departs <= now_s or departs > now_s + 86_400:
                continue
            route = Route(
                self.network.location_index(one["warehouse"]),
                tuple(places),
                departs,
                tuple(self._seconds(stop["planned_at"]) for stop in stops),
                self._seconds(one["planned_returns_at"]),
                int(one["planned_metres"]),
                float(one["kg"]),
                float(one["m3"]),
            )
            self._routes[route] = one["id"]
            routes.append(route)
        return tuple(routes)

    def _close_stale(self, now_s: int) -> None:
        """Managers close what came short."""
        for one in self._list("transfers", state="partially_received"):
            key = stable_id(self.seed, one["id"], "close")
            who = f"manager:{one['destination']}"
            self.wire.step(who, f"/transfers/{one['id']}:close", {}, key, self._time(now_s))

    # -- goods ------------------------------------------------------------------------

    def shipped(self, load: Load, at_s: int) -> None:
        """The keeper books what leaves (or cancels what no truck takes)."""
        document = self._documents.get(load.number)
        if document is None or load.origin < 0:
            return
        who = self._keeper(self.network.locations.ids[load.origin])
        gone = {
            self.network.skus.ids[sku]: int(units)
            for sku, units in zip(load.sku.tolist(), load.shipped.tolist(), strict=True)
        }
        step = "ship" if any(gone.values()) else "cancel"
        body = {"quantities": gone, "occurred_at": self._iso(at_s)} if step == "ship" else {}
        key = stable_id(self.seed, document, step)
        self.wire.step(who, f"/transfers/{document}:{step}", body, key, self._time(at_s))

    def received(self, load: Load, booked: list[int], at_s: int) -> None:
        """A clerk scans a delivery, a keeper a supplier's."""
        document = self._document_of(load)
        if document is None:
            return
        place = self.network.locations.ids[load.destination]
        pairs = [
            (self.network.skus.ids[sku], units)
            for sku, units in zip(load.sku.tolist(), booked, strict=True)
            if units > 0
        ]
        at = self._time(at_s)
        if load.origin < 0:
            lines = [
                {"event_id": stable_id(self.seed, document, sku, i), "sku": sku, "good": units}
                for i, (sku, units) in enumerate(pairs)
            ]
            body = {"lines": lines, "ends": True, "occurred_at": self._iso(at_s)}
            key = stable_id(self.seed, document, "receive")
            path = f"/purchase-orders/{document}:receive"
            self.wire.step(self._receiver(place), path, body, key, at)
            return
        if load.destination % _SCANNED_ONE_BY_ONE:
            lines = [
                {"event_id": stable_id(self.seed, document, sku), "sku": sku, "good": units}
                for sku, units in pairs
            ]
            body = {"lines": lines, "accepts_over": True, "occurred_at": self._iso(at_s)}
            key = stable_id(self.seed, document, "receive")
            self.wire.step(f"clerk:{place}", f"/transfers/{document}:receive", body, key, at)
            return
        events = [
            {
                "event_id": stable_id(self.seed, document, sku),
                "kind": "receive",
                "occurred_at": self._iso(at_s),
                "location": place,
                "transfer_id": document,
                "sku": sku,
                "quantity": units,
                "device": f"phone of {place}",
                "sequence": i,
            }
            for i, (sku, units) in enumerate(pairs)
        ]
        for start in range(0, len(events), _BATCH):
            part = events[start : start + _BATCH]
            self.wire.lines(f"clerk:{place}", "/events:batch", "events", part, at)
            if self.rng.random() < self.habits.twice_share:
                self.wire.lines(f"clerk:{place}", "/events:batch", "events", part, at)

    def counted(self, place: int, sku: list[int], units: list[int], at_s: int) -> None:
        """A clerk counts a random sample; what differs the manager counts again."""
        name = self.network.locations.ids[place]
        self._flush(place, at_s, may_wait=False)
        at = self._time(at_s)
        head = {"location": name, "purpose": "random"}
        opened = self.wire.step(
            f"clerk:{name}", "/counts", head, stable_id(self.seed, "count", place, at_s), at
        )
        if opened is None:
            return
        lines = [
            {
                "event_id": stable_id(self.seed, "counted", place, one, at_s),
                "sku": self.network.skus.ids[one],
                "counted": found,
            }
            for one, found in zip(sku, units, strict=True)
        ]
        body = {"lines": lines, "occurred_at": self._iso(at_s)}
        key = stable_id(self.seed, "submit", place, at_s)
        path = f"/counts/{opened['id']}:submit"
        answer = self.wire.step(f"clerk:{name}", path, body, key, at)
        again = [line for line in lines if answer and line["sku"] in answer["recount"]]
        if again:
            second = [{**line, "event_id": stable_id(line["event_id"], "again")} for line in again]
            key = stable_id(self.seed, "recount", place, at_s)
            self.wire.step(f"manager:{name}", path, body | {"lines": second}, key, at)

    # -- trucks -----------------------------------------------------------------------

    def departed(self, tour: Tour) -> None:
        """The gate scans a truck out."""
        self._route_event(tour, "depart", tour.departs_s, {"odometer_m": 0})

    def arrived(self, tour: Tour, stop: Stop) -> None:
        """A truck stands at the door."""
        body = {"location": self.network.locations.ids[stop.load.destination]}
        self._route_event(tour, "arrive", stop.arrives_s, body)

    def unloaded(self, tour: Tour, stop: Stop) -> None:
        """A truck's load for this stop is off."""
        body = {"location": self.network.locations.ids[stop.load.destination]}
        self._route_event(tour, "unload", stop.unloaded_s, body)

    def returned(self, tour: Tour) -> None:
        """The gate scans a truck in, with the metres it drove."""
        self._route_event(tour, "return", tour.returns_s, {"odometer_m": tour.metres})

    def _route_event(self, tour: Tour, step: str, at_s: int, body: dict[str, Any]) -> None:
        document = self._routes.get(tour.route) if tour.route is not None else None
        if document is None:
            return
        key = stable_id(self.seed, document, step, json.dumps(body, sort_keys=True))
        who = self._keeper(self.network.locations.ids[tour.origin])
        full = body | {"occurred_at": self._iso(at_s)}
        self.wire.step(who, f"/routes/{document}:{step}", full, key, self._time(at_s))

    def day_closed(self, day: int) -> None:
        """Midnight."""
        self.tell(day - self.scenario.first_day + 1, self.scenario.days)

    # -- names and times ----------------------------------------------------------------

    def _list(self, what: str, **query: Any) -> list[dict[str, Any]]:
        name = what.replace("-", "_")
        return list(self.wire.get("boss", f"/{what}", limit=1_000, **query)[name])

    def _document_of(self, load: Load) -> str | None:
        if load.number in self._documents:
            return self._documents[load.number]
        return self._open_documents.get((load.origin, load.destination, load.due_s))

    def _is_depot(self, name: str) -> bool:
        return bool(self.network.locations.source[self.network.location_index(name)] < 0)

    def _keeper(self, name: str) -> str:
        return f"keeper:{name}" if self._is_depot(name) else f"manager:{name}"

    def _receiver(self, name: str) -> str:
        return f"keeper:{name}" if self._is_depot(name) else f"clerk:{name}"

    def _time(self, at_s: int) -> dt.datetime:
        return self.network.utc(at_s)

    def _iso(self, at_s: int) -> str:
        return self.network.utc(at_s).isoformat()

    def _seconds(self, text: str) -> int:
        return self.network.seconds(dt.datetime.fromisoformat(text))
