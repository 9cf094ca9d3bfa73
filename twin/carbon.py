"""The carbon account of a run: what each unit carries from its receipt to its sale.

Each (location, SKU) has a pool of grams; a unit carries the pool's mean. Goods that move
take their grams along, a leg adds its share, a day in stock adds energy and refrigerant,
and what leaves the shelf takes its mean with it. Nothing appears or vanishes:

    opening + legs + storage + waste = gone with units sold + what stock and trucks carry

What was stolen or expired has left its grams to the units that were sold; ``wasted_g``
says how much of their burden came from expired goods.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.carbon import CarbonFactors, shares, truck_grams
from policies.domain.decision import SUPPLIER
from policies.domain.errors import ConservationBroken
from policies.domain.network import IntArray, Network
from twin.arrays import Stock
from twin.loads import Load
from twin.road import Tour

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Places = npt.NDArray[np.integer]
CAUSES = ("transport", "storage", "waste")
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class CarbonResult:
    """The account of the days after the warm-up.

    Attributes
    ----------
    opening_g, closing_g : float, grams that stock and trucks carry
    legs_g, storage_g, waste_g : float, grams that were caused
    gone_g : (L, K) float64, grams that left each shelf with units sold, waste included
    wasted_g : (L, K) float64, of these, what expired units have left to those sold
    sold : (L, K) int64, units
    """

    opening_g: float
    closing_g: float
    legs_g: float
    storage_g: float
    waste_g: float
    gone_g: Floats
    wasted_g: Floats
    sold: Ints

    @property
    def gap(self) -> float:
        """How far the two sides of the account are apart, as a share of them."""
        caused = self.opening_g + self.legs_g + self.storage_g + self.waste_g
        found = self.closing_g + float(self.gone_g.sum())
        return abs(caused - found) / max(caused, 1.0)

    @property
    def unsold_g(self) -> float:
        """Grams that left shelves on which nothing was sold: no unit there carries them."""
        return float(self.gone_g[self.sold == 0].sum())

    def kg_per_unit_sold(self) -> Floats:
        """(L, K) float64 kilograms; NaN where nothing was sold."""
        out = np.full(self.sold.shape, np.nan)
        np.divide(self.gone_g, self.sold * 1e3, out=out, where=self.sold > 0)
        return out


@dataclass
class CarbonAccount:
    """Grams by place and SKU while a run runs.

    Parameters
    ----------
    network : Network
    factors : CarbonFactors
    stock : Stock, whose truth the pools follow
    """

    network: Network
    factors: CarbonFactors
    stock: Stock
    legs_g: float = 0.0
    storage_g: float = 0.0
    waste_g: float = 0.0
    opening_g: float = 0.0
    _travelling: dict[int, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.network.shape
        self.pool = np.zeros(shape)
        self.mean = np.zeros(shape)
        self.gone = np.zeros(shape)
        self.wasted = np.zeros(shape)
        self.sold = np.zeros(shape, dtype=np.int64)
        skus, locations, f = self.network.skus, self.network.locations, self.factors
        volume = skus.volume_cm3 / 1e6
        chilled = np.where(
            skus.shelf_life_days > 0,
            f.chilled_kwh_per_m3_day * f.grid_g_per_kwh + f.chilled_leak_g_per_m3_day,
            0.0,
        )
        is_store = np.zeros(len(locations.ids), dtype=np.bool_)
        is_store[self.network.stores] = True
        self._is_store = is_store
        at = (f.warehouse_kwh_per_m3_day, f.store_kwh_per_m3_day)
        # (2, K): grams of a unit's day in a warehouse, in a store.
        self._day_g = np.stack([volume * (kwh * f.grid_g_per_kwh + chilled) for kwh in at])
        self._mass_kg = skus.mass_g / 1e3
        places, categories = len(locations.ids), len(skus.categories)
        self.today = np.zeros((places, categories, len(CAUSES)))

    def settle(self, place: int, sku: npt.NDArray[np.int32]) -> None:
        """What left these shelves since the last touch has taken the mean along."""
        _settle(place, sku, self.stock.physical[place], self.pool, self.mean, self.gone)

    def shipped(self, load: Load) -> None:
        """A settled load has left its origin, or a supplier."""
        if load.origin == SUPPLIER:
            return
        grams = np.empty(len(load.sku))
        _load_up(load.origin, load.sku, load.shipped, self.pool, self.mean, grams)
        self._travelling[load.number] = grams

    def departed(self, tour: Tour) -> None:
        """The tour's legs are shared among its loads, and a load's share among its goods."""
        metres, kg = _legs(self.network, tour)
        # A relief truck drives for the whole load.
        metres, kg = np.append(metres, tour.metres - metres.sum()), np.append(kg, kg[0])
        if self._is_store[tour.origin]:
            litres = metres.sum() / 1e5 * self.factors.van_litres_per_100_km
            grams = litres * self.factors.diesel_g_per_litre
        else:
            capacity = self.network.fleet.capacity_kg
            grams = float(truck_grams(self.factors, metres, kg, capacity).sum())
        self.legs_g += grams
        loads = [stop.load for stop in tour.stops]
        direct = [self.network.distance_m[tour.origin, load.destination] for load in loads]
        part = shares(np.array([load.kg for load in loads]), np.array(direct, dtype=np.float64))
        for load, share in zip(loads, (grams * part).tolist(), strict=True):
            self._add_leg(load, share)

    def received(self, load: Load) -> None:
        """A load is put down; call it after :meth:`settle` and before stock changes."""
        if load.origin == SUPPLIER:
            kg = _kilograms(load.sku, load.shipped, self._mass_kg)
            grams = kg / 1e3 * self.factors.inbound_km * self.factors.inbound_g_per_tonne_km
            self.legs_g += grams
            self._add_leg(load, grams)
        brought = self._travelling.pop(load.number, np.zeros(len(load.sku)))
        physical = self.stock.physical[load.destination]
        _put_down(load.destination, load.sku, load.shipped, brought, physical, self.pool, self.mean)

    def _add_leg(self, load: Load, grams: float) -> None:
        """Add a load's share of a leg to its goods, by mass."""
        carried = self._travelling.setdefault(load.number, np.zeros(len(load.sku)))
        category, today = self.network.skus.category, self.today[load.destination]
        _share(load.sku, load.shipped, self._mass_kg, category, grams, carried, today)

    def expired(self, before: npt.NDArray[np.int32]) -> None:
        """What was cleared this evening; `before` (L, K) was there, and settled."""
        thrown = np.argwhere(before > self.stock.physical)
        if not len(thrown):
            return
        place, sku = thrown[:, 0], thrown[:, 1]
        self._throw(place, sku, (before - self.stock.physical)[place, sku])

    def removed(self, place: int, sku: IntArray, units: IntArray, *, is_thrown: bool) -> None:
        """`units` (n,) were just thrown away, or have begun their way to a supplier."""
        at = np.full(len(sku), place)
        if is_thrown:
            self._throw(at, sku, units)
            return
        f = self.factors
        grams = units * self._mass_kg[sku] / 1e3 * f.inbound_km * f.inbound_g_per_tonne_km
        self.legs_g += float(grams.sum())
        np.add.at(self.gone, (at, sku), grams)
        np.add.at(self.today[..., 0], (at, self.network.skus.category[sku]), grams)

    def converted(self, place: int, sku: int, used: int, outputs: IntArray, made: IntArray) -> None:
        """Settled goods are about to become others, which carry on what they carried, by mass."""
        grams = float(self.mean[place, sku] * used)
        self.pool[place, sku] -= grams
        kg = made * self._mass_kg[outputs]
        total = float(kg.sum())
        brought = grams * (kg / total if total > 0 else np.full(len(kg), 1 / len(kg)))
        physical = self.stock.physical[place]
        _put_down(place, outputs, made, brought, physical, self.pool, self.mean)

    def lost(self, place: int, sku: int, grams_of_goods: int) -> None:
        """So much of `sku` was thrown away when it became other goods."""
        grams = grams_of_goods / 1e3 * self.factors.waste_g_per_kg
        self.waste_g += grams
        self.gone[place, sku] += grams
        self.wasted[place, sku] += grams
        self.today[place, self.network.skus.category[sku], 2] += grams

    def _throw(self, place: Places, sku: Places, units: Places) -> None:
        grams = units * self._mass_kg[sku] * self.factors.waste_g_per_kg
        carried = units * self.mean[place, sku]
        self.waste_g += float(grams.sum())
        np.add.at(self.gone, (place, sku), grams)
        np.add.at(self.wasted, (place, sku), grams + carried)
        np.add.at(self.today[..., 2], (place, self.network.skus.category[sku]), grams)

    def close(self, sold: npt.NDArray[np.int32]) -> Floats:
        """End a day: energy and refrigerant; returns (L, C, 3) grams by cause and clears them.

        Parameters
        ----------
        sold : (L, K) int32, units of the day
        """
        self.storage_g += _close(
            self.stock.physical,
            self._is_store,
            self._day_g,
            self.network.skus.category,
            sold,
            self.pool,
            self.mean,
            self.gone,
            self.sold,
            self.today,
        )
        out = self.today.copy()
        self.today[:] = 0.0
        return out

    def begin(self) -> None:
        """The warm-up is over: what stock and trucks carry now is where the account opens."""
        self.opening_g = self.carried_g()
        self.legs_g = self.storage_g = self.waste_g = 0.0
        self.gone[:], self.wasted[:], self.sold[:] = 0.0, 0.0, 0

    def carried_g(self) -> float:
        """Grams that stock and trucks carry."""
        return float(self.pool.sum()) + sum(float(one.sum()) for one in self._travelling.values())

    def result(self) -> CarbonResult:
        """The account.

        Raises
        ------
        ConservationBroken
            Its two sides differ.
        """
        out = CarbonResult(
            self.opening_g,
            self.carried_g(),
            self.legs_g,
            self.storage_g,
            self.waste_g,
            self.gone.copy(),
            self.wasted.copy(),
            self.sold.copy(),
        )
        if not out.gap <= _TOLERANCE:
            raise ConservationBroken(
                f"the carbon account is open by {out.gap:.2e} of what was caused",
                field="carbon",
                remedy="this is a defect of the program: report it with the scenario",
            )
        return out


