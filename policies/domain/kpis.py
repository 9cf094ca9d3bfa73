"""The KPI registry: one function per KPI, the same for the twin and for reality.

A KPI is a ratio of two sums over day facts, so it rolls up over days, locations and
categories as Σ numerator / Σ denominator, never as a mean of ratios.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.cost_parts import (
    COST_PARTS,
    Part,
    handling_cents,
    transport_cents,
    warehouse_cents,
)
from policies.domain.errors import InvalidInput
from policies.domain.facts import CostModel, DayFacts
from policies.domain.workload import clerk_minutes, hundreds_handled

Floats = npt.NDArray[np.float64]
AXES = ("day", "location", "category")


@dataclass(frozen=True)
class Kpi:
    """One registered key figure.

    Attributes
    ----------
    name : str, the key in files and answers
    question : str, what a person asks
    formula : str, in words
    unit : str, "share", "days", "per year", "km", "cents", "minutes", "units" or
        "kg"
    direction : int, +1 where more is better, −1 where less is
    observable : bool, False where only the twin can know it
    numerator, denominator : (D, L, C) float64 from facts and costs; no denominator =
        a plain total
    caveat : str
    """

    name: str
    question: str
    formula: str
    unit: str
    direction: int
    observable: bool
    numerator: Part
    denominator: Part | None = None
    caveat: str = ""


def _fact(*names: str, factor: float = 1.0) -> Part:
    def part(facts: DayFacts, _: CostModel) -> Floats:
        total = sum(facts.get(name).astype(np.float64) for name in names) * factor
        return np.asarray(total, dtype=np.float64)

    return part


def _minus(a: str, b: str) -> Part:
    def part(facts: DayFacts, _: CostModel) -> Floats:
        return (facts.get(a) - facts.get(b)).astype(np.float64)

    return part


def _cost(*without: str) -> Part:
    def part(facts: DayFacts, costs: CostModel) -> Floats:
        parts = [make(facts, costs) for name, make in COST_PARTS.items() if name not in without]
        return np.asarray(np.sum(parts, axis=0), dtype=np.float64)

    return part


def _to_the_shelf(facts: DayFacts, costs: CostModel) -> Floats:
    parts = (transport_cents, handling_cents, warehouse_cents)
    return np.asarray(np.sum([part(facts, costs) for part in parts], axis=0), dtype=np.float64)


CO2E_FACTS = ("co2e_transport_mg", "co2e_storage_mg", "co2e_waste_mg")


def _units_with_carbon(facts: DayFacts, _: CostModel) -> Floats:
    """(D, L, C) units sold; 0 where carbon was not kept, so that no figure reads 0 kg."""
    kept = any(facts.get(name).any() for name in CO2E_FACTS)
    return np.asarray(facts.get("units_sold") * float(kept), dtype=np.float64)


_ALL = (
    Kpi(
        "on_shelf_availability",
        "How much of the opening time was a listed SKU on the shelf?",
        "open seconds with book stock > 0 / open seconds of listed SKUs",
        "share",
        1,
        True,
        _fact("in_stock_open_sku_seconds"),
        _fact("open_sku_seconds"),
        "from the book: phantom stock counts as available",
    ),
    Kpi(
        "stockout_rate",
        "How many SKU-days ended without stock?",
        "1 − SKU-days in stock at closing / listed SKU-days",
        "share",
        -1,
        True,
        _minus("ranged_sku_days", "in_stock_sku_days"),
        _fact("ranged_sku_days"),
    ),
    Kpi(
        "true_fill_rate",
        "Which share of the demand was served?",
        "units served / units demanded",
        "share",
        1,
        False,
        _minus("units_demanded", "units_lost"),
        _fact("units_demanded"),
        "twin only; on replayed sales it is the fill of recorded demand",
    ),
    Kpi(
        "stock_turn",
        "How often does the stock turn over in a year?",
        "cost of goods sold × 365 / Σ daily stock at cost",
        "per year",
        1,
        True,
        _fact("cost_of_goods_sold_cents", factor=365.0),
        _fact("closing_stock_cents"),
    ),
    Kpi(
        "days_of_supply",
        "For how many days does the stock last?",
        "units on hand / forecast units of a day",
        "days",
        -1,
        True,
        _fact("closing_stock_units"),
        _fact("forecast_milliunits", factor=1e-3),
        "by the forecast known on the day; too little is as wrong as too much",
    ),
    Kpi(
        "slow_mover_share",
        "How much of the stock value does not move?",
        "stock value of slow movers / stock value",
        "share",
        -1,
        True,
        _fact("slow_stock_cents"),
        _fact("closing_stock_cents"),
        "slow = no sale for 60 days or cover above 180 days",
    ),
    Kpi(
        "order_fill_rate",
        "Which share of what stores ordered was shipped at the first promise?",
        "units shipped / units ordered, on the day a line ships or is cut",
        "share",
        1,
        True,
        _fact("filled_units"),
        _fact("order_units"),
    ),
    Kpi(
        "transfer_accuracy",
        "How many transfer lines arrived exactly as shipped?",
        "lines with received = shipped = ordered / lines received",
        "share",
        1,
        True,
        _fact("transfer_lines_right"),
        _fact("transfer_lines_received"),
    ),
    Kpi(
        "replenishment_lead_time",
        "How long from the decision to the shelf?",
        "Σ (received − need detected) / lines received",
        "days",
        -1,
        True,
        _fact("replenishment_seconds", factor=1 / 86_400.0),
        _fact("replenishment_lines"),
        "a need is detected when the decision that orders it is made",
    ),
    Kpi(
        "stock_record_accuracy",
        "How many stock records are right?",
        "random-count lines with counted = expected / random-count lines",
        "share",
        1,
        True,
        _fact("count_lines_right"),
        _fact("count_lines"),
        "from the random sample only, tolerance 0",
    ),
    Kpi(
        "latent_record_accuracy",
        "How many stock records are truly right?",
        "records with book = physical / records, at closing",
        "share",
        1,
        False,
        _fact("latent_records_right"),
        _fact("latent_records"),
        "twin only",
    ),
    Kpi(
        "write_off_rate",
        "How much is thrown away?",
        "recorded waste at cost / net sales",
        "share",
        -1,
        True,
        _fact("write_off_cents"),
        _fact("revenue_cents"),
    ),
    Kpi(
        "truck_km",
        "How far do the trucks drive?",
        "Σ km of all tours",
        "km",
        -1,
        True,
        _fact("route_metres", factor=1e-3),
    ),
    Kpi(
        "empty_km_share",
        "How much of the way do trucks drive empty?",
        "km of ways back without goods / km of all tours",
        "share",
        -1,
        True,
        _fact("empty_metres"),
        _fact("route_metres"),
        "totes may ride back; live: the road's length from the last stop home",
    ),
    Kpi(
        "on_time_stops",
        "How many stops were inside their window?",
        "stops on time / stops",
        "share",
        1,
        True,
        _fact("stops_on_time"),
        _fact("stops"),
    ),
    Kpi(
        "stock_value",
        "How much money lies in stock?",
        "Σ daily stock at cost / days",
        "cents",
        -1,
        True,
        _fact("closing_stock_cents"),
        None,
        "a total over days; divide by the number of days shown",
    ),
    Kpi(
        "clerk_minutes_per_100_handled",
        "How much of clerks' time does it take?",
        "minutes by standard times / hundreds of cases, lines and units handled",
        "minutes",
        -1,
        True,
        clerk_minutes,
        hundreds_handled,
        "standard times, not measured ones",
    ),
    Kpi(
        "cost_per_case",
        "What does it cost to bring a case to the shelf?",
        "(transport + handling + share of the warehouse) / cases received",
        "cents",
        -1,
        True,
        _to_the_shelf,
        _fact("cases_received"),
    ),
    Kpi(
        "co2e_per_unit_sold",
        "How much carbon does a unit carry to its customer?",
        "kg CO2e of legs, storage, refrigeration and waste / units sold",
        "kg",
        -1,
        False,
        _fact(*CO2E_FACTS, factor=1e-6),
        _units_with_carbon,
        "twin only; many factors are assumed (docs/carbon.md); what stock and trucks carry "
        "at the end belongs to units not sold yet",
    ),
    *(
        Kpi(
            f"co2e_{cause}",
            f"How much carbon do {what} cause?",
            f"Σ kg CO2e of {which}",
            "kg",
            -1,
            False,
            _fact(f"co2e_{cause}_mg", factor=1e-6),
            None,
            "twin only; 0 where the run keeps no carbon",
        )
        for cause, what, which in (
            ("transport", "trucks, vans and deliveries", "legs"),
            ("storage", "buildings and refrigeration", "storage energy and refrigerant"),
            ("waste", "goods thrown away", "waste"),
        )
    ),
    Kpi(
        "cost_per_unit_demanded",
        "What does it cost to serve a unit of demand?",
        "(holding + transport + handling + ordering + waste + lost margin + stock used up) "
        "/ units demanded",
        "cents",
        -1,
        False,
        _cost(),
        _fact("units_demanded"),
        "twin only: divided by demand, since dividing by sales would reward not selling; "
        "stock used up is the decrease of stock on hand and in transit, at the cost of "
        "bringing it back",
    ),
    Kpi(
        "running_cost_per_unit_demanded",
        "The same without the change in stock?",
        "(holding + transport + handling + ordering + waste + lost margin) / units demanded",
        "cents",
        -1,
        False,
        _cost("stock_run_down"),
        _fact("units_demanded"),
        "twin only; shown beside the full figure",
    ),
)
KPIS: dict[str, Kpi] = {kpi.name: kpi for kpi in _ALL}


def kpi(name: str) -> Kpi:
    """The registered KPI of that name."""
    try:
        return KPIS[name]
    except KeyError:
        raise InvalidInput(
            f"no KPI {name!r}", field="kpi", remedy=f"one of {', '.join(KPIS)}"
        ) from None


def value(
    which: Kpi, facts: DayFacts, costs: CostModel | None = None, by: Sequence[str] = ()
) -> Floats:
    """The KPI over the axes in `by`, all others summed away.

    Parameters
    ----------
    which : Kpi
    facts : DayFacts
    costs : CostModel, optional
    by : sequence of {"day", "location", "category"}, kept axes (in this order of axes)

    Returns
    -------
    float64 array over the kept axes (0-d for none); NaN where the denominator is 0
    """
    rates = costs if costs is not None else CostModel()
    gone = tuple(i for i, axis in enumerate(AXES) if axis not in by)
    top = np.asarray(which.numerator(facts, rates).sum(axis=gone))
    if which.denominator is None:
        return top
    below = np.asarray(which.denominator(facts, rates).sum(axis=gone))
    out = np.full(top.shape, np.nan)
    np.divide(top, below, out=out, where=below != 0)
    return out
