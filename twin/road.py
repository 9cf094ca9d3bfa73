"""The road: how long a tour takes, by traffic, breakdowns and drivers' hours."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from policies.domain.decision import Route
from policies.domain.errors import ScenarioInvalid
from policies.domain.network import DAY_SECONDS
from twin import draws
from twin.loads import Load
from twin.scenario import Scenario

_HOUR_S = 3_600


@dataclass(frozen=True)
class Stop:
    """One stop of a tour under way.

    Attributes
    ----------
    load : Load
    arrives_s, begins_s, unloaded_s : int, at the door, at work, empty
    is_on_time : bool, whether work begins inside the receiving window
    """

    load: Load
    arrives_s: int
    begins_s: int
    unloaded_s: int
    is_on_time: bool


@dataclass(frozen=True)
class Tour:
    """One truck or van on the road; its times are known when it leaves.

    Attributes
    ----------
    origin : int, axis index it leaves from and comes back to
    route : Route or None, the decision's route it drives; None = a direct run
    stops : tuple of Stop, in driving order
    departs_s, returns_s : int
    metres : int, road length of the closed tour, and of relief trucks
    starts : int, trucks that set off for it: one, and a relief truck for each emergency
    repaired_s : int, when a truck that broke down can be used again; −1 = it did not
    empty_metres : int, of `metres`, the way back
    """

    origin: int
    route: Route | None
    stops: tuple[Stop, ...]
    departs_s: int
    returns_s: int
    metres: int
    starts: int = 1
    repaired_s: int = -1
    empty_metres: int = 0


@dataclass
class _Trip:
    """What has happened on a tour so far: the driver's hours, repairs, relief trucks."""

    driven_s: float = 0.0
    driven_today_s: float = 0.0
    relief_metres: int = 0
    reliefs: int = 0
    repaired_s: int = -1


