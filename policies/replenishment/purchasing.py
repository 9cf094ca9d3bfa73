"""Orders to suppliers as suppliers accept them: cases, pallets, minimum order, whole trucks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.errors import InvalidInput
from policies.domain.network import IntArray

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PurchaseTerms:
    """What suppliers sell in.

    Parameters
    ----------
    supplier : (K,) int, supplier of each SKU, 0 … V − 1
    case_units, pallet_units : (K,) int ≥ 1; a pallet is whole cases
    minimum_cases : (V,) int ≥ 0, least cases of an order
    truck_pallets : (V,) int ≥ 0, pallets of a full truck; 0 = the supplier delivers any number
    pallet_share : float in (0, 1], part of a pallet from which a pallet is ordered
    truck_share : float in (0, 1], part of a truck from which it is filled up; below it the
        part truck waits for the next review
    most_cover_days : float ≥ 0, cover beyond which nothing is pulled forward
    """

    supplier: IntArray
    case_units: IntArray
    pallet_units: IntArray
    minimum_cases: IntArray
    truck_pallets: IntArray
    pallet_share: float = 0.7
    truck_share: float = 0.6
    most_cover_days: float = 60.0

    def __post_init__(self) -> None:
        if not (0 < self.pallet_share <= 1 and 0 < self.truck_share <= 1):
            raise InvalidInput("shares lie in (0, 1]", field="pallet_share")
        bad = np.flatnonzero(
            (self.case_units < 1) | (self.pallet_units < 1) | (self.pallet_units % self.case_units)
        ) if (self.case_units > 0).all() else np.flatnonzero(self.case_units < 1)  # fmt: skip
        if bad.size:
            raise InvalidInput(
                f"SKU {bad[0]} has {self.case_units[bad[0]]} units a case and "
                f"{self.pallet_units[bad[0]]} a pallet",
                field="pallet_units",
                row=int(bad[0]),
                remedy="give at least 1 unit a case, and whole cases a pallet",
            )
        known = (self.supplier >= 0) & (self.supplier < len(self.minimum_cases))
        if not known.all():
            raise InvalidInput(
                "a SKU has no supplier", field="supplier", row=int(np.flatnonzero(~known)[0])
            )


def purchase(terms: PurchaseTerms, need: IntArray, position: IntArray, rate: Floats) -> IntArray:
    """(K,) int32 units to order, whole cases, as suppliers accept them.

    Needs are rounded up to cases, and to pallets where most of one is needed. An order
    below the supplier's minimum, or a truck that is mostly full, is filled with the SKUs of
    least cover, a case (a pallet) at a time; a nearly empty last truck gives up pallets of
    the SKUs of most cover. Where nothing sells fast enough to fill the minimum without
    passing ``most_cover_days``, the supplier gets no order today.

    Parameters
    ----------
    need : (K,) int32 units ≥ 0, position : (K,) int32 units, rate : (K,) units a day ≥ 0
    """
    if (need < 0).any() or not np.isfinite(rate).all() or (rate < 0).any():
        raise InvalidInput(
            "needs and rates are finite and not negative", field="need",
            remedy="give the gap to the level, 0 where there is none",
        )  # fmt: skip
    case, pallet = terms.case_units, terms.pallet_units
    units = -(-need // case) * case
    rest = units % pallet
    units = np.where(rest >= terms.pallet_share * pallet, units - rest + pallet, units)
    units = units.astype(np.int32)
    for v in range(len(terms.minimum_cases)):
        mine = np.flatnonzero(terms.supplier == v)
        if not units[mine].any():
            continue
        units[mine] = _accepted(
            units[mine],
            need[mine],
            position[mine],
            rate[mine],
            case[mine],
            pallet[mine],
            int(terms.minimum_cases[v]),
            int(terms.truck_pallets[v]),
            terms.truck_share,
            terms.most_cover_days,
        )
    return units


@njit(cache=True)
def _accepted(
    units: IntArray,
    need: IntArray,
    position: IntArray,
    rate: Floats,
    case: IntArray,
    pallet: IntArray,
    minimum: int,
    truck: int,
    truck_share: float,
    most_days: float,
) -> IntArray:
    out = units.copy()
    if truck > 0:
        pallets = (out / pallet).sum()
        begun = pallets - np.floor(pallets / truck + 1e-9) * truck
        if begun > 1e-9 and begun >= truck_share * truck:
            _fill(out, position, rate, pallet, pallet, begun, float(truck), most_days)
        elif begun > 1e-9 and pallets > truck:
            _empty(out, position, rate, case, pallet, begun)
    cases = (out // case).sum()
    if cases < minimum:
        ones = case.copy()
        reached = _fill(out, position, rate, case, ones, float(cases), float(minimum), most_days)
        if reached < minimum:
            out[:] = 0
    return out


@njit(cache=True)
def _fill(
    out: IntArray,
    position: IntArray,
    rate: Floats,
    step: IntArray,
    per: IntArray,
    now: float,
    goal: float,
    most_days: float,
) -> float:
    """Add a step to the SKU of least cover until `goal` pallets (cases) are reached."""
    while now < goal - 1e-9:
        best, least = -1, most_days
        for k in range(len(out)):
            if rate[k] > 0 and (step[k] / per[k]) <= goal - now + 1e-9:
                cover = (position[k] + out[k] + step[k]) / rate[k]
                if cover < least:
                    best, least = k, cover
        if best < 0:
            break
        out[best] += step[best]
        now += step[best] / per[best]
    return now


@njit(cache=True)
def _empty(
    out: IntArray, position: IntArray, rate: Floats, case: IntArray, pallet: IntArray, begun: float
) -> None:
    """Take cases of the SKU of most cover off until the begun truck is gone."""
    while begun > 1e-9:
        best, most = -1, -1e18
        for k in range(len(out)):
            if out[k] > 0:
                cover = (position[k] + out[k]) / max(rate[k], 1e-9)
                if cover > most:
                    best, most = k, cover
        if best < 0:
            return
        out[best] -= case[best]
        begun -= case[best] / pallet[best]
