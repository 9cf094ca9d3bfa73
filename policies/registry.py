"""Named bundles: plain parameters ↔ :class:`PolicyBundle`.

Scenario files, studies and releases all name a bundle and give its parameters in this
one flat form; unknown names are refused with the nearest known one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from policies.allocation.fair_share import FairShare
from policies.allocation.marginal_value import MarginalValue
from policies.allocation.proportional import Proportional
from policies.bundle import PolicyBundle
from policies.delivery import DeliveryCalendar
from policies.domain.errors import InvalidInput
from policies.domain.nearest import nearest
from policies.domain.ports import Allocator, Replenisher, Router, TransferPolicy
from policies.forecasting.seasonal import SeasonalBaseline
from policies.replenishment.base_stock import CappedBaseStock
from policies.replenishment.baselines import Ddmrp, SpreadsheetBaseStock
from policies.replenishment.echelon import EchelonBaseStock
from policies.replenishment.fixed import ConstantOrder, FixedBaseStock
from policies.replenishment.levels import class_count
from policies.replenishment.min_max import MinMax
from policies.replenishment.one_period import MyopicOrder, Newsvendor
from policies.replenishment.orders import OrderRules
from policies.replenishment.perishable import PerishableBaseStock
from policies.replenishment.reorder import ModifiedReorder, ReorderBatches
from policies.routing.loading import Loading
from policies.routing.rules import RoutingRules
from policies.routing.savings import SavingsRouter
from policies.transfer.min_cost_flow import MinCostFlowTransfer

Params = Mapping[str, Any]
_LIKE = 0.4
"""Likeness at which a name is proposed in place of an unknown one."""
FRACTILES = tuple(f"fractile_{i}" for i in range(class_count()))
_COMMON: dict[str, Any] = {
    "reviews_per_week": 7,
    "half_life_days": 21.0,
    "shrink_days": 14.0,
    "lateral_transfers": False,
    "allocation": "fair-share",
    "delivery_days": 7,
    "delivery_patterns": None,
    "tour_metres": 36_000,
    "trucks_share": 1.0,
    "rounds": None,
    "stability_metres": 0,
    "drop_penalty": None,
    "minimum_fill_share": 0.0,
    "fill_up_share": 0.0,
    "fill_up_days": 7,
}
ROUTING = (
    "delivery_days",
    "delivery_patterns",
    "tour_metres",
    "trucks_share",
    "rounds",
    "stability_metres",
    "drop_penalty",
    "minimum_fill_share",
    "fill_up_share",
    "fill_up_days",
)
"""Parameters of delivery, loading and routing, which every bundle has."""
ALLOCATORS: dict[str, Callable[[], Allocator]] = {
    "fair-share": FairShare,
    "marginal-value": MarginalValue,
    "proportional": Proportional,
}
_LEVEL: dict[str, Any] = {
    "presentation_units": 1,
    "pack_share": 0.05,
    "warehouse_cover_days": 4.0,
}
_BASE_STOCK: dict[str, Any] = {
    **_COMMON,
    **_LEVEL,
    "warehouse_batch_days": 0.0,
    **dict.fromkeys(FRACTILES, 0.9),
    "safety_share": 1.0,
}


@dataclass(frozen=True)
class Recipe:
    """How a named bundle is made: its parameters with defaults, and its replenisher."""

    defaults: dict[str, Any]
    replenisher: Callable[[Params], Replenisher]


def _capped(params: Params) -> Replenisher:
    return CappedBaseStock(
        fractiles=tuple(float(params[name]) for name in FRACTILES),
        safety_share=float(params["safety_share"]),
        cap_share=params.get("cap_share"),
        presentation_units=int(params["presentation_units"]),
        pack_share=float(params["pack_share"]),
        warehouse_cover_days=float(params["warehouse_cover_days"]),
        warehouse_batch_days=float(params["warehouse_batch_days"]),
    )


def _min_max(params: Params) -> Replenisher:
    return MinMax(
        reorder_cover_days=float(params["reorder_cover_days"]),
        order_up_to_cover_days=float(params["order_up_to_cover_days"]),
        presentation_units=int(params["presentation_units"]),
        pack_share=float(params["pack_share"]),
        warehouse_cover_days=float(params["warehouse_cover_days"]),
    )


def _rules(params: Params) -> OrderRules:
    return OrderRules(
        presentation_units=int(params["presentation_units"]),
        pack_share=float(params["pack_share"]),
        warehouse_cover_days=float(params["warehouse_cover_days"]),
        warehouse_batch_days=float(params["warehouse_batch_days"]),
    )


def _ruled(kind: Callable[..., Replenisher], **own: float) -> Recipe:
    """A policy whose own parameters are numbers, beside the rules that all share."""

    def make(params: Params) -> Replenisher:
        # An integer default stays an integer, whatever a search hands over.
        return kind(**{k: type(v)(params[k]) for k, v in own.items()}, rules=_rules(params))

    return Recipe({**_COMMON, **_LEVEL, "warehouse_batch_days": 0.0, **own}, make)


RECIPES: dict[str, Recipe] = {
    "incumbent": Recipe(
        {
            **_COMMON,
            **_LEVEL,
            "reviews_per_week": 1,
            "reorder_cover_days": 10.0,
            "order_up_to_cover_days": 17.0,
            "warehouse_cover_days": 7.0,
        },
        _min_max,
    ),
    "base-stock": Recipe(_BASE_STOCK, _capped),
    "capped-base-stock": Recipe({**_BASE_STOCK, "cap_share": 1.5}, _capped),
    "fixed-base-stock": Recipe(
        {**_COMMON, "level": 0, "cap": None},
        lambda p: FixedBaseStock(int(p["level"]), None if p["cap"] is None else int(p["cap"])),
    ),
    "constant-order": Recipe(
        {**_COMMON, "quantity": 0}, lambda p: ConstantOrder(int(p["quantity"]))
    ),
    "reorder-batches": _ruled(ReorderBatches, fractile=0.95, batch_days=3.0),
    "modified-reorder": _ruled(ModifiedReorder, fractile=0.9, batch_days=2.0, cap_share=1.5),
    "newsvendor": _ruled(Newsvendor, salvage_share=0.0),
    "myopic": _ruled(MyopicOrder, fractile=0.9, lead_days=0),
    "perishable-base-stock": _ruled(PerishableBaseStock, fractile=0.9),
    "echelon-base-stock": _ruled(EchelonBaseStock, store_fractile=0.9, warehouse_fractile=0.95),
    "ddmrp": _ruled(Ddmrp, lead_time_factor=0.5, variability_factor=0.5, order_cycle_days=1.0),
    "spreadsheet": _ruled(SpreadsheetBaseStock, fractile=0.95),
}


def build_bundle(
    name: str,
    params: Params | None = None,
    *,
    router: Router | None = None,
    transfer: TransferPolicy | None = None,
) -> PolicyBundle:
    """The bundle `name` with `params` over its defaults.

    Parameters
    ----------
    router : Router, optional
        Default: the deterministic cheap router.
    transfer : TransferPolicy, optional
        Default: min-cost flow where the parameter ``lateral_transfers`` is true.

    Raises
    ------
    InvalidInput
        If the name or a parameter is unknown (the nearest known one is the remedy).
    """
    if name not in RECIPES:
        raise InvalidInput(
            f"no policy {name!r}", field="policy.name", remedy=nearest(name, RECIPES, cutoff=_LIKE)
        )
    recipe = RECIPES[name]
    given = dict(params or {})
    for key in given:
        if key not in recipe.defaults:
            raise InvalidInput(
                f"policy {name} has no parameter {key!r}",
                field=f"policy.params.{key}",
                remedy=nearest(key, recipe.defaults, cutoff=_LIKE),
            )
    full = {**recipe.defaults, **given}
    if full["allocation"] not in ALLOCATORS:
        raise InvalidInput(
            f"no allocation {full['allocation']!r}",
            field="policy.params.allocation",
            remedy=nearest(str(full["allocation"]), ALLOCATORS, cutoff=_LIKE),
        )
    calendar = DeliveryCalendar.of(
        int(full["reviews_per_week"]), int(full["delivery_days"]), full["delivery_patterns"]
    )
    rules = _routing_rules(full)
    return PolicyBundle(
        name=name,
        forecaster=SeasonalBaseline(
            half_life_days=float(full["half_life_days"]), shrink_days=float(full["shrink_days"])
        ),
        replenisher=recipe.replenisher(full),
        allocator=ALLOCATORS[full["allocation"]](),
        transfer=transfer or (MinCostFlowTransfer() if full["lateral_transfers"] else None),
        router=router or SavingsRouter(tour_metres=int(full["tour_metres"]), rules=rules),
        reviews_per_week=calendar.reviews_per_week,
        delivery_days=calendar.delivery_days,
        delivery_patterns=calendar.patterns,
        loading=_loading(full),
        rules=rules,
    )


def _routing_rules(full: Params) -> RoutingRules:
    rounds = full["rounds"]
    return RoutingRules(
        trucks_share=float(full["trucks_share"]),
        rounds=None if rounds is None else int(rounds),
        stability_metres=int(full["stability_metres"]),
    )


def _loading(full: Params) -> Loading:
    penalty = full["drop_penalty"]
    return Loading(
        drop_penalty=None if penalty is None else float(penalty),
        minimum_fill_share=float(full["minimum_fill_share"]),
        fill_up_share=float(full["fill_up_share"]),
        fill_up_days=int(full["fill_up_days"]),
    )


def defaults(name: str) -> dict[str, Any]:
    """The parameters of a named bundle with their defaults."""
    if name not in RECIPES:
        raise InvalidInput(
            f"no policy {name!r}", field="policy.name", remedy=nearest(name, RECIPES, cutoff=_LIKE)
        )
    return dict(RECIPES[name].defaults)
