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
from numba import njit

from policies.domain.errors import InvalidInput
from policies.routing.fleet import FleetPlan, FleetProblem
from policies.routing.problem import NO_LIMIT, Floats, Ints

_CHUNK = 400
_FAR = 2**50
_DROPPED = "no tour with room and time for it was found, or its drop is cheaper"
_CHOICES = np.array([4, 4, 2, 1, 2, 2, 2], dtype=np.float64)
"""Weights of the orders in which stops are put back: random, load, far, near, window
length, window start, window end."""


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
            _place(state, world, int(truck), nodes)
        _fill(state, world, rng)
        best = _copied(state)
        least = _cost(state, world)
        legs = size + int((state[1] > 0).sum())
        hot = max(_metres(state, world) / legs, 1.0) * 0.5
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
            _search(state, world, rng, best, mind, chunk)
            done += chunk


World = tuple[Ints, Ints, Ints, Ints, Ints, Floats, Ints, Floats, Ints, Ints, Ints]
"""distance, drive, service, opens, closes, load (n, 2), truck rows, capacity (T, 2),
nearest stops, drop cost, orders by rule."""
State = tuple[Ints, Ints, Ints, Floats, Ints, Ints, Ints]
"""stops of each tour, their number, truck of each tour, load (R, 2), tour of each node,
segments up to and from each place (2, R, P, 3), tours of each truck."""


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


@njit(cache=True)
def _join(first: Ints, second: Ints, leg: int, out: Ints) -> bool:
    """Write the segment (duration, earliest, latest) of two in a row; False = too late."""
    reach = first[0] + leg
    if first[1] + reach > second[2]:
        return False
    wait = max(second[1] - reach - first[2], 0)
    earliest = max(second[1] - reach, first[1]) - wait
    latest = min(second[2] - reach, first[2])
    duration = reach + wait + second[0]
    out[0], out[1], out[2] = duration, earliest, latest
    return True


@njit(cache=True)
def _refresh(state: State, world: World, tour: int) -> bool:
    """Load and segments of a tour anew; False if it breaks a limit."""
    members, length, truck, load, tour_of, segments, _ = state
    _, drive, service, opens, closes, loads, trucks, capacity, _, _, _ = world
    size, kind = length[tour], truck[tour]
    depot = trucks[kind, 0]
    load[tour, :] = 0.0
    for p in range(size):
        load[tour] += loads[members[tour, p]]
        tour_of[members[tour, p]] = tour
    before, after = segments[0, tour], segments[1, tour]
    before[0, 0], before[0, 1], before[0, 2] = 0, trucks[kind, 3], trucks[kind, 4]
    after[size, 0], after[size, 1], after[size, 2] = 0, trucks[kind, 3], trucks[kind, 4]
    own = np.empty(3, dtype=np.int64)
    node = depot
    for p in range(size):
        stop = members[tour, p]
        own[0], own[1], own[2] = service[stop], opens[stop], closes[stop]
        if not _join(before[p], own, drive[node, stop], before[p + 1]):
            return False
        node = stop
    node = depot
    for p in range(size - 1, -1, -1):
        stop = members[tour, p]
        own[0], own[1], own[2] = service[stop], opens[stop], closes[stop]
        if not _join(own, after[p + 1], drive[stop, node], after[p]):
            return False
        node = stop
    whole = np.empty(3, dtype=np.int64)
    if size and not _join(before[0], after[0], drive[depot, members[tour, 0]], whole):
        return False
    fits = load[tour, 0] <= capacity[kind, 0] and load[tour, 1] <= capacity[kind, 1]
    return bool(fits and (size == 0 or whole[0] <= trucks[kind, 2]))


@njit(cache=True)
def _place(state: State, world: World, kind: int, nodes: Ints) -> None:
    """Begin with a given tour, if it can be driven; else its stops stay out."""
    members, length, truck, _, tour_of, _, used = state
    if used[kind] >= world[6][kind, 1]:
        return
    for tour in range(len(length)):
        if length[tour] == 0:
            members[tour, : len(nodes)] = nodes
            length[tour] = len(nodes)
            truck[tour] = kind
            used[kind] += 1
            if not _refresh(state, world, tour):
                for node in nodes:
                    tour_of[node] = -1
                length[tour] = 0
                used[kind] -= 1
            return


