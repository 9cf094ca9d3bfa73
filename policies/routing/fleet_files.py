"""Reader of instances with several depots: VRPLIB with depot sections, and Cordeau's format.

VRPLIB: depots are the first nodes; distances are Euclidean, rounded to the nearest integer
(times of the file are in the same unit). Cordeau: ``type m n t``, then ``D Q`` of each
depot, then customers, then depots; distances in thousandths unless a scale is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policies.domain.errors import InvalidInput
from policies.routing.fleet import FleetProblem, TruckType
from policies.routing.problem import NO_LIMIT, Floats, Ints
from policies.routing.vrplib import euclid, number, split, table

_CORDEAU = {2: False, 6: True}
"""Types with several depots: without and with time windows."""


@dataclass(frozen=True)
class FleetInstance:
    """A read instance; node 0 … D − 1 are depots, a customer's number is its node number."""

    name: str
    problem: FleetProblem
    scale: int


def has_several_depots(text: str) -> bool:
    """Whether a routing file is one of this reader's."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if _cordeau_head(lines) is not None:
        return True
    head, sections = split(lines)
    depots = [line for line in sections.get("DEPOT_SECTION", []) if line.split()[0] != "-1"]
    timed = {"TIME_WINDOW_SECTION", "SERVICE_TIME_SECTION", "VEHICLES_DEPOT_SECTION"}
    special = bool(timed & set(sections)) or "VEHICLES_MAX_DURATION" in head
    return "DIMENSION" in head and (len(depots) > 1 or special)


def read_fleet_instance(text: str, scale: int | None = None) -> FleetInstance:
    """The instance in a text for which :func:`has_several_depots` is true."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if _cordeau_head(lines) is not None:
        return _cordeau(lines, scale or 1_000)
    return _vrplib(lines, scale or 1)


def _cordeau_head(lines: list[str]) -> tuple[int, int, int, int] | None:
    cells = lines[0].split() if lines else []
    if len(cells) != 4 or not all(cell.isdigit() for cell in cells):
        return None
    kind, vehicles, customers, depots = (int(cell) for cell in cells)
    return (kind, vehicles, customers, depots) if kind in _CORDEAU else None


def _cordeau(lines: list[str], scale: int) -> FleetInstance:
    head = _cordeau_head(lines)
    assert head is not None
    kind, vehicles, customers, depots = head
    rows = [[number(x, "customer", at) for x in line.split()] for at, line in enumerate(lines, 1)]
    if len(rows) < 1 + 2 * depots + customers:
        raise InvalidInput(
            f"{len(rows) - 1} lines for {customers} customers and {depots} depots",
            field="customer",
            remedy="give a line of limits for each depot, then customers, then depots",
        )
    limits = rows[1 : 1 + depots]
    places = rows[1 + depots : 1 + depots + customers]
    homes = rows[1 + depots + customers :][:depots]
    timed = _CORDEAU[kind]
    bad = next((row for row in places if len(row) < (9 if timed else 5)), None)
    if bad is not None or any(len(row) < 2 for row in limits) or any(len(r) < 3 for r in homes):
        raise InvalidInput(
            "a line is too short", field="customer", row=int(bad[0]) if bad else None
        )
    xy = np.array([row[1:3] for row in homes + places])
    metres = np.floor(euclid(xy) * scale + 0.5).astype(np.int64)
    windows = np.array([row[-2:] if timed else (0.0, NO_LIMIT / scale) for row in places])
    closes = [row[-1] for row in homes] if timed and len(homes[0]) > 5 else [0.0] * depots
    trucks = tuple(
        TruckType(
            d,
            vehicles,
            limits[d][1] or float(NO_LIMIT),
            1.0,
            round(limits[d][0] * scale) or NO_LIMIT,
            0,
            round(closes[d] * scale) or NO_LIMIT,
        )
        for d in range(depots)
    )
    service = np.array([row[3] for row in places])
    demand = np.array([row[4] for row in places])
    return FleetInstance(
        "", _problem(trucks, depots, metres, (service, windows), demand, scale), scale
    )


