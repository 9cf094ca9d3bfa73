"""Changes of a part of the chain: who (a selector), when (days), what (demand, hours, trucks).

A selector that matches nothing is an error, never a change without effect.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput, ScenarioInvalid
from policies.domain.nearest import nearest
from policies.domain.network import Fleet, Network

Bools = npt.NDArray[np.bool_]
Names = tuple[str, ...]
_CLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")


@dataclass(frozen=True)
class Selector:
    """Which stores or SKUs; all keys must hold, and none of them is everything.

    Attributes
    ----------
    ids, group : tuple of str, names; regions of stores or categories of SKUs
    share : 0 < share ≤ 1, of all, chosen by their names, always the same; at least one
    """

    ids: Names = ()
    group: Names = ()
    share: float = 1.0

    def mask(self, names: Sequence[str], groups: Sequence[str], field: str) -> Bools:
        """(n,) bool.

        Raises
        ------
        ScenarioInvalid
            A name that is not there, or nothing at all that matches.
        """
        for key, wanted, known in (("ids", self.ids, names), ("group", self.group, groups)):
            for one in wanted:
                if one not in set(known):
                    shown = key if key == "ids" else _GROUPS[field.rpartition(".")[2]]
                    raise ScenarioInvalid(
                        f"{field}.{shown}: there is no {one!r} in the chain",
                        field=f"{field}.{shown}",
                        remedy=nearest(one, sorted(set(known))),
                    )
        out = np.ones(len(names), dtype=np.bool_)
        if self.ids:
            out &= np.isin(np.array(names), self.ids)
        if self.group:
            out &= np.isin(np.array(groups), self.group)
        if self.share < 1:
            order = np.argsort([_rank(name) for name in names])
            chosen = np.zeros(len(names), dtype=np.bool_)
            chosen[order[: max(1, round(self.share * len(names)))]] = True
            out &= chosen
        if not out.any():
            raise ScenarioInvalid(
                f"{field} matches nothing in the chain",
                field=field,
                remedy="name what the chain has; storetwin scenario show prints the selector",
            )
        return out


_MOST = 1_000
_GROUPS = {"stores": "region", "skus": "category"}


def _rank(name: str) -> float:
    """A number in [0, 1) that belongs to a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48


def _check_days(rules: object, part: str, *names: str) -> None:
    for name in names:
        value = getattr(rules, name)
        if value < 0:
            raise ScenarioInvalid(
                f"{part}.{name} is {value}", field=f"{part}.{name}", remedy="0 or more"
            )


@dataclass(frozen=True)
class Change:
    """One table of ``[[changes]]``.

    Attributes
    ----------
    stores, skus : Selector
    from_day, days : first day (0 = first simulated day) and number of days; 0 days = to
        the end
    demand_factor : multiplies units of each line; a part of a unit is one by chance
    opens, closes : "HH:MM", opening hours of the whole run; "" = as they are
    """

    stores: Selector = Selector()
    skus: Selector = Selector()
    from_day: int = 0
    days: int = 0
    demand_factor: float = 1.0
    opens: str = ""
    closes: str = ""

    def __post_init__(self) -> None:
        _check_days(self, "changes", "from_day", "days")
        if self.demand_factor > _MOST:
            raise ScenarioInvalid(
                f"demand_factor is {self.demand_factor}",
                field="changes.demand_factor",
                remedy=f"at most {_MOST}",
            )
        if self.demand_factor < 0:
            raise ScenarioInvalid(
                f"demand_factor is {self.demand_factor}: nobody demands less than nothing",
                field="changes.demand_factor",
                remedy="0 or more; 0 = no demand",
            )
        for name in ("opens", "closes"):
            _seconds(getattr(self, name), f"changes.{name}")
        if (self.opens or self.closes) and (self.from_day or self.days):
            raise ScenarioInvalid(
                "opening hours change for the whole run",
                field="changes.from_day",
                remedy="leave from_day and days out; a closure is demand_factor = 0",
            )