def _legs(network: Network, tour: Tour) -> tuple[Floats, Floats]:
    """((N,) metres, (N,) kilograms on board) of a tour's legs, the way back included."""
    at = [tour.origin, *(stop.load.destination for stop in tour.stops), tour.origin]
    metres = network.distance_m[at[:-1], at[1:]].astype(np.float64)
    kg = np.array([stop.load.kg for stop in tour.stops])
    on_board = np.append(np.cumsum(kg[::-1])[::-1], 0.0)
    return metres, on_board


@njit(cache=True)
def _load_up(
    place: int,
    sku: npt.NDArray[np.int32],
    shipped: npt.NDArray[np.int32],
    pool: Floats,
    mean: Floats,
    grams: Floats,
) -> None:
    for i in range(len(sku)):
        k = sku[i]
        grams[i] = mean[place, k] * shipped[i]
        pool[place, k] -= grams[i]


@njit(cache=True)
def _kilograms(
    sku: npt.NDArray[np.int32], shipped: npt.NDArray[np.int32], mass_kg: Floats
) -> float:
    total = 0.0
    for i in range(len(sku)):
        total += mass_kg[sku[i]] * shipped[i]
    return total


@njit(cache=True)
def _share(
    sku: npt.NDArray[np.int32],
    shipped: npt.NDArray[np.int32],
    mass_kg: Floats,
    category: npt.NDArray[np.int32],
    grams: float,
    carried: Floats,
    today: Floats,
) -> None:
    """Share grams among goods by mass, or evenly where they weigh nothing."""
    total = _kilograms(sku, shipped, mass_kg)
    for i in range(len(sku)):
        k = sku[i]
        part = mass_kg[k] * shipped[i] / total if total > 0 else 1.0 / len(sku)
        carried[i] += grams * part
        today[category[k], 0] += grams * part


