"""The routing problem that every engine solves, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.decision import LineKind, ProposalLines
from policies.domain.view import NetworkView

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RoutingProblem:
    """One depot's deliveries of a day.

    Attributes
    ----------
    stops : (N,) int64, axis indices of the locations to serve; node i + 1 of the matrices.
        A location whose load is more than one truck or one shift stands there once per tour
    distance_m : (N + 1, N + 1) int64, metres; node 0 is the depot
    drive_s : (N + 1, N + 1) int64, seconds
    service_s : (N,) int64, seconds at each stop
    opens_s, closes_s : (N,) int64, when a stop may begin, seconds after midnight
    kg, m3 : (N,) float64, demand of each stop
    capacity_kg, capacity_m3 : float
    departs_s, shift_s : int, earliest departure and longest tour
    """

    depot: int
    stops: Ints
    distance_m: Ints
    drive_s: Ints
    service_s: Ints
    opens_s: Ints
    closes_s: Ints
    kg: npt.NDArray[np.float64]
    m3: npt.NDArray[np.float64]
    capacity_kg: float
    capacity_m3: float
    departs_s: int
    shift_s: int


def problems_of(view: NetworkView, lines: ProposalLines) -> list[RoutingProblem]:
    """One problem per warehouse from the REPLENISH lines."""
    network, fleet = view.network, view.network.fleet
    replenish = lines.kind == LineKind.REPLENISH
    places = network.shape[0]
    quantity = lines.quantity[replenish].astype(np.int64)
    sku, to = lines.sku[replenish], lines.destination[replenish]
    kg = np.bincount(to, quantity * network.skus.mass_g[sku] / 1e3, places).astype(np.float64)
    m3 = np.bincount(to, quantity * network.skus.volume_cm3[sku] / 1e6, places).astype(np.float64)
    cases = np.bincount(to, -(-quantity // network.skus.pack_size[sku]), places)
    origin = np.full(places, -1, dtype=np.int64)
    origin[to] = lines.origin[replenish]
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
