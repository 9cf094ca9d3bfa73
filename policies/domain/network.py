"""The network and its frozen (L, K) axis: locations, SKUs, lanes, fleet.

L counts the real locations that hold stock (warehouses first, then stores);
K counts the SKUs. Every array of the code base that is written ``(L, K)``
follows the order of :class:`Network`, and the order never varies.
"""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, field
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from policies.domain.columns import frozen, refuse
from policies.domain.errors import InvalidInput, UnknownLocation, UnknownSku
from policies.domain.goods import Skus, Suppliers

IntArray = npt.NDArray[np.int32]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

DAY_SECONDS = 86_400


class LocationKind(enum.IntEnum):
    """What a location is."""

    SUPPLIER = 0
    WAREHOUSE = 1
    STORE = 2
    VIRTUAL = 3


@dataclass(frozen=True)
class Locations:
    """Real locations as columns, warehouses before stores.

    Attributes
    ----------
    ids : tuple of str, length L
    kind : (L,) int8, :class:`LocationKind`
    names : tuple of str, length L
    region : tuple of str, length L
    latitude, longitude : (L,) float64, degrees WGS-84
    opens_s, closes_s : (L,) int32, seconds after local midnight
    source : (L,) int32, index of the warehouse that serves a store; -1 for a warehouse
    receives_from_s, receives_until_s : (L,) int32, delivery time window, seconds after midnight
    coordinates_assigned : bool, True where coordinates are not the chain's own
    """

    ids: tuple[str, ...]
    kind: npt.NDArray[np.int8]
    names: tuple[str, ...]
    region: tuple[str, ...]
    latitude: FloatArray
    longitude: FloatArray
    opens_s: IntArray
    closes_s: IntArray
    source: IntArray
    receives_from_s: IntArray
    receives_until_s: IntArray
    coordinates_assigned: bool = False

    def __post_init__(self) -> None:
        size = len(self.ids)
        if len(set(self.ids)) != size:
            raise InvalidInput("location ids are not unique", field="locations.ids")
        for name, dtype in (
            ("kind", np.int8),
            ("latitude", np.float64),
            ("longitude", np.float64),
            ("opens_s", np.int32),
            ("closes_s", np.int32),
            ("source", np.int32),
            ("receives_from_s", np.int32),
            ("receives_until_s", np.int32),
        ):
            value = frozen(getattr(self, name), dtype, f"locations.{name}")
            if value.shape != (size,):
                raise InvalidInput(
                    f"{name} has shape {value.shape}, expected ({size},)", field=f"locations.{name}"
                )
            object.__setattr__(self, name, value)
        stores = self.kind == LocationKind.STORE
        refuse(
            stores & (self.closes_s <= self.opens_s),
            self.ids,
            "has no opening hours",
            "locations.closes_s",
            "give a closing time after the opening time",
        )
        refuse(
            stores & (self.receives_until_s <= self.receives_from_s),
            self.ids,
            "has no time window for deliveries",
            "locations.receives_until_s",
            "give an end after the start, seconds after midnight",
        )
        refuse(
            # A NaN fails the comparison.
            ~((np.abs(self.latitude) <= 90) & (np.abs(self.longitude) <= 180)),
            self.ids,
            "lies nowhere on the globe",
            "locations.latitude",
            "give degrees WGS-84, latitude -90 to 90, longitude -180 to 180",
        )