@njit(cache=True)
def _settle(
    place: int,
    sku: npt.NDArray[np.int32],
    physical: npt.NDArray[np.int32],
    pool: Floats,
    mean: Floats,
    gone: Floats,
) -> None:
    for k in sku:
        left = mean[place, k] * physical[k]
        gone[place, k] += pool[place, k] - left
        pool[place, k] = left


@njit(cache=True)
def _put_down(
    place: int,
    sku: npt.NDArray[np.int32],
    shipped: npt.NDArray[np.int32],
    brought: Floats,
    physical: npt.NDArray[np.int32],
    pool: Floats,
    mean: Floats,
) -> None:
    for i in range(len(sku)):
        k = sku[i]
        pool[place, k] += brought[i]
        units = physical[k] + shipped[i]
        if units > 0:
            mean[place, k] = pool[place, k] / units


@njit(cache=True)
def _close(
    physical: npt.NDArray[np.int32],
    is_store: npt.NDArray[np.bool_],
    day_g: Floats,
    category: npt.NDArray[np.int32],
    sold: npt.NDArray[np.int32],
    pool: Floats,
    mean: Floats,
    gone: Floats,
    sold_sum: Ints,
    today: Floats,
) -> float:
    total = 0.0
    for place in range(physical.shape[0]):
        rate = day_g[1 if is_store[place] else 0]
        for k in range(physical.shape[1]):
            units = physical[place, k]
            left = mean[place, k] * units
            gone[place, k] += pool[place, k] - left
            if units > 0:
                added = rate[k] * units
                left += added
                mean[place, k] = left / units
                today[place, category[k], 1] += added
                total += added
            pool[place, k] = left
            sold_sum[place, k] += sold[place, k]
    return total
