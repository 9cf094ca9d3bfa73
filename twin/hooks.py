"""How an onlooker follows the reference model, and how orders come into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from policies.bundle import PolicyBundle
from policies.domain.decision import Route
from policies.domain.network import DAY_SECONDS
from twin.arrays import Stock
from twin.loads import Load
from twin.panel import GrowingPanel
from twin.planning import Planner
from twin.road import Stop, Tour
from twin.scenario import Scenario

if TYPE_CHECKING:
    from twin.reference_model import ReferenceModel


class Hooks:
    """What an onlooker may want to know; every method does nothing here.

    Times are seconds of local wall clock since day 0; places and SKUs are axis indices.
    """

    def sold(self, place: int, sku: int, units: int, row: int, at_s: int) -> None:
        """A till posted `units` of `sku`; `row` is the line's row of the receipts.

        `sku` is what was scanned, now and then not what was sold. A waiting customer
        served at a receipt has row −1.
        """

    def lost(self, place: int, sku: int, units: int, row: int, at_s: int) -> None:
        """A customer did not find `units` (nobody records this in reality)."""

    def shipped(self, load: Load, at_s: int) -> None:
        """`load` left its origin; ``load.shipped`` says how much of each line."""

    def departed(self, tour: Tour) -> None:
        """A truck or van left, at ``tour.departs_s``; its loads were told by `shipped`."""

    def arrived(self, tour: Tour, stop: Stop) -> None:
        """A truck stands at the door."""

    def unloaded(self, tour: Tour, stop: Stop) -> None:
        """A truck's load for this stop is off."""

    def returned(self, tour: Tour) -> None:
        """A truck is back."""

    def received(self, load: Load, booked: list[int], at_s: int) -> None:
        """The load is for sale; `booked` units of each line were typed in."""

    def counted(self, place: int, sku: list[int], units: list[int], at_s: int) -> None:
        """A blind count of some SKUs found `units`."""

    def day_closed(self, day: int) -> None:
        """Midnight after `day`."""


@dataclass(frozen=True)
class Tonight:
    """What ships after this evening.

    Attributes
    ----------
    loads : every load that was approved; numbers are the source's own
    routes : tours in their order; a load of no route gets a direct run
    unserved : locations whose loads are cut
    """

    loads: Sequence[Load] = ()
    routes: Sequence[Route] = ()
    unserved: frozenset[int] = frozenset()


class OrderSource(Protocol):
    """Who decides what ships: a policy bundle, or a real service."""

    def tonight(self, model: ReferenceModel, now_s: int) -> Tonight:
        """Called at the evening's plan, after all receipts of this second."""
        ...


class BundleOrders:
    """An order source that asks a policy bundle, as the twin does.

    Parameters
    ----------
    scenario : Scenario
    bundle : PolicyBundle
    seed, replication : int, for what staff do to lines
    """

    def __init__(
        self, scenario: Scenario, bundle: PolicyBundle, *, seed: int, replication: int = 0
    ) -> None:
        self.planner = Planner(scenario, bundle, seed, replication)
        opening = scenario.opening
        history = opening.sold if opening is not None else None
        self._shape = scenario.network.shape
        self._panel = GrowingPanel(self._shape, scenario.panel_days, scenario.days, history)

    def tonight(self, model: ReferenceModel, now_s: int) -> Tonight:
        """Tonight's loads by the bundle's decision on the model's own book."""
        day = now_s // DAY_SECONDS
        if day > self.planner.scenario.first_day:
            # Sales after yesterday's plan belong to yesterday's row.
            self._note_sales(model, day - 1)
            self._panel.keep_today()
        self._panel.begin_day()
        model.note_out_of_stock(now_s)
        self._note_sales(model, day)
        if self.planner.is_issue_due(day):
            self.planner.issue(self._panel, day)
        account, shape = model.account, self._shape
        names = ("physical", "book", "waiting", "transit", "on_order", "reserved")
        arrays = {name: account.array(name, shape) for name in names}
        nothing = np.zeros(shape, dtype=np.int32)
        stock = Stock(
            **arrays,
            expected=nothing,
            gap=nothing,
            zero_since=nothing,
            out_today=nothing,
            on_road=np.zeros(shape[0], dtype=np.int64),
            risen=np.zeros(shape[0], dtype=np.int8),
            shelf=nothing[:, :0],
            stray=nothing[:, :0],
        )
        decision = self.planner.decide(stock, now_s)
        unserved = frozenset(stop.location for stop in decision.unserved)
        return Tonight(self.planner.loads(decision, now_s), decision.routes, unserved)

    def _note_sales(self, model: ReferenceModel, day: int) -> None:
        for cell, units in model.sold_by_day[day].items():
            self._panel.sold_today[cell] = units
        self._panel.out_today[:] = 0
        for cell, percent in model.out_share[day].items():
            self._panel.out_today[cell] = percent
