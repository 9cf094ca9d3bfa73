"""Lateral transfers by min-cost flow: surplus to neighbours who would otherwise run out.

Per SKU, stores with stock beyond their own needs are sources, stores short until their
next delivery are sinks, and only near neighbours are joined. A unit moves where the
margin it saves exceeds what the run and the handling cost; fixed costs of a run are shared
over the units of its lane and checked afterwards. Source: Paterson et al. (2011) for the
problem; OR-Tools' network simplex for the flow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ortools.graph.python import min_cost_flow

from policies.domain.decision import LineKind, ProposalLines, Reason
from policies.domain.errors import InvalidInput
from policies.domain.network import DAY_SECONDS, IntArray
from policies.domain.view import NetworkView

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MinCostFlowTransfer:
    """Neighbour transfers priced against waiting.

    Parameters
    ----------
    neighbours : int ≥ 1, nearest stores of the same warehouse that are joined
    donor_cover_days : float ≥ 0, cover a donor keeps beyond its protection interval
    run_cents_per_km, handling_cents_per_unit : cost of a direct run
    least_gain_cents : float ≥ 0, gain of a lane's whole load below which it stays
    """

    neighbours: int = 5
    donor_cover_days: float = 3.0
    run_cents_per_km: float = 60.0
    handling_cents_per_unit: float = 20.0
    least_gain_cents: float = 0.0

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise InvalidInput("neighbours must be at least 1", field="neighbours")
        if min(self.donor_cover_days, self.run_cents_per_km, self.handling_cents_per_unit) < 0:
            raise InvalidInput("covers and costs are not negative", field="params")

    def transfers(self, view: NetworkView, granted: IntArray) -> ProposalLines:
        """LATERAL lines worth their run, given what warehouses grant (L, K)."""
        if view.forecast is None or len(view.network.stores) < 2:
            return ProposalLines.empty()
        surplus, short = self._positions(view, granted)
        pairs = self._pairs(view)
        found: list[tuple[int, int, int, int]] = []
        for sku in np.flatnonzero((surplus > 0).any(axis=0) & (short > 0).any(axis=0)):
            found += self._flow(view, int(sku), surplus[:, sku], short[:, sku], pairs)
        return self._worth(view, found)

    def _positions(self, view: NetworkView, granted: IntArray) -> tuple[IntArray, IntArray]:
        """((L, K) units to spare, (L, K) units short until the next delivery)."""
        assert view.forecast is not None
        stores = (view.network.locations.source >= 0)[:, None] & view.network.listed
        mean = view.forecast.mean_total(view.day + 1, view.protection_days).astype(np.float64)
        cover = mean + view.forecast.level * self.donor_cover_days
        coming = view.inventory_position + granted
        surplus = np.where(stores, np.minimum(view.available, np.floor(coming - 2 * cover)), 0)
        short = np.where(stores & (view.on_hand <= 0), np.ceil(mean - coming), 0)
        if view.scope is not None:
            short = np.where(view.scope, short, 0)
        return (np.maximum(surplus, 0).astype(np.int32), np.maximum(short, 0).astype(np.int32))

    def _pairs(self, view: NetworkView) -> tuple[IntArray, IntArray]:
        """(donors, receivers) of near stores under one warehouse."""
        stores = view.network.stores
        source = view.network.locations.source[stores]
        metres = view.network.distance_m[np.ix_(stores, stores)].astype(np.float64)
        metres[source[:, None] != source] = np.inf
        np.fill_diagonal(metres, np.inf)
        count = min(self.neighbours, len(stores) - 1)
        near = np.argsort(metres, axis=1, kind="stable")[:, :count]
        receiver = np.repeat(np.arange(len(stores)), count)
        donor = near.ravel()
        ok = np.isfinite(metres[receiver, donor])
        return stores[donor[ok]], stores[receiver[ok]]

    def _flow(
        self,
        view: NetworkView,
        sku: int,
        surplus: IntArray,
        short: IntArray,
        pairs: tuple[IntArray, IntArray],
    ) -> list[tuple[int, int, int, int]]:
        """(donor, receiver, sku, units) of the cheapest profitable flow of one SKU."""
        donor, receiver = pairs
        use = (surplus[donor] > 0) & (short[receiver] > 0)
        if not use.any():
            return []
        donor, receiver = donor[use], receiver[use]
        goods = view.network.skus
        margin = int(goods.unit_price_cents[sku]) - int(goods.unit_cost_cents[sku])
        metres = view.network.distance_m[donor, receiver]
        # A small price per metre prefers near donors; whole runs are priced afterwards.
        cost = np.round(metres / 1_000 + self.handling_cents_per_unit).astype(np.int64)
        worth = margin > cost
        if not worth.any():
            return []
        donor, receiver, cost = donor[worth], receiver[worth], cost[worth]
        flow = min_cost_flow.SimpleMinCostFlow()
        places = view.network.shape[0]
        root, sink = 2 * places, 2 * places + 1
        arcs = flow.add_arcs_with_capacity_and_unit_cost(
            donor.astype(np.int32),
            (places + receiver).astype(np.int32),
            np.minimum(surplus[donor], short[receiver]).astype(np.int64),
            cost - margin,
        )
        for place in np.unique(donor):
            flow.add_arc_with_capacity_and_unit_cost(root, int(place), int(surplus[place]), 0)
        for place in np.unique(receiver):
            flow.add_arc_with_capacity_and_unit_cost(
                places + int(place), sink, int(short[place]), 0
            )
        amount = int(min(surplus[np.unique(donor)].sum(), short[np.unique(receiver)].sum()))
        flow.set_nodes_supplies(np.array([root, sink]), np.array([amount, -amount]))
        if flow.solve_max_flow_with_min_cost() != flow.OPTIMAL:
            return []
        units = flow.flows(arcs)
        return [
            (int(donor[i]), int(receiver[i]), sku, int(units[i])) for i in np.flatnonzero(units)
        ]

    def _worth(self, view: NetworkView, found: list[tuple[int, int, int, int]]) -> ProposalLines:
        """The lines of lanes whose whole load earns more than its run."""
        if not found:
            return ProposalLines.empty()
        donor, receiver, sku, units = np.array(found, dtype=np.int64).T
        goods = view.network.skus
        margin = (goods.unit_price_cents[sku] - goods.unit_cost_cents[sku]).astype(np.float64)
        gain = units * (margin - self.handling_cents_per_unit)
        lane, number = np.unique(donor * view.network.shape[0] + receiver, return_inverse=True)
        per_lane = np.bincount(number, gain, len(lane))
        metres = view.network.distance_m[donor, receiver]
        run = np.zeros(len(lane))
        run[number] = 2 * metres / 1_000 * self.run_cents_per_km
        keep = (per_lane - run > self.least_gain_cents)[number]
        count = int(keep.sum())
        return ProposalLines(
            np.full(count, LineKind.LATERAL, dtype=np.int8),
            donor[keep].astype(np.int32),
            receiver[keep].astype(np.int32),
            sku[keep].astype(np.int32),
            units[keep].astype(np.int32),
            np.full(count, (view.day + 1) * DAY_SECONDS, dtype=np.int32),
            np.full(count, Reason.NEIGHBOUR_HAS_SURPLUS, dtype=np.int8),
        )
