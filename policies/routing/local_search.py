"""Local search over tours: relocate, exchange, reverse and cross, first improvement.

A move is tried where it brings a stop next to one of its nearest ones; its gain is
computed from the few arcs that change, and only a promising move is built and checked
for loads and times. Sources: Or (1976) relocation, Croes (1958) 2-opt, Potvin & Rousseau
(1995) 2-opt* for time windows.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from policies.routing.problem import Floats, Ints, RoutingProblem
from policies.routing.schedule import departure

_LONGEST_SEGMENT = 3


def improve(
    problem: RoutingProblem,
    table: Ints,
    length: Ints,
    *,
    rounds: int,
    neighbours: int,
    tour_metres: int,
) -> None:
    """Better tours in place.

    Parameters
    ----------
    table : (R, N) int64, stops of each tour in driving order
    length : (R,) int64, number of stops of each tour
    rounds : int, most sweeps over all stops
    neighbours : int, nearest stops a stop may be moved next to
    tour_metres : int, cost of one tour in metres
    """
    between = problem.distance_m[1:, 1:]
    near = np.argsort(between, axis=1, kind="stable")[:, : neighbours + 1]
    _search(
        table,
        length,
        near,
        problem.distance_m,
        (problem.kg, problem.m3),
        (float(problem.capacity_kg), float(problem.capacity_m3)),
        (problem.drive_s, problem.service_s, problem.opens_s, problem.closes_s),
        (int(problem.departs_s), int(problem.shift_s), int(problem.returns_until_s)),
        rounds,
        tour_metres,
    )


@njit(cache=True)
def _metres(tour: Ints, size: int, distance: Ints) -> int:
    """Length of the closed tour."""
    total, node = 0, 0
    for p in range(size):
        total += distance[node, tour[p] + 1]
        node = tour[p] + 1
    return int(total + distance[node, 0]) if size else 0


@njit(cache=True)
def _cost(tour: Ints, size: int, distance: Ints, tour_metres: int) -> int:
    """Metres and the tour's own cost."""
    return int(_metres(tour, size, distance) + (tour_metres if size else 0))


@njit(cache=True)
def _carries(tour: Ints, size: int, kg: Floats, m3: Floats, most: tuple[float, float]) -> bool:
    """Whether one truck carries the tour's load."""
    load_kg, load_m3 = 0.0, 0.0
    for p in range(size):
        load_kg += kg[tour[p]]
        load_m3 += m3[tour[p]]
    return bool(load_kg <= most[0] + 1e-9 and load_m3 <= most[1] + 1e-9)


@njit(cache=True)
def _node(tour: Ints, size: int, p: int) -> int:
    """Matrix node at position `p`; the depot before the first and after the last."""
    return int(tour[p] + 1) if 0 <= p < size else 0


@njit(cache=True)
def _moved(
    kind: int, a: Ints, na: int, p: int, b: Ints, nb: int, q: int, seg: int, new: Ints
) -> tuple[int, int]:
    """Fill `new` (2, N) with the tours after a move between two tours; their lengths.

    kind 0: a[p:p+seg] after b[q]; 1: the same reversed, before b[q]; 2: exchange a[p] and
    b[q]; 3: a up to p goes on with b from q, b before q goes on with a after p.
    """
    if kind <= 1:
        ka = 0
        for s in range(na):
            if s < p or s >= p + seg:
                new[0, ka] = a[s]
                ka += 1
        kb = 0
        for s in range(nb):
            if kind == 1 and s == q:
                for t in range(seg):
                    new[1, kb + t] = a[p + seg - 1 - t]
                kb += seg
            new[1, kb] = b[s]
            kb += 1
            if kind == 0 and s == q:
                for t in range(seg):
                    new[1, kb + t] = a[p + t]
                kb += seg
        return ka, kb
    if kind == 2:
        new[0, :na], new[1, :nb] = a[:na], b[:nb]
        new[0, p], new[1, q] = b[q], a[p]
        return na, nb
    head, tail = p + 1, nb - q
    new[0, :head] = a[:head]
    new[0, head : head + tail] = b[q:nb]
    rest = na - head
    new[1, :q] = b[:q]
    new[1, q : q + rest] = a[head:na]
    return head + tail, q + rest


