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
    stops : (N,) int64, axis indices of the locations to serve; node i + 1 of the matrices
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
    out = []
    for depot in network.warehouses:
        stops = np.flatnonzero(origin == depot)
        if not stops.size:
            continue
        nodes = np.concatenate([[depot], stops])
        metres = network.distance_m[np.ix_(nodes, nodes)].astype(np.int64)
        seconds = np.ceil(metres / (fleet.speed_km_per_hour / 3.6)).astype(np.int64)
        service = fleet.stop_minutes * 60 + cases[stops] * fleet.unload_seconds_per_case
        out.append(
            RoutingProblem(
                int(depot),
                stops.astype(np.int64),
                metres,
                seconds,
                np.ceil(service).astype(np.int64),
                network.locations.receives_from_s[stops].astype(np.int64),
                network.locations.receives_until_s[stops].astype(np.int64),
                kg[stops],
                m3[stops],
                fleet.capacity_kg,
                fleet.capacity_m3,
                fleet.departs_s,
                fleet.shift_minutes * 60,
            )
        )
    return out
