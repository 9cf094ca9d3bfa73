"""Disruptions with a date: suppliers that stop, warehouses that ship and receive nothing."""

from __future__ import annotations

from policies.domain.errors import ScenarioInvalid
from policies.domain.network import DAY_SECONDS, Network
from twin.scenario import Disruptions


class Closures:
    """When goods can move in spite of a run's disruptions.

    Parameters
    ----------
    network : Network
    rules : Disruptions
    first_day : int, first simulated day; the rules count from it
    """

    def __init__(self, network: Network, rules: Disruptions, first_day: int) -> None:
        warehouses = network.warehouses.tolist()
        if rules.warehouse_number > len(warehouses):
            raise ScenarioInvalid(
                f"warehouse_number is {rules.warehouse_number} of {len(warehouses)} warehouses",
                field="disruptions.warehouse_number",
                remedy=f"give 1 to {len(warehouses)}, or 0 for all of them",
            )
        number = rules.warehouse_number
        self._closed = set(warehouses if number == 0 else [warehouses[number - 1]])
        begin = first_day + rules.warehouses_from_day
        self._warehouses = (begin, begin + rules.warehouses_days)
        begin = first_day + rules.suppliers_from_day
        self._suppliers = (begin, begin + rules.suppliers_days)

    def supplier_days(self, ordered_day: int, due_day: int) -> int:
        """Days by which a delivery is later: suppliers' lost days between order and due day."""
        begin, end = self._suppliers
        if begin == end or due_day < begin or ordered_day + 1 >= end:
            return 0
        return end - max(begin, ordered_day + 1)

    def pause_s(self, place: int, now: int) -> int:
        """Seconds until a location's doors open again; 0 = they are open."""
        begin, end = self._warehouses
        is_closed = place in self._closed and begin <= now // DAY_SECONDS < end
        return end * DAY_SECONDS - now if is_closed else 0
