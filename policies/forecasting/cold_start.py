"""A level for what has no history yet: what the SKU sells elsewhere, times the store.

A SKU's rate is taken over the stores that sell it, each seen beside its own size; a new SKU
has its category's; a store without sales counts as an average one. Own days then take over
with weight n / (n + 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_ROUNDS = 12
_STORE_UNITS = 50.0
"""Units of sales at which a store's own index counts as much as the average store."""


class Source(IntEnum):
    """Where the level of a series comes from, above all."""

    OWN_DAYS = 0
    SKU_ELSEWHERE = 1
    CATEGORY = 2
    CHAIN = 3
    NOTHING = 4


@dataclass(frozen=True)
class ColdStart:
    """Levels of series with few days or none.

    Parameters
    ----------
    shrink_days : float ≥ 0, own days that weigh as much as what others tell
    sku_days : float ≥ 0, store-days of a SKU that weigh as much as its category
    """

    shrink_days: float = 5.0
    sku_days: float = 2.0

    def __post_init__(self) -> None:
        for name in ("shrink_days", "sku_days"):
            if not getattr(self, name) >= 0:
                raise InvalidInput(
                    f"{name} is {getattr(self, name)}", field=name, remedy="give days from 0 on"
                )

    def levels(
        self, units: Floats, days: Floats, store: Ints, sku: Ints, group: Ints
    ) -> tuple[Floats, npt.NDArray[np.int8]]:
        """((S,) units a day, (S,) :class:`Source`).

        Parameters
        ----------
        units, days : (S,) float64, sold so far and days in stock so far; 0 and 0 for a
            series that is new
        store, sku, group : (S,) int64 from 0 on
        """
        _check(units, days, store, sku, group)
        if not len(units):
            return np.zeros(0), np.zeros(0, dtype=np.int8)
        stores, skus, groups = (int(x.max()) + 1 for x in (store, sku, group))
        index = np.ones(stores)
        for _ in range(_ROUNDS):
            # Days of an average store: a large one's day tells as much as several.
            time = days * index[store]
            chain = units.sum() / max(float(time.sum()), 1e-9)
            category = _rate(units, time, group, groups, chain, 1.0)
            of_sku = np.zeros(skus, dtype=np.int64)
            of_sku[sku] = group
            rate = _rate(units, time, sku, skus, category[of_sku], self.sku_days)
            could = np.bincount(store, days * rate[sku], stores)
            told = np.bincount(store, units, stores)
            index = (told + _STORE_UNITS) / (could + _STORE_UNITS)
        prior = rate[sku] * index[store]
        own = units + self.shrink_days * prior
        level = np.where(days > 0, own / np.maximum(days + self.shrink_days, 1e-9), prior)
        return level, self._sources(units, days, sku, group, skus, groups)

    def _sources(
        self, units: Floats, days: Floats, sku: Ints, group: Ints, skus: int, groups: int
    ) -> npt.NDArray[np.int8]:
        by_sku, by_group = np.bincount(sku, days, skus), np.bincount(group, days, groups)
        out = np.full(len(units), Source.NOTHING)
        if days.sum() > 0:
            out[:] = Source.CHAIN
        out[by_group[group] > 0] = Source.CATEGORY
        out[by_sku[sku] - days > self.sku_days] = Source.SKU_ELSEWHERE
        out[days >= max(self.shrink_days, 1.0)] = Source.OWN_DAYS
        return out.astype(np.int8)


def _rate(
    units: Floats, time: Floats, key: Ints, size: int, prior: Floats | float, strength: float
) -> Floats:
    told, seen = np.bincount(key, units, size), np.bincount(key, time, size)
    return np.asarray((told + strength * prior) / np.maximum(seen + strength, 1e-9))


def _check(units: Floats, days: Floats, store: Ints, sku: Ints, group: Ints) -> None:
    for name, value in (("days", days), ("store", store), ("sku", sku), ("group", group)):
        if value.shape != units.shape:
            raise InvalidInput(
                f"{name} has shape {value.shape}, expected {units.shape}", field=name
            )
    for name, value in (("units", units), ("days", days)):
        fits = (value >= 0) & (value < np.inf)
        if not fits.all():
            row = int(np.argmin(fits))
            raise InvalidInput(
                f"{name} is {value[row]}", field=name, row=row, remedy="give numbers from 0 on"
            )
