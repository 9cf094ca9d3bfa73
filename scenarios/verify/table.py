"""Reference tables: which kind a CSV file is, and its rows with every value checked."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from policies.domain.errors import InvalidInput
from policies.domain.network import FloatArray
from policies.exact.demand import gamma_rounded

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "lost_sales": ("demand", "mean", "h", "L", "p", "policy", "par1"),
    "ss": ("mean", "L", "K", "h", "p", "s", "S"),
    "perishable": ("m", "L", "waste_cost", "issue", "policy", "S"),
    "serial": ("stages", "lam", "b", "echelon_h", "lead", "S_star"),
    "queue": ("lanes", "load"),
    "crane": ("rack_length_m", "rack_height_m", "travel_m_per_s", "lift_m_per_s"),
}
"""Columns that make a table one of a kind; the answer columns are optional."""

ANSWERS = {
    "lost_sales": ("cost", "holding", "lost", "fill", "order_frequency"),
    "ss": ("cost", "holding", "backlog", "order_frequency"),
    "perishable": ("cost", "order", "lost", "expired", "holding"),
}
"""Answer columns; each may be absent or empty."""

DEMANDS = ("poisson", "geometric")


@dataclass(frozen=True)
class LostSalesRow:
    """One row of a lost-sales table: a store, a policy and, where known, the answers.

    Attributes
    ----------
    number : int, position in the table, 1 = first row under the header
    demand : str, ``poisson`` or ``geometric`` (support 0, 1, …)
    mean : float, units per period
    holding_cost, lost_cost : float, per unit left and per unit lost
    lead_time : int, periods L
    policy : str
    par1, par2 : int or None
    answers : dict, reference values by measure
    """

    number: int
    demand: str
    mean: float
    holding_cost: float
    lead_time: int
    lost_cost: float
    policy: str
    par1: int | None
    par2: int | None
    answers: Mapping[str, float] = field(default_factory=dict)

    measures: ClassVar[tuple[str, ...]] = (*ANSWERS["lost_sales"], "demand")
    rare: ClassVar[frozenset[str]] = frozenset()

    def cost(self, means: Mapping[str, FloatArray]) -> FloatArray:
        """Cost per period: what is left and what is lost."""
        return self.holding_cost * means["holding"] + self.lost_cost * means["lost"]

    @property
    def references(self) -> dict[str, float]:
        """The answers, and the mean demand: it is given, so it can be checked."""
        return {**self.answers, "demand": self.mean}

    @property
    def variance(self) -> float:
        """Variance of a period's demand."""
        return self.mean if self.demand == "poisson" else self.mean * (1 + self.mean)


@dataclass(frozen=True)
class ReorderRow:
    """One row of an (s, S) table with backorders and Poisson demand.

    Attributes
    ----------
    number : int, position in the table, 1 = first row under the header
    mean : float, units per period
    lead_time : int, periods L
    order_cost, holding_cost, backorder_cost : float, per order, per unit left, per unit
        owed, and period
    reorder_point, level : int, s and S
    answers : dict, reference values by measure
    """

    number: int
    mean: float
    lead_time: int
    order_cost: float
    holding_cost: float
    backorder_cost: float
    reorder_point: int
    level: int
    answers: Mapping[str, float] = field(default_factory=dict)

    demand: ClassVar[str] = "poisson"
    policy: ClassVar[str] = "reorder_point"
    measures: ClassVar[tuple[str, ...]] = (*ANSWERS["ss"], "demand")
    rare: ClassVar[frozenset[str]] = frozenset()

    def cost(self, means: Mapping[str, FloatArray]) -> FloatArray:
        """Cost per period: orders, what is left and what is owed."""
        return (
            self.order_cost * means["order_frequency"]
            + self.holding_cost * means["holding"]
            + self.backorder_cost * means["backlog"]
        )

    @property
    def references(self) -> dict[str, float]:
        """The answers, and the mean demand: it is given, so it can be checked."""
        return {**self.answers, "demand": self.mean}


@dataclass(frozen=True)
class PerishableRow:
    """One row of a table of perishables: lost sales, goods that live `life` periods.

    Attributes
    ----------
    number : int, position in the table, 1 = first row under the header
    life : int, periods m
    lead_time : int, periods L; with 1 this period's order is fresh next period
    waste_cost : float, per unit expired; the other costs are the published table's
    is_fifo : bool, True = the oldest is sold first, False = the youngest
    policy : str
    level : int or None, S on all stock and what is on its way
    answers : dict, reference values by measure
    """

    number: int
    life: int
    lead_time: int
    waste_cost: float
    is_fifo: bool
    policy: str
    level: int | None
    answers: Mapping[str, float] = field(default_factory=dict)

    demand: ClassVar[str] = "gamma_rounded"
    variation: ClassVar[float] = 0.5
    most: ClassVar[int] = 10
    order_cost: ClassVar[float] = 3.0
    lost_cost: ClassVar[float] = 5.0
    holding_cost: ClassVar[float] = 1.0
    measures: ClassVar[tuple[str, ...]] = (*ANSWERS["perishable"], "demand")
    rare: ClassVar[frozenset[str]] = frozenset({"expired"})

    @property
    def gamma_mean(self) -> float:
        """Mean of the gamma variable before it is rounded."""
        return 4.0

    @property
    def mean(self) -> float:
        """Mean demand of a period, after rounding."""
        probability = gamma_rounded(self.gamma_mean, self.variation)
        return float(probability @ np.arange(len(probability)))

    def cost(self, means: Mapping[str, FloatArray]) -> FloatArray:
        """Cost per period: orders, shortage, waste and what is left."""
        return (
            self.order_cost * means["order"]
            + self.lost_cost * means["lost"]
            + self.waste_cost * means["expired"]
            + self.holding_cost * means["holding"]
        )

    @property
    def references(self) -> dict[str, float]:
        """The answers, and the mean demand: it is given, so it can be checked."""
        return {**self.answers, "demand": self.mean}


