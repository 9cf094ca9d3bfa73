"""The evening's plan in the twin: book → view → decision → loads."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from policies.bundle import PolicyBundle
from policies.domain.decision import Decision, LineKind
from policies.domain.errors import ScenarioInvalid
from policies.domain.forecast import Forecast
from policies.domain.network import DAY_SECONDS, IntArray
from policies.domain.view import NetworkView
from twin import draws
from twin.arrays import Stock
from twin.loads import Load, comply, group, split
from twin.panel import GrowingPanel
from twin.scenario import Scenario

NIGHTS = 7
"""Nights whose tours a view tells of: each store with a weekly review is among them."""


class Planner:
    """Asks the bundle every evening and starts what it decides.

    The forecast is issued again when it is `forecast_every_days` old, and sooner while
    the panel is young: never older than the days it was made of. Nothing but the book
    up to this second is read.

    Parameters
    ----------
    scenario : Scenario
    bundle : PolicyBundle
    seed, replication : int, for what staff do to lines
    """

    def __init__(
        self, scenario: Scenario, bundle: PolicyBundle, seed: int, replication: int
    ) -> None:
        self.scenario = scenario
        self.bundle = bundle
        self.forecast: Forecast | None = None
        self.seconds = {"forecast": 0.0, "view": 0.0, "decide": 0.0}
        self._made_of_days = 0
        self.made = 0
        self.recent: list[list[tuple[int, ...]]] = []
        frictions = scenario.frictions
        staff = frictions.refuse_share + frictions.edit_share + frictions.delay_share
        self._staff_keys = (
            draws.keys(seed, replication, "staff", scenario.network.locations.ids)
            if staff > 0
            else np.zeros(0, dtype=np.uint64)
        )

    def is_issue_due(self, day: int) -> bool:
        """Whether the forecast is too old in the evening of `day`."""
        if self.forecast is None:
            return True
        age = day + 1 - self.forecast.issued_day
        return age >= min(self.bundle.forecast_every_days, self._made_of_days)

    def issue(self, panel: GrowingPanel, day: int) -> Forecast:
        """A new forecast from the panel, whose newest row is `day`."""
        began = time.perf_counter()
        self.forecast = self.bundle.issue_forecast(panel.view(day), self.scenario.network)
        self._made_of_days = panel.days
        self.seconds["forecast"] += time.perf_counter() - began
        return self.forecast

    def expect(self, use: npt.NDArray[np.float32]) -> Forecast:
        """Add (L, K) units a day that are used and not sold to the newest forecast."""
        if self.forecast is None:
            raise ScenarioInvalid("there is no forecast to add to", field="forecast")
        self.forecast = replace(self.forecast, level=self.forecast.level + use)
        return self.forecast

    def decide(self, stock: Stock, now: int, *, is_hashed: bool = True) -> Decision:
        """The bundle's decision on tonight's book; hashing the view costs 20 ms per M cells."""
        began = time.perf_counter()
        view = self.view(stock, now, is_hashed=is_hashed)
        viewed = time.perf_counter()
        decision = self.bundle.decide(view)
        self._remember([route.stops for route in decision.routes])
        self.seconds["view"] += viewed - began
        self.seconds["decide"] += time.perf_counter() - viewed
        return decision

    def view(self, stock: Stock, now: int, *, is_hashed: bool = True) -> NetworkView:
        """The book as it is now, without a copy: it is true until the plan has been made."""
        network, day = self.scenario.network, now // DAY_SECONDS
        return NetworkView(
            as_of_s=now,
            network=network,
            on_hand=_read_only(stock.book),
            in_transit=_read_only(stock.transit),
            on_order=_read_only(stock.on_order),
            backorders=_read_only(stock.waiting),
            reserved=_read_only(stock.reserved),
            review_due=self.bundle.calendar.review_due(network, day),
            protection_days=self.protection(day),
            forecast=self.forecast,
            is_hashed=is_hashed,
            is_vouched=True,
            recent_routes=tuple(stops for night in self.recent for stops in night),
        )

    def _remember(self, tours: list[tuple[int, ...]]) -> None:
        """The newest night first, a week of them; nothing where nobody asks."""
        if self.bundle.rules.stability_metres:
            self.recent = [sorted(tours), *self.recent[: NIGHTS - 1]]

    def protection(self, day: int) -> npt.NDArray[np.int32]:
        """(L,) int32: as the bundle's calendar has it.

        In a direct scenario with lead time L: days to the next review + L.
        """
        network, calendar = self.scenario.network, self.bundle.calendar
        if not self.scenario.direct:
            return calendar.protection_days(network, day)
        ahead = calendar.days_to_next(network, day)
        return (ahead + self.scenario.direct_lead_time_days).astype(np.int32)

    def loads(self, decision: Decision, now: int) -> list[Load]:
        """Tonight's loads: what staff let through, and what they put off until tomorrow."""
        network, day = self.scenario.network, now // DAY_SECONDS
        through, later = comply(
            decision.lines, network, self.scenario.frictions, self._staff_keys, day
        )
        direct = self.scenario.direct
        loads = group(through, network, now, self.made, direct=direct)
        visits = Counter(stop for route in decision.routes for stop in route.stops)
        if visits and max(visits.values()) > 1:
            whole, loads = loads, []
            for load in whole:
                trucks = visits[load.destination] if load.kind == LineKind.REPLENISH else 1
                loads += split(load, trucks, network) if trucks > 1 else [load]
        put_off = group(later, network, now, self.made, direct=direct)
        for load in put_off:
            load.is_put_off = True
        loads += put_off
        for number, load in enumerate(loads, self.made):
            load.number = number
        self.made += len(loads)
        return loads


def _read_only(array: IntArray) -> IntArray:
    out = array.view()
    out.flags.writeable = False
    return out
