"""The evidence gate: what has to hold before a policy goes live, on weeks tuning never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from policies.domain.facts import CostModel, DayFacts
from policies.domain.kpis import Kpi, kpi, value
from policies.domain.network import Network
from scenarios.compare import (
    RESAMPLED,
    RESAMPLED_POOLED,
    Before,
    Difference,
    compare,
    paired_difference,
)

COST = kpi("cost_per_unit_demanded")
FILL = kpi("true_fill_rate")
AVAILABILITY = kpi("on_shelf_availability")
WASTE = kpi("write_off_rate")
LEAST_GROUP = 8
"""Groups of fewer stores are pooled with the next one: fixed before any result is seen."""
LEAST_CLASS = 0.05
"""Categories that sell less of all units are pooled into one class, fixed as well."""


@dataclass(frozen=True)
class GateRules:
    """Limits of the gate.

    Attributes
    ----------
    least_effect : float, share of the incumbent's cost that has to be saved
    fill_loss : float, most loss of true fill (one-sided 95 % bound), share points
    group_availability_loss : float, the same per region, class and store decile, for
        availability
    waste_growth : float, most growth of the share written off in any of these (one-sided 95 %
        bound), relative to the incumbent's
    stress_loss : float, most relative extra cost in a stress world
    superiority : float, least share of bootstrap replications in which it costs less
    margin_factors : what a lost sale may be worth, against the cost model, with the sign
        of the difference unchanged
    rate_factors : the same for each of `ASSUMED_RATES`, one at a time
    """

    least_effect: float = 0.01
    fill_loss: float = 0.002
    group_availability_loss: float = 0.005
    waste_growth: float = 0.05
    stress_loss: float = 0.02
    superiority: float = 0.95
    margin_factors: tuple[float, ...] = (0.5, 2.0)
    rate_factors: tuple[float, ...] = (0.5, 2.0)


ASSUMED_RATES = (
    "holding_rate_per_year",
    "handling_cents_per_case",
    "order_line_cents",
    "truck_cents_per_km",
)
"""Rates that a chain rarely knows well; a better policy is better at half and twice of each."""

Pair = tuple[str, DayFacts, DayFacts]
"""(world, incumbent's facts, candidate's facts) of one run each."""


@dataclass(frozen=True)
class Check:
    """One condition, what was found, and whether it holds."""

    name: str
    holds: bool
    found: str


@dataclass(frozen=True)
class Verdict:
    """The gate's answer.

    Attributes
    ----------
    promoted : bool, every check holds
    reasons : tuple of str, what did not hold, or why it may go live
    checks : tuple of Check
    kpis : tuple of Difference, winner against incumbent
    resampled : str, what the intervals resample
    """

    promoted: bool
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    kpis: tuple[Difference, ...]
    resampled: str = RESAMPLED

    def as_dict(self) -> dict[str, Any]:
        """Plain data for the release and the summary."""
        return asdict(self)


DEFAULT_RULES = GateRules()


def judge(
    incumbent: Sequence[DayFacts],
    candidate: Sequence[DayFacts],
    network: Network,
    costs: CostModel,
    *,
    before: Before | None = None,
    stress: Sequence[Pair] = (),
    levels: Sequence[Pair] = (),
    chances: Sequence[Pair] = (),
    rules: GateRules = DEFAULT_RULES,
) -> Verdict:
    """Whether `candidate` may replace `incumbent`.

    Parameters
    ----------
    incumbent, candidate : facts of the gate's weeks per replication, same order
    before : both arms' days before the gate's weeks, for the spread between blocks
    stress : hard worlds, in which it may cost hardly more
    levels : the same weeks at other levels of demand, in which it still has to cost less
    chances : replications of bootstrap demand
    """
    cost = paired_difference(COST, incumbent, candidate, network, costs, before=before)
    fill = paired_difference(FILL, incumbent, candidate, network, costs, before=before)
    checks = [
        *_costs_less(cost, rules),
        Check(
            "fill of recorded demand not worse",
            fill.loss_bound < rules.fill_loss,
            f"{100 * fill.difference:+.2f} pp; loss at most {100 * fill.loss_bound:.2f} pp "
            f"(one-sided 95 % bound), {100 * rules.fill_loss:.1f} pp allowed",
        ),
        _no_group_harmed(incumbent, candidate, network, costs, rules),
        _no_more_waste(incumbent, candidate, network, costs, rules),
        _whatever_a_sale_is_worth(incumbent, candidate, network, costs, rules),
        _whatever_work_costs(incumbent, candidate, costs, rules),
        *[_at_level(one, costs) for one in levels],
        *([_often_enough(chances, costs, rules)] if chances else []),
        *[_stress(one, costs, rules) for one in stress],
    ]
    failed = [f"{check.name}: {check.found}" for check in checks if not check.holds]
    passed = [f"{check.name}: {check.found}" for check in checks[:3]]
    return Verdict(
        not failed,
        tuple(failed or passed),
        tuple(checks),
        tuple(compare(incumbent, candidate, network, costs, before=before)),
        RESAMPLED if before is None else RESAMPLED_POOLED,
    )


def _costs_less(cost: Difference, rules: GateRules) -> tuple[Check, Check]:
    effect = -cost.difference / cost.incumbent if cost.incumbent else float("nan")
    return (
        Check(
            "cost interval below 0",
            cost.high < 0,
            f"{cost.difference:+.3f} cents per unit demanded, 95 % interval "
            f"{cost.low:+.3f} to {cost.high:+.3f}",
        ),
        Check(
            "effect large enough",
            effect >= rules.least_effect,
            f"saves {100 * effect:.2f} %, at least {100 * rules.least_effect:.0f} % is asked for",
        ),
    )


def _whatever_a_sale_is_worth(
    incumbent: Sequence[DayFacts],
    candidate: Sequence[DayFacts],
    network: Network,
    costs: CostModel,
    rules: GateRules,
) -> Check:
    """The margin of a lost sale is assumed; a policy that needs it just so is not better."""
    found = []
    for factor in rules.margin_factors:
        other = replace(costs, lost_margin_factor=costs.lost_margin_factor * factor)
        one = paired_difference(COST, incumbent, candidate, network, other)
        found.append((factor, one.difference))
    return Check(
        "costs less whatever a lost sale is worth",
        all(difference < 0 for _, difference in found),
        "; ".join(f"margin × {factor:g}: {difference:+.3f} cents" for factor, difference in found),
    )


def _whatever_work_costs(
    incumbent: Sequence[DayFacts],
    candidate: Sequence[DayFacts],
    costs: CostModel,
    rules: GateRules,
) -> Check:
    """A saving that rests on one assumed rate alone is the assumption's, not the policy's."""
    found = []
    for rate in ASSUMED_RATES:
        for factor in rules.rate_factors:
            other = replace(costs, **{rate: getattr(costs, rate) * factor})
            gaps = [
                float(value(COST, b, other) - value(COST, a, other))
                for a, b in zip(incumbent, candidate, strict=True)
            ]
            found.append((sum(gaps) / len(gaps), f"{rate} × {factor:g}"))
    if not found:
        return Check("costs less at half and twice each assumed rate", True, "no factors asked for")
    worst, where = max(found)
    return Check(
        "costs less at half and twice each assumed rate",
        worst < 0,
        f"least saving at {where}: {worst:+.3f} cents per unit demanded",
    )


def _at_level(one: Pair, costs: CostModel) -> Check:
    world, incumbent, candidate = one
    gap = float(value(COST, candidate, costs) - value(COST, incumbent, costs))
    # Replayed sales are cut off by the stock-outs behind them: true demand was higher.
    return Check(f"costs less at {world}", gap < 0, f"{gap:+.3f} cents per unit demanded")


def _often_enough(chances: Sequence[Pair], costs: CostModel, rules: GateRules) -> Check:
    gaps = [float(value(COST, b, costs) - value(COST, a, costs)) for _, a, b in chances]
    wins = sum(gap < 0 for gap in gaps)
    return Check(
        "costs less in nearly every resampled future",
        wins / len(gaps) >= rules.superiority,
        f"in {wins} of {len(gaps)} replications of bootstrap demand, "
        f"{100 * rules.superiority:.0f} % are asked for",
    )


def store_groups(
    network: Network, incumbent: Sequence[DayFacts]
) -> dict[str, npt.NDArray[np.int32]]:
    """Regions, and fifths of stores by units sold under the incumbent; small ones pooled."""
    stores = network.stores
    groups: dict[str, npt.NDArray[np.int32]] = {}
    regions = np.array([network.locations.region[i] for i in stores])
    small: list[int] = []
    for region in dict.fromkeys(regions.tolist()):
        rows = stores[regions == region]
        if len(rows) < LEAST_GROUP:
            small += rows.tolist()
        else:
            groups[f"region {region}"] = rows
    if len(small) >= LEAST_GROUP:
        groups["small regions together"] = np.sort(np.array(small, dtype=np.int32))
    sold = sum(facts.get("units_sold").sum(axis=(0, 2)) for facts in incumbent)
    order = stores[np.argsort(np.asarray(sold)[stores], kind="stable")]
    parts = min(10, len(stores) // LEAST_GROUP)
    for i, rows in enumerate(np.array_split(order, parts) if parts > 1 else ()):
        groups[f"stores by size, part {i + 1} of {parts}"] = np.sort(rows)
    return groups


def classes(incumbent: Sequence[DayFacts]) -> dict[str, npt.NDArray[np.intp]]:
    """Categories by the units they sell under the incumbent; small ones pooled."""
    sold = np.sum([facts.get("units_sold").sum(axis=(0, 1)) for facts in incumbent], axis=0)
    large = sold >= LEAST_CLASS * max(sold.sum(), 1)
    names = incumbent[0].categories
    out = {f"class {names[i]}": np.array([i]) for i in np.flatnonzero(large).tolist()}
    small = np.flatnonzero(~large & (sold > 0))
    if len(small):
        out["small classes together"] = small
    return out if len(out) > 1 else {}


def _by_group(
    which: Kpi,
    incumbent: Sequence[DayFacts],
    candidate: Sequence[DayFacts],
    network: Network,
    costs: CostModel,
) -> dict[str, Difference]:
    """The KPI's difference in each region, part of the stores by size, and class."""
    arms = (which, incumbent, candidate, network, costs)
    out = {
        name: paired_difference(*arms, stores=rows)
        for name, rows in store_groups(network, incumbent).items()
    }
    return out | {
        name: paired_difference(*arms, categories=numbers)
        for name, numbers in classes(incumbent).items()
    }