class Road:
    """Plans the times of tours, and counts what goes wrong on them.

    Parameters
    ----------
    scenario : Scenario
    seed, replication : int, for breakdowns
    """

    def __init__(self, scenario: Scenario, seed: int, replication: int) -> None:
        self.network = scenario.network
        self.rules, self.drivers = scenario.breakdowns, scenario.drivers
        fleet = self.network.fleet
        self._speed = fleet.speed_km_per_hour * scenario.frictions.truck_speed_factor / 3.6
        if self._speed <= 0:
            raise ScenarioInvalid("trucks do not move", field="frictions.truck_speed_factor")
        self._factors = scenario.traffic.speed_factors
        self._keys = (
            draws.keys(seed, replication, "breakdown", self.network.locations.ids)
            if self.rules.per_1000_km > 0
            else None
        )
        self._visits: Counter[tuple[int, int]] = Counter()
        self._totes = scenario.totes
        self._empties: Counter[int] = Counter()
        """Totes at each store: they came with earlier loads and wait for a truck."""
        self.breakdowns = self.emergency_runs = self.breaks = 0
        self.totes_out = self.totes_back = 0

    def straight_s(self, metres: int) -> int:
        """Seconds of a drive on which nothing happens, at the fleet's speed."""
        return math.ceil(metres / self._speed)

    def tour(
        self, origin: int, loads: Sequence[Load], departs_s: int, route: Route | None = None
    ) -> Tour:
        """The tour that visits `loads` in their order, with all its times.

        A truck that comes before the receiving window waits for it; one that comes after
        it is unloaded all the same and counts as late.
        """
        network, fleet = self.network, self.network.fleet
        here, clock, metres = origin, departs_s, 0
        stops, trip = [], _Trip()
        for load in loads:
            place = load.destination
            metres += int(network.distance_m[here, place])
            arrives = self._leg(origin, here, place, clock, trip)
            midnight = arrives // DAY_SECONDS * DAY_SECONDS
            begins = max(arrives, midnight + int(network.locations.receives_from_s[place]))
            on_time = begins <= midnight + int(network.locations.receives_until_s[place])
            fixed = fleet.stop_minutes * 60 if place != here else 0.0
            cases = load.cases_shipped(network)
            work = (
                fixed
                + fleet.unload_seconds_per_case * cases
                + self._swap_totes_s(origin, place, cases)
            )
            clock = begins + math.ceil(work)
            stops.append(Stop(load, arrives, begins, clock, on_time))
            here = place
        back = int(network.distance_m[here, origin])
        returns = self._leg(origin, here, origin, clock, trip)
        return Tour(
            origin,
            route,
            tuple(stops),
            departs_s,
            returns,
            metres + back + trip.relief_metres,
            1 + trip.reliefs,
            trip.repaired_s,
            back,
        )

    def counters(self) -> dict[str, int]:
        """Breakdowns, emergency runs and drivers' breaks, where a scenario has them."""
        found = {}
        if self._keys is not None:
            found = {"breakdowns": self.breakdowns, "emergency_runs": self.emergency_runs}
        if self.drivers.regulated:
            found["driver_breaks"] = self.breaks
        if self._totes.cases_per_tote > 0:
            found |= {"totes_out": self.totes_out, "totes_back": self.totes_back}
        return found

    def _swap_totes_s(self, origin: int, place: int, cases: int) -> float:
        """Seconds to take the empties of earlier loads on board; those of this one stay."""
        rules = self._totes
        if rules.cases_per_tote <= 0 or origin not in self.network.warehouses:
            return 0.0
        back, self._empties[place] = self._empties[place], math.ceil(cases / rules.cases_per_tote)
        self.totes_out += self._empties[place]
        self.totes_back += back
        return back * rules.seconds_per_tote

    def _leg(self, origin: int, here: int, place: int, departs_s: int, trip: _Trip) -> int:
        """When a truck that leaves `here` is at `place`."""
        metres = int(self.network.distance_m[here, place])
        arrives = self._drive(metres, departs_s, trip)
        if self._keys is None or not metres:
            return arrives
        key = self._keys[place]
        return arrives + self._breakdown_s(key, (origin, place, metres), arrives, trip)

    def _drive(self, metres: int, departs_s: int, trip: _Trip) -> int:
        if not self._factors and not self.drivers.regulated:
            return departs_s + math.ceil(metres / self._speed)
        left, clock = float(metres), float(departs_s)
        while left > 1e-6:
            clock += self._rest_s(trip)
            hour = math.floor(clock / _HOUR_S + 1e-9)
            factor = self._factors[hour % 24] if self._factors else 1.0
            span = left / (self._speed * factor)
            if self._factors:
                span = min(span, (hour + 1) * _HOUR_S - clock)
            if self.drivers.regulated:
                span = min(span, *self._may_drive_s(trip))
            clock += span
            left -= self._speed * factor * span
            trip.driven_s += span
            trip.driven_today_s += span
        return math.ceil(clock - 1e-6)

    def _may_drive_s(self, trip: _Trip) -> tuple[float, float]:
        """Seconds until the driver has to take a break, and until he has to stop for the day."""
        rules = self.drivers
        return (
            rules.drive_before_break_hours * _HOUR_S - trip.driven_s,
            rules.drive_per_day_hours * _HOUR_S - trip.driven_today_s,
        )

    def _rest_s(self, trip: _Trip) -> float:
        """The break or the rest that is due before the driver may go on."""
        if not self.drivers.regulated:
            return 0.0
        until_break, until_rest = self._may_drive_s(trip)
        if until_rest <= 1e-6:
            trip.driven_s = trip.driven_today_s = 0.0
            self.breaks += 1
            return self.drivers.rest_hours * _HOUR_S
        if until_break <= 1e-6:
            trip.driven_s = 0.0
            self.breaks += 1
            return self.drivers.break_minutes * 60
        return 0.0

    def _breakdown_s(self, key: np.uint64, leg: tuple[int, int, int], now: int, trip: _Trip) -> int:
        """Seconds by which a leg takes longer because the truck breaks down.

        Keyed by where the leg leads, the day, and which leg of the day to there it is, so
        that another policy's trucks break down on the same roads on the same days.
        """
        (origin, place, metres), rules, day = leg, self.rules, now // DAY_SECONDS
        first = ((day << 6) + (self._visits[place, day] & 63)) * 3
        self._visits[place, day] += 1
        u = [draws.uniform(key, first + i) for i in range(3)]
        if u[0] >= -math.expm1(-rules.per_1000_km * metres / 1e6):
            return 0
        self.breakdowns += 1
        repair = math.ceil(-math.log1p(-u[1]) * rules.repair_hours * _HOUR_S)
        trip.repaired_s = max(trip.repaired_s, now + repair)
        relief = math.ceil(rules.relief_hours * _HOUR_S)
        # An empty truck on its way home carries nothing that somebody waits for.
        if place == origin or repair <= relief or u[2] >= rules.relief_share:
            return repair
        # It drives out from the warehouse, at most to the stop, and finishes the tour.
        self.emergency_runs += 1
        trip.reliefs += 1
        trip.relief_metres += int(self.network.distance_m[origin, place])
        return relief
