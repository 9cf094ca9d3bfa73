"""Rows whose columns are periods: the hours of a day, or day after day."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scenarios.history.cells import number
from scenarios.history.mapping import Mapping, Wide
from scenarios.history.sieve import Sieve, period_columns
from scenarios.history.sources import Batch

DAY_SECONDS = 86_400
Rows = npt.NDArray[np.void]
Ints = npt.NDArray[np.int32]


def unit_matrix(batch: Batch, sieve: Sieve, mapping: Mapping) -> tuple[Ints, list[int]]:
    """((N, P) units, numbers of the P periods); unreadable cells refuse or lose their row."""
    sales = mapping.sales
    assert sales.wide is not None
    periods = period_columns(batch.table.schema.names, sales.wide.columns)
    units = np.zeros((batch.table.num_rows, len(periods)), dtype=np.int32)
    for at, (_, column) in enumerate(periods):
        amount, bad = number(batch.column(column), mapping.file.decimal)
        scaled = np.where(bad, 0.0, amount) / sales.scale
        wrong = bad | (amount < 0) | (scaled > np.iinfo(np.int32).max)
        sieve.unreadable(wrong, "sales.wide.columns", column, "no quantity", "mend the value")
        if sales.fraction == "refuse":
            uneven = ~wrong & (np.abs(scaled - np.rint(scaled)) > 1e-6)
            remedy = 'set fraction = "scale" and a scale under [sales]'
            sieve.unreadable(uneven, "sales.wide.columns", column, "not a whole number", remedy)
        units[:, at] = np.rint(np.where(wrong, 0.0, scaled))
    return units, [period for period, _ in periods]


def period_rows(rows: Rows, units: Ints, periods: list[int], wide: Wide, from_hour: int) -> Rows:
    """A row (dtype ``ROW``) per source row and period that sold, at the period's begin.

    Parameters
    ----------
    rows : (N,) rows whose `t` is their date's midnight (hours) or unset (days)
    units : (N, P) units; periods : P numbers
    wide : what the numbers mean
    from_hour : hour of the day from which daily units are spread
    """
    source, column = np.nonzero(units)
    out = rows[source]
    out["quantity"], out["basket"] = units[source, column], -1
    begin = np.array(periods, dtype=np.int64)[column]
    if wide.period == "hour":
        out["t"] += begin * 3600
    else:
        first = int(np.datetime64(wide.first, "s").astype(np.int64))
        out["t"] = first + (begin - wide.origin) * DAY_SECONDS + from_hour * 3600
    out["instant"] = out["t"]
    return out
