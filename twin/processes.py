"""Rules of processes that a scenario may switch on; each is off as it stands here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.errors import ScenarioInvalid


@dataclass(frozen=True)
class CraneRules:
    """A miniload or pallet store with cranes in every warehouse, ``[asrs]``.

    Attributes
    ----------
    cranes : aisles, each with its own crane; 0 = goods lie where pickers reach them
    rack_length_m, rack_height_m : what a crane serves from the lower corner of its rack
    travel_m_per_s, lift_m_per_s : along and up, at the same time
    transfer_seconds : picking up, or putting down, one load unit
    cases_per_unit : cases on a load unit
    crane_kw : mean electric power of a crane that works
    """

    cranes: int = 0
    rack_length_m: float = 60.0
    rack_height_m: float = 10.0
    travel_m_per_s: float = 3.0
    lift_m_per_s: float = 1.0
    transfer_seconds: float = 5.0
    cases_per_unit: float = 4.0
    crane_kw: float = 6.0

    def __post_init__(self) -> None:
        check_limits(
            self,
            "asrs",
            {
                "cranes": (0, 1_000),
                "rack_length_m": (0.1, 1_000),
                "rack_height_m": (0.1, 100),
                "travel_m_per_s": (0.01, 20),
                "lift_m_per_s": (0.01, 20),
                "transfer_seconds": (0, 600),
                "cases_per_unit": (1, 10_000),
                "crane_kw": (0, 1_000),
            },
        )

    @property
    def along_s(self) -> float:
        """Seconds from the lower corner to the rack's far end."""
        return self.rack_length_m / self.travel_m_per_s

    @property
    def up_s(self) -> float:
        """Seconds from the lower corner to the rack's top."""
        return self.rack_height_m / self.lift_m_per_s

    @property
    def longest_s(self) -> float:
        """T of Bozer & White: the slower of the two."""
        return max(self.along_s, self.up_s)

    @property
    def shape(self) -> float:
        """The shape factor b of Bozer & White, 0 < b ≤ 1; 1 = square in time."""
        return min(self.along_s, self.up_s) / self.longest_s

    @property
    def single_cycle_s(self) -> float:
        """Expected seconds of a cycle that fetches, or stores, one load unit.

        Random storage, Chebyshev travel (Bozer & White 1984): T (1 + b² / 3), and a load
        unit is taken up once and put down once.
        """
        return self.longest_s * (1 + self.shape**2 / 3) + 2 * self.transfer_seconds

    @property
    def dual_cycle_s(self) -> float:
        """Expected seconds of a cycle that stores one unit and fetches another.

        T (4 / 3 + b² / 2 − b³ / 30) by the same source, and four transfers.
        """
        b = self.shape
        return self.longest_s * (4 / 3 + b**2 / 2 - b**3 / 30) + 4 * self.transfer_seconds


@dataclass(frozen=True)
class BreakdownRules:
    """Trucks and vans that break down on the road, ``[breakdowns]``.

    Attributes
    ----------
    per_1000_km : expected breakdowns; 0 = none
    repair_hours : mean of an exponential time until a truck goes on by itself
    relief_share : share of breakdowns, of those that last longer than it takes a relief
        truck to come, to which one is sent
    relief_hours : time until a relief truck has taken the load over
    """

    per_1000_km: float = 0.0
    repair_hours: float = 3.0
    relief_share: float = 0.0
    relief_hours: float = 1.5

    def __post_init__(self) -> None:
        check_limits(
            self,
            "breakdowns",
            {
                "per_1000_km": (0, 1_000),
                "repair_hours": (0, 1_000),
                "relief_share": (0, 1),
                "relief_hours": (0, 1_000),
            },
        )


@dataclass(frozen=True)
class ToteRules:
    """Totes that go out with goods and come back empty, ``[totes]``.

    Attributes
    ----------
    cases_per_tote : cases of a load in one tote; 0 = there are none
    seconds_per_tote : to take an empty one on board at a stop
    """

    cases_per_tote: float = 0.0
    seconds_per_tote: float = 5.0

    def __post_init__(self) -> None:
        check_limits(self, "totes", {"cases_per_tote": (0, 1e4), "seconds_per_tote": (0, 3_600)})


