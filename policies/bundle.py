"""PolicyBundle: forecast → replenish → allocate → transfer → route, one call."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.delivery import DeliveryCalendar
from policies.domain.decision import (
    SUPPLIER,
    Decision,
    DecisionHeader,
    LineKind,
    ProposalLines,
    Reason,
    Route,
    Unserved,
)
from policies.domain.forecast import Forecast, SalesPanel
from policies.domain.network import DAY_SECONDS, Network
from policies.domain.ports import Allocator, Forecaster, Replenisher, Router, TransferPolicy
from policies.domain.view import NetworkView
from policies.routing.loading import UNCHANGED, Loading
from policies.routing.rules import AS_GIVEN, RoutingRules

Int32s = npt.NDArray[np.int32]
Int8s = npt.NDArray[np.int8]


@dataclass(frozen=True)
class PolicyBundle:
    """One complete way to run the chain's stock.

    Parameters
    ----------
    name, version : str
    forecaster, replenisher, allocator, transfer, router
        One member of each family; `transfer` and `router` may be None.
    reviews_per_week : int
        How often each store is reviewed.
    forecast_every_days : int
        Age at which the forecast is issued anew.
    delivery_days : int
        Weekdays on which stores are reviewed at all.
    delivery_patterns : tuple of (store id, seven 0/1 from Monday on)
        Reviews of stores that have weekdays of their own.
    loading : Loading
        What is put off and what rides ahead; needs a router.
    rules : RoutingRules
        Trucks of a night, which the twin keeps to as well.
    """

    name: str
    forecaster: Forecaster
    replenisher: Replenisher
    allocator: Allocator
    transfer: TransferPolicy | None = None
    router: Router | None = None
    version: str = "1"
    reviews_per_week: int = 7
    forecast_every_days: int = 7
    delivery_days: int = 7
    delivery_patterns: tuple[tuple[str, str], ...] = ()
    loading: Loading = UNCHANGED
    rules: RoutingRules = AS_GIVEN

    @cached_property
    def calendar(self) -> DeliveryCalendar:
        """On which evenings each location is reviewed."""
        return DeliveryCalendar(self.reviews_per_week, self.delivery_days, self.delivery_patterns)

    @property
    def params_sha256(self) -> str:
        """Hash over every member's frozen parameters."""
        parts = (
            self.forecaster,
            self.replenisher,
            self.allocator,
            self.transfer,
            self.router,
            self.reviews_per_week,
            self.forecast_every_days,
            self.calendar,
            self.loading,
            self.rules,
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def issue_forecast(self, panel: SalesPanel, network: Network) -> Forecast:
        """A frozen forecast from recorded sales."""
        return self.forecaster.fit(panel, network)

    def decide(self, view: NetworkView) -> Decision:
        """Proposal lines and routes from one view; pure."""
        wanted, reason = self.replenisher.order_quantity(view)
        granted = self.allocator.allocate(view, wanted)
        lines = order_lines(view, wanted, granted, reason)
        if self.transfer is not None:
            lines = ProposalLines.concat(lines, self.transfer.transfers(view, granted))
        routes: tuple[Route, ...] = ()
        unserved: tuple[Unserved, ...] = ()
        if self.router is not None:
            lines, routes, unserved = self.loading.settle(view, lines, granted, self.router)
        header = DecisionHeader(
            self.name, self.version, self.params_sha256, view.digest(), view.as_of_s
        )
        return Decision(header, lines, routes, unserved)


def order_lines(
    view: NetworkView,
    wanted: npt.NDArray[np.int32],
    granted: npt.NDArray[np.int32],
    reason: npt.NDArray[np.int8],
) -> ProposalLines:
    """REPLENISH lines of what was granted and PURCHASE lines of what warehouses want.

    Only rows that are due are looked at: the others order nothing.
    """
    columns = _ordered(
        np.flatnonzero(view.review_due),
        view.network.locations.source,
        granted,
        wanted,
        reason,
        (int(LineKind.REPLENISH), int(LineKind.PURCHASE), SUPPLIER, int(Reason.SHARED_SHORTAGE)),
    )
    kind, origin, row, sku, amount, why = columns
    due = np.full(len(row), (view.day + 1) * DAY_SECONDS, dtype=np.int32)
    return ProposalLines(kind, origin, row, sku, amount, due, why)


@njit(cache=True)
def _ordered(
    rows: npt.NDArray[np.intp],
    source: Int32s,
    granted: Int32s,
    wanted: Int32s,
    reason: Int8s,
    codes: tuple[int, int, int, int],
) -> tuple[Int8s, Int32s, Int32s, Int32s, Int32s, Int8s]:
    """(kind, origin, row, SKU, quantity, reason) of what is granted (or bought), row by row."""
    replenish, purchase, supplier, shared = codes
    room = 1  # a line that is nothing is written too, and then written over
    for place in rows:
        mine = granted[place] if source[place] >= 0 else wanted[place]
        for k in range(len(mine)):
            room += mine[k] != 0
    kind, why = np.empty(room, dtype=np.int8), np.empty(room, dtype=np.int8)
    origin, row = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    sku, amount = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    n = 0
    for place in rows:
        ours = source[place] >= 0
        mine = granted[place] if ours else wanted[place]
        asked, told, first = wanted[place], reason[place], n
        for k in range(len(mine)):
            # No branch: whether a SKU is ordered can't be guessed.
            sku[n], amount[n] = k, mine[k]
            n += mine[k] != 0
        for i in range(first, n):
            which = np.uint32(sku[i])
            why[i] = shared if ours and amount[i] < asked[which] else told[which]
        kind[first:n] = replenish if ours else purchase
        origin[first:n] = source[place] if ours else supplier
        row[first:n] = place
    return kind[:n], origin[:n], row[:n], sku[:n], amount[:n], why[:n]
