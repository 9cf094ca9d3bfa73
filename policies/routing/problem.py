"""The routing problem that every engine solves, and the plan that every engine returns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.decision import ProposalLines
from policies.domain.errors import InvalidInput
from policies.domain.network import IntArray
from policies.domain.view import NetworkView

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int8]

NO_LIMIT = 2**40
"""Seconds or tours that no instance reaches."""


@dataclass(frozen=True)
class RoutingProblem:
    """One depot's deliveries of a day.

    Attributes
    ----------
    depot : int, axis index of the warehouse
    stops : (N,) int64, axis indices of the locations to serve; node i + 1 of the matrices.
        A location whose load is more than one truck or one shift stands there once per tour
    distance_m : (N + 1, N + 1) int64, metres; node 0 is the depot
    drive_s : (N + 1, N + 1) int64, seconds
    service_s : (N,) int64, seconds at each stop
    opens_s, closes_s : (N,) int64, when a stop may begin, seconds after midnight
    kg, m3 : (N,) float64, demand of each stop
    capacity_kg, capacity_m3 : float
    departs_s, shift_s : int, earliest departure and longest tour
    returns_until_s : int, latest return, seconds after midnight
    tours : int, most tours
    """

    depot: int
    stops: Ints
    distance_m: Ints
    drive_s: Ints
    service_s: Ints
    opens_s: Ints
    closes_s: Ints
    kg: Floats
    m3: Floats
    capacity_kg: float
    capacity_m3: float
    departs_s: int
    shift_s: int
    returns_until_s: int = NO_LIMIT
    tours: int = NO_LIMIT

    def __post_init__(self) -> None:
        size = len(self.stops)
        for item in fields(self):
            value = getattr(self, item.name)
            if not isinstance(value, np.ndarray):
                continue
            square = item.name in {"distance_m", "drive_s"}
            expected = (size + 1, size + 1) if square else (size,)
            if value.shape != expected:
                raise InvalidInput(
                    f"{item.name} has shape {value.shape}, expected {expected}",
                    field=f"routing.{item.name}",
                )
            if not np.isfinite(value).all() or (item.name != "opens_s" and (value < 0).any()):
                row = int(np.argwhere(~np.isfinite(value) | (value < 0))[0][0])
                raise InvalidInput(
                    f"{item.name} has a negative or missing number",
                    field=f"routing.{item.name}",
                    row=row,
                    remedy="give finite distances, times and loads, none negative",
                )
        if self.capacity_kg <= 0 or self.capacity_m3 <= 0:
            raise InvalidInput("a truck that carries nothing", field="routing.capacity")

    @cached_property
    def is_timed(self) -> bool:
        """Whether times can make a tour impossible at all."""
        return bool(
            self.drive_s.any()
            or self.service_s.any()
            or (self.opens_s > self.departs_s).any()
            or (self.closes_s < self.departs_s).any()
        )


@dataclass(frozen=True)
class Plan:
    """Tours as positions in ``problem.stops``, and what is left out, each with its reason."""

    tours: tuple[tuple[int, ...], ...]
    unserved: tuple[tuple[int, str], ...] = ()


def tour_metres(problem: RoutingProblem, tour: tuple[int, ...]) -> int:
    """Length of the closed tour in metres."""
    nodes = [0, *[i + 1 for i in tour], 0]
    return int(problem.distance_m[nodes[:-1], nodes[1:]].sum())


def plan_metres(problem: RoutingProblem, plan: Plan) -> int:
    """Length of all tours in metres."""
    return sum(tour_metres(problem, tour) for tour in plan.tours)


def problems_of(view: NetworkView, lines: ProposalLines) -> list[RoutingProblem]:
    """One problem per warehouse from the REPLENISH lines."""
    network, fleet = view.network, view.network.fleet
    places = network.shape[0]
    sums = np.zeros((3, places), dtype=np.int64)
    origin = np.full(places, -1, dtype=np.int64)
    _sum_by_stop(
        (lines.kind, lines.origin, lines.destination, lines.sku, lines.quantity),
        (network.skus.mass_g, network.skus.volume_cm3, network.skus.pack_size),
        sums,
        origin,
    )
    kg, m3, cases = sums[0] / 1e3, sums[1] / 1e6, sums[2]
    trucks = np.maximum(kg / fleet.capacity_kg, m3 / fleet.capacity_m3)
    out = []
    for depot in network.warehouses:
        served = np.flatnonzero(origin == depot)
        if not served.size:
            continue
        parts = np.ones(places, dtype=np.int64)
        shifts = cases[served] * fleet.unload_seconds_per_case / _work_seconds(view, depot, served)
        parts[served] = np.ceil(np.maximum(np.maximum(trucks[served], shifts), 1) - 1e-9)
        stops = np.repeat(served, parts[served])
        nodes = np.concatenate([[depot], stops])
        metres = network.distance_m[np.ix_(nodes, nodes)].astype(np.int64)
        seconds = np.ceil(metres / (fleet.speed_km_per_hour / 3.6)).astype(np.int64)
        unloading = cases[stops] / parts[stops] * fleet.unload_seconds_per_case
        out.append(
            RoutingProblem(
                int(depot),
                stops.astype(np.int64),
                metres,
                seconds,
                np.ceil(fleet.stop_minutes * 60 + unloading).astype(np.int64),
                network.locations.receives_from_s[stops].astype(np.int64),
                network.locations.receives_until_s[stops].astype(np.int64),
                kg[stops] / parts[stops],
                m3[stops] / parts[stops],
                fleet.capacity_kg,
                fleet.capacity_m3,
                fleet.departs_s,
                fleet.shift_minutes * 60,
            )
        )
    return out


@njit(cache=True)
def _sum_by_stop(
    lines: tuple[Codes, IntArray, IntArray, IntArray, IntArray],
    goods: tuple[IntArray, IntArray, IntArray],
    sums: Ints,
    origin: Ints,
) -> None:
    """Grams, cm³ and cases of the REPLENISH lines (kind 1) of each destination."""
    kind, source, destination, sku, quantity = lines
    mass, volume, pack = goods
    for i in range(len(kind)):
        if kind[i] == 1:
            to, k, units = destination[i], sku[i], np.int64(quantity[i])
            sums[0, to] += units * mass[k]
            sums[1, to] += units * volume[k]
            sums[2, to] += (units + pack[k] - 1) // pack[k]
            origin[to] = source[i]


def _work_seconds(
    view: NetworkView, depot: int, served: npt.NDArray[np.integer]
) -> npt.NDArray[np.float64]:
    """(n,) seconds of a shift that are left for unloading at each location alone.

    A stop that takes longer would fit no tour, be cut, order more at its next review and
    never be served again: so it is shared by several tours. Infinite where even an empty
    truck is not back in time; such a stop is left out with its reason.
    """
    fleet = view.network.fleet
    metres = view.network.distance_m[depot, served] + view.network.distance_m[served, depot]
    driving = np.ceil(metres / (fleet.speed_km_per_hour / 3.6)) + 2
    left = fleet.shift_minutes * 60.0 - driving - fleet.stop_minutes * 60.0
    return np.where(left > 0, left, np.inf)
