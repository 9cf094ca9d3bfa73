"""Rules of what happens to goods beside selling them; each is off as it stands here."""

from __future__ import annotations

from dataclasses import dataclass

from policies.domain.errors import ScenarioInvalid
from twin.processes import check_limits

ACTIONS = ("destroy", "return")


@dataclass(frozen=True)
class Recall:
    """A lot that must not be sold any more, a table of ``[[recalls]]``.

    Attributes
    ----------
    skus : names of the SKUs concerned
    category : besides, all SKUs of this category; "" = none
    sku_share : besides, so many of all SKUs, always the same by their names
    from_day, at_hour : when it is called back (day 0 = first simulated day)
    days : for which suppliers still deliver the lot; 0 = what was ordered before is sound
    lot_share : share of the units everywhere that are of the lot
    action : "destroy" = written off on the spot, "return" = sent to the supplier for credit
    """

    skus: tuple[str, ...] = ()
    category: str = ""
    sku_share: float = 0.0
    from_day: int = 0
    at_hour: float = 8.0
    days: int = 7
    lot_share: float = 1.0
    action: str = "destroy"

    def __post_init__(self) -> None:
        limits = {"from_day": (0, 100_000), "days": (0, 3_650)}
        check_limits(self, "recalls", {**limits, "at_hour": (0, 23.99)})
        check_limits(self, "recalls", {"lot_share": (0, 1), "sku_share": (0, 1)})
        if self.action not in ACTIONS:
            raise ScenarioInvalid(
                f"action is {self.action!r}",
                field="recalls.action",
                remedy=f"one of {', '.join(ACTIONS)}",
            )
        if not self.skus and not self.category and not self.sku_share:
            raise ScenarioInvalid(
                "a recall names no goods",
                field="recalls.skus",
                remedy="give skus = [...], a category or a sku_share",
            )


@dataclass(frozen=True)
class GoodsReturns:
    """Goods that stores send back to their warehouse, ``[goods_returns]``.

    They ride on trucks that go home empty anyway: no kilometre is added.

    Attributes
    ----------
    every_days : days between two rounds; 0 = nothing is sent back
    cover_days : a SKU whose book stock lasts longer at the pace of the last 56 days goes back
    keep_days : down to so many days of that pace, in whole cases
    at_hour : when staff put them on the ramp, and when the warehouse has them in stock
    back_days : days until then
    damaged_share : of the units that come back, those that are written off there
    supplier_share : of the others, those that go on to the supplier for credit
    """

    every_days: int = 0
    cover_days: float = 180.0
    keep_days: float = 56.0
    at_hour: float = 20.0
    back_days: int = 1
    damaged_share: float = 0.02
    supplier_share: float = 0.0

    def __post_init__(self) -> None:
        shares = {"damaged_share": (0, 1), "supplier_share": (0, 1)}
        limits = {"every_days": (0, 3_650), "cover_days": (0, 100_000), "keep_days": (0, 100_000)}
        more = {"at_hour": (0, 23.99), "back_days": (1, 60)}
        check_limits(self, "goods_returns", {**limits, **more, **shares})
        if self.keep_days > self.cover_days:
            raise ScenarioInvalid(
                f"keep_days is {self.keep_days}, cover_days {self.cover_days}",
                field="goods_returns.keep_days",
                remedy="keep at most what does not go back",
            )


@dataclass(frozen=True)
class Misplacement:
    """Goods in a store that customers do not reach, ``[misplacement]``.

    Attributes
    ----------
    share_per_day : of the units in front that go astray each day; 0 = none
    found_per_day : share of stray units that turn up again by themselves
    at_hour : when both happen
    count_finds_share : of counted SKUs with stray units, those whose stray units the count
        finds and puts back; the others are counted without them, and booked away
    """

    share_per_day: float = 0.0
    found_per_day: float = 0.02
    at_hour: float = 21.0
    count_finds_share: float = 0.9

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {"at_hour": (0, 23.99)}
        for name in ("share_per_day", "found_per_day", "count_finds_share"):
            limits[name] = (0, 1)
        check_limits(self, "misplacement", limits)

    @property
    def on(self) -> bool:
        """Whether anything goes astray."""
        return self.share_per_day > 0


RISKS = ("phantom", "value")


@dataclass(frozen=True)
class RiskCounts:
    """Counts of what is most likely wrong, beside those at random, ``[risk_counts]``.

    Attributes
    ----------
    lines_per_day : SKUs that each store counts so in an evening; 0 = none
    rule : "phantom" = likeliest to be silent because they are not there (the chain's own
        detector), "value" = cost of a unit times the root of the units that came and went
        since the last count
    every_days : days that a ranking is worked off
    """

    lines_per_day: int = 0
    rule: str = "phantom"
    every_days: int = 7

    def __post_init__(self) -> None:
        check_limits(
            self, "risk_counts", {"lines_per_day": (0, 10_000_000), "every_days": (1, 365)}
        )
        if self.rule not in RISKS:
            raise ScenarioInvalid(
                f"rule is {self.rule!r}",
                field="risk_counts.rule",
                remedy=f"one of {', '.join(RISKS)}",
            )


@dataclass(frozen=True)
class Conversion:
    """One SKU that stores make others of, a table of ``[[conversions]]``.

    Attributes
    ----------
    input : the SKU that is used up, as a carcass
    outputs : (SKU, yield), units that one unit of the input gives
    units_per_day : most units of the input that a store converts in a day, as far as it has
    keep_units : a store converts while it has fewer units of any output in its book; 0 = always
    at_hour : when it does
    stores : names of the stores that do; none = all that list the input
    """

    input: str = ""
    outputs: tuple[tuple[str, float], ...] = ()
    units_per_day: int = 1
    keep_units: int = 0
    at_hour: float = 7.0
    stores: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {
            "units_per_day": (1, 1_000_000),
            "keep_units": (0, 10_000_000),
            "at_hour": (0, 23.99),
        }
        check_limits(self, "conversions", limits)
        if not self.input or not self.outputs:
            raise ScenarioInvalid(
                "a conversion needs an input and outputs",
                field="conversions.outputs" if self.input else "conversions.input",
                remedy='write input = "carcass" and outputs = {steak = 12.0, mince = 20.0}',
            )
        for name, share in self.outputs:
            if not 0 < share <= 1e6 or name == self.input:
                raise ScenarioInvalid(
                    f"one {self.input} gives {share} of {name}",
                    field="conversions.outputs",
                    remedy="give units above 0 of other SKUs",
                )
