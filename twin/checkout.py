"""Checkout: tills with lanes, whose queues lose baskets before they are paid.

Baskets arrive at the seconds of their receipts. Small ones go to self-checkout by a
share, unless its queue is too long for them, the others to staffed lanes, of which as many
are open in each hour of the day as the staffing rule says. A basket that gives up is put
back: its lines take no stock and count as demanded and lost.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.errors import ScenarioInvalid
from policies.domain.facts import SKU_FACTS, DayFacts
from policies.domain.network import DAY_SECONDS
from policies.domain.receipts import ReceiptColumns
from twin import draws
from twin.queue_kernel import queue, queue_on_sight
from twin.result import CheckoutFacts, RunResult
from twin.scenario import CheckoutRules, Scenario
from twin.state import cover_opening

HOUR_S = 3_600
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tills:
    """What the queues of one replication did.

    Attributes
    ----------
    lost : ReceiptColumns, the lines of baskets that gave up
    facts : CheckoutFacts
    """

    lost: ReceiptColumns
    facts: CheckoutFacts


def pass_tills(scenario: Scenario, seed: int, replication: int) -> tuple[Scenario, Tills]:
    """The scenario with only the baskets that are paid, and what became of the others.

    Whether a basket gives up does not depend on the policy: tills see what customers
    bring, and the same people come under every policy.
    """
    demand, rules = scenario.demand, scenario.checkout
    start_s = scenario.first_day * DAY_SECONDS
    end_s = start_s + scenario.days * DAY_SECONDS
    keys = draws.keys(seed, replication, "checkout", demand.store_ids)
    is_lost = np.zeros(demand.lines, dtype=np.bool_)
    shape = (len(demand.store_ids), 24)
    baskets, gave_up = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    waits, lane_seconds = np.zeros((*shape, 2)), np.zeros(shape[0])
    for s in range(shape[0]):
        rows = demand.store(s)
        lo = rows.start + int(np.searchsorted(demand.t_s[rows], start_s))
        hi = rows.start + int(np.searchsorted(demand.t_s[rows], end_s))
        if lo == hi:
            continue
        first, size, of_line = _baskets(demand.t_s[lo:hi], demand.basket[lo:hi])
        at = demand.t_s[lo:hi][first].astype(np.float64)
        wait, left, lane_seconds[s] = _serve(at, size, rules, keys[s])
        is_lost[lo:hi] = left[of_line]
        hour = (at % DAY_SECONDS // HOUR_S).astype(np.int64)
        baskets[s] = np.bincount(hour, minlength=24)
        gave_up[s] = np.bincount(hour[left], minlength=24)
        for h in np.unique(hour):
            waits[s, h] = np.quantile(wait[hour == h], (0.5, 0.95))
    facts = CheckoutFacts(baskets, gave_up, waits[..., 0], waits[..., 1], lane_seconds)
    opening = scenario.opening if scenario.opening is not None else cover_opening(scenario)
    paid = dataclasses.replace(scenario, demand=_take(demand, ~is_lost), opening=opening)
    return paid, Tills(_take(demand, is_lost), facts)


def _baskets(t_s: npt.NDArray[np.int32], basket: npt.NDArray[np.int32]) -> tuple[Ints, Ints, Ints]:
    """(first line, lines) of each basket in order of time, and each line's basket.

    Lines of a known receipt number belong together, others if they are of one second.
    """
    is_known = basket >= 0
    key = np.where(is_known, basket.astype(np.int64), -1 - t_s.astype(np.int64))
    _, first, of_line, size = np.unique(
        key, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], size[order], rank[of_line.ravel()]


def _serve(
    at: Floats, size: Ints, rules: CheckoutRules, key: np.uint64
) -> tuple[Floats, npt.NDArray[np.bool_], float]:
    """(wait, gave up) of a store's baskets, and the seconds that staffed lanes were open."""
    number = 4 * np.arange(len(at), dtype=np.int64)
    own = np.array(key, dtype=np.uint64)
    u = [draws.uniforms(own, number + i) for i in range(3)]
    is_willing = (size <= rules.self_most_lines) & (u[0] < rules.self_share)
    # Times to pay and patience are exponential parts: few are far from their mean.
    pace = 0.5 - 0.5 * np.log1p(-u[1])
    staffed_s = (rules.fixed_seconds + rules.line_seconds * size) * pace
    self_s = (rules.self_fixed_seconds + rules.self_line_seconds * size) * pace
    patience = -rules.patience_seconds * np.log1p(-u[2])
    wait, left = np.zeros(len(at)), np.zeros(len(at), dtype=np.bool_)
    is_self = is_willing & (rules.self_lanes > 0)
    if is_self.any():
        always = np.full(24, rules.self_lanes, dtype=np.int64)
        waits, too_long = _queue((at[is_self], self_s[is_self], patience[is_self]), always)
        wait[is_self] = waits
        # Whom that queue would be too long for goes to a staffed lane instead.
        is_self[np.flatnonzero(is_self)[too_long]] = False
    rest = ~is_self
    people = (at[rest], staffed_s[rest], patience[rest])
    # The plan is made for all, so that a self-checkout lane more never means a till less.
    lanes = open_lanes(at, staffed_s, rules)
    wait[rest], left[rest], open_s = _staffed(people, lanes, rules)
    return wait, left, open_s