Row = LostSalesRow | ReorderRow | PerishableRow


def read_rows(path: Path) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Header and rows of a CSV file."""
    if not path.is_file():
        raise InvalidInput(f"no table at {path}", field="TABLE", remedy="give a CSV file")
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        header = tuple(reader.fieldnames or ())
        rows = [{key: (value or "").strip() for key, value in row.items() if key} for row in reader]
    if not rows:
        raise InvalidInput(f"{path.name} has no rows", field="TABLE", remedy="give rows to verify")
    return header, rows


def kind_of(header: tuple[str, ...], wanted: str | None = None) -> str:
    """The table's kind, from its columns unless `wanted` says it."""
    if wanted is not None and wanted not in REQUIRED:
        raise InvalidInput(
            f"no kind {wanted!r}", field="--kind", remedy=f"one of {', '.join(REQUIRED)}"
        )
    fits = [kind for kind, columns in REQUIRED.items() if set(columns) <= set(header)]
    if wanted is not None:
        missing = [name for name in REQUIRED[wanted] if name not in header]
        if missing:
            raise InvalidInput(
                f"a {wanted} table needs the column {missing[0]!r}",
                field=missing[0],
                remedy=f"columns found: {', '.join(header)}",
            )
        return wanted
    if len(fits) != 1:
        raise InvalidInput(
            "the columns fit no kind of reference table",
            field="TABLE",
            remedy=f"give --kind; columns found: {', '.join(header)}",
        )
    return fits[0]


def lost_sales_row(number: int, cells: Mapping[str, str]) -> LostSalesRow:
    """A checked row; raises :class:`InvalidInput` with column and row."""
    demand = cells["demand"].lower()
    if demand not in DEMANDS:
        raise InvalidInput(
            f"demand is {cells['demand']!r}",
            field="demand",
            row=number,
            remedy=f"one of {', '.join(DEMANDS)}",
        )
    return LostSalesRow(
        number,
        demand,
        number_of(cells, "mean", number, above=0.0),
        number_of(cells, "h", number),
        whole_of(cells, "L", number),
        number_of(cells, "p", number),
        cells["policy"],
        _maybe_whole(cells, "par1", number),
        _maybe_whole(cells, "par2", number),
        _answers("lost_sales", cells, number),
    )


def reorder_row(number: int, cells: Mapping[str, str]) -> ReorderRow:
    """A checked row; raises :class:`InvalidInput` with column and row."""
    return ReorderRow(
        number,
        number_of(cells, "mean", number, above=0.0),
        whole_of(cells, "L", number),
        number_of(cells, "K", number),
        number_of(cells, "h", number),
        number_of(cells, "p", number),
        whole_of(cells, "s", number, may_be_negative=True),
        whole_of(cells, "S", number, may_be_negative=True),
        _answers("ss", cells, number),
    )


def perishable_row(number: int, cells: Mapping[str, str]) -> PerishableRow:
    """A checked row; raises :class:`InvalidInput` with column and row."""
    issue = cells["issue"].lower()
    if issue not in ("fifo", "lifo"):
        raise InvalidInput(
            f"issue is {cells['issue']!r}", field="issue", row=number, remedy="fifo or lifo"
        )
    life, lead_time = whole_of(cells, "m", number), whole_of(cells, "L", number)
    for name, value in (("m", life), ("L", lead_time)):
        if value < 1:
            raise InvalidInput(f"{name} is {value}", field=name, row=number, remedy="at least 1")
    return PerishableRow(
        number,
        life,
        lead_time,
        number_of(cells, "waste_cost", number),
        issue == "fifo",
        cells["policy"],
        _maybe_whole(cells, "S", number),
        _answers("perishable", cells, number, prefix="avg_"),
    )


def _answers(kind: str, cells: Mapping[str, str], row: int, prefix: str = "") -> dict[str, float]:
    given = [name for name in ANSWERS[kind] if cells.get(prefix + name)]
    return {name: number_of(cells, prefix + name, row) for name in given}


def number_of(
    cells: Mapping[str, str],
    name: str,
    row: int,
    *,
    above: float | None = None,
    may_be_negative: bool = False,
) -> float:
    """A finite number of a cell; raises :class:`InvalidInput` with column and row."""
    try:
        value = float(cells[name])
    except ValueError:
        value = math.nan
    low = value < 0 and not may_be_negative
    if not math.isfinite(value) or low or (above is not None and value <= above):
        rule = " above 0" if above == 0 else "" if may_be_negative else ", not negative"
        raise InvalidInput(
            f"{name} is {cells[name]!r}", field=name, row=row, remedy=f"give a number{rule}"
        )
    return value


def whole_of(
    cells: Mapping[str, str], name: str, row: int, *, may_be_negative: bool = False
) -> int:
    """A whole number of a cell, likewise."""
    value = number_of(cells, name, row, may_be_negative=may_be_negative)
    if value != int(value):
        raise InvalidInput(
            f"{name} is {cells[name]!r}", field=name, row=row, remedy="give a whole number"
        )
    return int(value)


def _maybe_whole(cells: Mapping[str, str], name: str, row: int) -> int | None:
    return whole_of(cells, name, row) if cells.get(name) else None
