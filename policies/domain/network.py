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
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput, UnknownLocation, UnknownSku

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


def frozen(array: npt.ArrayLike, dtype: npt.DTypeLike) -> Any:
    """A read-only contiguous copy-if-needed of `array` with the given dtype."""
    out = np.ascontiguousarray(array, dtype=dtype)
    if out.flags.writeable:
        out = out.copy() if out is array else out
        out.flags.writeable = False
    return out


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
            value = frozen(getattr(self, name), dtype)
            if value.shape != (size,):
                raise InvalidInput(
                    f"{name} has shape {value.shape}, expected ({size},)", field=f"locations.{name}"
                )
            object.__setattr__(self, name, value)
        stores = self.kind == LocationKind.STORE
        closed = np.flatnonzero(stores & (self.closes_s <= self.opens_s))
        if closed.size:
            raise InvalidInput(
                f"store {self.ids[closed[0]]} has no opening hours",
                field="locations.closes_s",
                row=self.ids[closed[0]],
                remedy="give a closing time after the opening time",
            )


@dataclass(frozen=True)
class Skus:
    """Stock-keeping units as columns.

    Attributes
    ----------
    ids : tuple of str, length K
    names : tuple of str, length K
    category : (K,) int32, index into `categories`
    categories : tuple of str, length C
    unit_cost_cents, unit_price_cents : (K,) int32, cents per base unit
    pack_size : (K,) int32, base units in a case
    mass_g, volume_cm3 : (K,) int32, per base unit
    shelf_life_days : (K,) int32, 0 = does not expire
    gtin : tuple of str, length K, GTIN-14 ("" where there is none)
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    category: IntArray
    categories: tuple[str, ...]
    unit_cost_cents: IntArray
    unit_price_cents: IntArray
    pack_size: IntArray
    mass_g: IntArray
    volume_cm3: IntArray
    shelf_life_days: IntArray
    gtin: tuple[str, ...]

    def __post_init__(self) -> None:
        size = len(self.ids)
        if len(set(self.ids)) != size:
            raise InvalidInput("SKU ids are not unique", field="skus.ids")
        for name in (
            "category",
            "unit_cost_cents",
            "unit_price_cents",
            "pack_size",
            "mass_g",
            "volume_cm3",
            "shelf_life_days",
        ):
            value = frozen(getattr(self, name), np.int32)
            if value.shape != (size,):
                raise InvalidInput(
                    f"{name} has shape {value.shape}, expected ({size},)", field=f"skus.{name}"
                )
            object.__setattr__(self, name, value)
        bad = np.flatnonzero(self.pack_size < 1)
        if bad.size:
            raise InvalidInput(
                f"SKU {self.ids[bad[0]]} has pack size {self.pack_size[bad[0]]}",
                field="skus.pack_size",
                row=self.ids[bad[0]],
                remedy="give the number of base units in a case, at least 1",
            )


@dataclass(frozen=True)
class Suppliers:
    """One supplier per category, with an empirical lead-time distribution.

    Attributes
    ----------
    ids : tuple of str, length C (index = category)
    lead_time_days : (C, Q) int32, equally likely lead times of a purchase order
    """

    ids: tuple[str, ...]
    lead_time_days: IntArray

    def __post_init__(self) -> None:
        value = frozen(self.lead_time_days, np.int32)
        if value.ndim != 2 or value.shape[0] != len(self.ids) or (value < 0).any():
            raise InvalidInput("lead_time_days must be (C, Q), none negative", field="suppliers")
        object.__setattr__(self, "lead_time_days", value)


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
        object.__setattr__(self, "trucks", frozen(self.trucks, np.int32))


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
        object.__setattr__(self, "distance_m", frozen(self.distance_m, np.int32))
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
        ZoneInfo(self.tz)

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
            sector[mine] = rank * 7 // max(len(mine), 1)
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