@dataclass(frozen=True)
class Fleet:
    """The trucks of each warehouse.

    Attributes
    ----------
    trucks : (W,) int32, trucks at each warehouse (in location order)
    capacity_kg, capacity_m3 : float, of one truck
    speed_km_per_hour : float, mean speed on the road
    stop_minutes : float, fixed time at a stop
    unload_seconds_per_case : float
    shift_minutes : int, longest tour of a driver
    departs_s : int, earliest departure, seconds after midnight
    """

    trucks: IntArray
    capacity_kg: float = 9_000.0
    capacity_m3: float = 40.0
    speed_km_per_hour: float = 60.0
    stop_minutes: float = 15.0
    unload_seconds_per_case: float = 12.0
    shift_minutes: int = 600
    departs_s: int = 4 * 3600

    def __post_init__(self) -> None:
        object.__setattr__(self, "trucks", frozen(self.trucks, np.int32, "fleet.trucks"))
        if self.trucks.ndim != 1 or (self.trucks < 0).any():
            raise InvalidInput(
                "trucks is one number a warehouse, none negative",
                field="fleet.trucks",
                remedy="give each warehouse its trucks",
            )
        for name in ("capacity_kg", "capacity_m3", "speed_km_per_hour", "shift_minutes"):
            # A NaN fails the comparison.
            if not 0 < getattr(self, name) < np.inf:
                raise InvalidInput(
                    f"{name} is {getattr(self, name)}: no truck can drive a tour with that",
                    field=f"fleet.{name}",
                    remedy="give a number above 0",
                )
        for name, most in (
            ("stop_minutes", np.inf),
            ("unload_seconds_per_case", np.inf),
            ("departs_s", DAY_SECONDS),
        ):
            if not 0 <= getattr(self, name) < most:
                raise InvalidInput(
                    f"{name} is {getattr(self, name)}",
                    field=f"fleet.{name}",
                    remedy="give 0 or more" + (", within a day" if name == "departs_s" else ""),
                )