def _staffed(
    people: tuple[Floats, Floats, Floats], lanes: Ints, rules: CheckoutRules
) -> tuple[Floats, npt.NDArray[np.bool_], float]:
    """(wait, gave up) of (arrives, service, patience), and the seconds that lanes were open."""
    # One lane is always open, at night too: only hours in which anybody came count.
    hours = np.unique((people[0] // HOUR_S).astype(np.int64))
    if not rules.open_at_queue:
        waits, leaves = _queue(people, lanes)
        return waits, leaves, float(lanes[hours % 24].sum() * HOUR_S)
    most = rules.staffed_lanes
    waits, leaves = np.zeros(len(people[0])), np.zeros(len(people[0]), dtype=np.bool_)
    worked = np.zeros(most)
    queue_on_sight(*people, most, rules.open_at_queue, rules.walk_seconds, waits, leaves, worked)
    return waits, leaves, len(hours) * HOUR_S + float((worked * np.arange(most)).sum())


def _queue(
    people: tuple[Floats, Floats, Floats], lanes: Ints
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """(wait, gave up) of (arrives, service, patience) at the lanes open in each hour."""
    waits, leaves = np.zeros(len(people[0])), np.zeros(len(people[0]), dtype=np.bool_)
    queue(*people, lanes, float(HOUR_S), waits, leaves)
    return waits, leaves


def open_lanes(at: Floats, seconds: Floats, rules: CheckoutRules) -> Ints:
    """(24,) staffed lanes open in each hour of the day: the rule of a shift plan.

    Mean work brought in that hour ÷ target utilisation, rounded up, at least one and at
    most the lanes that are there.
    """
    if not len(at):
        return np.ones(24, dtype=np.int64)
    days = int(at[-1] // DAY_SECONDS - at[0] // DAY_SECONDS) + 1
    hour = (at % DAY_SECONDS // HOUR_S).astype(np.int64)
    work = np.bincount(hour, weights=seconds, minlength=24) / (days * HOUR_S)
    wanted = np.ceil(work / rules.target_utilisation - 1e-9)
    return np.clip(wanted, 1, rules.staffed_lanes).astype(np.int64)


def _take(demand: ReceiptColumns, keep: npt.NDArray[np.bool_]) -> ReceiptColumns:
    before = np.concatenate([[0], np.cumsum(keep)])
    return ReceiptColumns(
        demand.store_ids,
        demand.sku_ids,
        before[demand.offsets].astype(np.int64),
        demand.t_s[keep],
        demand.sku[keep],
        demand.quantity[keep],
        demand.unit_price_cents[keep],
        demand.basket[keep],
    )


def with_lost(result: RunResult, scenario: Scenario, tills: Tills) -> RunResult:
    """The result with what gave up at tills counted as demanded and lost."""
    network, lost, facts = scenario.network, tills.lost, result.facts
    place = np.repeat(network.stores, np.diff(lost.offsets))
    day = lost.t_s // DAY_SECONDS - facts.first_day
    units = lost.quantity.astype(np.int64)
    category = network.skus.category[lost.sku]
    margin = units * (lost.unit_price_cents - network.skus.unit_cost_cents[lost.sku])
    table = facts.sku_facts.copy()
    for name, amount in (
        ("units_demanded", units),
        ("units_lost", units),
        ("margin_lost_cents", margin),
    ):
        np.add.at(table[..., SKU_FACTS.index(name)], (day, place, category), amount)
    after = lost.t_s >= result.first_kpi_day * DAY_SECONDS
    per_sku = np.bincount(lost.sku[after], weights=units[after], minlength=network.shape[1])
    return dataclasses.replace(
        result,
        facts=DayFacts(
            facts.first_day,
            facts.locations,
            facts.categories,
            table,
            facts.location_facts,
            facts.has_latent,
            facts.as_known_at_s,
        ),
        lost_per_sku=result.lost_per_sku + per_sku.astype(np.int64),
        demanded_per_sku=result.demanded_per_sku + per_sku.astype(np.int64),
        checkout=tills.facts,
    )


def refuse_feed() -> ScenarioInvalid:
    """Receipts that come in stretches can't be queued yet."""
    return ScenarioInvalid(
        "a checkout needs all receipts at once, and they come in stretches",
        field="checkout.staffed_lanes",
        remedy="set staffed_lanes = 0, or give the receipts as a whole",
    )
