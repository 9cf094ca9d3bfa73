"""Compiled steps of ruin and recreate: segments of tours, insertion, strings, annealing.

A tour is a row of arrays; each place knows the segment (duration, earliest and latest
departure) of all that comes before and after it, so that an insertion is judged in one
step (Vidal et al. 2013). See :mod:`policies.routing.ruin_recreate` for the method.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from policies.routing.problem import Floats, Ints

_FAR = 2**50
_CHOICES = np.array([4, 4, 2, 1, 2, 2, 2], dtype=np.float64)
"""Weights of the orders in which stops are put back: random, load, far, near, window
length, window start, window end."""

World = tuple[Ints, Ints, Ints, Ints, Ints, Floats, Ints, Floats, Ints, Ints, Ints]
"""distance, drive, service, opens, closes, load (n, 2), truck rows, capacity (T, 2),
nearest stops, drop cost, orders by rule."""
State = tuple[Ints, Ints, Ints, Floats, Ints, Ints, Ints]
"""stops of each tour, their number, truck of each tour, load (R, 2), tour of each node,
segments up to and from each place (2, R, P, 3), tours of each truck."""


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
def place_tour(state: State, world: World, kind: int, nodes: Ints) -> None:
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
def metres_of(state: State, world: World) -> int:
    """Length of all tours in metres."""
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
def cost_of(state: State, world: World) -> int:
    """Metres, with what tours cost in themselves and what stops that are out cost."""
    trucks, drops = world[6], world[9]
    total = metres_of(state, world)
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
def fill(state: State, world: World, rng: np.random.Generator) -> None:
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
def search(
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
        cost = cost_of(state, world)
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
