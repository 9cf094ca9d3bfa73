"""What every level policy shares: forecasts by place, classes, warehouses' own needs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
    """(L, K) expected units a day that each warehouse's stores sell; 0 at stores."""
    forecast = require_forecast(view)
    out = np.zeros(view.network.shape)
    source = view.network.locations.source
    for warehouse in view.network.warehouses:
        out[warehouse] = forecast.level[source == warehouse].sum(axis=0)
    return out