@dataclass(frozen=True)
class Network:
    """Everything about the chain that a day does not change.

    Attributes
    ----------
    listed : (L, K) bool, the assortment; a warehouse lists what any of its stores lists
    distance_m : (L, L) int32, road metres between locations
    start_date : datetime.date, day 0; time inside the twin is seconds of local
        wall clock since its midnight
    tz, currency : str, IANA zone and ISO 4217 code of the chain
    """

    locations: Locations
    skus: Skus
    suppliers: Suppliers
    fleet: Fleet
    listed: BoolArray
    distance_m: IntArray
    start_date: dt.date
    tz: str = "UTC"
    currency: str = "USD"
    holidays: tuple[dt.date, ...] = field(default=())

    def __post_init__(self) -> None:
        rows, cols = len(self.locations.ids), len(self.skus.ids)
        object.__setattr__(self, "listed", frozen(self.listed, np.bool_))
        metres = frozen(self.distance_m, np.int32, "network.distance_m")
        object.__setattr__(self, "distance_m", metres)
        if self.listed.shape != (rows, cols):
            raise InvalidInput(f"listed must be ({rows}, {cols})", field="network.listed")
        if self.distance_m.shape != (rows, rows):
            raise InvalidInput(f"distance_m must be ({rows}, {rows})", field="network.distance_m")
        source = self.locations.source
        lost = np.flatnonzero((source >= rows) | (source == np.arange(rows)))
        if lost.size:
            raise UnknownLocation(
                f"store {self.locations.ids[lost[0]]} is served from place {source[lost[0]]}, "
                "which is no lane of the network",
                field="locations.source",
                row=self.locations.ids[lost[0]],
                remedy="give the index of another location, or -1",
            )
        self._check_lanes()
        ZoneInfo(self.tz)

    def _check_lanes(self) -> None:
        ids = self.locations.ids
        refuse(
            np.any(self.distance_m < 0, axis=1),
            ids,
            "has a negative distance to another location",
            "network.distance_m",
            "give road metres",
        )
        if len(self.skus.categories) > len(self.suppliers.ids):
            missing = self.skus.categories[len(self.suppliers.ids)]
            raise InvalidInput(
                f"category {missing} has no supplier",
                field="suppliers.ids",
                row=missing,
                remedy="give one supplier per category, in the order of the categories",
            )
        trucks = np.zeros(len(ids), dtype=np.int64)
        if len(self.fleet.trucks) != len(self.warehouses):
            raise InvalidInput(
                f"trucks of {len(self.fleet.trucks)} warehouses, the network has "
                f"{len(self.warehouses)}",
                field="fleet.trucks",
                remedy="give one number a warehouse, in the order of the locations",
            )
        trucks[self.warehouses] = self.fleet.trucks
        served = np.bincount(self.locations.source[self.locations.source >= 0], minlength=len(ids))
        refuse(
            (served > 0) & (trucks == 0) & (self.locations.kind == LocationKind.WAREHOUSE),
            ids,
            "serves stores and has no truck",
            "fleet.trucks",
            "give it at least one truck, or serve its stores from another warehouse",
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(L, K)."""
        return len(self.locations.ids), len(self.skus.ids)

    @cached_property
    def stores(self) -> IntArray:
        """(S,) int32, axis indices of the stores."""
        return np.flatnonzero(self.locations.kind == LocationKind.STORE).astype(np.int32)

    @cached_property
    def delivery_sector(self) -> npt.NDArray[np.intp]:
        """(L,) 0 … 6: direction of a store from its warehouse, seven sectors of equal count."""
        return self.sectors(7)

    def sectors(self, count: int) -> npt.NDArray[np.intp]:
        """(L,) 0 … `count` − 1: direction of a store from its warehouse, equally many each."""
        places = self.locations
        sector = np.zeros(self.shape[0], dtype=np.intp)
        for warehouse in self.warehouses:
            mine = np.flatnonzero(places.source == warehouse)
            east = places.longitude[mine] - places.longitude[warehouse]
            north = places.latitude[mine] - places.latitude[warehouse]
            # A degree of longitude shrinks with the cosine of the latitude.
            angle = np.arctan2(north, east * np.cos(np.radians(places.latitude[warehouse])))
            rank = np.empty(len(mine), dtype=np.intp)
            rank[np.argsort(angle, kind="stable")] = np.arange(len(mine))
            sector[mine] = rank * count // max(len(mine), 1)
        return sector

    @cached_property
    def warehouses(self) -> IntArray:
        """(W,) int32, axis indices of the warehouses."""
        return np.flatnonzero(self.locations.kind == LocationKind.WAREHOUSE).astype(np.int32)

    @cached_property
    def _location_index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.locations.ids)}

    @cached_property
    def _sku_index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.skus.ids)}

    def location_index(self, location_id: str) -> int:
        """Axis index of a location; raises :class:`UnknownLocation`."""
        try:
            return self._location_index[location_id]
        except KeyError:
            raise UnknownLocation(
                f"no location {location_id!r} in the network", field="location"
            ) from None

    def sku_index(self, sku_id: str) -> int:
        """Axis index of a SKU; raises :class:`UnknownSku`."""
        try:
            return self._sku_index[sku_id]
        except KeyError:
            raise UnknownSku(f"no SKU {sku_id!r} in the network", field="sku") from None

    def utc(self, seconds: int) -> dt.datetime:
        """Aware UTC time of `seconds` of local wall clock since day 0."""
        midnight = dt.datetime.combine(self.start_date, dt.time())
        local = midnight + dt.timedelta(seconds=int(seconds))
        return local.replace(tzinfo=ZoneInfo(self.tz)).astimezone(dt.UTC)

    def seconds(self, moment: dt.datetime) -> int:
        """Seconds of local wall clock since day 0 of an aware time."""
        if moment.tzinfo is None:
            raise InvalidInput("a time without zone", field="moment", remedy="give an aware time")
        local = moment.astimezone(ZoneInfo(self.tz)).replace(tzinfo=None)
        midnight = dt.datetime.combine(self.start_date, dt.time())
        return int((local - midnight).total_seconds())

    def date(self, day: int) -> dt.date:
        """Calendar date of day number `day`."""
        return self.start_date + dt.timedelta(days=int(day))


def day_of(seconds: npt.NDArray[np.int64] | int) -> npt.NDArray[np.int64] | int:
    """Day number of seconds since day 0."""
    return seconds // DAY_SECONDS
