"""Clerks' work from day facts and a table of standard times."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from policies.domain.facts import CostModel, DayFacts

Floats = npt.NDArray[np.float64]

TASKS: dict[str, tuple[tuple[str, ...], str]] = {
    "scan": (("transfer_lines_received",), "scan_line_seconds"),
    "receive": (("cases_received",), "receive_case_seconds"),
    "put_away": (("cases_received",), "put_away_case_seconds"),
    "count": (("count_lines", "risk_count_lines"), "count_line_seconds"),
    "write_off": (("write_off_units",), "write_off_unit_seconds"),
}
"""Each task: the facts that say how often it was done, and its standard time."""

_HANDLED = (
    "cases_received",
    "transfer_lines_received",
    "count_lines",
    "risk_count_lines",
    "write_off_units",
)


def task_minutes(task: str, facts: DayFacts, costs: CostModel) -> Floats:
    """(D, L, C) minutes of one task."""
    names, seconds = TASKS[task]
    times = np.sum([facts.get(name) for name in names], axis=0)
    return np.asarray(times * (getattr(costs, seconds) / 60.0), dtype=np.float64)


def clerk_minutes(facts: DayFacts, costs: CostModel) -> Floats:
    """(D, L, C) minutes of all tasks."""
    return np.asarray(sum(task_minutes(task, facts, costs) for task in TASKS), dtype=np.float64)


def hundreds_handled(facts: DayFacts, _: CostModel) -> Floats:
    """(D, L, C) hundreds of cases, lines and units that a clerk has handled."""
    total = np.sum([facts.get(name) for name in _HANDLED], axis=0)
    return np.asarray(total / 100.0, dtype=np.float64)
