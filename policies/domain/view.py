"""NetworkView: the frozen snapshot that a policy decides on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import numpy.typing as npt

from policies.domain.columns import frozen, refuse
from policies.domain.errors import InvalidInput
from policies.domain.forecast import Forecast
from policies.domain.network import BoolArray, IntArray, Network


@dataclass(frozen=True)
class NetworkView:
    """What the book says at one moment, and nothing later.

    Attributes
    ----------
    as_of_s : int, seconds of local wall clock since day 0
    network : Network, the axis and all that a day does not change
    on_hand : (L, K) int32, in the book at the location
    in_transit : (L, K) int32, shipped to the location and not received
    on_order : (L, K) int32, ordered for the location and not received (contains in transit)
    backorders : (L, K) int32, demanded and still owed
    reserved : (L, K) int32, promised to an order that has not left
    review_due : (L,) bool, locations whose order day it is
    protection_days : (L,) int32, days from this decision until the receipt of the
        next review's order (review period + lead time)
    scope : (L, K) bool or None, cells this decision may order for; None = all
    forecast : Forecast or None, the last issue frozen before `as_of_s`
    expires : (L, K, B) int32 or None, units on hand by their last day of sale: 0 = the day
        after `as_of_s`; what lives longer is in no bucket. None = not known
    blocked : (L, K) int32 or None, units on hand and not reserved that may not be sold: held,
        recalled, or past their last day; None = there are none
    is_hashed : bool, False = no digest (a simulation that keeps no decisions)
    is_vouched : bool, True = its maker knows that no number is negative (the twin, which
        has done every movement itself); a check reads all arrays again
    recent_routes : tuple of tuples of int, stops of the tours of the last seven nights as
        axis indices, the newest night first
    """

    as_of_s: int
    network: Network
    on_hand: IntArray
    in_transit: IntArray
    on_order: IntArray
    backorders: IntArray
    reserved: IntArray
    review_due: BoolArray
    protection_days: IntArray
    scope: BoolArray | None = None
    forecast: Forecast | None = None
    is_hashed: bool = True
    expires: IntArray | None = None
    is_vouched: bool = False
    blocked: IntArray | None = None
    recent_routes: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        shape = self.network.shape
        for name in ("on_hand", "in_transit", "on_order", "backorders", "reserved"):
            value = frozen(getattr(self, name), np.int32, f"view.{name}")
            if value.shape != shape:
                raise InvalidInput(
                    f"{name} has shape {value.shape}, expected {shape}", field=f"view.{name}"
                )
            # On hand alone may stand below 0 in the book: sold before it was booked in.
            is_checked = name != "on_hand" and not self.is_vouched
            if is_checked and value.size and value.min() < 0:
                place, sku = np.argwhere(value < 0)[0].tolist()
                raise InvalidInput(
                    f"{name} of {self.network.skus.ids[sku]} is {value[place, sku]}",
                    field=f"view.{name}",
                    row=self.network.locations.ids[place],
                    remedy="give units, not negative",
                )
            object.__setattr__(self, name, value)
        if self.blocked is not None:
            object.__setattr__(self, "blocked", frozen(self.blocked, np.int32, "view.blocked"))
            if self.blocked.shape != shape or (self.blocked < 0).any():
                raise InvalidInput(
                    f"blocked is not {shape} units of 0 or more",
                    field="view.blocked",
                    remedy="give units on hand that may not be sold",
                )
        object.__setattr__(self, "review_due", frozen(self.review_due, np.bool_))
        days = frozen(self.protection_days, np.int32, "view.protection_days")
        object.__setattr__(self, "protection_days", days)
        for name in ("review_due", "protection_days"):
            if getattr(self, name).shape != shape[:1]:
                raise InvalidInput(
                    f"{name} has shape {getattr(self, name).shape}, expected ({shape[0]},)",
                    field=f"view.{name}",
                )
        refuse(
            days < 0,
            self.network.locations.ids,
            "has a negative protection interval",
            "view.protection_days",
            "give days until the receipt of the next review's order",
        )
        if self.scope is not None:
            object.__setattr__(self, "scope", frozen(self.scope, np.bool_))
            if self.scope.shape != shape:
                raise InvalidInput(
                    f"scope has shape {self.scope.shape}, expected {shape}", field="view.scope"
                )
        if self.forecast is not None and self.forecast.level.shape != shape:
            raise InvalidInput(
                f"the forecast has shape {self.forecast.level.shape}, expected {shape}",
                field="view.forecast",
                remedy="fit it on this network",
            )
        if self.expires is not None:
            object.__setattr__(self, "expires", frozen(self.expires, np.int32, "view.expires"))
            if self.expires.ndim != 3 or self.expires.shape[:2] != shape:
                raise InvalidInput(
                    f"expires has shape {self.expires.shape}, expected {(*shape, 'days')}",
                    field="view.expires",
                )

    @property
    def day(self) -> int:
        """Day number of `as_of_s`."""
        return self.as_of_s // 86_400

    @cached_property
    def inventory_position(self) -> IntArray:
        """(L, K) int32: on hand + on order − backorders − reserved − blocked, only here."""
        position = self.on_hand + self.on_order - self.backorders - self.reserved
        return position if self.blocked is None else position - self.blocked

    @cached_property
    def available(self) -> IntArray:
        """(L, K) int32: on hand − reserved − blocked."""
        free = self.on_hand - self.reserved
        return free if self.blocked is None else free - self.blocked

    @cached_property
    def may_order(self) -> BoolArray:
        """(L, K) bool: listed, in scope, and the location's review is due."""
        mask: npt.NDArray[np.bool_] = self.network.listed & self.review_due[:, None]
        return mask if self.scope is None else mask & self.scope

    def digest(self) -> str:
        """SHA-256 of the content, for the decision's header; "" if it is not hashed."""
        if not self.is_hashed:
            return ""
        sha = hashlib.sha256(str(self.as_of_s).encode())
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, np.ndarray):
                sha.update(item.name.encode())
                sha.update(np.ascontiguousarray(value).data)
        if self.recent_routes:
            sha.update(repr(self.recent_routes).encode())
        if self.forecast is not None:
            sha.update(self.forecast.digest().encode())
        return sha.hexdigest()