@dataclass(frozen=True)
class NewStore:
    """One table of ``[[new_stores]]``: a store that opens on a day.

    Attributes
    ----------
    id : str
    like : str, the store whose customers it is to have; "" = the one that sells most
    from_day : int, 0 = first simulated day
    share : of the demand of `like`, which it has
    takes : of the demand of `like`, which it takes away from that store, at most `share`
    """

    id: str = "NEW1"
    like: str = ""
    from_day: int = 0
    share: float = 0.8
    takes: float = 0.1

    def __post_init__(self) -> None:
        _check_days(self, "new_stores", "from_day")
        if not self.id or set(self.id) & set(":>/") or len(self.id) > 64:
            raise ScenarioInvalid(
                f"a store can't be called {self.id!r}",
                field="new_stores.id",
                remedy="give 1 to 64 characters, none of them : > or /",
            )
        if not 0 <= self.takes <= self.share <= 1:
            raise ScenarioInvalid(
                f"takes is {self.takes} and share is {self.share}",
                field="new_stores.takes",
                remedy="0 ≤ takes ≤ share ≤ 1",
            )


FLEET_KEYS = (
    "trucks", "capacity_kg", "capacity_m3", "speed_km_per_hour", "shift_minutes",
)  # fmt: skip


def _seconds(clock: str, field: str) -> int:
    if not clock:
        return -1
    found = _CLOCK.fullmatch(clock)
    if not found or int(found[1]) * 60 + int(found[2]) > 24 * 60:
        raise ScenarioInvalid(f"{field} is {clock!r}", field=field, remedy="write HH:MM")
    return int(found[1]) * 3_600 + int(found[2]) * 60


def selector(table: dict[str, Any], field: str) -> Selector:
    """From a table of a scenario file: ``{ids, region | category, share}``."""
    group = _GROUPS[field.rpartition(".")[2]]
    share = float(table.get("share", 1.0))
    if not 0 < share <= 1:
        raise ScenarioInvalid(
            f"{field}.share is {share}", field=f"{field}.share", remedy="above 0, at most 1"
        )
    ids, groups = (_names(table, key, field) for key in ("ids", group))
    return Selector(ids, groups, share)


def _names(table: dict[str, Any], key: str, field: str) -> Names:
    value = table.get(key)
    if value is None:
        return ()
    names = (value,) if isinstance(value, str) else tuple(value)
    if not names or not all(isinstance(name, str) for name in names):
        raise ScenarioInvalid(
            f"{field}.{key} is {value!r}: it names nothing"
            if not names
            else f"{field}.{key} is {value!r}",
            field=f"{field}.{key}",
            remedy="give names as text, or leave the key out for all",
        )
    return names


def change_network(
    network: Network,
    changes: Sequence[Change],
    new_stores: Sequence[NewStore],
    fleet: Sequence[tuple[str, float]],
    like: str = "",
) -> Network:
    """The network after the changes that time does not change.

    Parameters
    ----------
    like : str, the store that a new one takes after if it names none

    Raises
    ------
    ScenarioInvalid
        A selector without a match, no opening hours, a fleet that can't serve a store.
    """
    for change in changes:
        network = _with_hours(network, change)
    for new in new_stores:
        network = _with_store(network, new, new.like or like)
    if fleet:
        network = replace(network, fleet=_fleet(network, dict(fleet)))
        check_fleet(network)
    return network


def stores_of(network: Network) -> tuple[list[str], list[str]]:
    """(ids, regions) of the stores, in the order of the axis."""
    places = network.stores.tolist()
    ids, regions = network.locations.ids, network.locations.region
    return [ids[i] for i in places], [regions[i] for i in places]


def _with_hours(network: Network, change: Change) -> Network:
    names, regions = stores_of(network)
    rows = network.stores[change.stores.mask(names, regions, "changes.stores")]
    opens, closes = network.locations.opens_s.copy(), network.locations.closes_s.copy()
    for clock, column, field in (
        (change.opens, opens, "changes.opens"),
        (change.closes, closes, "changes.closes"),
    ):
        if clock:
            column[rows] = _seconds(clock, field)
    shut = rows[closes[rows] <= opens[rows]]
    if len(shut):
        raise ScenarioInvalid(
            f"store {network.locations.ids[shut[0]]} would have no opening hours",
            field="changes.closes" if change.closes else "changes.opens",
            row=network.locations.ids[shut[0]],
            remedy="close after opening; a closed store is demand_factor = 0",
        )
    if not (change.opens or change.closes):
        return network
    return replace(network, locations=replace(network.locations, opens_s=opens, closes_s=closes))