@dataclass(frozen=True)
class TrafficRules:
    """Speed by the hour of the day, ``[traffic]``.

    Attributes
    ----------
    speed_factors : 24 numbers that multiply the fleet's speed; none = the same all day
    """

    speed_factors: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        given = self.speed_factors
        if given and (len(given) != 24 or not all(0.01 <= value <= 10 for value in given)):
            raise ScenarioInvalid(
                f"speed_factors are {len(given)} numbers from {min(given)} to {max(given)}",
                field="traffic.speed_factors",
                remedy="give 24 numbers from 0.01 to 10, the first for midnight to one o'clock",
            )


@dataclass(frozen=True)
class DriverRules:
    """Driving times, breaks and rest, ``[drivers]``; numbers of Regulation (EC) 561/2006.

    Attributes
    ----------
    regulated : whether drivers keep to them at all
    drive_before_break_hours, break_minutes : Article 7
    drive_per_day_hours, rest_hours : Articles 6 and 8
    """

    regulated: bool = False
    drive_before_break_hours: float = 4.5
    break_minutes: float = 45.0
    drive_per_day_hours: float = 9.0
    rest_hours: float = 11.0

    def __post_init__(self) -> None:
        check_limits(
            self,
            "drivers",
            {
                "drive_before_break_hours": (0.1, 24),
                "break_minutes": (0, 1_440),
                "drive_per_day_hours": (0.1, 24),
                "rest_hours": (0, 48),
            },
        )


@dataclass(frozen=True)
class DeliveryRules:
    """Deliveries of suppliers that fail or bring less than was ordered, ``[deliveries]``.

    Attributes
    ----------
    failed_share : share of deliveries that do not come on their day
    retry_days : days after which a failed delivery comes all the same; 0 = never, and the
        order lapses on the day
    short_share : share of the other deliveries that come short
    short_fill : share of each line that a short delivery brings, in whole packs; the rest
        of the order lapses
    """

    failed_share: float = 0.0
    retry_days: int = 0
    short_share: float = 0.0
    short_fill: float = 0.5

    def __post_init__(self) -> None:
        check_limits(
            self,
            "deliveries",
            {
                "failed_share": (0, 1),
                "retry_days": (0, 365),
                "short_share": (0, 1),
                "short_fill": (0, 1),
            },
        )


@dataclass(frozen=True)
class Substitution:
    """Customers who take another SKU for one that is not there, ``[substitution]``.

    Attributes
    ----------
    share : share of lines that are short whose customer takes another SKU of the category
        that is there, unit for unit, as far as it goes; 0 = nobody
    by_category : (category, share) where it is another one
    matrix : (SKU, ((other SKU, share), ...)), of customers who came for the SKU, how many take
        which other one of its category; whoever chooses one that is not there takes none.
        Shares of a row sum to at most 1, and a SKU with a row has no share besides
    """

    share: float = 0.0
    by_category: tuple[tuple[str, float], ...] = ()
    matrix: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = ()

    def __post_init__(self) -> None:
        check_limits(self, "substitution", {"share": (0, 1)})
        for name, share in self.by_category:
            if not 0 <= share <= 1:
                raise ScenarioInvalid(
                    f"the share of {name} is {share}",
                    field="substitution.by_category",
                    remedy="give a share from 0 to 1",
                )
        for sku, row in self.matrix:
            shares = [share for _, share in row]
            if not all(share >= 0 for share in shares) or sum(shares) > 1 + 1e-9:
                raise ScenarioInvalid(
                    f"{sum(shares):g} of the customers of {sku} take another SKU",
                    field="substitution.matrix",
                    remedy="give shares from 0 on that sum to at most 1",
                )


