"""Suppliers: when a delivery comes."""

from __future__ import annotations

from policies.domain.network import DAY_SECONDS
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

    def due_s(self, load: Load, now: int) -> int:
        """When an order of `now` comes: a drawn (or the scenario's) lead time."""
        day = now // DAY_SECONDS
        places = self.network.locations
        if self.scenario.direct:
            return direct_due_s(self.scenario, load.destination, day)
        category = int(self.network.skus.category[load.sku[0]])
        table = self.network.suppliers.lead_time_days[category]
        u = draws.uniform(self._lead_keys[category], self._counter(load, day))
        lead = max(int(table[int(u * len(table))]) if len(table) else 1, 1)
        lead += self.closures.supplier_days(day, day + lead)
        return (day + lead) * DAY_SECONDS + int(places.receives_from_s[load.destination])

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
