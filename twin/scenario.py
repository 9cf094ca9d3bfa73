"""Scenario: everything one simulated world needs, resolved and self-checking.

Scenario *files* (TOML, inheritance, overrides) live in ``scenarios``; they resolve
to this dataclass, which knows no file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from policies.domain.carbon import CarbonFactors
from policies.domain.errors import ScenarioInvalid
from policies.domain.facts import CostModel
from policies.domain.network import DAY_SECONDS, Network
from policies.domain.receipts import ReceiptColumns
from twin.goods_rules import Conversion, GoodsReturns, Misplacement, Recall, RiskCounts
from twin.processes import (
    BreakdownRules,
    CraneRules,
    CustomerReturns,
    DeliveryRules,
    DriverRules,
    MarkdownRules,
    MarkovDisruption,
    ShelfRules,
    Substitution,
    ToteRules,
    TrafficRules,
    check_limits,
)


@dataclass(frozen=True)
class Frictions:
    """How the physical world departs from the plan.

    Attributes
    ----------
    shrink_per_unit_sold : expected units lost unknown per unit sold (physical only)
    misscan_per_line : share of sold lines booked on another SKU of the category
    receipt_error_per_line : share of received lines whose book quantity is off by one
    truck_speed_factor : multiplies the fleet's speed
    refuse_share, edit_share, delay_share : what staff do to proposal lines
    """

    shrink_per_unit_sold: float = 0.0
    misscan_per_line: float = 0.0
    receipt_error_per_line: float = 0.0
    truck_speed_factor: float = 1.0
    refuse_share: float = 0.0
    edit_share: float = 0.0
    delay_share: float = 0.0

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if not np.isfinite(value) or value < 0:
                raise ScenarioInvalid(f"{name} is {value}", field=f"frictions.{name}")


@dataclass(frozen=True)
class WarehouseRules:
    """Capacity of each warehouse.

    Attributes
    ----------
    docks : dock doors shared by loading and unloading
    pickers : people picking at the same time
    cases_per_picker_hour : picking speed
    load_minutes : fixed time a truck holds a dock while loading
    receive_seconds_per_case : unloading and put-away of a supplier delivery
    shift_from_hour, shift_hours : when people pick, every day; a load that is not done goes
        on in the next shift
    """

    docks: int = 6
    pickers: int = 20
    cases_per_picker_hour: float = 150.0
    load_minutes: float = 20.0
    receive_seconds_per_case: float = 4.0
    shift_from_hour: float = 0.0
    shift_hours: float = 24.0

    def __post_init__(self) -> None:
        check_limits(self, "warehouse", {"shift_from_hour": (0, 24), "shift_hours": (0.01, 24)})
        if self.docks < 1 or self.pickers < 1 or self.cases_per_picker_hour <= 0:
            raise ScenarioInvalid(
                "a warehouse needs at least one dock, one picker and a picking speed",
                field="warehouse",
                remedy="set docks, pickers and cases_per_picker_hour above 0",
            )


@dataclass(frozen=True)
class StoreRules:
    """What a store does with its day.

    Attributes
    ----------
    count_lines_per_day : SKUs counted each evening, chosen at random
    receive_seconds_per_case : shelving time; the load is for sale afterwards
    backorders : unserved demand waits instead of being lost
    count_cycle_days : besides, as many SKUs a day as count the whole list once in so many
        days, chosen at random too; 0 = none
    count_error_per_line : share of counted lines whose count is off by one
    receivers : loads that a store's staff can shelve at the same time; 0 = any number
    """

    count_lines_per_day: int = 0
    receive_seconds_per_case: float = 0.0
    backorders: bool = False
    count_cycle_days: float = 0.0
    count_error_per_line: float = 0.0
    receivers: int = 0

    def __post_init__(self) -> None:
        check_limits(self, "store", {"receivers": (0, 10_000)})
        if not 0 <= self.count_lines_per_day <= 10_000_000:
            raise ScenarioInvalid(
                f"count_lines_per_day is {self.count_lines_per_day}",
                field="store.count_lines_per_day",
                remedy="give SKUs an evening, 0 or more",
            )
        if not (self.count_cycle_days == 0 or 1 <= self.count_cycle_days < np.inf):
            raise ScenarioInvalid(
                f"count_cycle_days is {self.count_cycle_days}",
                field="store.count_cycle_days",
                remedy="give days, at least 1; 0 switches it off",
            )
        if not 0 <= self.count_error_per_line <= 1:
            raise ScenarioInvalid(
                f"count_error_per_line is {self.count_error_per_line}",
                field="store.count_error_per_line",
                remedy="give a share from 0 to 1",
            )

    @property
    def has_counts(self) -> bool:
        """Whether anything is counted at all."""
        return self.count_lines_per_day > 0 or self.count_cycle_days > 0

    def lines_to_count(self, listed: int) -> int:
        """SKUs that a store with so many listed counts in an evening."""
        cycle = -int(-listed // self.count_cycle_days) if self.count_cycle_days else 0
        return self.count_lines_per_day + cycle


@dataclass(frozen=True)
class Perishables:
    """How goods with a shelf life age and leave.

    Attributes
    ----------
    tracked : whether SKUs with a shelf life expire at all
    lifo_share : share of units whose customer takes the youngest; the rest take the oldest
    expire_s : time of the evening's expiry, seconds after midnight
    life_factor : multiplies every shelf life; what is left is at least a day
    """

    tracked: bool = False
    lifo_share: float = 0.0
    expire_s: int = 22 * 3600 + 300
    life_factor: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.life_factor <= 100:
            raise ScenarioInvalid(
                f"life_factor is {self.life_factor}",
                field="perishables.life_factor",
                remedy="give a number above 0, as 0.5 for half the shelf life",
            )
        if not 0 <= self.lifo_share <= 1:
            raise ScenarioInvalid(
                f"lifo_share is {self.lifo_share}",
                field="perishables.lifo_share",
                remedy="give a share from 0 to 1",
            )
        if not 0 <= self.expire_s < DAY_SECONDS:
            raise ScenarioInvalid(
                f"expire_s is {self.expire_s}",
                field="perishables.expire_s",
                remedy="give seconds after midnight, less than 86400",
            )


@dataclass(frozen=True)
class CheckoutRules:
    """Tills of every store.

    Attributes
    ----------
    staffed_lanes : most staffed lanes; 0 = no queue is simulated
    target_utilisation : share of an hour that an open lane is meant to work
    fixed_seconds, line_seconds : mean time at a staffed lane, for a basket and each line
    self_lanes : self-checkout lanes, always open
    self_share, self_most_lines : who goes there: this share of baskets of so many lines
    self_fixed_seconds, self_line_seconds : mean time at a self-checkout lane
    patience_seconds : mean of an exponential time after which people leave the queue
    open_at_queue : one more staffed lane is opened when so many wait at them, and closed
        when nobody does, in place of the shift plan; 0 = the shift plan
    walk_seconds : until a lane that is opened so serves
    """

    staffed_lanes: int = 0
    target_utilisation: float = 0.75
    fixed_seconds: float = 30.0
    line_seconds: float = 3.0
    self_lanes: int = 0
    self_share: float = 0.6
    self_most_lines: int = 15
    self_fixed_seconds: float = 25.0
    self_line_seconds: float = 6.0
    patience_seconds: float = 600.0
    open_at_queue: int = 0
    walk_seconds: float = 60.0

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if not np.isfinite(value) or value < 0:
                raise ScenarioInvalid(f"{name} is {value}", field=f"checkout.{name}")
        if self.self_lanes and not self.staffed_lanes:
            raise ScenarioInvalid(
                "self-checkout without a staffed lane",
                field="checkout.staffed_lanes",
                remedy="give at least one staffed lane",
            )
        if self.target_utilisation <= 0 or self.patience_seconds <= 0:
            raise ScenarioInvalid(
                "a checkout needs a target utilisation and a patience above 0",
                field="checkout.target_utilisation",
            )


@dataclass(frozen=True)
class Disruptions:
    """Suppliers and warehouses that stand still for some days.

    Attributes
    ----------
    suppliers_from_day, suppliers_days : first day (0 = first simulated day) and number of
        days on which suppliers make and deliver nothing; every order loses those days
    warehouses_from_day, warehouses_days : the same of warehouses, which neither ship nor
        receive and begin where they stopped
    warehouse_number : 1 = the first warehouse of the network, 0 = all
    others : more of them, each with dates of its own
    markov : disruptions that come and go by chance
    """

    suppliers_from_day: int = 0
    suppliers_days: int = 0
    warehouses_from_day: int = 0
    warehouses_days: int = 0
    warehouse_number: int = 0
    others: tuple[Disruptions, ...] = ()
    markov: tuple[MarkovDisruption, ...] = ()

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if not isinstance(value, tuple) and value < 0:
                raise ScenarioInvalid(
                    f"{name} is {value}", field=f"disruptions.{name}", remedy="0 or more"
                )


@dataclass(frozen=True)
class EchelonPull:
    """One-for-one orders at each demand, in place of the evening's plan.

    Attributes
    ----------
    echelon_levels : (L,) echelon base-stock level of each location, units of each SKU
    lead_s : (L,) seconds from shipment to receipt at each location
    """

    echelon_levels: tuple[int, ...]
    lead_s: tuple[int, ...]


@dataclass(frozen=True)
class Opening:
    """State at the start of a run: the warm start.

    Attributes
    ----------
    book, physical : (L, K) int32, on hand
    on_order_lines : open orders as (origin, destination, sku, quantity, due_s) rows,
        (N, 5) int64; origin −1 = supplier
    sold : (H, L, K) int32 or None, the sales panel before day 0, newest last
    expiring : (N, 4) int64, (location, sku, last day of sale, units) of stock in truth; what
        is in no row is of all ages alike
    expiring_on_way : (N, 6) int64, (origin, destination, due_s, sku, last day, units) of open
        orders; what is in no row is fresh
    """

    book: npt.NDArray[np.int32]
    physical: npt.NDArray[np.int32]
    on_order_lines: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((0, 5), dtype=np.int64)
    )
    sold: npt.NDArray[np.integer] | None = None
    expiring: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((0, 4), dtype=np.int64)
    )
    expiring_on_way: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((0, 6), dtype=np.int64)
    )


@dataclass(frozen=True)
class Scenario:
    """One world: network, demand, rules, window.

    Attributes
    ----------
    name : str
    network : Network
    demand : ReceiptColumns, what customers want to buy; store ids and SKU ids are
        those of the network's stores and SKUs, in axis order
    first_day : int, first simulated day number (of the network's calendar)
    days : int, how many days are simulated
    warmup_days : int, first days that are simulated and left out of KPIs
    opening : Opening or None; None = `opening_cover_days` of mean demand
    direct : bool, stores order from suppliers directly (single-echelon studies)
    direct_receipt_s : int or None, time of day at which a direct order is for sale, on
        the evening `direct_lead_time_days` after its own; None = before the next opening
    pull : EchelonPull or None, continuous review of stages in series
    plan_s, count_s : int, time of the evening's plan and count, seconds after midnight
    """

    name: str
    network: Network
    demand: ReceiptColumns
    first_day: int
    days: int
    warmup_days: int = 0
    opening: Opening | None = None
    opening_cover_days: float = 14.0
    panel_days: int = 56
    direct: bool = False
    direct_lead_time_days: int = 1
    direct_receipt_s: int | None = None
    plan_s: int = 22 * 3600 + 1800
    count_s: int = 22 * 3600
    warehouse: WarehouseRules = WarehouseRules()
    store: StoreRules = StoreRules()
    frictions: Frictions = Frictions()
    perishables: Perishables = Perishables()
    disruptions: Disruptions = Disruptions()
    checkout: CheckoutRules = CheckoutRules()
    asrs: CraneRules = field(default_factory=CraneRules)
    deliveries: DeliveryRules = field(default_factory=DeliveryRules)
    breakdowns: BreakdownRules = field(default_factory=BreakdownRules)
    traffic: TrafficRules = field(default_factory=TrafficRules)
    drivers: DriverRules = field(default_factory=DriverRules)
    substitution: Substitution = field(default_factory=Substitution)
    customer_returns: CustomerReturns = field(default_factory=CustomerReturns)
    goods_returns: GoodsReturns = field(default_factory=GoodsReturns)
    recalls: tuple[Recall, ...] = ()
    conversions: tuple[Conversion, ...] = ()
    misplacement: Misplacement = field(default_factory=Misplacement)
    risk_counts: RiskCounts = field(default_factory=RiskCounts)
    shelf: ShelfRules = field(default_factory=ShelfRules)
    markdown: MarkdownRules = field(default_factory=MarkdownRules)
    totes: ToteRules = field(default_factory=ToteRules)
    pull: EchelonPull | None = None
    costs: CostModel = field(default_factory=CostModel)
    carbon: CarbonFactors = field(default_factory=lambda: CarbonFactors(tracked=False))
    panel_expansion: float = 1.0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.days < 1:
            raise ScenarioInvalid(f"days is {self.days}", field="days", remedy="at least 1")
        if not 0 <= self.warmup_days < self.days:
            raise ScenarioInvalid(
                f"warmup_days is {self.warmup_days} of {self.days} days", field="warmup_days"
            )
        stores = tuple(self.network.locations.ids[i] for i in self.network.stores)
        if self.demand.store_ids != stores or self.demand.sku_ids != self.network.skus.ids:
            raise ScenarioInvalid(
                "the demand's stores and SKUs are not the network's, in its order",
                field="demand",
                remedy="re-index the receipts to the network",
            )
