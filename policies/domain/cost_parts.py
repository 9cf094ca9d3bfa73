"""The parts of the cost of serving demand, from day facts and rates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from policies.domain.facts import CostModel, DayFacts

Floats = npt.NDArray[np.float64]
Part = Callable[[DayFacts, CostModel], Floats]


def _spread(facts: DayFacts, per_location: Floats) -> Floats:
    """(D, L, 1) money as (D, L, C), all of it on the first category.

    Transport belongs to a location; a split by category would be invented.
    """
    out = np.zeros((*per_location.shape[:2], len(facts.categories)))
    out[..., 0] = per_location[..., 0]
    return out


def holding_cents(facts: DayFacts, costs: CostModel) -> Floats:
    """(D, L, C) cents: stock on hand and on the road at cost × daily rate."""
    stock = facts.get("closing_stock_cents") + facts.get("in_transit_cents")
    return np.asarray(stock * (costs.holding_rate_per_year / 365.0), dtype=np.float64)


def transport_cents(facts: DayFacts, costs: CostModel) -> Floats:
    """(D, L, C) cents: km, driver and tours."""
    money = (
        facts.get("route_metres") * (costs.km_cents / 1_000.0)
        + facts.get("route_seconds") * (costs.driver_cents_per_hour / 3_600.0)
        + facts.get("route_starts_micro") * (costs.tour_cents / 1e6)
    )
    return _spread(facts, np.asarray(money, dtype=np.float64))


def handling_cents(facts: DayFacts, costs: CostModel) -> Floats:
    """(D, L, C) cents: cases handled."""
    return np.asarray(facts.get("cases_received") * costs.handling_cents_per_case, dtype=np.float64)


def warehouse_cents(facts: DayFacts, costs: CostModel) -> Floats:
    """(D, L, C) cents: what a warehouse costs, by the cases that came from one.

    No part of :data:`COST_PARTS`: the holding rate pays for storage there.
    """
    cases = facts.get("warehouse_cases") * costs.warehouse_cents_per_case
    return np.asarray(cases, dtype=np.float64)


def ordering_cents(facts: DayFacts, costs: CostModel) -> Floats:
    """(D, L, C) cents: supplier order lines."""
    return np.asarray(facts.get("purchase_lines") * costs.order_line_cents, dtype=np.float64)


def waste_cents(facts: DayFacts, costs: CostModel) -> Floats:
    """(D, L, C) cents: recorded disposal."""
    return np.asarray(facts.get("write_off_cents") * costs.waste_factor, dtype=np.float64)


def lost_margin_cents(facts: DayFacts, costs: CostModel) -> Floats:
    """(D, L, C) cents: margin of demand that was not served (latent)."""
    return np.asarray(facts.get("margin_lost_cents") * costs.lost_margin_factor, dtype=np.float64)


def run_down_cents(facts: DayFacts, costs: CostModel) -> Floats:
    """(D, L, C) cents: what it costs to bring back the stock that was used up.

    Stock sold from the shelves without being replaced has saved its transport and
    handling only until after the window; stock built up has paid them ahead. The goods
    themselves count on neither side (docs/adr/0004).
    """
    used_up = -facts.get("stock_change_cents").astype(np.float64)
    return np.asarray(used_up * costs.replacement_rate, dtype=np.float64)


COST_PARTS: dict[str, Part] = {
    "holding": holding_cents,
    "transport": transport_cents,
    "handling": handling_cents,
    "ordering": ordering_cents,
    "waste": waste_cents,
    "lost_margin": lost_margin_cents,
    "stock_run_down": run_down_cents,
}