def _no_group_harmed(
    incumbent: Sequence[DayFacts],
    candidate: Sequence[DayFacts],
    network: Network,
    costs: CostModel,
    rules: GateRules,
) -> Check:
    name = "no group of stores or goods harmed"
    found = _by_group(AVAILABILITY, incumbent, candidate, network, costs)
    if not found:
        return Check(name, True, f"fewer than {LEAST_GROUP} stores, one class: no group to judge")
    # What can't be told is no proof that nobody is harmed.
    bounds = {
        group: one.loss_bound if np.isfinite(one.loss_bound) else np.inf
        for group, one in found.items()
    }
    where = max(bounds, key=lambda group: bounds[group])
    return Check(
        name,
        bool(bounds[where] < rules.group_availability_loss),
        f"largest loss of availability {100 * bounds[where]:.2f} pp (one-sided 95 % bound) in "
        f"{where}, {100 * rules.group_availability_loss:.1f} pp allowed",
    )


def _no_more_waste(
    incumbent: Sequence[DayFacts],
    candidate: Sequence[DayFacts],
    network: Network,
    costs: CostModel,
    rules: GateRules,
) -> Check:
    """Where nothing is written off by either there is nothing to judge."""
    name = "no more waste"
    whole = paired_difference(WASTE, incumbent, candidate, network, costs)
    if not (whole.incumbent > 0 or whole.winner > 0):
        return Check(name, True, "neither writes anything off")
    found = {"the chain": whole, **_by_group(WASTE, incumbent, candidate, network, costs)}
    growth = {
        group: one.loss_bound / one.incumbent if one.incumbent > 0 else np.inf * one.winner
        for group, one in found.items()
        if one.incumbent > 0 or one.winner > 0
    }
    where = max(growth, key=lambda group: growth[group])
    return Check(
        name,
        bool(growth[where] < rules.waste_growth),
        f"written off at most {100 * growth[where]:+.1f} % (one-sided 95 % bound) in {where}, "
        f"{100 * rules.waste_growth:.0f} % allowed",
    )


def _stress(one: Pair, costs: CostModel, rules: GateRules) -> Check:
    world, incumbent, candidate = one
    before, after = float(value(COST, incumbent, costs)), float(value(COST, candidate, costs))
    extra = after / before - 1
    return Check(
        f"holds under {world}",
        extra <= rules.stress_loss,
        f"costs {100 * extra:+.1f} % against the incumbent, "
        f"{100 * rules.stress_loss:.0f} % allowed",
    )
