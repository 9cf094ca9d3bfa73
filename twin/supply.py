"""Suppliers: when a delivery comes, and how much of it."""

from __future__ import annotations

import numpy as np

from policies.domain.network import DAY_SECONDS, IntArray
from twin import draws
from twin.closures import Closures
from twin.loads import Load
from twin.scenario import Scenario


class Supply:
    """What suppliers do with orders.

    Parameters
    ----------
    scenario : Scenario
    closures : Closures, days on which suppliers stand still
    seed, replication : int, for lead times
    """

    def __init__(self, scenario: Scenario, closures: Closures, seed: int, replication: int) -> None:
        self.scenario, self.closures = scenario, closures
        self.network = scenario.network
        self._lead_keys = draws.keys(seed, replication, "lead time", self.network.suppliers.ids)
        rules = self.rules = scenario.deliveries
        self._fate_keys = (
            draws.keys(seed, replication, "delivery", self.network.locations.ids)
            if rules.failed_share > 0 or rules.short_share > 0
            else None
        )
        self.failed = self.short = 0

    def due_s(self, load: Load, now: int) -> int:
        """When an order of `now` comes: a drawn (or the scenario's) lead time."""
        day = now // DAY_SECONDS
        places = self.network.locations
        if self.scenario.direct:
            later = self._retry_days(load, day)
            return direct_due_s(self.scenario, load.destination, day + later)
        category = int(self.network.skus.category[load.sku[0]])
        table = self.network.suppliers.lead_time_days[category]
        u = draws.uniform(self._lead_keys[category], self._counter(load, day))
        lead = max(int(table[int(u * len(table))]) if len(table) else 1, 1)
        lead += self.closures.supplier_days(day, day + lead, category)
        lead += self._retry_days(load, day)
        while self.closures.is_lane_shut(load.destination, day + lead):
            lead += 1
        return (day + lead) * DAY_SECONDS + int(places.receives_from_s[load.destination])

    def sent(self, load: Load, now: int) -> IntArray | None:
        """(n,) int32, what a delivery ordered `now` brings; None = what was ordered."""
        if self._fate_keys is None:
            return None
        rules, day = self.rules, now // DAY_SECONDS
        u_failed, u_short = self._fate(load, day)
        if u_failed < rules.failed_share:
            self.failed += 1
            return None if rules.retry_days else np.zeros_like(load.ordered)
        if u_short >= rules.short_share:
            return None
        self.short += 1
        pack = self.network.skus.pack_size[load.sku]
        packs = np.floor(load.ordered * rules.short_fill / pack + 1e-9)
        return np.minimum(packs * pack, load.ordered).astype(np.int32)

    def counters(self) -> dict[str, int]:
        """Deliveries that failed, and that came short, where a scenario has them."""
        if self._fate_keys is None:
            return {}
        return {"deliveries_failed": self.failed, "deliveries_short": self.short}

    def _retry_days(self, load: Load, day: int) -> int:
        rules = self.rules
        if self._fate_keys is None or not rules.retry_days:
            return 0
        return rules.retry_days if self._fate(load, day)[0] < rules.failed_share else 0

    def _fate(self, load: Load, day: int) -> tuple[float, float]:
        """Two draws of the delivery's place, day and category (all, in a direct scenario)."""
        if self._fate_keys is None:
            return 1.0, 1.0
        categories = len(self.network.skus.categories)
        part = categories if self.scenario.direct else int(self.network.skus.category[load.sku[0]])
        first = 2 * (day * (categories + 1) + part)
        key = self._fate_keys[load.destination]
        return draws.uniform(key, first), draws.uniform(key, first + 1)

    def _counter(self, load: Load, day: int) -> int:
        return day * 1_000_003 + _lane_number(self.network.locations.ids[load.destination])


def direct_due_s(scenario: Scenario, place: int, day: int) -> int:
    """When an order placed in the evening of `day` is for sale, in a direct scenario.

    One second before opening on day + 1 + lead time: the plan belongs to the start of the
    next period. A store that opens at midnight receives at midnight. A scenario may name
    another time of day, then it is that time of day + lead time.
    """
    if scenario.direct_receipt_s is not None:
        return (day + scenario.direct_lead_time_days) * DAY_SECONDS + scenario.direct_receipt_s
    arrives = (day + 1 + scenario.direct_lead_time_days) * DAY_SECONDS
    return arrives + max(int(scenario.network.locations.opens_s[place]) - 1, 0)


def _lane_number(name: str) -> int:
    """A stable small number of a location's name."""
    value = 0
    for byte in name.encode():
        value = (value * 131 + byte) % 1_000_003
    return value
