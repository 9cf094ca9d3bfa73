"""Day facts: the integers that every KPI is computed from.

Facts are physical counts per (day, location, category); money that follows from a
rate (holding, transport, handling) is not stored but computed from facts and a
:class:`CostModel`, so a changed rate never asks for a new run.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput, ScenarioInvalid

SKU_FACTS: tuple[str, ...] = (
    # observable: from book rows and documents
    "ranged_sku_days",  # listed SKUs of a store
    "in_stock_sku_days",  # of these, with book stock > 0 at closing
    "open_sku_seconds",  # listed SKU x open seconds
    "in_stock_open_sku_seconds",  # of these, with book stock > 0
    "units_sold",
    "revenue_cents",
    "cost_of_goods_sold_cents",
    "closing_stock_units",
    "closing_stock_cents",  # book, at unit cost
    "in_transit_cents",  # shipped to here, not received, at closing
    "slow_stock_cents",  # stock value of slow movers at closing
    "order_units",  # ordered for this location (proposal approved)
    "filled_units",  # of these, shipped at first promise
    "order_lines",
    "filled_lines",
    "transfer_lines_received",
    "transfer_lines_right",  # received good = shipped = ordered
    "transfer_units_shipped",
    "transfer_units_off",  # sum of abs(received - shipped)
    "replenishment_lines",  # receipts that close a need
    "replenishment_seconds",  # received - need detected
    "write_off_cents",
    "write_off_units",
    "count_lines",  # blind first-pass lines of the random-count sample
    "count_lines_right",
    "risk_count_lines",  # lines counted because they are likely wrong
    "count_loss_cents",  # missing at counts, at cost
    "count_gain_cents",
    "units_received",
    "cases_received",
    "warehouse_cases",  # of these, from a warehouse of the chain
    "purchase_lines",  # supplier order lines placed here
    "stock_change_cents",  # closing (book + in transit to here, at cost) - the day before's
    "forecast_milliunits",  # expected units of a day by the last forecast issue, x 1000
    # latent: only the twin knows
    "units_demanded",
    "units_lost",
    "margin_lost_cents",
    "latent_records",  # listed SKU records at closing
    "latent_records_right",  # of these, book = physical
    "shrink_cents",
    "co2e_transport_mg",  # legs, on the day they arrive or leave, at the load's destination
    "co2e_storage_mg",  # energy and refrigerant of the day
    "co2e_waste_mg",  # of goods thrown away
)
LATENT_FACTS: frozenset[str] = frozenset(
    {
        "units_demanded",
        "units_lost",
        "margin_lost_cents",
        "latent_records",
        "latent_records_right",
        "shrink_cents",
        "co2e_transport_mg",
        "co2e_storage_mg",
        "co2e_waste_mg",
    }
)
LOCATION_FACTS: tuple[str, ...] = (
    "route_metres",  # of every tour, shared among its stops
    "route_seconds",  # driving, waiting and unloading, shared likewise
    "route_starts_micro",  # one tour = 1,000,000, shared among its stops
    "stops",
    "stops_on_time",
    "empty_metres",  # of route_metres, those of ways back without goods, shared likewise
)


@dataclass(frozen=True)
class CostModel:
    """Rates that turn facts into money.

    Attributes
    ----------
    holding_rate_per_year : share of the stock value a year of holding costs
    truck_cents_per_km, driver_cents_per_hour, tour_cents : transport
    fuel_share_of_km : share of `truck_cents_per_km` that is fuel
    fuel_price_factor : price of fuel over the one that `truck_cents_per_km` was stated at
    handling_cents_per_case : picking, receiving and shelving of a case
    warehouse_cents_per_case : building, energy and overheads of a warehouse for a case that
        it sends; in the cost per case only, since the holding rate pays for storage already
    order_line_cents : administrative cost of a supplier order line
    lost_margin_factor : multiplies the margin of a unit not served (1 = the margin)
    waste_factor : share of a written-off unit's cost that is lost
    replacement_rate : what bringing goods to the shelf costs, as a share of their cost;
        charges stock that was used up and credits stock that was built up
    scan_line_seconds, receive_case_seconds, put_away_case_seconds, count_line_seconds,
    write_off_unit_seconds : standard times of a clerk's tasks; they make a key figure of
        their own and no cost, which handling_cents_per_case has already
    source : str, where the rates come from
    """

    holding_rate_per_year: float = 0.25
    truck_cents_per_km: float = 110.0
    fuel_share_of_km: float = 0.35
    fuel_price_factor: float = 1.0
    driver_cents_per_hour: float = 2_800.0
    tour_cents: float = 4_000.0
    handling_cents_per_case: float = 35.0
    warehouse_cents_per_case: float = 25.0
    order_line_cents: float = 50.0
    lost_margin_factor: float = 1.0
    waste_factor: float = 1.0
    replacement_rate: float = 0.15
    scan_line_seconds: float = 6.0
    receive_case_seconds: float = 10.0
    put_away_case_seconds: float = 25.0
    count_line_seconds: float = 20.0
    write_off_unit_seconds: float = 8.0
    source: str = "assumed; see docs/assumptions.md"

    def __post_init__(self) -> None:
        for name, most in (("fuel_share_of_km", 1.0), ("fuel_price_factor", 100.0)):
            value = getattr(self, name)
            if not (isfinite(value) and 0 <= value <= most):
                raise ScenarioInvalid(
                    f"{name} is {value}",
                    field=f"costs.{name}",
                    remedy=f"give a number from 0 to {most:g}",
                )

    @property
    def km_cents(self) -> float:
        """Cents of a truck's kilometre at today's price of fuel."""
        dearer = self.fuel_share_of_km * (self.fuel_price_factor - 1.0)
        return self.truck_cents_per_km * (1.0 + dearer)


@dataclass(frozen=True)
class DayFacts:
    """Facts of a run or of the live service.

    Attributes
    ----------
    first_day : int, day number of row 0
    locations : tuple of str, length L
    categories : tuple of str, length C
    sku_facts : (D, L, C, len(SKU_FACTS)) int64
    location_facts : (D, L, len(LOCATION_FACTS)) int64
    has_latent : bool, False for the live service
    as_known_at_s : int, recorded-at horizon the facts were computed with
    """

    first_day: int
    locations: tuple[str, ...]
    categories: tuple[str, ...]
    sku_facts: npt.NDArray[np.int64]
    location_facts: npt.NDArray[np.int64]
    has_latent: bool
    as_known_at_s: int

    def __post_init__(self) -> None:
        expected = (self.days, len(self.locations), len(self.categories), len(SKU_FACTS))
        if self.sku_facts.shape != expected:
            raise InvalidInput(f"sku_facts has shape {self.sku_facts.shape}, expected {expected}")
        if self.location_facts.shape != (self.days, len(self.locations), len(LOCATION_FACTS)):
            raise InvalidInput("location_facts does not fit sku_facts")

    @property
    def days(self) -> int:
        """Number of days D."""
        return int(self.sku_facts.shape[0])

    def get(self, name: str) -> npt.NDArray[np.int64]:
        """(D, L, C) of a SKU fact, or (D, L, 1) of a location fact."""
        if name in SKU_FACTS:
            if name in LATENT_FACTS and not self.has_latent:
                raise InvalidInput(f"{name} is latent: the live service cannot know it", field=name)
            out: npt.NDArray[np.int64] = self.sku_facts[..., SKU_FACTS.index(name)]
            return out
        return self.location_facts[..., LOCATION_FACTS.index(name), None]

    def window(self, first: int, last: int) -> DayFacts:
        """Facts of day numbers `first` … `last` inclusive."""
        rows = slice(first - self.first_day, last - self.first_day + 1)
        return DayFacts(
            first,
            self.locations,
            self.categories,
            self.sku_facts[rows],
            self.location_facts[rows],
            self.has_latent,
            self.as_known_at_s,
        )
