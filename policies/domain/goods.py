"""What is sold, and who delivers it: SKUs and suppliers as columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.columns import frozen, refuse
from policies.domain.errors import InvalidInput

IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Skus:
    """Stock-keeping units as columns.

    Attributes
    ----------
    ids : tuple of str, length K
    names : tuple of str, length K
    category : (K,) int32, index into `categories`
    categories : tuple of str, length C
    unit_cost_cents, unit_price_cents : (K,) int32, cents per base unit
    pack_size : (K,) int32, base units in a case
    mass_g, volume_cm3 : (K,) int32, per base unit
    shelf_life_days : (K,) int32, 0 = does not expire
    gtin : tuple of str, length K, GTIN-14 ("" where there is none)
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    category: IntArray
    categories: tuple[str, ...]
    unit_cost_cents: IntArray
    unit_price_cents: IntArray
    pack_size: IntArray
    mass_g: IntArray
    volume_cm3: IntArray
    shelf_life_days: IntArray
    gtin: tuple[str, ...]

    def __post_init__(self) -> None:
        size = len(self.ids)
        if len(set(self.ids)) != size:
            raise InvalidInput("SKU ids are not unique", field="skus.ids")
        for name in (
            "category",
            "unit_cost_cents",
            "unit_price_cents",
            "pack_size",
            "mass_g",
            "volume_cm3",
            "shelf_life_days",
        ):
            value = frozen(getattr(self, name), np.int32, f"skus.{name}")
            if value.shape != (size,):
                raise InvalidInput(
                    f"{name} has shape {value.shape}, expected ({size},)", field=f"skus.{name}"
                )
            object.__setattr__(self, name, value)
        refuse(
            self.pack_size < 1,
            self.ids,
            "has a pack size below 1",
            "skus.pack_size",
            "give the number of base units in a case, at least 1",
        )
        refuse(
            (self.category < 0) | (self.category >= len(self.categories)),
            self.ids,
            "is in no category of the network",
            "skus.category",
            f"give an index from 0 to {len(self.categories) - 1}",
        )
        for name in _NEVER_NEGATIVE:
            refuse(
                getattr(self, name) < 0,
                self.ids,
                f"has a negative {name}",
                f"skus.{name}",
                "give 0 or more",
            )


_NEVER_NEGATIVE = (
    "unit_cost_cents",
    "unit_price_cents",
    "mass_g",
    "volume_cm3",
    "shelf_life_days",
)


@dataclass(frozen=True)
class Suppliers:
    """One supplier per category, with an empirical lead-time distribution.

    Attributes
    ----------
    ids : tuple of str, length C (index = category)
    lead_time_days : (C, Q) int32, equally likely lead times of a purchase order
    """

    ids: tuple[str, ...]
    lead_time_days: IntArray

    def __post_init__(self) -> None:
        value = frozen(self.lead_time_days, np.int32, "suppliers.lead_time_days")
        if value.ndim != 2 or value.shape[0] != len(self.ids) or (value < 0).any():
            raise InvalidInput("lead_time_days must be (C, Q), none negative", field="suppliers")
        object.__setattr__(self, "lead_time_days", value)
