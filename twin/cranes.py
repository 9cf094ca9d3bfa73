"""Cranes of a warehouse: every load unit that leaves is fetched, every one that came is stored.

A crane belongs to one aisle and a load unit lies in a random place of a random aisle. A
crane that fetches while deliveries wait to be stored takes one of them along (a dual
command); a crane that nobody waits for stores by itself. Cycle times are drawn unit by
unit from places in the rack, never from the formula that they are checked against.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator
from typing import Any

import numpy as np
import numpy.typing as npt
import simpy

from policies.domain.decision import LineKind
from policies.domain.network import DAY_SECONDS
from twin import draws
from twin.loads import Load
from twin.processes import CraneRules
from twin.scenario import Scenario

Process = Generator[simpy.Event, Any, None]
Floats = npt.NDArray[np.float64]
_STORED_AT_ONCE = 10
"""Load units that a crane stores before it looks whether somebody waits for it."""
_ROOM = 1 << 20
"""Draws kept apart for one load: more load units than any truck takes."""
_FETCH, _STORE = 0, 1


class Cranes:
    """All cranes of one run.

    Parameters
    ----------
    env : simpy.Environment
    scenario : Scenario
    seed, replication : int, for where load units lie
    """

    def __init__(
        self, env: simpy.Environment, scenario: Scenario, seed: int, replication: int
    ) -> None:
        self.env, self.rules = env, scenario.asrs
        network, aisles = scenario.network, self.rules.cranes
        self.on = aisles > 0
        self._keys = (
            draws.keys(seed, replication, "rack", network.locations.ids)
            if self.on
            else np.zeros(0, dtype=np.uint64)
        )
        warehouses = network.warehouses.tolist()
        self._crane = {
            place: [simpy.PriorityResource(env, 1) for _ in range(aisles)] for place in warehouses
        }
        self._to_store = {place: [0] * aisles for place in warehouses}
        self._fraction = {place: [0.0] * aisles for place in warehouses}
        self._visits: Counter[tuple[int, int]] = Counter()
        self.cycles = self.dual_cycles = self.units = 0
        self.busy_s = 0.0

    def fetch(self, load: Load) -> Process:
        """Bring a load's units to the pickers; each aisle's crane brings its own."""
        if not self.on or load.cases <= 0:
            return
        draw = self._draws(load.destination, load.cases)
        aisle = (draw[0] * self.rules.cranes).astype(np.int64)
        works = [
            self.env.process(self._fetch(load.origin, a, draw[1:, aisle == a]))
            for a in np.unique(aisle).tolist()
        ]
        yield self.env.all_of(works)

    def store(self, place: int, cases: int) -> None:
        """Units that came in wait for a crane; they can be picked from meanwhile."""
        if not self.on or cases <= 0:
            return
        draw = self._draws(place, cases)
        aisle = (draw[0] * self.rules.cranes).astype(np.int64)
        for a in np.unique(aisle).tolist():
            mine = aisle == a
            self._to_store[place][a] += int(mine.sum())
            self.env.process(self._put_away(place, a, draw[1:, mine]))

    def counters(self) -> dict[str, int]:
        """Cycles, load units, seconds and energy of all cranes."""
        if not self.on:
            return {}
        return {
            "crane_cycles": self.cycles,
            "crane_dual_cycles": self.dual_cycles,
            "crane_units": self.units,
            "crane_seconds": round(self.busy_s),
            "crane_wh": round(self.busy_s * self.rules.crane_kw / 3.6),
        }

    def _fetch(self, place: int, aisle: int, draw: Floats) -> Process:
        with self._crane[place][aisle].request(priority=_FETCH) as crane:
            yield crane
            done = 0
            while done < draw.shape[1]:
                # Deliveries may come in while the crane works: look again after each ten.
                batch = draw[:, done : done + _STORED_AT_ONCE]
                done += batch.shape[1]
                dual = min(self._to_store[place][aisle], batch.shape[1])
                self._to_store[place][aisle] -= dual
                yield self._work(place, aisle, batch, dual)

    def _put_away(self, place: int, aisle: int, draw: Floats) -> Process:
        done = 0
        while done < draw.shape[1] and self._to_store[place][aisle]:
            with self._crane[place][aisle].request(priority=_STORE) as crane:
                yield crane
                many = min(_STORED_AT_ONCE, self._to_store[place][aisle], draw.shape[1] - done)
                if not many:
                    return
                self._to_store[place][aisle] -= many
                batch = draw[:, done : done + many]
                done += many
                yield self._work(place, aisle, batch, 0)

    def _work(self, place: int, aisle: int, draw: Floats, dual: int) -> simpy.Event:
        """An aisle's crane is busy with these cycles, the first `dual` of them dual ones."""
        seconds = float(cycle_seconds(self.rules, draw, dual).sum())
        self.cycles += draw.shape[1]
        self.dual_cycles += dual
        self.units += draw.shape[1] + dual
        self.busy_s += seconds
        # Whole seconds, and what is over goes to the crane's next piece of work.
        exact = seconds + self._fraction[place][aisle]
        self._fraction[place][aisle] = exact - math.floor(exact)
        return self.env.timeout(math.floor(exact))

    def _draws(self, place: int, cases: int) -> Floats:
        """(5, n) numbers in [0, 1) of a load's units: aisle, two places in the rack.

        Keyed by the place that the load is for, the day, and which load of the day it is.
        """
        units = math.ceil(cases / self.rules.cases_per_unit)
        day = int(self.env.now) // DAY_SECONDS
        visit = self._visits[place, day]
        self._visits[place, day] += 1
        first = ((day << 10) + (visit & 1023)) * _ROOM
        counters = first + np.arange(5 * units, dtype=np.int64)
        return draws.uniforms(np.array(self._keys[place]), counters).reshape(5, units)


def cycle_seconds(rules: CraneRules, draw: Floats, dual: int) -> Floats:
    """(n,) seconds of cycles with Chebyshev travel from and to the lower corner.

    Parameters
    ----------
    draw : (4, n) places as shares of length and height: the unit that is fetched (or
        stored), and the one that is stored on the way to it in a dual cycle
    dual : int, the first so many are dual cycles
    """
    x, y, x_stored, y_stored = draw
    along, up = rules.along_s, rules.up_s
    back: Floats = np.maximum(x * along, y * up)
    seconds = 2 * back + 2 * rules.transfer_seconds
    out = np.maximum(x_stored * along, y_stored * up)
    between = np.maximum(np.abs(x - x_stored) * along, np.abs(y - y_stored) * up)
    both = out + between + back + 4 * rules.transfer_seconds
    seconds[:dual] = both[:dual]
    return seconds


def always_busy(
    scenario: Scenario, fetched: int, stored: int, seed: int, replication: int
) -> Cranes:
    """The cranes of a world after they have fetched so many cases without a pause.

    Parameters
    ----------
    fetched, stored : cases for the first store, and cases that wait to be stored meanwhile
    """
    env, network = simpy.Environment(), scenario.network
    cranes = Cranes(env, scenario, seed, replication)
    warehouse, store = int(network.warehouses[0]), int(network.stores[0])
    cranes.store(warehouse, stored)
    none = np.zeros(1, dtype=np.int32)
    load = Load(0, LineKind.REPLENISH, warehouse, store, -1, none, none, none, fetched)
    env.run(until=env.process(cranes.fetch(load)))
    return cranes