@njit(cache=True)
def _metres(state: State, world: World) -> int:
    members, length, truck, _, _, _, _ = state
    distance, trucks = world[0], world[6]
    total = 0
    for tour in range(len(length)):
        node = trucks[truck[tour], 0]
        for p in range(length[tour]):
            total += distance[node, members[tour, p]]
            node = members[tour, p]
        if length[tour]:
            total += distance[node, trucks[truck[tour], 0]]
    return total


@njit(cache=True)
def _cost(state: State, world: World) -> int:
    trucks, drops = world[6], world[9]
    total = _metres(state, world)
    for kind in range(len(trucks)):
        total += state[6][kind] * trucks[kind, 5]
    for node in range(len(drops)):
        if state[4][node] < 0:
            total += drops[node]
    return total


@njit(cache=True)
def _best_place(
    state: State, world: World, node: int, blink: float, rng: np.random.Generator
) -> tuple[int, int, int]:
    """(extra metres, tour, place) of the cheapest insertion into a tour in use."""
    members, length, truck, load, _, segments, _ = state
    distance, drive, service, opens, closes, loads, trucks, capacity, _, _, _ = world
    least, best, place = _FAR, -1, -1
    own = np.empty(3, dtype=np.int64)
    front = np.empty(3, dtype=np.int64)
    whole = np.empty(3, dtype=np.int64)
    own[0], own[1], own[2] = service[node], opens[node], closes[node]
    for tour in range(len(length)):
        size, kind = length[tour], truck[tour]
        if (
            size == 0
            or load[tour, 0] + loads[node, 0] > capacity[kind, 0]
            or load[tour, 1] + loads[node, 1] > capacity[kind, 1]
        ):
            continue
        depot = trucks[kind, 0]
        for p in range(size + 1):
            a = members[tour, p - 1] if p else depot
            b = members[tour, p] if p < size else depot
            extra = distance[a, node] + distance[node, b] - distance[a, b]
            if extra >= least or rng.random() < blink:
                continue
            if (
                _join(segments[0, tour, p], own, drive[a, node], front)
                and _join(front, segments[1, tour, p], drive[node, b], whole)
                and whole[0] <= trucks[kind, 2]
            ):
                least, best, place = extra, tour, p
    return least, best, place


@njit(cache=True)
def _new_tour(
    state: State, world: World, node: int, blink: float, rng: np.random.Generator
) -> tuple[int, int]:
    """(extra metres, truck) of the cheapest tour for one stop alone; truck −1 = none."""
    used = state[6]
    distance, drive, service, opens, closes, loads, trucks, capacity, _, _, _ = world
    least, best = _FAR, -1
    for kind in range(len(trucks)):
        depot = trucks[kind, 0]
        extra = distance[depot, node] + distance[node, depot] + trucks[kind, 5]
        # A truck that is dearer alone may carry more: now and then the cheapest is passed by.
        if used[kind] >= trucks[kind, 1] or extra >= least or rng.random() < 10 * blink:
            continue
        begins = max(trucks[kind, 3] + drive[depot, node], opens[node])
        ends = begins + service[node] + drive[node, depot]
        alone = drive[depot, node] + service[node] + drive[node, depot]
        if (
            loads[node, 0] <= capacity[kind, 0]
            and loads[node, 1] <= capacity[kind, 1]
            and begins <= closes[node]
            and ends <= trucks[kind, 4]
            and alone <= trucks[kind, 2]
        ):
            least, best = extra, kind
    return least, best


@njit(cache=True)
def _insert(
    state: State, world: World, node: int, blink: float, rng: np.random.Generator, touched: Ints
) -> None:
    """Put one stop where it costs least, or leave it out where that is cheaper."""
    members, length, truck, _, _, _, used = state
    extra, tour, place = _best_place(state, world, node, blink, rng)
    alone, kind = _new_tour(state, world, node, blink, rng)
    if kind >= 0 and rng.random() < blink:
        extra = _FAR
    if min(extra, alone) >= world[9][node]:
        return
    if alone < extra:
        for tour in range(len(length)):
            if length[tour] == 0:
                truck[tour] = kind
                used[kind] += 1
                place = 0
                break
    for p in range(length[tour], place, -1):
        members[tour, p] = members[tour, p - 1]
    members[tour, place] = node
    length[tour] += 1
    touched[tour] = 1
    _refresh(state, world, tour)


