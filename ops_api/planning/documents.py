"""From a decision to rows: proposals with the numbers a person needs, and routes with stops."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ops_api.ledger.rows import derived_id
from ops_api.planning.wallclock import WallClock
from policies.domain.decision import Decision, LineKind, ProposalLines, Route
from policies.domain.network import Network
from policies.domain.view import NetworkView
from policies.explain import explain

Ints = npt.NDArray[np.int64]


@dataclass
class PlanRows:
    """Rows of one plan, ready to insert."""

    proposals: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    routes: list[dict[str, Any]] = field(default_factory=list)
    stops: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class PlanHead:
    """What every row of a plan shares; times in whole seconds of UTC since 1970."""

    plan_id: str
    release_id: str
    state: str
    trigger: str
    now: int
    need_detected_at: int


def plan_rows(
    view: NetworkView, decision: Decision, head: PlanHead, cents_per_km: float = 0.0
) -> PlanRows:
    """Proposals by lane (and by supplier), and the routes that carry them.

    Parameters
    ----------
    cents_per_km : what driving costs, shared by the lines of a tour by their mass
    """
    network = view.network
    clock = WallClock(network)
    out = PlanRows()
    carried: defaultdict[tuple[int, int], list[tuple[str, int]]] = defaultdict(list)
    for number, route in enumerate(decision.routes):
        name = "RT-" + derived_id(head.plan_id, "route", number)[:13]
        out.routes.append(_route_row(name, route, network, head, clock))
        for position, place in enumerate(route.stops):
            carried[route.warehouse, place].append((name, len(out.stops)))
            out.stops.append(
                {
                    "route_id": name,
                    "position": position,
                    "location": network.locations.ids[place],
                    "planned_at": clock.epoch(route.arrives_s[position]),
                    "kg": 0.0,
                }
            )
    lines = decision.lines
    if len(lines):
        numbers = _numbers(view, decision, cents_per_km)
        _add_proposals(out, view, lines, numbers, head, carried, clock)
    return out


def _add_proposals(
    out: PlanRows,
    view: NetworkView,
    lines: ProposalLines,
    numbers: dict[str, list[Any]],
    head: PlanHead,
    carried: dict[tuple[int, int], list[tuple[str, int]]],
    clock: WallClock,
) -> None:
    network = view.network
    group, order = _groups(lines, network, carried)
    first = np.flatnonzero(np.concatenate([[True], np.diff(group[order]) != 0]))
    mass = network.skus.mass_g[lines.sku].astype(np.float64) * lines.quantity / 1e3
    worth = network.skus.unit_cost_cents[lines.sku].astype(np.int64) * lines.quantity
    skus, ids = network.skus.ids, network.locations.ids
    for lo, hi in zip(first.tolist(), [*first[1:].tolist(), len(order)], strict=True):
        rows = order[lo:hi]
        lead = int(rows[0])
        kind, origin = LineKind(int(lines.kind[lead])), int(lines.origin[lead])
        place = int(lines.destination[lead])
        source = ids[origin] if origin >= 0 else _supplier(network, int(lines.sku[lead]))
        part = int(group[lead]) % _PARTS
        name = "PR-" + derived_id(head.plan_id, int(kind), source, ids[place], part)[:13]
        tours = carried.get((origin, place), []) if kind == LineKind.REPLENISH else []
        route_id = ""
        if tours:
            route_id, stop = tours[min(part, len(tours) - 1)]
            out.stops[stop]["kg"] += float(mass[rows].sum())
        out.proposals.append(
            {
                "id": name,
                "plan_id": head.plan_id,
                "release_id": head.release_id,
                "trigger": head.trigger,
                "kind": int(kind),
                "origin": source,
                "destination": ids[place],
                "state": head.state,
                "value_cents": int(worth[rows].sum()),
                "line_count": len(rows),
                "need_detected_at": head.need_detected_at,
                "due_at": clock.epoch(int(lines.due_s[lead])),
                "created_at": head.now,
                "route_id": route_id,
                "version": 1,
                "open_for": None,
            }
        )
        out.lines += [
            {
                "proposal_id": name,
                "line": i,
                "sku": skus[int(lines.sku[row])],
                "quantity": int(lines.quantity[row]),
                "decided_quantity": None,
                "reason": int(lines.reason[row]),
                **{key: value[row] for key, value in numbers.items()},
            }
            for i, row in enumerate(rows.tolist())
        ]


_PARTS = 64


def _groups(
    lines: ProposalLines,
    network: Network,
    carried: dict[tuple[int, int], list[tuple[str, int]]],
) -> tuple[Ints, npt.NDArray[np.intp]]:
    """((N,) group number, order that puts groups together): lane, supplier, part of a lane.

    A store that several trucks serve gets one proposal per truck, cut between lines into
    parts of about equal mass.
    """
    size = network.shape[0]
    bought = lines.kind == LineKind.PURCHASE
    category = np.where(bought, network.skus.category[lines.sku].astype(np.int64) + 1, 0)
    lane = (lines.kind.astype(np.int64) * (size + 1) + lines.origin + 1) * size + lines.destination
    group = (lane * (len(network.skus.categories) + 1) + category) * _PARTS
    for (origin, place), tours in carried.items():
        if len(tours) == 1:
            continue
        rows = np.flatnonzero(
            (lines.kind == LineKind.REPLENISH)
            & (lines.origin == origin)
            & (lines.destination == place)
        )
        mass = network.skus.mass_g[lines.sku[rows]].astype(np.float64) * lines.quantity[rows]
        middle = np.cumsum(mass) - mass / 2
        parts = min(len(tours), _PARTS)
        part = np.minimum((middle / max(mass.sum(), 1.0) * parts).astype(np.int64), parts - 1)
        group[rows] += part
    return group, np.argsort(group, kind="stable")


def _numbers(view: NetworkView, decision: Decision, cents_per_km: float) -> dict[str, list[Any]]:
    """What stands beside each line, by column; what nobody knows is left out."""
    lines = decision.lines
    cell = (lines.destination, lines.sku)
    worth = view.network.skus.unit_cost_cents[lines.sku].astype(np.int64) * lines.quantity
    out = {
        "on_hand": view.available[cell].astype(np.int64).tolist(),
        "on_order": view.on_order[cell].astype(np.int64).tolist(),
        "demand_milli_per_day": [0] * len(lines),
        "value_cents": worth.tolist(),
    }
    if view.forecast is not None:
        told = explain(view, decision, cents_per_km)
        out |= {
            "demand_milli_per_day": np.rint(told.demand_per_day * 1e3).astype(np.int64).tolist(),
            "risk_before": told.risk_before.round(4).tolist(),
            "risk_after": told.risk_after.round(4).tolist(),
            "freight_cents": told.freight_cents.round(1).tolist(),
        }
    return out


def _supplier(network: Network, sku: int) -> str:
    return network.suppliers.ids[int(network.skus.category[sku])]


def _route_row(
    name: str, route: Route, network: Network, head: PlanHead, clock: WallClock
) -> dict[str, Any]:
    return {
        "id": name,
        "plan_id": head.plan_id,
        "warehouse": network.locations.ids[route.warehouse],
        "state": "planned",
        "planned_departs_at": clock.epoch(route.departs_s),
        "planned_returns_at": clock.epoch(route.returns_s),
        "planned_metres": route.metres,
        "kg": route.kg,
        "m3": route.m3,
        "version": 1,
    }
