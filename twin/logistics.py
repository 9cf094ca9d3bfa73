"""What queues and moves: picking, docks, trucks, vans, supplier deliveries.

Processes know time and order; what happens to stock is the business of a
:class:`Floor`, so the same processes drive the compiled floor and the reference model.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from typing import Any, Protocol

import simpy

from policies.domain.decision import SUPPLIER, LineKind, Route
from policies.domain.errors import ScenarioInvalid
from policies.domain.network import DAY_SECONDS, IntArray
from twin.closures import Closures
from twin.cranes import Cranes
from twin.loads import Load, cases_of
from twin.road import Road, Stop, Tour
from twin.scenario import Scenario, WarehouseRules
from twin.supply import Supply

Process = Generator[simpy.Event, Any, None]


class Floor(Protocol):
    """Who turns arrivals and departures into stock."""

    def ship(self, load: Load, now: int) -> None:
        """`load` leaves its origin; fills ``load.shipped`` and ``load.kg``."""
        ...

    def cut(self, load: Load, now: int) -> None:
        """Nothing takes `load`."""
        ...

    def fall_short(self, load: Load, now: int) -> None:
        """A supplier brings ``load.shipped``; the rest of the order lapses."""
        ...

    def receive(self, load: Load, now: int) -> None:
        """`load` is for sale at its destination."""
        ...


class Watcher(Protocol):
    """Who is told of tours, each at the very second."""

    def departed(self, tour: Tour) -> None:
        """`tour` has left its origin."""
        ...

    def arrived(self, tour: Tour, stop: Stop) -> None:
        """The truck stands at the door of `stop` (and may wait for its window)."""
        ...

    def unloaded(self, tour: Tour, stop: Stop) -> None:
        """The truck is empty of `stop`'s load, which now is shelved or for sale."""
        ...

    def returned(self, tour: Tour) -> None:
        """`tour` is back."""
        ...


