"""Carbon: factors with their sources, and how a tour's emissions are shared among its loads.

Shares follow mass times direct distance, the way of ISO 14083 and the GLEC Framework: a
load pays for the distance between its two ends and not for the detour that others need.
The empty way back belongs to the tour.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from policies.domain.errors import ScenarioInvalid

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CarbonFactors:
    """Grams of CO2e by what causes them; a chain replaces them by its own.

    Sources stand in :data:`SOURCES`. What is called "assumed" there is an order of
    magnitude, good for comparing policies and not for a report.

    Attributes
    ----------
    tracked : whether a run keeps carbon at all
    diesel_g_per_litre : well to wheel
    truck_litres_per_100_km_empty, truck_litres_per_100_km_full : of one truck
    van_litres_per_100_km : of what drives between stores
    inbound_g_per_tonne_km, inbound_km : from suppliers
    grid_g_per_kwh : electricity
    warehouse_kwh_per_m3_day, store_kwh_per_m3_day : per volume of goods in stock
    chilled_kwh_per_m3_day, chilled_leak_g_per_m3_day : besides, goods with a shelf life
    waste_g_per_kg : goods thrown away
    """

    tracked: bool = True
    diesel_g_per_litre: float = 3_240.0
    truck_litres_per_100_km_empty: float = 20.0
    truck_litres_per_100_km_full: float = 28.0
    van_litres_per_100_km: float = 10.0
    inbound_g_per_tonne_km: float = 80.0
    inbound_km: float = 300.0
    grid_g_per_kwh: float = 436.0
    warehouse_kwh_per_m3_day: float = 0.07
    store_kwh_per_m3_day: float = 1.5
    chilled_kwh_per_m3_day: float = 8.0
    chilled_leak_g_per_m3_day: float = 2_000.0
    waste_g_per_kg: float = 2_100.0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name != "tracked" and not (math.isfinite(value) and value >= 0):
                raise ScenarioInvalid(
                    f"{item.name} is {value}",
                    field=f"carbon.{item.name}",
                    remedy="give a number, 0 or more",
                )
        if self.truck_litres_per_100_km_full < self.truck_litres_per_100_km_empty:
            raise ScenarioInvalid(
                "a full truck uses less than an empty one",
                field="carbon.truck_litres_per_100_km_full",
                remedy="give at least truck_litres_per_100_km_empty",
            )


_ASSUMED = "assumed; docs/carbon.md says how"
SOURCES: dict[str, tuple[str, str, int]] = {
    "diesel_g_per_litre": ("g CO2e/l", "EN 16258, annex A, diesel, well to wheel", 2012),
    "truck_litres_per_100_km_empty": ("l/100 km", _ASSUMED, 2026),
    "truck_litres_per_100_km_full": ("l/100 km", _ASSUMED, 2026),
    "van_litres_per_100_km": ("l/100 km", _ASSUMED, 2026),
    "inbound_g_per_tonne_km": ("g CO2e/t km", _ASSUMED, 2026),
    "inbound_km": ("km", _ASSUMED, 2026),
    "grid_g_per_kwh": ("g CO2e/kWh", "Ember, Global Electricity Review 2023, world, of 2022", 2023),
    "warehouse_kwh_per_m3_day": ("kWh/m3 day", _ASSUMED, 2026),
    "store_kwh_per_m3_day": ("kWh/m3 day", _ASSUMED, 2026),
    "chilled_kwh_per_m3_day": ("kWh/m3 day", _ASSUMED, 2026),
    "chilled_leak_g_per_m3_day": ("g CO2e/m3 day", _ASSUMED, 2026),
    "waste_g_per_kg": ("g CO2e/kg", "FAO, Food wastage footprint: 3.3 Gt CO2e, 1.6 Gt food", 2013),
}
"""Unit, source and year of each factor."""


def truck_grams(
    factors: CarbonFactors, metres: Floats, load_kg: Floats, capacity_kg: float
) -> Floats:
    """(N,) grams of each leg of a tour; fuel grows in a straight line with the load.

    Parameters
    ----------
    metres, load_kg : (N,) float64, of each leg, the empty one back included
    capacity_kg : float, load of a full truck; more than it counts as full
    """
    full = np.minimum(load_kg / capacity_kg, 1.0) if capacity_kg > 0 else np.zeros_like(load_kg)
    empty, most = factors.truck_litres_per_100_km_empty, factors.truck_litres_per_100_km_full
    litres = (empty + (most - empty) * full) * metres / 1e5
    return np.asarray(litres * factors.diesel_g_per_litre, dtype=np.float64)


def shares(kg: Floats, direct_metres: Floats) -> Floats:
    """(N,) shares that sum to 1: mass times direct distance, else mass, else the same each."""
    for weight in (kg * direct_metres, kg, np.ones_like(kg)):
        total = weight.sum()
        if total > 0:
            return np.asarray(weight / total, dtype=np.float64)
    return np.zeros(0)