@njit(cache=True)
def _moved_inside(kind: int, a: Ints, n: int, p: int, q: int, seg: int, new: Ints) -> int:
    """Fill ``new[0]`` with the tour after a move inside it; its length, 0 if none.

    kind 0: a[p:p+seg] after a[q]; 1: reversed, before a[q]; 2: exchange; 3: reverse so
    that a[p] and a[q] become neighbours.
    """
    if kind == 2:
        new[0, :n] = a[:n]
        new[0, p], new[0, q] = a[q], a[p]
        return n
    if kind == 3:
        first, last = (p + 1, q) if p < q else (q + 1, p)
        new[0, :n] = a[:n]
        for s in range(first, last + 1):
            new[0, s] = a[first + last - s]
        return n
    if p <= q < p + seg:
        return 0
    k = 0
    for s in range(n):
        if p <= s < p + seg:
            continue
        if kind == 1 and s == q:
            for t in range(seg):
                new[0, k + t] = a[p + seg - 1 - t]
            k += seg
        new[0, k] = a[s]
        k += 1
        if kind == 0 and s == q:
            for t in range(seg):
                new[0, k + t] = a[p + t]
            k += seg
    return n


@njit(cache=True)
def _gain(
    kind: int, a: Ints, na: int, p: int, b: Ints, nb: int, q: int, seg: int, distance: Ints
) -> int:
    """Metres saved by a move between two tours if distances are symmetric."""
    before, first = _node(a, na, p - 1), a[p] + 1
    u, v = first, b[q] + 1
    if kind <= 1:
        last, after = _node(a, na, p + seg - 1), _node(a, na, p + seg)
        out = distance[before, first] + distance[last, after] - distance[before, after]
        if kind == 0:
            w = _node(b, nb, q + 1)
            return int(out - distance[v, first] - distance[last, w] + distance[v, w])
        w = _node(b, nb, q - 1)
        return int(out - distance[w, last] - distance[first, v] + distance[w, v])
    after, w, x = _node(a, na, p + 1), _node(b, nb, q - 1), _node(b, nb, q + 1)
    if kind == 2:
        old = distance[before, u] + distance[u, after] + distance[w, v] + distance[v, x]
        new = distance[before, v] + distance[v, after] + distance[w, u] + distance[u, x]
        return int(old - new)
    return int(distance[u, after] + distance[w, v] - distance[u, v] - distance[w, after])


@njit(cache=True)
def _possible(
    tour: Ints,
    size: int,
    loads: tuple[Floats, Floats],
    most: tuple[float, float],
    times: tuple[Ints, Ints, Ints, Ints],
    limits: tuple[int, int, int],
) -> bool:
    """Whether a tour respects loads and times; an empty one does."""
    if size == 0:
        return True
    if not _carries(tour, size, loads[0], loads[1], most):
        return False
    drive, service, opens, closes = times
    earliest, shift, returns = limits
    start = departure(tour, size, drive, service, opens, closes, earliest, shift, returns)
    return bool(start >= 0)


@njit(cache=True)
def _overloads(
    kind: int, a: Ints, p: int, b: Ints, q: int, seg: int, load: Floats, most: float, on: Floats
) -> bool:
    """Whether a move between two tours surely loads one of them with too much.

    `on` (2,) is what they carry now; a margin far above rounding leaves close calls to
    :func:`_carries`. Most moves end here, before anything is built.
    """
    if kind == 3:
        return False
    comes = 0.0
    for s in range(p, p + seg):
        comes += load[a[s]]
    if kind <= 1:
        return bool(on[1] + comes > most + 1e-6)
    change = comes - load[b[q]]
    return bool(on[1] + change > most + 1e-6 or on[0] - change > most + 1e-6)


@njit(cache=True)
def _better(
    kind: int,
    a: Ints,
    na: int,
    p: int,
    b: Ints,
    nb: int,
    q: int,
    seg: int,
    kin: int,
    distance: Ints,
    tour_metres: int,
    new: Ints,
) -> tuple[int, int]:
    """Lengths of the tours in `new` if the move gains; (-1, 0) if it does not.

    `kin` is 1 where both stops are on one tour.
    """
    if kin == 1:
        ka = _moved_inside(kind, a, na, p, q, seg, new)
        if ka == 0 or _metres(new[0], ka, distance) >= _metres(a, na, distance):
            return -1, 0
        return ka, 0
    empties = (kind <= 1 and seg == na) or (kind == 3 and q == 0 and p == na - 1)
    bonus = tour_metres if empties else 0
    if _gain(kind, a, na, p, b, nb, q, seg, distance) + bonus <= 0:
        return -1, 0
    ka, kb = _moved(kind, a, na, p, b, nb, q, seg, new)
    before = _cost(a, na, distance, tour_metres) + _cost(b, nb, distance, tour_metres)
    after = _cost(new[0], ka, distance, tour_metres) + _cost(new[1], kb, distance, tour_metres)
    return (ka, kb) if after < before else (-1, 0)


