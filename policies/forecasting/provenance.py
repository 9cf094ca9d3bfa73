"""Where a forecast comes from: enough to know whether two were made from the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policies.forecasting.series import SeriesPanel


@dataclass(frozen=True)
class Provenance:
    """Origin of a forecast of series.

    Attributes
    ----------
    model : str, its name and settings
    as_of_day : int, days of history; the first day forecast has this number
    data_hash : str, of what was sold, in stock, planned and of whom
    calibrated_from_day : int or None, the spread was measured on days from this one on that
        the model had not learnt from; None where it is the scatter about its own fit
    part_days_share : float, share of days that weren't in stock throughout, whose sales
        speak for a part of the day or for nothing
    """

    model: str
    as_of_day: int = 0
    data_hash: str = ""
    calibrated_from_day: int | None = None
    part_days_share: float = 0.0

    @classmethod
    def of(cls, panel: SeriesPanel, model: str, calibrated_from_day: int | None) -> Provenance:
        """That of a forecast for the days after the panel's last."""
        whole = float(panel.is_whole.mean()) if panel.sold.size else 1.0
        return cls(model, panel.shape[1], _hash(panel), calibrated_from_day, 1.0 - whole)


def _hash(panel: SeriesPanel) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((panel.shape, panel.first_weekday, panel.names)).encode())
    for values in (panel.sold, panel.in_stock, panel.promotion, panel.holiday, panel.store):
        digest.update(np.ascontiguousarray(values).data)
    for plan in (panel.group, panel.festival, panel.closed, panel.weekday):
        digest.update(b"-" if plan is None else np.ascontiguousarray(plan).data)
    return digest.hexdigest()
