"""Reader of the public instance sets: VRPLIB (CVRP) and Solomon (VRPTW).

Conventions of the sets: CVRPLIB distances are Euclidean and rounded to the nearest
integer; Solomon distances are truncated to one decimal (kept here as integer tenths).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policies.domain.errors import InvalidInput
from policies.routing.problem import NO_LIMIT, Floats, Ints, RoutingProblem

_SECTIONS = (
    "NODE_COORD_SECTION",
    "DEMAND_SECTION",
    "DEPOT_SECTION",
    "EDGE_WEIGHT_SECTION",
    "TIME_WINDOW_SECTION",
    "SERVICE_TIME_SECTION",
    "VEHICLES_DEPOT_SECTION",
)


@dataclass(frozen=True)
class Instance:
    """A read instance; its distances are integers, `scale` of them to the file's unit."""

    name: str
    problem: RoutingProblem
    scale: int


def read_instance(text: str, scale: int | None = None) -> Instance:
    """The instance in a VRPLIB or Solomon file's text.

    Parameters
    ----------
    text : str
    scale : int ≥ 1, optional
        Integer units per unit of distance; default 1 for VRPLIB (rounded to the nearest),
        10 for Solomon (truncated).

    Raises
    ------
    InvalidInput
        If the text is neither, with the line at fault.
    """
    if scale is not None and scale < 1:
        raise InvalidInput(f"scale is {scale}", field="scale", remedy="give at least 1")
    lines = [line.strip() for line in text.splitlines()]
    if any(line.upper().startswith("CUST NO") for line in lines):
        return _solomon(lines, scale or 10)
    if any(line.upper().replace(" ", "").startswith("DIMENSION:") for line in lines):
        return _vrplib(lines, scale or 1)
    raise InvalidInput(
        "this is neither a VRPLIB nor a Solomon file",
        field="file",
        remedy="a VRPLIB file states DIMENSION, a Solomon file has a CUST NO. table",
    )


def read_cost(text: str) -> float:
    """The cost that a ``.sol`` file states."""
    for line in text.splitlines():
        if line.lower().startswith("cost"):
            return float(line.split()[1])
    raise InvalidInput("the solution states no cost", field="cost")


def _vrplib(lines: list[str], scale: int) -> Instance:
    head, sections = split(lines)
    for key in ("DIMENSION", "CAPACITY"):
        if key not in head:
            raise InvalidInput(f"{key} is missing", field=key)
    size = int(number(head["DIMENSION"], "DIMENSION"))
    kind = head.get("EDGE_WEIGHT_TYPE", "EUC_2D")
    if kind != "EUC_2D" or head.get("TYPE", "CVRP") != "CVRP":
        raise InvalidInput(
            f"only CVRP with EUC_2D distances is read, not {head.get('TYPE')} with {kind}",
            field="EDGE_WEIGHT_TYPE",
        )
    coordinates = table(sections, "NODE_COORD_SECTION", size, 3)[:, 1:]
    demand = table(sections, "DEMAND_SECTION", size, 2)[:, 1]
    depot = int(number(sections.get("DEPOT_SECTION", ["1"])[0].split()[0], "DEPOT_SECTION"))
    if depot != 1:
        raise InvalidInput("the depot must be node 1", field="DEPOT_SECTION", row=depot)
    distance = np.floor(euclid(coordinates) * scale + 0.5).astype(np.int64)
    still = np.zeros(size - 1, dtype=np.int64)
    problem = _problem(
        distance,
        np.zeros_like(distance),
        (still, still, np.full(size - 1, NO_LIMIT, dtype=np.int64)),
        demand[1:],
        number(head["CAPACITY"], "CAPACITY"),
        NO_LIMIT,
        NO_LIMIT,
    )
    return Instance(head.get("NAME", ""), problem, scale)


def _solomon(lines: list[str], scale: int) -> Instance:
    upper = [line.upper() for line in lines]
    start = next(i for i, line in enumerate(upper) if line.startswith("CUST NO"))
    rows = [line.split() for line in lines[start + 1 :] if line]
    for row in rows:
        if len(row) != 7:
            raise InvalidInput("a customer row has 7 numbers", field="CUSTOMER", row=row[0])
    table = np.array([[number(x, "CUSTOMER", row[0]) for x in row] for row in rows])
    if not rows:
        raise InvalidInput("there is no customer", field="CUSTOMER")
    fleet = next((i for i, line in enumerate(upper) if line.startswith("NUMBER")), None)
    if fleet is None or len(lines[fleet + 1].split()) != 2:
        raise InvalidInput("the VEHICLE table is missing", field="VEHICLE")
    trucks, capacity = (number(x, "VEHICLE") for x in lines[fleet + 1].split())
    distance = np.floor(euclid(table[:, 1:3]) * scale + 1e-9).astype(np.int64)
    ready, due, service = (np.round(table[:, c] * scale).astype(np.int64) for c in (4, 5, 6))
    problem = _problem(
        distance,
        distance,
        (service[1:], ready[1:], due[1:]),
        table[1:, 3],
        capacity,
        int(due[0]),
        int(trucks),
    )
    return Instance(lines[0], problem, scale)


def _problem(
    distance: Ints,
    drive: Ints,
    times: tuple[Ints, Ints, Ints],
    demand: Floats,
    capacity: float,
    horizon: int,
    tours: int,
) -> RoutingProblem:
    """One depot at node 0; `times` = (service, opens, closes)."""
    size = len(demand)
    return RoutingProblem(
        depot=0,
        stops=np.arange(1, size + 1, dtype=np.int64),
        distance_m=distance,
        drive_s=drive,
        service_s=times[0],
        opens_s=times[1],
        closes_s=times[2],
        kg=demand.astype(np.float64),
        m3=np.zeros(size),
        capacity_kg=capacity,
        capacity_m3=1.0,
        departs_s=0,
        shift_s=horizon,
        returns_until_s=horizon,
        tours=tours,
    )


def split(lines: list[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """(values by key, rows by section)."""
    head: dict[str, str] = {}
    sections: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in lines:
        name = line.rstrip(":").strip().upper()
        if name in _SECTIONS:
            current = sections.setdefault(name, [])
        elif name == "EOF":
            break
        elif ":" in line:
            key, _, value = line.partition(":")
            head[key.strip().upper()] = value.strip().strip('"')
            current = None
        elif line and current is not None:
            current.append(line)
    return head, sections


def table(sections: dict[str, list[str]], name: str, rows: int, columns: int) -> Floats:
    """(rows, columns) numbers of a section, in node order."""
    lines = sections.get(name, [])
    cells = [[number(x, name, row + 1) for x in line.split()] for row, line in enumerate(lines)]
    if len(cells) != rows or any(len(row) != columns for row in cells):
        raise InvalidInput(
            f"{name} has {len(cells)} rows, DIMENSION is {rows}",
            field=name,
            remedy=f"give {columns} numbers for each node",
        )
    out = np.array(cells)
    return out[np.argsort(out[:, 0], kind="stable")]


def number(text: str, field: str, row: int | str | None = None) -> float:
    """A number, or a refusal that names its field and row."""
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is no number", field=field, row=row) from None


def euclid(coordinates: Floats) -> Floats:
    """(N, N) distances."""
    step = coordinates[:, None, :] - coordinates[None, :, :]
    out: Floats = np.sqrt((step**2).sum(axis=2))
    return out
