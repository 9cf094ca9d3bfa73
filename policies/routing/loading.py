"""What rides tonight: stores that can wait, tours too empty to drive, trucks with room.

A warehouse's night is routed once; then stores whose visit costs more than what they would
miss until their next one are put off, tours below the minimum fill likewise, and what room
is left is filled with goods that would be ordered next time anyway. What is put off is not
ordered at all: the store orders again, and more, at its next review.

Sources: prize-collecting disjunctions as in Balas (1989, Networks 19:621); minimum fill and
truck fill as in Cachon (2001, Manufacturing & Service Operations Management 3:98).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.allocation.marginal_value import expected_sold
from policies.domain.decision import LineKind, ProposalLines, Reason, Route, Unserved
from policies.domain.errors import InvalidInput
from policies.domain.network import DAY_SECONDS, IntArray
from policies.domain.ports import Router
from policies.domain.view import NetworkView
from policies.replenishment.levels import require_forecast

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
PUT_OFF = "put off until its next review: a truck tonight costs more than it would save"
Planned = tuple[ProposalLines, tuple[Route, ...], tuple[Unserved, ...]]


@dataclass(frozen=True)
class Loading:
    """Parameters of what rides and what waits; the defaults leave everything as ordered.

    Parameters
    ----------
    drop_penalty : float ≥ 0 or None, how often the margin that a store is expected to miss
        until its next review is counted against the truck that is saved; None = no store
        is put off for that reason
    minimum_fill_share : float 0–1, tours filled less are put off, the cheapest first, as
        long as what their stores would miss (times `drop_penalty`, if given) is less than
        what the tour costs
    fill_up_share : float 0–1, tours are filled up to this share of a truck
    fill_up_days : int ≥ 0, days of demand beyond tonight's cover that may ride ahead
    cents_per_km, tour_cents : float, what driving costs: truck and driver at the mean speed
    """

    drop_penalty: float | None = None
    minimum_fill_share: float = 0.0
    fill_up_share: float = 0.0
    fill_up_days: int = 7
    cents_per_km: float = 157.0
    tour_cents: float = 4_000.0

    def __post_init__(self) -> None:
        for name in ("minimum_fill_share", "fill_up_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(
                    f"{name} is {getattr(self, name)}", field=name, remedy="a share, 0 to 1"
                )
        for name in ("drop_penalty", "fill_up_days", "cents_per_km", "tour_cents"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < np.inf:
                raise InvalidInput(f"{name} is {value}", field=name, remedy="0 or more")

    @property
    def is_active(self) -> bool:
        """Whether anything may be put off or ride ahead."""
        return (
            self.drop_penalty is not None or self.minimum_fill_share > 0 or self.fill_up_share > 0
        )

    def settle(
        self, view: NetworkView, lines: ProposalLines, granted: IntArray, router: Router
    ) -> Planned:
        """Lines that ride, their tours, and the stores that get none, each with its reason."""
        routes, unserved = router.routes(view, lines)
        if self.drop_penalty is not None or self.minimum_fill_share > 0:
            waits = self.put_off(view, lines, routes)
            if waits:
                gone = np.isin(lines.destination, sorted(waits))
                lines = lines.take(~(gone & (lines.kind == LineKind.REPLENISH)))
                routes, unserved = router.routes(view, lines)
                unserved += tuple(Unserved(place, PUT_OFF) for place in sorted(waits))
        if self.fill_up_share > 0 and routes:
            fuller = self.filled(view, lines, granted, routes)
            more, left = router.routes(view, fuller)
            added = len(left) - sum(one.reason == PUT_OFF for one in unserved)
            # Goods that would need a truck more are not worth riding ahead.
            if len(more) <= len(routes) and added <= len(unserved):
                kept = tuple(one for one in unserved if one.reason == PUT_OFF)
                lines, routes, unserved = fuller, more, (*left, *kept)
        return lines, routes, unserved

    # -- stores that wait ---------------------------------------------------------------

    def put_off(self, view: NetworkView, lines: ProposalLines, routes: Sequence[Route]) -> set[int]:
        """Stores whose visit tonight costs more than they would miss without it."""
        missed = missed_cents(view, lines)
        metres = view.network.distance_m
        served = [place for route in routes for place in route.stops]
        split = {place for place in served if served.count(place) > 1}
        waits: set[int] = set()
        for route in routes:
            # A store that needs several trucks is none that can wait.
            if split & set(route.stops):
                continue
            left = list(route.stops)
            loss = missed[left] * (1.0 if self.drop_penalty is None else self.drop_penalty)
            is_thin = self._fill(view, route) < self.minimum_fill_share
            if (is_thin or self.drop_penalty is not None) and loss.sum() < self._cents(route):
                waits |= set(left)
            elif self.drop_penalty is not None:
                waits |= self._dear_stops(metres, route, dict(zip(left, loss, strict=True)))
        return waits

    def _cents(self, route: Route) -> float:
        return route.metres / 1e3 * self.cents_per_km + self.tour_cents

    def _fill(self, view: NetworkView, route: Route) -> float:
        fleet = view.network.fleet
        return max(route.kg / fleet.capacity_kg, route.m3 / fleet.capacity_m3)

    def _dear_stops(self, metres: IntArray, route: Route, loss: dict[int, float]) -> set[int]:
        """Stops taken out of a tour one after the other, greatest gain first."""
        tour, out = list(route.stops), set()
        while len(tour) > 1:
            nodes = [route.warehouse, *tour, route.warehouse]
            gains = []
            for before, here, after in zip(nodes, tour, nodes[2:], strict=False):
                detour = int(metres[before, here]) + int(metres[here, after])
                detour -= int(metres[before, after])
                gains.append(detour / 1e3 * self.cents_per_km - loss[here])
            best = int(np.argmax(gains))
            if gains[best] <= 0:
                break
            out.add(tour.pop(best))
        return out

    # -- goods that ride ahead ----------------------------------------------------------

    def filled(
        self,
        view: NetworkView,
        lines: ProposalLines,
        granted: IntArray,
        routes: Sequence[Route],
    ) -> ProposalLines:
        """`lines` with more cases on tours that have room.

        Of what a tour's stores will want within `fill_up_days`, that goes first which costs
        least to hold until then for the room it takes.
        """
        network, names = view.network, view.network.locations.ids
        free = np.maximum(view.available, 0).astype(np.int64)
        sent = lines.origin >= 0
        np.subtract.at(free, (lines.origin[sent], lines.sku[sent]), lines.quantity[sent])
        extra: dict[int, npt.NDArray[np.int64]] = {}
        # By name, so that the order of an axis does not decide who comes first.
        for route in sorted(routes, key=lambda one: sorted(names[i] for i in one.stops)):
            places = np.array(sorted(set(route.stops), key=lambda i: names[i]), dtype=np.int64)
            room = np.array(
                [
                    self.fill_up_share * network.fleet.capacity_kg - route.kg,
                    self.fill_up_share * network.fleet.capacity_m3 - route.m3,
                ]
            )
            if (room <= 0).any():
                continue
            more = self._ahead(view, granted, places, free[route.warehouse], room)
            for i, place in enumerate(places.tolist()):
                extra[place] = extra.get(place, 0) + more[i]
        return _with_more(view, lines, extra)

    def _ahead(
        self, view: NetworkView, granted: IntArray, places: Ints, free: Ints, room: Floats
    ) -> Ints:
        """(P, K) int64 units that ride ahead to `places`; `free` and `room` shrink."""
        forecast, goods = require_forecast(view), view.network.skus
        days = np.asarray(view.protection_days + self.fill_up_days, dtype=np.int32)
        whole = forecast.mean_total(view.day + 1, days)[places].astype(np.float64)
        rate = whole / np.maximum(days[places, None], 1)
        position = view.inventory_position[places] + granted[places].astype(np.int64)
        want = np.where(view.may_order[places], np.floor(whole - position), 0)
        cases = np.maximum(want, 0) // goods.pack_size
        # Days until these units would have been ordered, times what a day of them costs.
        early = np.maximum(
            position / np.maximum(rate, 1e-9) - view.protection_days[places, None], 1
        )
        size = np.maximum(goods.volume_cm3, 1)
        score = np.where(cases > 0, early * goods.unit_cost_cents / size, np.inf)
        # Ties by name of the SKU: an axis in another order gives the same goods.
        rank = np.empty(len(goods.ids), dtype=np.int64)
        rank[np.argsort(np.array(goods.ids))] = np.arange(len(goods.ids))
        place, sku = np.nonzero(cases > 0)
        order = np.lexsort((place, rank[sku], score[place, sku]))
        out = np.zeros(cases.shape, dtype=np.int64)
        weight = goods.mass_g / 1e3 * goods.pack_size, goods.volume_cm3 / 1e6 * goods.pack_size
        _load(
            place[order], sku[order], cases.astype(np.int64),
            goods.pack_size.astype(np.int64), *weight, free, room, out,
        )  # fmt: skip
        return out


@njit(cache=True)
def _load(
    place: Ints,
    sku: Ints,
    cases: Ints,
    pack: Ints,
    kg: Floats,
    m3: Floats,
    free: Ints,
    room: Floats,
    out: Ints,
) -> None:
    """Whole cases in the given order while they are there and fit."""
    for row in range(len(place)):
        i, k = place[row], sku[row]
        some = min(cases[i, k], free[k] // pack[k])
        if kg[k] > 0:
            some = min(some, np.int64(room[0] / kg[k]))
        if m3[k] > 0:
            some = min(some, np.int64(room[1] / m3[k]))
        if some <= 0:
            continue
        out[i, k] = some * pack[k]
        free[k] -= some * pack[k]
        room[0] -= some * kg[k]
        room[1] -= some * m3[k]


def _with_more(view: NetworkView, lines: ProposalLines, extra: dict[int, Ints]) -> ProposalLines:
    """`lines` with `extra` units by destination; what had a line gets more, the rest a new one."""
    shape = view.network.shape
    left = np.zeros(shape, dtype=np.int64)
    for where, units in extra.items():
        left[where] = units
    mine = lines.kind == LineKind.REPLENISH
    quantity = lines.quantity.astype(np.int64)
    quantity[mine] += left[lines.destination[mine], lines.sku[mine]]
    left[lines.destination[mine], lines.sku[mine]] = 0
    place, sku = np.nonzero(left)
    count = len(place)
    new = ProposalLines(
        np.full(count, LineKind.REPLENISH, dtype=np.int8),
        view.network.locations.source[place],
        place.astype(np.int32),
        sku.astype(np.int32),
        left[place, sku].astype(np.int32),
        np.full(count, (view.day + 1) * DAY_SECONDS, dtype=np.int32),
        np.full(count, Reason.RIDES_AHEAD, dtype=np.int8),
    )
    return ProposalLines.concat(replace(lines, quantity=quantity.astype(np.int32)), new)


def missed_cents(view: NetworkView, lines: ProposalLines) -> Floats:
    """(L,) float64 cents: margin of sales that each store's REPLENISH lines would make.

    The expected number of a line's units that meet demand before the receipt of the next
    review's order, times price less cost: what the store misses if tonight brings nothing.
    """
    forecast, goods = require_forecast(view), view.network.skus
    mine = np.flatnonzero(lines.kind == LineKind.REPLENISH)
    place, sku = lines.destination[mine], lines.sku[mine]
    days = forecast.weekday_sum(view.day + 1, view.protection_days)
    units = expected_sold(
        view.inventory_position[place, sku].astype(np.int64),
        lines.quantity[mine].astype(np.int64),
        (forecast.level[place, sku] * days[place]).astype(np.float64),
        forecast.variance_ratio[place, sku].astype(np.float64),
    )
    margin = np.maximum(goods.unit_price_cents[sku] - goods.unit_cost_cents[sku], 0)
    cents = np.bincount(place, units * margin, view.network.shape[0])
    return np.asarray(cents, dtype=np.float64)


UNCHANGED = Loading()