def _with_store(network: Network, new: NewStore, like: str) -> Network:
    at = _row_of(network, like)
    if new.id in network.locations.ids:
        raise ScenarioInvalid(
            f"the chain has a location {new.id} already",
            field="new_stores.id",
            remedy="give the new store a name of its own",
        )
    places = network.locations
    columns: dict[str, Any] = {
        name: np.append(getattr(places, name), getattr(places, name)[at])
        for name in (
            "kind", "latitude", "longitude", "opens_s", "closes_s", "source", "receives_from_s",
            "receives_until_s",
        )
    }  # fmt: skip
    # Half a kilometre north: as good as the same place, and a stop of its own.
    columns["latitude"][-1] = min(columns["latitude"][-1] + 0.0045, 90.0)
    locations = replace(
        places,
        ids=(*places.ids, new.id),
        names=(*places.names, f"{places.names[at]} (new)"),
        region=(*places.region, places.region[at]),
        **columns,
    )
    metres = np.pad(network.distance_m, ((0, 1), (0, 1)))
    metres[-1, :-1] = network.distance_m[at] + 500
    metres[:-1, -1] = network.distance_m[:, at] + 500
    listed = np.concatenate([network.listed, network.listed[at : at + 1]])
    return replace(network, locations=locations, listed=listed, distance_m=metres)


def _row_of(network: Network, store: str) -> int:
    names, _ = stores_of(network)
    Selector(ids=(store,)).mask(names, names, "new_stores.like")
    return network.location_index(store)


def _fleet(network: Network, given: dict[str, Any]) -> Fleet:
    trucks = given.pop("trucks", None)
    if trucks is not None:
        if trucks != int(trucks):
            raise ScenarioInvalid(
                f"trucks is {trucks}", field="fleet.trucks", remedy="give a whole number"
            )
        given["trucks"] = np.full(len(network.warehouses), int(trucks), dtype=np.int32)
    try:
        return replace(network.fleet, **given)
    except InvalidInput as error:
        raise ScenarioInvalid(error.detail, field=error.field, remedy=error.remedy) from None


def check_fleet(network: Network) -> None:
    """Refuse a fleet that can't serve a store even with a tour of its own.

    Raises
    ------
    ScenarioInvalid
        By shift, by delivery window or by load, with the store.
    """
    fleet, places = network.fleet, network.locations
    trucks = np.asarray(fleet.trucks)
    if (trucks < 1).any():
        raise ScenarioInvalid(
            f"a warehouse has {int(trucks.min())} trucks",
            field="fleet.trucks",
            row=places.ids[int(network.warehouses[int(trucks.argmin())])],
            remedy="give each warehouse at least one truck",
        )
    served = network.stores[places.source[network.stores] >= 0]
    drive = network.distance_m[places.source[served], served] / (fleet.speed_km_per_hour / 3.6)
    tour = (2 * drive + fleet.stop_minutes * 60) / 60
    late = fleet.departs_s + drive > places.receives_until_s[served]
    case = network.skus.mass_g.astype(np.float64) * network.skus.pack_size / 1e3
    heavy = np.where(network.listed[served], case, 0.0).max(axis=1, initial=0.0)
    for wrong, field, say, remedy in (
        (
            tour > fleet.shift_minutes, "fleet.shift_minutes",
            f"is {{0:.0f}} minutes there and back, a driver's shift has {fleet.shift_minutes}",
            "a longer shift, faster trucks, or another warehouse for the store",
        ),
        (
            late, "fleet.speed_km_per_hour", "can't be reached before its delivery window ends",
            "an earlier departure, faster trucks, or a later end of the window",
        ),
        (
            heavy > fleet.capacity_kg, "fleet.capacity_kg",
            f"lists a case that weighs more than a truck's {fleet.capacity_kg:g} kg",
            "a larger truck, or smaller cases",
        ),
    ):  # fmt: skip
        bad = np.flatnonzero(wrong)
        if len(bad):
            name = places.ids[int(served[bad[0]])]
            raise ScenarioInvalid(
                f"impossible fleet: store {name} {say.format(tour[bad[0]])}"
                + (f", and {len(bad) - 1} more" if len(bad) > 1 else ""),
                field=field,
                row=name,
                remedy=remedy,
            )


def check_selectors(network: Network, changes: Sequence[Change]) -> None:
    """Refuse a selector of stores or SKUs that matches nothing."""
    names, regions = stores_of(network)
    skus = network.skus
    groups = [skus.categories[c] for c in skus.category]
    for change in changes:
        change.stores.mask(names, regions, "changes.stores")
        change.skus.mask(skus.ids, groups, "changes.skus")
