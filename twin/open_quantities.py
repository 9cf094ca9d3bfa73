"""What is owed at the end of a run, held against the documents that owe it.

Beside the conservation of stock per (location, SKU, day): orders, reservations and goods
on the road are the open quantities of loads, and waiting customers are the demand that day
facts have neither as sold nor as lost. None of them is ever below nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from policies.domain.decision import SUPPLIER
from policies.domain.errors import ConservationBroken
from policies.domain.facts import DayFacts
from policies.domain.network import Network
from twin.arrays import Stock
from twin.loads import Load
from twin.pull import Pull

_MEANING = {
    "on_order": "on order for",
    "reserved": "reserved at",
    "in_transit": "on the road to",
}


def check(
    network: Network, stock: Stock, loads: Iterable[Load], pull: Pull | None, facts: DayFacts
) -> None:
    """Raise where an open quantity is negative, or not that of the documents.

    Parameters
    ----------
    network : Network
    stock : Stock, after the last closing
    loads : open loads, done ones do not matter
    pull : Pull or None, the orders of a run under continuous review
    facts : DayFacts of all simulated days

    Raises
    ------
    ConservationBroken
        Naming the quantity, the location and the SKU (or the category of waiting demand).
    """
    made = open_quantities(network, loads)
    if pull is not None:
        made["in_transit"] += pull.on_road()
        made["on_order"] += pull.on_order()
    found = {
        "on_order": stock.on_order,
        "reserved": stock.reserved,
        "in_transit": stock.transit,
    }
    for name, units in found.items():
        wrong = np.argwhere((units != made[name]) | (units < 0))
        if len(wrong):
            place, sku = wrong[0]
            raise _broken(
                f"{units[place, sku]} of {network.skus.ids[sku]} are {_MEANING[name]} "
                f"{network.locations.ids[place]}; its open loads hold {made[name][place, sku]}",
                name,
                network.locations.ids[place],
            )
    if (stock.on_road != stock.transit.sum(axis=1, dtype=np.int64)).any():
        place = int(np.argmax(stock.on_road != stock.transit.sum(axis=1, dtype=np.int64)))
        raise _broken(
            f"{stock.on_road[place]} units are on the road to {network.locations.ids[place]}, "
            "and another number of each SKU together",
            "in_transit",
            network.locations.ids[place],
        )
    _check_waiting(network, stock, facts)


def open_quantities(network: Network, loads: Iterable[Load]) -> dict[str, npt.NDArray[np.int32]]:
    """(L, K) int32 each of "on_order", "reserved" and "in_transit", by the loads alone."""
    names = ("on_order", "reserved", "in_transit")
    made = {name: np.zeros(network.shape, dtype=np.int32) for name in names}
    for load in loads:
        if load.received_s >= 0:
            continue
        has_left = load.shipped_s >= 0
        units = load.shipped if has_left else load.ordered
        np.add.at(made["on_order"][load.destination], load.sku, units)
        if load.origin != SUPPLIER:
            where = ("in_transit", load.destination) if has_left else ("reserved", load.origin)
            np.add.at(made[where[0]][where[1]], load.sku, units)
    return made


def _check_waiting(network: Network, stock: Stock, facts: DayFacts) -> None:
    names = ("units_demanded", "units_sold", "units_lost")
    demanded, sold, lost = (facts.get(name).sum(axis=0) for name in names)
    owed = demanded - sold - lost
    waits = np.zeros_like(owed)
    np.add.at(waits.T, network.skus.category, stock.waiting.T.astype(np.int64))
    wrong = np.argwhere(waits != owed)
    if len(wrong):
        place, category = wrong[0]
        raise _broken(
            f"{waits[place, category]} units of {network.skus.categories[category]} are waited "
            f"for at {network.locations.ids[place]}; what was demanded and neither sold nor "
            f"lost is {owed[place, category]}",
            "waiting",
            network.locations.ids[place],
        )
    if (stock.waiting < 0).any():
        place, sku = np.argwhere(stock.waiting < 0)[0]
        raise _broken(
            f"{stock.waiting[place, sku]} of {network.skus.ids[sku]} are waited for",
            "waiting",
            network.locations.ids[place],
        )


def _broken(detail: str, field: str, row: str) -> ConservationBroken:
    return ConservationBroken(
        f"at the end of the run {detail}",
        field=field,
        row=row,
        remedy="this is a defect of the program: report it with the scenario",
    )