def _vrplib(lines: list[str], scale: int) -> FleetInstance:
    head, sections = split(lines)
    for key in ("DIMENSION", "CAPACITY"):
        if key not in head:
            raise InvalidInput(f"{key} is missing", field=key)
    if head.get("EDGE_WEIGHT_TYPE", "EUC_2D") != "EUC_2D":
        raise InvalidInput(
            f"only EUC_2D distances are read, not {head['EDGE_WEIGHT_TYPE']}",
            field="EDGE_WEIGHT_TYPE",
        )
    size = int(number(head["DIMENSION"], "DIMENSION"))
    listed = [int(number(row.split()[0], "DEPOT_SECTION"))
              for row in sections.get("DEPOT_SECTION", ["1"])]  # fmt: skip
    nodes = [depot for depot in listed if depot != -1]
    if nodes != list(range(1, len(nodes) + 1)) or len(nodes) >= size:
        raise InvalidInput(
            f"the depots are nodes {nodes}", field="DEPOT_SECTION",
            remedy="depots are the first nodes of the file",
        )  # fmt: skip
    depots = len(nodes)
    xy = table(sections, "NODE_COORD_SECTION", size, 3)[:, 1:]
    metres = np.floor(euclid(xy) * scale + 0.5).astype(np.int64)
    windows = np.tile([0.0, NO_LIMIT / scale], (size, 1))
    if "TIME_WINDOW_SECTION" in sections:
        windows = table(sections, "TIME_WINDOW_SECTION", size, 3)[:, 1:]
    service = np.full(size, number(head.get("SERVICE_TIME", "0"), "SERVICE_TIME"))
    if "SERVICE_TIME_SECTION" in sections:
        service = table(sections, "SERVICE_TIME_SECTION", size, 2)[:, 1]
    demand = table(sections, "DEMAND_SECTION", size, 2)[:, 1]
    trucks = _vrplib_trucks(head, sections, size, windows[:depots], scale)
    times = (service[depots:], windows[depots:])
    problem = _problem(trucks, depots, metres, times, demand[depots:], scale)
    return FleetInstance(head.get("NAME", ""), problem, scale)


def _vrplib_trucks(
    head: dict[str, str],
    sections: dict[str, list[str]],
    size: int,
    windows: Floats,
    scale: int,
) -> tuple[TruckType, ...]:
    """One type per depot: so many trucks as stand there, or any number."""
    depots = len(windows)
    trucks = int(number(head.get("VEHICLES", str(size * depots)), "VEHICLES"))
    tours = np.full(depots, -(-trucks // depots))
    if "VEHICLES_DEPOT_SECTION" in sections:
        homes = table(sections, "VEHICLES_DEPOT_SECTION", trucks, 2)[:, 1].astype(int)
        if ((homes < 1) | (homes > depots)).any():
            raise InvalidInput("a truck stands at no depot", field="VEHICLES_DEPOT_SECTION")
        tours = np.bincount(homes - 1, minlength=depots)
    longest = head.get("VEHICLES_MAX_DURATION")
    shift = NO_LIMIT if longest is None else round(number(longest, "VEHICLES_MAX_DURATION") * scale)
    return tuple(
        TruckType(
            d,
            int(tours[d]),
            number(head["CAPACITY"], "CAPACITY"),
            1.0,
            shift,
            round(windows[d, 0] * scale),
            min(round(windows[d, 1] * scale), NO_LIMIT),
        )
        for d in range(depots)
    )


def _problem(
    trucks: tuple[TruckType, ...],
    depots: int,
    metres: Ints,
    times: tuple[Floats, Floats],
    demand: Floats,
    scale: int,
) -> FleetProblem:
    service, windows = times
    # Leaving a stop out must never pay: more than any detour.
    drop = np.full(len(demand), 20 * (int(metres.max(initial=1)) + 1), dtype=np.int64)
    return FleetProblem(
        trucks,
        depots,
        metres,
        metres,
        np.round(service * scale).astype(np.int64),
        np.round(windows[:, 0] * scale).astype(np.int64),
        np.minimum(np.round(windows[:, 1] * scale), NO_LIMIT).astype(np.int64),
        demand.astype(np.float64),
        np.zeros(len(demand)),
        drop,
    )
