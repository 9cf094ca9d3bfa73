"""Tables of queues and cranes: tills against Erlang, racks against Bozer & White.

A row's reference is its answer column, and the formula where it has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from policies.domain.errors import InvalidInput
from policies.domain.network import FloatArray
from scenarios.history.generate import generate_chain
from scenarios.verify.interval import interval
from scenarios.verify.table import REQUIRED, number_of, whole_of
from twin.cranes import Cranes, always_busy
from twin.processes import CraneRules
from twin.queue_kernel import queue
from twin.scenario import Scenario

PLANT = ("queue", "crane")
"""Kinds of tables of this module."""
REPLICATIONS = 40
PEOPLE, WARM_UP_SHARE = 300_000, 1 / 15
UNITS = 4_000
Answers = dict[str, tuple[float, FloatArray]]
"""By measure: what theory says, and (n,) what replications did."""


def plant_rows(
    kind: str,
    cells: Sequence[Mapping[str, str]],
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Each row of a table through the twin's own kernel or processes.

    Returns
    -------
    list of dict
        As of ``verify_table``; intervals hold jointly over all rows and measures.
    """
    read = {"queue": _queue_row, "crane": _crane_row}[kind]
    # Impossible rows are refused before anything is simulated.
    made = [read(number, line) for number, line in enumerate(cells, 1)]
    comparisons = sum(len(names) for _, names, _ in made)
    rows = []
    for number, (policy, _, simulate) in enumerate(made, 1):
        measures = {}
        for name, (reference, values) in simulate(seed).items():
            found = interval(values, comparisons)
            measures[name] = {
                "reference": reference,
                "estimate": found.mean,
                "half_width": found.half_width,
                "inside": found.contains(reference),
            }
        first = next(iter(measures.values()))
        rows.append(
            {
                "row": number,
                "policy": policy,
                **first,
                "inside": all(one["inside"] for one in measures.values()),
                "skipped": None,
                "measures": measures,
            }
        )
        if progress is not None:
            progress(number, len(made))
    return rows


Made = tuple[str, tuple[str, ...], Callable[[int], Answers]]
"""Name of the model, its measures, and what simulates them."""


def _queue_row(number: int, cells: Mapping[str, str]) -> Made:
    lanes = whole_of(cells, "lanes", number)
    load = number_of(cells, "load", number, above=0)
    has_patience = bool(cells.get("patience"))
    patience = number_of(cells, "patience", number, above=0) if has_patience else math.inf
    if not 1 <= lanes <= 1_000:
        raise InvalidInput(
            f"{lanes} lanes", field="lanes", row=number, remedy="give a number from 1 to 1000"
        )
    if not has_patience and load >= lanes:
        raise InvalidInput(
            f"a load of {load} on {lanes} lanes has no steady state without patience",
            field="load",
            row=number,
            remedy="give a load below the lanes, or a patience",
        )
    reference = (
        {"abandon": erlang_a(lanes, load, patience)}
        if has_patience
        else {"wait": erlang_c(lanes, load)}
    )
    for name in reference:
        if cells.get(name):
            reference[name] = number_of(cells, name, number)

    def simulate(seed: int) -> Answers:
        values = _queues(lanes, load, patience, (seed, number))
        return {name: (known, values[name]) for name, known in reference.items()}

    return ("Erlang A" if has_patience else "Erlang C", tuple(reference), simulate)


def _queues(
    lanes: int, load: float, patience: float, key: tuple[int, int]
) -> dict[str, FloatArray]:
    """Mean wait and share that leaves of each replication; a mean service is the unit.

    A queue that is nearly full remembers for long: its replications are longer.
    """
    spare = 1 - load / lanes if patience == math.inf else 1.0
    people = int(PEOPLE * min(max((0.15 / spare) ** 2, 1.0), 8.0))
    first = int(people * WARM_UP_SHARE)
    waits, shares = np.zeros(REPLICATIONS), np.zeros(REPLICATIONS)
    for replication in range(REPLICATIONS):
        rng = np.random.default_rng([*key, replication])
        arrives = np.cumsum(rng.exponential(1 / load, people))
        service = rng.exponential(1.0, people)
        patient = np.full(people, math.inf)
        if patience < math.inf:
            patient = rng.exponential(patience, people)
        wait, left = np.zeros(people), np.zeros(people, dtype=np.bool_)
        queue(arrives, service, patient, np.array([lanes]), 1.0, wait, left)
        waits[replication] = wait[first:].mean()
        shares[replication] = left[first:].mean()
    return {"wait": waits, "abandon": shares}


def erlang_c(lanes: int, load: float) -> float:
    """Mean wait in mean services, by the recursion of Erlang B."""
    blocked = 1.0
    for n in range(1, lanes + 1):
        blocked = load * blocked / (n + load * blocked)
    waits = blocked / (1 - load / lanes * (1 - blocked))
    return waits / (lanes - load)


def erlang_a(lanes: int, load: float, patience: float) -> float:
    """Share that gives up in M/M/c + M, by its birth-and-death chain."""
    weight, total, queued, n = 1.0, 1.0, 0.0, 0
    while n <= lanes or weight > 1e-16 * total:
        n += 1
        weight *= load / (min(n, lanes) + max(n - lanes, 0) / patience)
        total += weight
        queued += weight * max(n - lanes, 0)
        if total > 1e200:
            weight, total, queued = weight / 1e200, total / 1e200, queued / 1e200
    return queued / total / patience / load


def _crane_row(number: int, cells: Mapping[str, str]) -> Made:
    known = {name: number_of(cells, name, number, above=0) for name in REQUIRED["crane"]}
    if cells.get("transfer_seconds"):
        known["transfer_seconds"] = number_of(cells, "transfer_seconds", number)
    rules = CraneRules(cranes=1, cases_per_unit=1.0, **known)
    reference = {"single_s": rules.single_cycle_s, "dual_s": rules.dual_cycle_s}
    for name in reference:
        if cells.get(name):
            reference[name] = number_of(cells, name, number, above=0)

    def simulate(seed: int) -> Answers:
        values = {"single_s": np.zeros(REPLICATIONS), "dual_s": np.zeros(REPLICATIONS)}
        for replication in range(REPLICATIONS):
            single = _always_busy(rules, seed + number, replication, stores=0)
            values["single_s"][replication] = single.busy_s / single.cycles
            dual = _always_busy(rules, seed + number, replication, stores=2 * UNITS)
            # The few units that it stores before and after are no dual cycles.
            rest = (dual.cycles - dual.dual_cycles) * rules.single_cycle_s
            values["dual_s"][replication] = (dual.busy_s - rest) / dual.dual_cycles
        return {name: (reference[name], values[name]) for name in reference}

    return "Bozer & White", tuple(reference), simulate


def _always_busy(rules: CraneRules, seed: int, replication: int, *, stores: int) -> Cranes:
    """One aisle after its crane has fetched everything without a pause."""
    network, demand = generate_chain(stores=1, skus=1, days=1, lines_per_store_day=1, seed=1)
    scenario = Scenario("rack", network, demand, 0, 1, asrs=rules)
    return always_busy(scenario, UNITS, stores, seed, replication)
