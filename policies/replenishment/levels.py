"""What every level policy shares: forecasts by place, classes, warehouses' own needs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.errors import InvalidInput
from policies.domain.forecast import Forecast
from policies.domain.view import NetworkView

Floats = npt.NDArray[np.float64]
MEAN_EDGES = (0.15, 0.6)
RATIO_EDGES = (1.6,)
"""Class edges: units a day, and variance ratio; 3 × 2 classes."""


def require_forecast(view: NetworkView) -> Forecast:
    """The view's forecast, or a clear error."""
    if view.forecast is None:
        raise InvalidInput(
            "the view carries no forecast",
            field="view.forecast",
            remedy="issue one with bundle.issue_forecast before deciding",
        )
    return view.forecast


def demand_classes(forecast: Forecast) -> npt.NDArray[np.intp]:
    """(L, K) class number: mean bucket × ratio bucket."""
    mean = np.digitize(forecast.level, MEAN_EDGES)
    ratio = np.digitize(forecast.variance_ratio, RATIO_EDGES)
    out: npt.NDArray[np.intp] = mean * (len(RATIO_EDGES) + 1) + ratio
    return out


def class_count() -> int:
    """Number of demand classes."""
    return (len(MEAN_EDGES) + 1) * (len(RATIO_EDGES) + 1)


def warehouse_demand_per_day(view: NetworkView) -> Floats:
    """(n, K) expected units a day that the stores of locations 0 … n − 1 sell.

    n ends with the last location that serves a store: warehouses come first on the axis.
    """
    forecast = require_forecast(view)
    source = view.network.locations.source
    key = source.tobytes()
    if key in forecast.sums:
        return forecast.sums[key]
    out = np.zeros((int(source.max(initial=-1)) + 1, view.network.shape[1]))
    _sum_by_source(forecast.level, source, out)
    out.flags.writeable = False
    forecast.sums[key] = out
    return out


@njit(cache=True)
def _sum_by_source(
    level: npt.NDArray[np.float32], source: npt.NDArray[np.int32], out: Floats
) -> None:
    for place in range(len(source)):
        if source[place] >= 0:
            total = out[source[place]]
            mine = level[place]
            for k in range(len(mine)):
                total[k] += mine[k]