class Logistics:
    """Warehouses, trucks and suppliers of one run.

    Parameters
    ----------
    env : simpy.Environment, its time is integer seconds
    scenario : Scenario
    floor : Floor
    watcher : Watcher
    seed, replication : int, for supplier lead times
    trucks : (W,) int32, trucks that drive; default all of the network's
    """

    def __init__(
        self,
        env: simpy.Environment,
        scenario: Scenario,
        floor: Floor,
        watcher: Watcher,
        seed: int,
        replication: int,
        trucks: IntArray | None = None,
    ) -> None:
        self.env = env
        self.scenario = scenario
        self.network = scenario.network
        self.floor = floor
        self.watcher = watcher
        self.tours = 0
        self._put_off: list[Load] = []
        self.rules = scenario.warehouse
        fleet = self.network.fleet
        self.road = Road(scenario, seed, replication)
        self.trucks: dict[int, simpy.Resource] = {}
        self.docks: dict[int, simpy.Resource] = {}
        self.pickers: dict[int, simpy.Resource] = {}
        driving = fleet.trucks if trucks is None else trucks
        for w, place in enumerate(self.network.warehouses.tolist()):
            if w >= len(driving) or driving[w] < 1:
                raise ScenarioInvalid(
                    f"warehouse {self.network.locations.ids[place]} has no truck",
                    field="network.fleet.trucks",
                    remedy="give each warehouse at least one truck",
                )
            self.trucks[place] = simpy.Resource(env, int(driving[w]))
            self.docks[place] = simpy.Resource(env, self.rules.docks)
            self.pickers[place] = simpy.Resource(env, self.rules.pickers)
        many = scenario.store.receivers
        stores = self.network.stores.tolist() if many else []
        self.receivers = {place: simpy.Resource(env, many) for place in stores}
        self.cranes = Cranes(env, scenario, seed, replication)
        self.closures = Closures.of(scenario, seed, replication)
        self.supply = Supply(scenario, self.closures, seed, replication)

    def counters(self) -> dict[str, int]:
        """What processes that a scenario switched on have done."""
        return self.cranes.counters() | self.road.counters() | self.supply.counters()

    def start(self, loads: Sequence[Load], routes: Iterable[Route], unserved: set[int]) -> None:
        """Set tonight's approved loads moving, and those that were put off last night."""
        ready = [*self._put_off, *(load for load in loads if not load.is_put_off)]
        self._put_off = [load for load in loads if load.is_put_off]
        for load in ready:
            if load.kind == LineKind.PURCHASE:
                self.purchase(load)
            elif load.kind == LineKind.LATERAL:
                self.transfer(load)
        riding = [load for load in ready if load.kind == LineKind.REPLENISH]
        tomorrow = int(self.env.now) // DAY_SECONDS + 1
        is_shut = [self.closures.is_lane_shut(load.destination, tomorrow) for load in riding]
        if any(is_shut):
            # They stay where they are, approved and reserved, and try again tomorrow.
            self._put_off += [load for load, shut in zip(riding, is_shut, strict=True) if shut]
            riding = [load for load, shut in zip(riding, is_shut, strict=True) if not shut]
        self.dispatch(riding, routes, unserved)

    # -- warehouse to stores ------------------------------------------------------------

    def dispatch(self, loads: list[Load], routes: Iterable[Route], unserved: set[int]) -> None:
        """Start tonight's tours: the decision's routes, direct tours for what they miss.

        A lane that several tours serve gives each of them one load, the last the rest.
        A stop that the router left out, with a reason, is cut: it orders again at its
        next review.
        """
        routes = tuple(routes)
        visits = Counter((route.warehouse, stop) for route in routes for stop in route.stops)
        # What was put off yesterday rides with tonight's load of the same lane.
        waiting: dict[tuple[int, int], list[Load]] = {}
        for load in loads:
            waiting.setdefault((load.origin, load.destination), []).append(load)
        for route in routes:
            riding = []
            for lane in [(route.warehouse, stop) for stop in route.stops]:
                visits[lane] -= 1
                here = waiting.get(lane, [])
                taken = here[:1] if visits[lane] else here
                riding += taken
                waiting[lane] = here[len(taken) :]
            if riding:
                self._start(route.warehouse, riding, route.departs_s, route)
        for (warehouse, place), left in waiting.items():
            if left and place not in unserved:
                self._start(warehouse, left, self._next_departure())
                continue
            for load in left:
                self.floor.cut(load, int(self.env.now))

    def _next_departure(self) -> int:
        day = int(self.env.now) // DAY_SECONDS + 1
        return day * DAY_SECONDS + self.network.fleet.departs_s

    def _start(
        self, warehouse: int, loads: list[Load], departs_s: int, route: Route | None = None
    ) -> None:
        self.env.process(self._tour(warehouse, loads, departs_s, route))

    def _pick(self, load: Load) -> Process:
        """Cranes bring what lies in a rack, then one person picks one load."""
        if self.cranes.on:
            yield from self.cranes.fetch(load)
        seconds = math.ceil(load.cases * 3_600 / self.rules.cases_per_picker_hour)
        with self.pickers[load.origin].request() as person:
            yield person
            yield self.env.timeout(working_s(self.rules, int(self.env.now), seconds))

    def _tour(
        self, warehouse: int, loads: list[Load], departs_s: int, route: Route | None
    ) -> Process:
        """Pick, wait for the hour, a truck and a door; load, drive, unload, come back."""
        env = self.env
        picks = [env.process(self._pick(load)) for load in loads]
        yield env.all_of(picks)
        loading = round(self.rules.load_minutes * 60)
        if env.now < departs_s - loading:
            yield env.timeout(departs_s - loading - int(env.now))
        with self.trucks[warehouse].request() as truck:
            yield truck
            with self.docks[warehouse].request() as door:
                yield door
                yield env.timeout(loading)
            closed = self.closures.pause_s(warehouse, int(env.now))
            if closed:
                yield env.timeout(closed + self.network.fleet.departs_s)
            now = int(env.now)
            for load in loads:
                self.floor.ship(load, now)
            riding = [load for load in loads if load.total_shipped]
            if riding:
                yield from self._drive(warehouse, riding, now, route)

    def _drive(
        self, origin: int, loads: list[Load], departs_s: int, route: Route | None
    ) -> Process:
        """Visit the stops in order and come back to `origin`."""
        self.tours += 1
        tour = self.road.tour(origin, loads, departs_s, route)
        env, watcher = self.env, self.watcher
        watcher.departed(tour)
        for stop in tour.stops:
            yield env.timeout(stop.arrives_s - int(env.now))
            watcher.arrived(tour, stop)
            yield env.timeout(stop.unloaded_s - int(env.now))
            watcher.unloaded(tour, stop)
            self._hand_over(stop.load)
        yield env.timeout(tour.returns_s - int(env.now))
        watcher.returned(tour)
        if tour.repaired_s > tour.returns_s:
            yield env.timeout(tour.repaired_s - tour.returns_s)

    def _hand_over(self, load: Load) -> None:
        """The store shelves the load; then it is for sale."""
        seconds = self._shelving_seconds(load)
        if seconds == 0:
            self.floor.receive(load, int(self.env.now))
        else:
            self.env.process(self._shelve(load, seconds))

    def _shelving_seconds(self, load: Load) -> int:
        rate = self.scenario.store.receive_seconds_per_case
        if rate <= 0:
            return 0
        return math.ceil(rate * load.cases_shipped(self.network))

    def _shelve(self, load: Load, seconds: int) -> Process:
        staff = self.receivers.get(load.destination)
        if staff is None:
            yield self.env.timeout(seconds)
        else:
            with staff.request() as person:
                yield person
                yield self.env.timeout(seconds)
        self.floor.receive(load, int(self.env.now))

    def expected_s(self, load: Load) -> int:
        """When a load that has not arrived should, driving straight there."""
        now = int(self.env.now)
        if load.origin == SUPPLIER:
            return self.supply.due_s(load, now)
        if load.shipped_s >= 0:
            leaves = load.shipped_s
        else:
            day = max(load.need_s, 0) // DAY_SECONDS + 1
            leaves = max(day * DAY_SECONDS + self.network.fleet.departs_s, now)
        arrives = leaves + self.road.straight_s(
            int(self.network.distance_m[load.origin, load.destination])
        )
        return max(arrives, now + 1)

    # -- store to store -----------------------------------------------------------------

    def transfer(self, load: Load) -> None:
        """A van run there and back, early next day."""
        self.env.process(self._van(load, self._next_departure()))

    def _van(self, load: Load, departs_s: int) -> Process:
        yield self.env.timeout(departs_s - int(self.env.now))
        now = int(self.env.now)
        self.floor.ship(load, now)
        if load.total_shipped:
            yield from self._drive(load.origin, [load], now, None)

    # -- suppliers ----------------------------------------------------------------------

    def purchase(self, load: Load) -> None:
        """A supplier sends what was ordered, after a drawn (or the scenario's) lead time."""
        now = int(self.env.now)
        load.shipped[:] = load.ordered
        load.due_s = self.supply.due_s(load, now)
        self.env.process(self._delivery(load, self.supply.sent(load, now)))

    def carry_over(self, load: Load) -> None:
        """A load that was on its way when the run began."""
        self.env.process(self._arrive_at(load))

    def _delivery(self, load: Load, sent: IntArray | None = None) -> Process:
        """It comes when it is due; `sent` (n,) is what it brings, None = all of it."""
        yield self.env.timeout(load.due_s - int(self.env.now))
        if sent is not None:
            load.shipped[:] = sent
            load.cases = cases_of(self.network, load.sku, sent)
            self.floor.fall_short(load, int(self.env.now))
            if not load.cases:
                return
        if load.destination in self.docks:
            closed = self.closures.pause_s(load.destination, int(self.env.now))
            if closed:
                opens = int(self.network.locations.receives_from_s[load.destination])
                yield self.env.timeout(closed + opens)
            with self.docks[load.destination].request() as door:
                yield door
                yield self.env.timeout(math.ceil(self.rules.receive_seconds_per_case * load.cases))
            self.cranes.store(load.destination, load.cases)
            self.floor.receive(load, int(self.env.now))
        else:
            self._hand_over(load)

    def _arrive_at(self, load: Load) -> Process:
        yield self.env.timeout(max(load.due_s - int(self.env.now), 0))
        if load.kind == LineKind.PURCHASE and load.origin == SUPPLIER and not self.scenario.direct:
            yield from self._delivery(load)
        else:
            self.floor.receive(load, int(self.env.now))


def working_s(rules: WarehouseRules, now: int, seconds: int) -> int:
    """How long `seconds` of picking take from `now` on, with the hours between shifts."""
    shift = round(rules.shift_hours * 3_600)
    if shift >= DAY_SECONDS:
        return seconds
    since = (now - round(rules.shift_from_hour * 3_600)) % DAY_SECONDS
    first_wait = DAY_SECONDS - since if since >= shift else 0
    worked_today = 0 if first_wait else since
    nights = max(math.ceil((worked_today + seconds) / shift) - 1, 0)
    return first_wait + seconds + nights * (DAY_SECONDS - shift)
