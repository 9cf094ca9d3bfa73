"""Reference rows by our own exact routines: no simulation, the digits themselves."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from policies.domain.errors import InvalidInput
from policies.exact import lost_sales, perishable, reorder, serial
from policies.exact.capped_search import best_capped_base_stock
from policies.exact.demand import NoExactAnswer
from policies.exact.lost_sales_averages import (
    base_stock_table,
    constant_order,
    table_averages,
)

TOLERANCE = {"lost_sales": 1e-4, "ss": 1e-4, "perishable": 1e-4, "serial": 1e-3}
"""Largest difference of a cost from its reference."""

COST = {"lost_sales": "cost", "ss": "cost", "perishable": "avg_cost", "serial": "cost"}
ALWAYS = ("optimal", "myopic1", "myopic2", "optimal_average")
"""Policies that only an exact routine can answer."""

Cells = Mapping[str, str]


@dataclass(frozen=True)
class Exact:
    """What a routine found for a row; `best` is the optimiser's own answer."""

    routine: str
    value: float
    measures: dict[str, float] = field(default_factory=dict)
    best: dict[str, Any] | None = None


def exact_rows(kind: str, cells: Sequence[Cells], *, every: bool = True) -> list[dict[str, Any]]:
    """Each row's cost by the exact routine of its policy.

    Parameters
    ----------
    kind : as in :func:`scenarios.verify.table.kind_of`
    cells : the table's rows
    every : bool, False = leave out rows of lost-sales and perishable tables that the twin
        simulates

    Returns
    -------
    list of dict
        ``row, policy, routine, reference, value, difference, tolerance, inside, measures,
        best, skipped``; ``inside`` is None without a reference, ``skipped`` says why a row
        has no value.
    """
    out = []
    for number, line in enumerate(cells, start=1):
        policy = line.get("policy", "")
        if every or kind in ("ss", "serial") or policy in ALWAYS:
            out.append(_row(kind, number, line))
    return out


