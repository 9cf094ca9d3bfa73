"""Delivery patterns from what a scenario's stores were sent in some weeks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from policies.routing.patterns import PatternRules, find_patterns
from scenarios.chains import chain_of
from scenarios.history.splits import first_day, last_day
from scenarios.scenario import ScenarioFile
from scenarios.worlds import scenario_of


def patterns_of(
    scenario: ScenarioFile, first_week: int, last_week: int, rules: PatternRules
) -> dict[str, Any]:
    """The cheapest weekday pattern of each store, as a bundle's ``delivery_patterns``.

    Parameters
    ----------
    first_week, last_week : int, weeks whose demand says what each store is sent and sells
    """
    start = first_day(first_week)
    days = last_day(last_week) - start + 1
    spec = replace(scenario.world(chain_of(scenario)), first_day=start, days=days, warmup_days=0)
    world = scenario_of(spec, 0)
    network, lines = world.network, world.demand
    weeks = days / 7
    goods, fleet = network.skus, network.fleet
    part = np.maximum(
        goods.mass_g / 1e3 / fleet.capacity_kg, goods.volume_cm3 / 1e6 / fleet.capacity_m3
    )
    trucks, stock = np.zeros(network.shape[0]), np.zeros(network.shape[0])
    inside = (lines.t_s >= start * 86_400) & (lines.t_s < (start + days) * 86_400)
    for i, store in enumerate(lines.store_ids):
        rows = slice(int(lines.offsets[i]), int(lines.offsets[i + 1]))
        units = np.bincount(lines.sku[rows], lines.quantity[rows] * inside[rows], network.shape[1])
        place = network.location_index(store)
        trucks[place] = float((units * part).sum()) / weeks
        stock[place] = float((units * goods.unit_cost_cents).sum()) / weeks
    found = find_patterns(network, trucks, stock, rules)
    return {
        "scenario": scenario.name,
        "weeks": [first_week, last_week],
        "delivery_patterns": found.patterns,
        "modelled_cents_per_week": found.cents,
        "gap_share": found.gap_share,
        "truckloads_by_weekday": dict(
            zip(
                [network.locations.ids[w] for w in network.warehouses],
                found.loads.round(3).tolist(),
                strict=True,
            )
        ),
    }
