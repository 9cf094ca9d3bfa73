"""Why a line: its numbers and a sentence in zh and en."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from policies.domain.decision import Decision, LineKind, Reason
from policies.domain.errors import InvalidInput
from policies.domain.view import NetworkView

Floats = npt.NDArray[np.float64]

_LANGUAGES = ("zh", "en")
_WHY = {
    Reason.BELOW_REORDER_POINT: ("低于再订货点", "the position is below the reorder point"),
    Reason.BELOW_BASE_STOCK: ("低于基准库存", "the position is below the base stock"),
    Reason.BASE_STOCK_CAPPED: ("低于基准库存，订量封顶", "below the base stock, order capped"),
    Reason.SHARED_SHORTAGE: ("仓库不足，按规则分配", "the warehouse is short and shares"),
    Reason.NEIGHBOUR_HAS_SURPLUS: ("附近门店有富余", "a neighbour has more than it needs"),
    Reason.WAREHOUSE_COVER: ("仓库覆盖天数不足", "the warehouse covers too few days"),
    Reason.CONSTANT_ORDER: ("固定订量", "a constant order"),
    Reason.BELOW_SAFETY_LINE: ("日内低于安全线", "below the safety line during the day"),
    Reason.RIDES_AHEAD: ("车有余位，提前配送", "the truck has room, so it rides ahead"),
}


@dataclass(frozen=True)
class LineNumbers:
    """What a sentence about one line says; None = not known to whoever asks.

    Attributes
    ----------
    units : int, quantity of the line
    reason : int, its :class:`Reason`
    demand_per_day : float, units
    cover_before_days, cover_after_days : float or None, None or infinite = no sales
    risk_before, risk_after : float or None, shares
    cost_cents : int or None
    truck : str, name of the tour that brings it; "" = none
    """

    units: int
    reason: int
    demand_per_day: float
    cover_before_days: float | None
    cover_after_days: float | None
    risk_before: float | None = None
    risk_after: float | None = None
    cost_cents: int | None = None
    truck: str = ""


@dataclass(frozen=True)
class Explanation:
    """The numbers behind each line of a decision, as columns.

    Attributes
    ----------
    demand_per_day : (N,) float64, units
    demand_until_next : (N,) float64, units expected until the next order's receipt
    cover_before_days, cover_after_days : (N,) float64, position over demand; infinite
        where nothing is sold
    risk_before, risk_after : (N,) float64, chance of running out until the next receipt,
        without and with the line
    cost_cents : (N,) int64, the goods at cost
    freight_cents : (N,) float64, the line's share of its tour by mass; 0 without a tour
    truck : (N,) int32, number of the route that brings it; −1 = none
    """

    demand_per_day: Floats
    demand_until_next: Floats
    cover_before_days: Floats
    cover_after_days: Floats
    risk_before: Floats
    risk_after: Floats
    cost_cents: npt.NDArray[np.int64]
    freight_cents: Floats
    truck: npt.NDArray[np.int32]

    def line(self, row: int, units: int, reason: int) -> LineNumbers:
        """The numbers of one line; its tour is named by its number from 1."""
        truck = int(self.truck[row])
        return LineNumbers(
            units,
            reason,
            float(self.demand_per_day[row]),
            float(self.cover_before_days[row]),
            float(self.cover_after_days[row]),
            float(self.risk_before[row]),
            float(self.risk_after[row]),
            int(self.cost_cents[row]),
            str(truck + 1) if truck >= 0 else "",
        )


def explain(view: NetworkView, decision: Decision, cents_per_km: float = 0.0) -> Explanation:
    """The numbers of every line of `decision`, made on `view`.

    A warehouse's demand is that of all its stores.
    """
    if view.forecast is None:
        raise InvalidInput("the view carries no forecast", field="view.forecast")
    lines, network = decision.lines, view.network
    cells = (lines.destination, lines.sku)
    level = view.forecast.level.astype(np.float64)
    mean = view.forecast.mean_total(view.day + 1, view.protection_days).astype(np.float64)
    ratio = view.forecast.variance_ratio.astype(np.float64).copy()
    for place in network.warehouses.tolist():
        mine = np.flatnonzero(network.locations.source == place)
        days = np.full(len(level), view.protection_days[place], dtype=np.int32)
        totals = view.forecast.mean_total(view.day + 1, days)[mine].astype(np.float64)
        level[place], mean[place] = level[mine].sum(axis=0), totals.sum(axis=0)
        spread = (totals * ratio[mine]).sum(axis=0)
        ratio[place] = np.divide(
            spread, mean[place], out=np.ones_like(spread), where=mean[place] > 0
        )
    before = view.inventory_position[cells]
    after = before + lines.quantity
    truck, freight = _tours(view, decision, cents_per_km)
    return Explanation(
        level[cells],
        mean[cells],
        cover_days(before, level[cells]),
        cover_days(after, level[cells]),
        run_out_risk(before, mean[cells], ratio[cells]),
        run_out_risk(after, mean[cells], ratio[cells]),
        lines.quantity.astype(np.int64) * network.skus.unit_cost_cents[lines.sku],
        freight,
        truck,
    )


def cover_days(units: npt.NDArray[np.integer], per_day: Floats) -> Floats:
    """Days that `units` last; infinite where nothing is sold, never below 0."""
    held = np.maximum(units, 0).astype(np.float64)
    out: Floats = np.divide(held, per_day, out=np.full(held.shape, np.inf), where=per_day > 0)
    return out


def run_out_risk(units: npt.NDArray[np.integer], mean: Floats, ratio: Floats) -> Floats:
    """P(demand > units): negative binomial by mean and variance ratio, Poisson at 1."""
    at = np.maximum(units, -1).astype(np.float64) + 1
    some = np.maximum(mean, 1e-12)
    spread = np.maximum(ratio, 1 + 1e-9)
    poisson = special.gammainc(np.maximum(at, 1e-12), some)
    shape = some / (spread - 1)
    wide = special.betainc(np.maximum(at, 1e-12), shape, 1 - 1 / spread)
    out = np.where(ratio < 1 + 1e-6, poisson, wide)
    out = np.where(at <= 0, 1.0, out)
    return np.where(mean > 0, out, 0.0)


def sentence(line: LineNumbers, language: str) -> str:
    """One line of a decision in words a store manager reads; `language` = zh or en."""
    if language not in _LANGUAGES:
        raise InvalidInput(f"no language {language!r}", field="language", remedy="one of zh, en")
    return _chinese(line) if language == "zh" else _english(line)


def _chinese(line: LineNumbers) -> str:
    parts = [
        f"补 {line.units} 件：{_WHY[Reason(line.reason)][0]}",
        (
            f"日均需求 {line.demand_per_day:.1f} 件，可售天数由 {_days(line.cover_before_days)[0]} "
            f"变为 {_days(line.cover_after_days)[0]}"
        ),
    ]
    if line.risk_before is not None and line.risk_after is not None:
        parts.append(f"下次到货前缺货概率由 {line.risk_before:.0%} 降到 {line.risk_after:.0%}")
    if line.cost_cents is not None:
        parts.append(f"货值 {line.cost_cents / 100:.2f}")
    if line.truck:
        parts.append(f"由车次 {line.truck} 配送")
    return "；".join(parts) + "。"


def _english(line: LineNumbers) -> str:
    parts = [
        f"{line.units} units: {_WHY[Reason(line.reason)][1]}",
        (
            f"sells {line.demand_per_day:.1f} a day, cover goes from "
            f"{_days(line.cover_before_days)[1]} to {_days(line.cover_after_days)[1]}"
        ),
    ]
    if line.risk_before is not None and line.risk_after is not None:
        parts.append(
            "risk of running out before the next delivery falls from "
            f"{line.risk_before:.0%} to {line.risk_after:.0%}"
        )
    if line.cost_cents is not None:
        parts.append(f"goods worth {line.cost_cents / 100:.2f}")
    if line.truck:
        parts.append(f"on tour {line.truck}")
    return "; ".join(parts) + "."


def _days(value: float | None) -> tuple[str, str]:
    if value is None or not np.isfinite(value):
        return "无销售", "no sales"
    return f"{value:.1f} 天", f"{value:.1f} days"


def _tours(
    view: NetworkView, decision: Decision, cents_per_km: float
) -> tuple[npt.NDArray[np.int32], Floats]:
    """(route of each line or −1, its share of that route's driving cost)."""
    lines = decision.lines
    truck = np.full(len(lines), -1, dtype=np.int32)
    mass = lines.quantity.astype(np.float64) * view.network.skus.mass_g[lines.sku]
    freight = np.zeros(len(lines))
    of_store = np.full(view.network.shape[0], -1, dtype=np.int32)
    # A store that several trucks serve is named with its first.
    for number in range(len(decision.routes) - 1, -1, -1):
        of_store[list(decision.routes[number].stops)] = number
    driven = lines.kind == LineKind.REPLENISH
    truck[driven] = of_store[lines.destination[driven]]
    on = truck >= 0
    if on.any():
        loads = np.bincount(truck[on], mass[on], len(decision.routes))
        cents = np.array([route.metres for route in decision.routes]) / 1_000 * cents_per_km
        share = np.divide(mass[on], loads[truck[on]], out=np.zeros(int(on.sum())),
                          where=loads[truck[on]] > 0)  # fmt: skip
        freight[on] = share * cents[truck[on]]
    return truck, freight