@dataclass(frozen=True)
class CustomerReturns:
    """Goods that customers bring back, ``[customer_returns]``.

    Attributes
    ----------
    share : share of units sold that come back; 0 = none
    after_days : days between sale and return
    resell_share : share of these that is for sale again; the rest is written off
    at_s : time of the day at which they come, seconds after midnight
    """

    share: float = 0.0
    after_days: int = 7
    resell_share: float = 0.7
    at_s: int = 10 * 3600

    def __post_init__(self) -> None:
        limits = {"share": (0, 1), "resell_share": (0, 1), "after_days": (1, 56)}
        check_limits(self, "customer_returns", {**limits, "at_s": (0, 86_399)})


@dataclass(frozen=True)
class ShelfRules:
    """Shelves that hold less than a store has, ``[shelf]``.

    Attributes
    ----------
    packs : packs of each SKU that a shelf holds; 0 = all stock is in front
    fill_hours : hours of the day at which staff fill shelves from the backroom
    cases_per_round : most cases that a store's staff bring each time; 0 = all it takes
    """

    packs: float = 0.0
    fill_hours: tuple[float, ...] = (7.0, 13.0, 17.0)
    cases_per_round: int = 0

    def __post_init__(self) -> None:
        check_limits(self, "shelf", {"packs": (0, 10_000), "cases_per_round": (0, 10_000_000)})
        hours = self.fill_hours
        if not hours or not all(0 <= hour < 24 for hour in hours):
            raise ScenarioInvalid(
                f"fill_hours are {list(hours)}",
                field="shelf.fill_hours",
                remedy="give at least one hour from 0 to less than 24",
            )

    def room(self, pack: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """(K,) units that a shelf holds of SKUs in packs of (K,) `pack`, at least one."""
        room: npt.NDArray[np.int32] = np.maximum(np.ceil(self.packs * pack), 1).astype(np.int32)
        return room


@dataclass(frozen=True)
class MarkdownRules:
    """Labels with a lower price on what expires soon, ``[markdown]``.

    Attributes
    ----------
    days_before : labels are on what has so many days of sale left, today's included; 0 = none
    discount_share : by which it is cheaper
    from_hour : hour of the day at which staff label
    pull_share : of customers who would take the youngest, those who take a labelled one
    """

    days_before: int = 0
    discount_share: float = 0.3
    from_hour: float = 17.0
    pull_share: float = 0.5

    def __post_init__(self) -> None:
        limits = {"days_before": (0, 365), "from_hour": (0, 23.99)}
        shares = {"discount_share": (0, 1), "pull_share": (0, 1)}
        check_limits(self, "markdown", {**limits, **shares})


MARKOV_TARGETS = ("suppliers", "warehouses", "lanes")


@dataclass(frozen=True)
class MarkovDisruption:
    """Places that stand still and go on again by chance, ``[[disruptions]] kind = "markov"``.

    Each one is a chain of two states, day by day, in equilibrium when the run begins.

    Attributes
    ----------
    target : {"suppliers", "warehouses", "lanes"}
        Lanes are named by the location that they lead to.
    mean_up_days, mean_down_days : mean length of a stretch of good, and of bad days
    names : which of them; none = all, each by itself
    """

    target: str = "suppliers"
    mean_up_days: float = 90.0
    mean_down_days: float = 3.0
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.target not in MARKOV_TARGETS:
            raise ScenarioInvalid(
                f"target is {self.target!r}",
                field="disruptions.target",
                remedy=f"one of {', '.join(MARKOV_TARGETS)}",
            )
        limits = {"mean_up_days": (1.0, 1e6), "mean_down_days": (1.0, 1e4)}
        check_limits(self, "disruptions", limits)


def check_limits(rules: object, table: str, limits: dict[str, tuple[float, float]]) -> None:
    """Refuse numbers outside their limits, by the scenario file's own name for them."""
    for name, (low, high) in limits.items():
        value = getattr(rules, name)
        if not np.isfinite(value) or not low <= value <= high:
            raise ScenarioInvalid(
                f"{name} is {value}",
                field=f"{table}.{name}",
                remedy=f"give a number from {low:g} to {high:g}",
            )