@njit(cache=True)
def _recreate(
    state: State, world: World, blink: float, rng: np.random.Generator, touched: Ints
) -> None:
    """Put back every stop that is out, in one of the orders."""
    tour_of, orders = state[4], world[10]
    depots = len(tour_of) - orders.shape[1]
    out = np.flatnonzero(tour_of[depots:] < 0)
    draw = rng.random() * _CHOICES.sum()
    rule = 0
    while rule < len(_CHOICES) - 1 and draw > _CHOICES[rule]:
        draw -= _CHOICES[rule]
        rule += 1
    keys = np.empty(len(out))
    for i in range(len(out)):
        keys[i] = rng.random() if rule == 0 else orders[rule - 1, out[i]]
    for i in np.argsort(keys):
        _insert(state, world, out[i] + depots, blink, rng, touched)


@njit(cache=True)
def _fill(state: State, world: World, rng: np.random.Generator) -> None:
    """The first tours: everything that is out, without blinking."""
    _recreate(state, world, 0.0, rng, np.zeros(len(state[1]), dtype=np.int64))


@njit(cache=True)
def _ruin(state: State, world: World, rng: np.random.Generator, touched: Ints) -> None:
    """Take strings of stops near a random one out of their tours."""
    _, length, _, _, tour_of, _, _ = state
    near = world[8]
    tours = max((length > 0).sum(), 1)
    longest = min(10.0, length.sum() / tours)
    strings = int(rng.random() * (40.0 / (1.0 + longest) - 1.0) + 1.0)
    seed = int(rng.random() * len(near))
    for node in near[seed]:
        tour = tour_of[node]
        if strings <= 0:
            break
        if tour < 0 or touched[tour]:
            continue
        most = min(float(length[tour]), longest)
        _cut(state, world, node, int(rng.random() * most + 1.0), rng, touched)
        strings -= 1


@njit(cache=True)
def _cut(
    state: State, world: World, node: int, cut: int, rng: np.random.Generator, touched: Ints
) -> None:
    """Take `cut` stops around `node` out; half the time some inside the string stay."""
    members, length, truck, _, tour_of, _, used = state
    tour = tour_of[node]
    size = length[tour]
    at = 0
    while members[tour, at] != node:
        at += 1
    kept = 0
    if rng.random() < 0.5:
        while cut + kept < size and rng.random() > 0.01:
            kept += 1
            if rng.random() < 0.5:
                break
    whole = min(cut + kept, size)
    first = max(at - int(rng.random() * whole), 0)
    first = min(first, size - whole)
    skip = first + int(rng.random() * (whole - kept + 1))
    to = first
    for p in range(first, first + whole):
        if skip <= p < skip + kept and members[tour, p] != node:
            members[tour, to] = members[tour, p]
            to += 1
        else:
            tour_of[members[tour, p]] = -1
    for p in range(first + whole, size):
        members[tour, to] = members[tour, p]
        to += 1
    length[tour] = to
    touched[tour] = 1
    if to == 0:
        used[truck[tour]] -= 1
    _refresh(state, world, tour)


@njit(cache=True)
def _carry(source: State, target: State, touched: Ints) -> None:
    """Copy the tours that changed."""
    for tour in range(len(touched)):
        if touched[tour]:
            size = max(source[1][tour], target[1][tour])
            target[0][tour, :size] = source[0][tour, :size]
            target[1][tour] = source[1][tour]
            target[2][tour] = source[2][tour]
            target[3][tour] = source[3][tour]
            target[5][:, tour, : size + 1] = source[5][:, tour, : size + 1]
    target[4][:] = source[4]
    target[6][:] = source[6]


@njit(cache=True)
def _search(
    state: State, world: World, rng: np.random.Generator, best: State, mind: Floats, rounds: int
) -> None:
    """Simulated annealing; `mind` = (cost now, least cost, temperature)."""
    tours = len(state[1])
    back = (
        state[0].copy(), state[1].copy(), state[2].copy(), state[3].copy(), state[4].copy(),
        state[5].copy(), state[6].copy(),
    )  # fmt: skip
    since_best = np.zeros(tours, dtype=np.int64)
    since_best[:] = 1
    for _ in range(rounds):
        touched = np.zeros(tours, dtype=np.int64)
        _ruin(state, world, rng, touched)
        _recreate(state, world, 0.01, rng, touched)
        cost = _cost(state, world)
        if cost < mind[0] - mind[2] * np.log(max(rng.random(), 1e-300)):
            _carry(state, back, touched)
            since_best |= touched
            mind[0] = cost
            if cost < mind[1]:
                mind[1] = cost
                _carry(state, best, since_best)
                since_best[:] = 0
        else:
            _carry(back, state, touched)
