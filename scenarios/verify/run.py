"""Runs a reference table: pilot, length, replications, intervals, verdict by row."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from policies.domain.errors import InvalidInput
from policies.domain.network import FloatArray
from scenarios.verify.exact import as_simulated, exact_rows, tuned_rows
from scenarios.verify.interval import PRECISION, Interval, interval, needed_share
from scenarios.verify.plant import PLANT, plant_rows
from scenarios.verify.serial import LineWorld, SerialRow, line_of, serial_row, simulate_line
from scenarios.verify.store import World, simulate_blocks
from scenarios.verify.table import (
    Row,
    kind_of,
    lost_sales_row,
    perishable_row,
    read_rows,
    reorder_row,
)
from scenarios.verify.worlds import EXACT_ROUTINE, is_simulated, world_of

DAYS = 1_500
"""Days of each SKU after the warm-up."""
_PILOT_DAYS, _PILOT_SKUS_PER_BLOCK = 400, 24
_MARGIN = 1.6
_LEAST_SKUS_PER_BLOCK, _MOST_SKUS_PER_BLOCK = 10, 80

_ROUNDED = 1e-5
"""Tables round to this, and where nothing is random an interval has no width."""
_RARE_SLACK = 2e-5
"""No normal interval is right about a handful of events."""

AnyRow = Row | SerialRow
_READERS: Mapping[str, Callable[[int, Mapping[str, str]], AnyRow]] = {
    "lost_sales": lost_sales_row,
    "ss": reorder_row,
    "perishable": perishable_row,
    "serial": serial_row,
}

Progress = Callable[[int, int], None]


def verify_table(
    csv: Path,
    kind: str | None = None,
    seed: int = 1,
    progress: Progress | None = None,
    by: str = "twin",
) -> dict[str, Any]:
    """Simulate every row of a reference table and hold it against its answers.

    Parameters
    ----------
    csv : Path, the table; answer columns may be absent, then estimates are reported
    kind : ``lost_sales``, ``ss``, ``perishable``, ``serial``, ``queue`` or ``crane``; by its
        columns if None
    seed : int, each row has its own stream under it
    progress : called with (rows done, rows)
    by : ``twin``, ``exact`` (every row by its exact routine, nothing simulated) or
        ``tuner`` (the tuner's capped base stock of every store of a lost-sales table)

    Returns
    -------
    dict
        ``rows``: for each row ``row, policy, reference, estimate, half_width, inside,
        skipped`` about the cost, and ``measures`` about each component; ``inside`` is
        true only if every measure with a reference is inside its interval. ``exact``: what
        exact routines say of the rows that are theirs (:func:`exact_rows`). ``seconds``.
    """
    began = time.perf_counter()
    header, cells = read_rows(Path(csv))
    found = kind_of(header, kind)
    if found in PLANT:
        if by != "twin":
            raise InvalidInput(
                f"a {found} table is held against its formula by the twin alone",
                field=f"--{'tune' if by == 'tuner' else by}",
                remedy="leave the option out",
            )
        done = {"rows": plant_rows(found, cells, seed, progress), "exact": []}
        return {"kind": found, **done, "seconds": time.perf_counter() - began}
    if by != "twin":
        done = _without_twin(found, cells, seed, by)
        return {"kind": found, **done, "seconds": time.perf_counter() - began}
    # Impossible rows are refused before the first minute is spent.
    exact = exact_rows(found, cells, every=False)
    rows = _simulated([_READERS[found](i, c) for i, c in enumerate(cells, 1)], seed, progress)
    return {
        "kind": found,
        "rows": rows,
        "exact": exact,
        "seconds": time.perf_counter() - began,
    }


def _without_twin(
    kind: str, cells: Sequence[Mapping[str, str]], seed: int, by: str
) -> dict[str, Any]:
    if by == "tuner":
        return {"rows": [], "exact": [], "tuned": tuned_rows(kind, cells, seed)}
    exact = exact_rows(kind, cells)
    return {"rows": as_simulated(exact), "exact": exact}


def _simulated(
    rows: Sequence[AnyRow], seed: int, progress: Progress | None
) -> list[dict[str, Any]]:
    # Impossible rows are refused before the first minute is spent.
    worlds = {row.number: _world(row) for row in rows if _is_simulated(row)}
    comparisons = sum(len(row.measures) for row in rows if row.number in worlds)
    out = []
    for done, row in enumerate(rows, start=1):
        if row.number in worlds:
            values = replicate(row, worlds[row.number], comparisons, seed)
            out.append(verdict(row, values, comparisons))
        else:
            known = row.policy in EXACT_ROUTINE
            reason = "exact routine" if known else f"no policy {row.policy!r} in the twin"
            out.append(_skipped(row.number, row.policy, row.answers.get("cost"), reason))
        if progress is not None:
            progress(done, len(rows))
    return out


def _is_simulated(row: AnyRow) -> bool:
    return isinstance(row, SerialRow) or is_simulated(row)


def _world(row: AnyRow) -> World | LineWorld:
    return line_of(row) if isinstance(row, SerialRow) else world_of(row)


def _simulate(row: AnyRow, world: World | LineWorld, **size: Any) -> dict[str, FloatArray]:
    if isinstance(row, SerialRow) and isinstance(world, LineWorld):
        return simulate_line(row, world, **size)
    return simulate_blocks(cast("Row", row), cast("World", world), **size)


def replicate(
    row: AnyRow, world: World | LineWorld, comparisons: int, seed: int, precision_scale: float = 1.0
) -> dict[str, FloatArray]:
    """Independent replications of a row, as many as a discarded pilot asks for.

    `precision_scale` above 1 asks for wider intervals (quick tests).
    """
    # Sizes are meant for some five units a day; a store that sells more needs fewer SKUs.
    busy = min(1.0, 5.0 / row.mean)
    pilot_skus = max(2, round(_PILOT_SKUS_PER_BLOCK * busy))
    most_skus = max(1, round(_MOST_SKUS_PER_BLOCK * busy))
    pilot = _simulate(
        row,
        world,
        skus_per_block=pilot_skus,
        days=_PILOT_DAYS,
        seed=seed,
        batch=0,
        purpose="verify pilot",
    )
    # Where the table has answers, they say what must be precise.
    found = intervals(row, pilot, comparisons)
    asked = [name for name in row.answers or found if name not in row.rare]
    judged = {name: found[name] for name in asked}
    share = _MARGIN * needed_share(judged, row.answers) / precision_scale**2
    block_days = share * pilot_skus * _PILOT_DAYS
    least_skus = math.ceil(_LEAST_SKUS_PER_BLOCK * busy)
    skus_per_block = max(least_skus, math.ceil(block_days / DAYS))
    batches = math.ceil(skus_per_block / most_skus)
    parts = []
    for batch in range(batches):
        parts.append(
            _simulate(
                row,
                world,
                skus_per_block=math.ceil(skus_per_block / batches),
                days=DAYS,
                seed=seed,
                batch=batch,
            )
        )
        # A finished simulation refers to itself: without this its receipt lines stay in
        # memory until the collector happens to run.
        gc.collect()
    return {name: np.concatenate([part[name] for part in parts]) for name in row.measures}


def intervals(row: AnyRow, values: dict[str, FloatArray], comparisons: int) -> dict[str, Interval]:
    """Each measure's interval; its replications' own luck in demand is taken off.

    The mean demand is given by the table, so (demand − mean) is a control variate. The
    demand itself is estimated plainly and held against the table too: a twin that drops
    lines is not put right by the control.
    """
    control = values["demand"] - row.mean
    return {
        name: interval(values[name], comparisons, None if name == "demand" else control)
        for name in row.measures
    }


def verdict(row: AnyRow, values: dict[str, FloatArray], comparisons: int) -> dict[str, Any]:
    """The row of the answer."""
    measures: dict[str, dict[str, Any]] = {}
    for name, found in intervals(row, values, comparisons).items():
        reference = row.references.get(name)
        scale = abs(found.mean if reference is None else reference)
        measures[name] = {
            "reference": reference,
            "estimate": found.mean,
            "half_width": found.half_width,
            "half_width_share": found.half_width / scale if scale else None,
            "inside": None if reference is None else _fits(found, reference, name in row.rare),
        }
    asked = [measures[name] for name in row.answers or measures if name not in row.rare]
    judged = [item["inside"] for item in measures.values() if item["inside"] is not None]
    shares = [item["half_width_share"] or 0.0 for item in asked]
    cost = measures["cost"]
    return {
        "row": row.number,
        "policy": row.policy,
        "reference": cost["reference"],
        "estimate": cost["estimate"],
        "half_width": cost["half_width"],
        "inside": all(judged) if row.answers else None,
        "skipped": None,
        "precise": max(shares) <= PRECISION,
        "replications": len(values["cost"]),
        "measures": measures,
    }


def _fits(found: Interval, reference: float, is_rare: bool) -> bool:  # noqa: FBT001
    """Whether the reference is inside; it is known to 5 digits."""
    slack = _RARE_SLACK if is_rare else _ROUNDED
    return abs(found.mean - reference) <= found.half_width + slack


def _skipped(number: int, policy: str, reference: float | str | None, why: str) -> dict[str, Any]:
    return {
        "row": number,
        "policy": policy,
        "reference": None if reference in (None, "") else float(str(reference)),
        "estimate": None,
        "half_width": None,
        "inside": None,
        "skipped": why,
    }