@njit(cache=True)
def _sweep(
    table: Ints,
    length: Ints,
    tour_of: Ints,
    at: Ints,
    near: Ints,
    distance: Ints,
    loads: tuple[Floats, Floats],
    most: tuple[float, float],
    times: tuple[Ints, Ints, Ints, Ints],
    limits: tuple[int, int, int],
    tour_metres: int,
    new: Ints,
    changed: Ints,
    tried: Ints,
    carried: Floats,
) -> bool:
    """Try every move once; whether one was made.

    Whether a move gains depends on its two tours alone: where neither has changed since
    the stop's moves were last tried, they fail again and are passed over. `changed` (R,)
    and `tried` (N,) tell when, counted in moves made; ``changed[-1]`` is that count.
    `carried` (2, R) is what each tour carries now.
    """
    improved = False
    on = np.empty((2, 2))
    for u in range(len(at)):
        before = tried[u]
        tried[u] = changed[-1]
        for v in near[u]:
            if v == u or tour_of[u] < 0 or tour_of[v] < 0:
                continue
            if changed[tour_of[u]] <= before and changed[tour_of[v]] <= before:
                continue
            for move in range(8):
                # Moves 0–5: both directions of segments of 1–3 stops; 6, 7: swap, cross.
                kind, seg = (move % 2, move // 2 + 1) if move < 6 else (move - 4, 1)
                ra, rb, p, q = tour_of[u], tour_of[v], at[u], at[v]
                if p + seg > length[ra]:
                    continue
                a, b, na, nb = table[ra], table[rb], length[ra], length[rb]
                same = ra == rb
                kin = 1 if same else 0
                if not same:
                    on[0, 0], on[0, 1] = carried[0, ra], carried[0, rb]
                    on[1, 0], on[1, 1] = carried[1, ra], carried[1, rb]
                    if _overloads(kind, a, p, b, q, seg, loads[0], most[0], on[0]):
                        continue
                    if _overloads(kind, a, p, b, q, seg, loads[1], most[1], on[1]):
                        continue
                ka, kb = _better(kind, a, na, p, b, nb, q, seg, kin, distance, tour_metres, new)
                if (
                    ka < 0
                    or not _possible(new[0], ka, loads, most, times, limits)
                    or not (same or _possible(new[1], kb, loads, most, times, limits))
                ):
                    continue
                improved = True
                changed[-1] += 1
                for side in range(1 if same else 2):
                    r, k = (ra, ka) if side == 0 else (rb, kb)
                    length[r], changed[r] = k, changed[-1]
                    carried[:, r] = 0.0
                    for s in range(k):
                        table[r, s] = new[side, s]
                        tour_of[new[side, s]] = r
                        at[new[side, s]] = s
                        carried[0, r] += loads[0][new[side, s]]
                        carried[1, r] += loads[1][new[side, s]]
    return improved


@njit(cache=True)
def _search(
    table: Ints,
    length: Ints,
    near: Ints,
    distance: Ints,
    loads: tuple[Floats, Floats],
    most: tuple[float, float],
    times: tuple[Ints, Ints, Ints, Ints],
    limits: tuple[int, int, int],
    rounds: int,
    tour_metres: int,
) -> None:
    """Sweep over all stops until nothing improves."""
    size = len(loads[0])
    tour_of = np.full(size, -1, dtype=np.int64)
    at = np.zeros(size, dtype=np.int64)
    carried = np.zeros((2, len(table)))
    for r in range(len(table)):
        for p in range(length[r]):
            carried[0, r] += loads[0][table[r, p]]
            carried[1, r] += loads[1][table[r, p]]
            tour_of[table[r, p]] = r
            at[table[r, p]] = p
    new = np.zeros((2, size + 1), dtype=np.int64)
    changed, tried = np.zeros(len(table) + 1, dtype=np.int64), np.full(size, -1, dtype=np.int64)
    for _ in range(rounds):
        if not _sweep(
            table,
            length,
            tour_of,
            at,
            near,
            distance,
            loads,
            most,
            times,
            limits,
            tour_metres,
            new,
            changed,
            tried,
            carried,
        ):
            break