def as_simulated(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Exact rows under the keys of simulated ones; the half-width is the tolerance."""
    return [
        {
            "row": one["row"],
            "policy": one["policy"],
            "reference": one["reference"],
            "estimate": one["value"],
            "half_width": None if one["value"] is None else one["tolerance"],
            "inside": one["inside"],
            "skipped": one["skipped"],
        }
        for one in rows
    ]


def tuned_rows(kind: str, cells: Sequence[Cells], seed: int) -> list[dict[str, Any]]:
    """The tuner's capped base stock of each store of a lost-sales table.

    ``best_in_table`` is the least cost the table gives for the same store's
    ``capped_base_stock`` rows, ``above_share`` how far the found pair lies above it.
    """
    if kind != "lost_sales":
        raise InvalidInput(
            f"a {kind} table has no capped base stock",
            field="--tune",
            remedy="give a lost-sales table",
        )
    known: dict[lost_sales.LostSales, float] = {}
    for number, line in enumerate(cells, start=1):
        store = _store(number, line)
        known.setdefault(store, math.inf)
        if line["policy"] == "capped_base_stock" and line.get("cost"):
            known[store] = min(known[store], _number(number, line, "cost"))
    out = []
    for store, best in known.items():
        found = best_capped_base_stock(store, seed)
        out.append(
            {
                "demand": store.demand,
                "mean": store.mean,
                "h": store.holding_cost,
                "L": store.lead_time,
                "p": store.lost_cost,
                "S": found.level,
                "cap": found.cap,
                "cost": found.cost,
                "is_exact": found.is_exact,
                "best_in_table": None if math.isinf(best) else best,
                "above_share": None if math.isinf(best) else found.cost / best - 1,
            }
        )
    return out


def _row(kind: str, number: int, line: Cells) -> dict[str, Any]:
    reference = _number(number, line, COST[kind]) if line.get(COST[kind]) else None
    found, why = None, None
    try:
        found = ROUTINES[kind](number, line)
        why = None if found else f"no exact routine for {line.get('policy')!r}"
    except NoExactAnswer as fault:
        # Said, and the other rows go on.
        why = str(fault)
    except InvalidInput as fault:
        raise InvalidInput(
            fault.detail, field=fault.field, row=fault.row or number, remedy=fault.remedy
        ) from fault
    value = None if found is None else found.value
    gap = None if value is None or reference is None else value - reference
    return {
        "row": number,
        "policy": line.get("policy", ""),
        "routine": None if found is None else found.routine,
        "reference": reference,
        "value": value,
        "difference": gap,
        "tolerance": TOLERANCE[kind],
        "inside": None if gap is None else abs(gap) <= TOLERANCE[kind],
        "measures": {} if found is None else found.measures,
        "best": None if found is None else found.best,
        "skipped": why,
    }


def _lost_sales(number: int, line: Cells) -> Exact | None:
    store, policy = _store(number, line), line["policy"]
    if policy == "constant_order":
        found = constant_order(store, _whole(number, line, "par1"))
    elif policy == "optimal":
        found = table_averages(store, lost_sales.optimal(store))
    elif policy in ("myopic1", "myopic2"):
        found = table_averages(store, lost_sales.myopic(store, int(policy[-1])))
    elif policy in ("base_stock", "capped_base_stock"):
        cap = _whole(number, line, "par2") if policy == "capped_base_stock" else None
        found = table_averages(store, base_stock_table(store, _whole(number, line, "par1"), cap))
    else:
        return None
    routine = "Spitzer's sum" if policy == "constant_order" else "dynamic programming"
    measures = {"holding": found.holding, "lost": found.lost, "fill": found.fill}
    return Exact(routine, found.cost, measures)


def _reorder(number: int, line: Cells) -> Exact:
    model = reorder.ReorderModel(
        mean=_number(number, line, "mean"),
        lead_time=_whole(number, line, "L"),
        order_cost=_number(number, line, "K"),
        holding_cost=_number(number, line, "h"),
        backorder_cost=_number(number, line, "p"),
    )
    mine = reorder.averages(model, _whole(number, line, "s"), _whole(number, line, "S"))
    best = reorder.best_reorder_point(model)
    measures = {
        "holding": mine.holding,
        "backlog": mine.backlog,
        "order_frequency": mine.order_frequency,
    }
    return Exact(
        "Zheng–Federgruen",
        mine.cost,
        measures,
        {"s": best.reorder_point, "S": best.level, "cost": best.cost},
    )


def _perishable(number: int, line: Cells) -> Exact | None:
    issue = line["issue"].lower()
    if issue not in ("fifo", "lifo"):
        raise InvalidInput(
            f"issue is {line['issue']!r}", field="issue", row=number, remedy="fifo or lifo"
        )
    model = perishable.PerishableModel(
        _whole(number, line, "m"),
        _whole(number, line, "L"),
        _number(number, line, "waste_cost"),
        issue == "fifo",
    )
    policy = line["policy"]
    best = None
    if policy in ("optimal", "optimal_average"):
        found = perishable.optimal(model)
    elif "base_stock" in policy and line.get("S"):
        found = perishable.base_stock(model, _whole(number, line, "S"))
        if policy.startswith("best"):
            least = perishable.best_base_stock(model)
            best = {"S": least.level, "cost": least.cost}
    elif policy.startswith("best_base_stock"):
        found = perishable.best_base_stock(model)
    else:
        return None
    measures = {f"avg_{name}": getattr(found, name) for name in perishable.FIGURES}
    return Exact("dynamic programming", found.cost, measures, best)


def _serial(number: int, line: Cells) -> Exact:
    model = serial.SerialModel(
        _number(number, line, "lam"),
        _number(number, line, "b"),
        tuple(_list(number, line, "echelon_h")),
        tuple(_list(number, line, "lead")),
    )
    best = serial.best_echelon_levels(model)
    given = line.get("S_star")
    levels = [int(x) for x in _list(number, line, "S_star")] if given else best.levels
    return Exact(
        "Clark–Scarf",
        serial.cost_of(model, levels),
        best={"S_star": list(best.levels), "cost": best.cost},
    )


ROUTINES: Mapping[str, Callable[[int, Cells], Exact | None]] = {
    "lost_sales": _lost_sales,
    "ss": _reorder,
    "perishable": _perishable,
    "serial": _serial,
}


def _store(number: int, line: Cells) -> lost_sales.LostSales:
    return lost_sales.LostSales(
        line["demand"].lower(),
        _number(number, line, "mean"),
        _number(number, line, "h"),
        _number(number, line, "p"),
        _whole(number, line, "L"),
    )


def _number(row: int, line: Cells, name: str) -> float:
    try:
        value = float(line[name])
    except (KeyError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise InvalidInput(
            f"{name} is {line.get(name)!r}", field=name, row=row, remedy="give a number"
        )
    return value


def _whole(row: int, line: Cells, name: str) -> int:
    value = _number(row, line, name)
    if value != int(value):
        raise InvalidInput(
            f"{name} is {line[name]!r}", field=name, row=row, remedy="give a whole number"
        )
    return int(value)


def _list(row: int, line: Cells, name: str) -> list[float]:
    try:
        values = [float(x) for x in json.loads(line[name])]
    except (KeyError, TypeError, ValueError):
        raise InvalidInput(
            f"{name} is {line.get(name)!r}", field=name, row=row, remedy='give a list: "[1, 2]"'
        ) from None
    return values
