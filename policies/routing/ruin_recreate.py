"""Ruin and recreate for a mixed fleet from several depots.

Source: Christiaens & Vanden Berghe (2020), Transportation Science 54:417 (slack induction
by string removals). Strings of near stops are taken out of neighbouring tours, whatever
their depot, and put back where they cost least, so that stops change depot by insertion
cost. Limits hold throughout: tours are joined by duration, earliest and latest departure
(Vidal et al. 2013), one step for each place that is tried.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from policies.domain.errors import InvalidInput
from policies.routing.fleet import FleetPlan, FleetProblem
from policies.routing.problem import NO_LIMIT, Floats
from policies.routing.tour_kernel import State, World, cost_of, fill, metres_of, place_tour, search

_CHUNK = 400
_DROPPED = "no tour with room and time for it was found, or its drop is cheaper"


@dataclass(frozen=True)
class RuinRecreate:
    """The search.

    Parameters
    ----------
    seconds : float > 0, time limit
    iterations : int or None, fixed number instead: repeatable on any machine
    seed : int
    """

    seconds: float = 10.0
    iterations: int | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.seconds > 0 or (self.iterations is not None and self.iterations < 0):
            raise InvalidInput(
                "the search has no time", field="seconds", remedy="give seconds above 0"
            )

    def solve(self, problem: FleetProblem, start: FleetPlan | None = None) -> FleetPlan:
        """Tours of `problem`, from `start` or from nothing."""
        size = len(problem.kg)
        if size == 0:
            return FleetPlan(())
        world = _world(problem)
        state = _empty(problem)
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, size]))
        for truck, tour in start.tours if start is not None else ():
            nodes = np.array(tour, dtype=np.int64) + problem.depots
            place_tour(state, world, int(truck), nodes)
        fill(state, world, rng)
        best = _copied(state)
        least = cost_of(state, world)
        legs = size + int((state[1] > 0).sum())
        hot = max(metres_of(state, world) / legs, 1.0) * 0.5
        self._anneal(state, world, rng, best, np.array([least, least, hot]))
        return _plan(problem, best)

    def _anneal(
        self, state: State, world: World, rng: np.random.Generator, best: State, mind: Floats
    ) -> None:
        """Chunks of a compiled loop; between two of them the clock is read."""
        began, hot, done = time.perf_counter(), float(mind[2]), 0
        while True:
            if self.iterations is not None:
                share = done / max(self.iterations, 1)
                chunk = min(_CHUNK, self.iterations - done)
            else:
                share = (time.perf_counter() - began) / self.seconds
                chunk = _CHUNK
            if share >= 1:
                return
            mind[2] = hot * 0.01**share
            search(state, world, rng, best, mind, chunk)
            done += chunk


def _world(problem: FleetProblem) -> World:
    depots, size = problem.depots, len(problem.kg)
    none = np.zeros(depots, dtype=np.int64)
    nodes = np.arange(depots, depots + size)
    distance = np.ascontiguousarray(problem.distance_m, dtype=np.int64)
    # Rows: depot, tours, shift, departs, returns, fixed.
    trucks = np.array(
        [
            (t.depot, min(t.tours, size), t.shift_s, t.departs_s, t.returns_until_s, t.fixed_metres)
            for t in problem.trucks
        ],
        dtype=np.int64,
    )
    load = np.zeros((depots + size, 2))
    load[depots:, 0], load[depots:, 1] = problem.kg, problem.m3
    opens = np.concatenate([none, problem.opens_s]).astype(np.int64)
    closes = np.concatenate([none + NO_LIMIT, problem.closes_s]).astype(np.int64)
    near = np.argsort(distance[np.ix_(nodes, nodes)], axis=1, kind="stable") + depots
    home = distance[:depots, depots:].min(axis=0)
    window = closes[depots:] - opens[depots:]
    share = load[depots:] / np.maximum(load.max(axis=0), 1e-9)
    keys = [-share.sum(axis=1), -home, home, window, opens[depots:], -closes[depots:]]
    orders = np.stack([np.argsort(np.argsort(key, kind="stable")) for key in keys])
    return (
        distance,
        np.ascontiguousarray(problem.drive_s, dtype=np.int64),
        np.concatenate([none, problem.service_s]).astype(np.int64),
        opens,
        closes,
        load,
        trucks,
        np.array([(t.capacity_kg, t.capacity_m3) for t in problem.trucks]) + 1e-9,
        near.astype(np.int64),
        np.concatenate([none, problem.drop_metres]).astype(np.int64),
        orders.astype(np.int64),
    )


def _empty(problem: FleetProblem) -> State:
    size = len(problem.kg)
    tours = min(sum(min(t.tours, size) for t in problem.trucks), size) + 1
    return (
        np.zeros((tours, size), dtype=np.int64),
        np.zeros(tours, dtype=np.int64),
        np.zeros(tours, dtype=np.int64),
        np.zeros((tours, 2)),
        np.full(problem.depots + size, -1, dtype=np.int64),
        np.zeros((2, tours, size + 2, 3), dtype=np.int64),
        np.zeros(len(problem.trucks), dtype=np.int64),
    )


def _copied(state: State) -> State:
    members, length, truck, load, tour_of, segments, used = state
    return (
        members.copy(),
        length.copy(),
        truck.copy(),
        load.copy(),
        tour_of.copy(),
        segments.copy(),
        used.copy(),
    )


def _plan(problem: FleetProblem, state: State) -> FleetPlan:
    members, length, truck, _, tour_of, _, _ = state
    tours = sorted(
        (int(truck[r]), tuple((members[r, : length[r]] - problem.depots).tolist()))
        for r in np.flatnonzero(length > 0)
    )
    left = np.flatnonzero(tour_of[problem.depots :] < 0).tolist()
    return FleetPlan(tuple(tours), tuple((i, _DROPPED) for i in left))
