"""The recorder: a day's tallies become day facts when the day closes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from policies.domain.documents import share_integer
from policies.domain.errors import ConservationBroken
from policies.domain.facts import LOCATION_FACTS, SKU_FACTS, DayFacts
from policies.domain.forecast import Forecast
from policies.domain.network import DAY_SECONDS
from policies.domain.stock import SLOW_COVER_DAYS, SLOW_WINDOW_DAYS
from twin import closing
from twin.closing import DAYBOOK
from twin.journal import Journal
from twin.kernel import TALLY, Mode
from twin.logistics import Stop, Tour
from twin.state import State
from twin.touches import EVENTS

_COLUMN = {name: i for i, name in enumerate(SKU_FACTS)}
_PLACE = {name: i for i, name in enumerate(LOCATION_FACTS)}
_SHARED = [_PLACE[name] for name in ("route_metres", "route_seconds", "route_starts_micro")]


class Recorder:
    """Day facts of one run.

    Parameters
    ----------
    state : State
    journal : Journal, is told of truck stops
    first_kpi_day : int
    """

    def __init__(self, state: State, journal: Journal, first_kpi_day: int) -> None:
        scenario, network = state.scenario, state.network
        self.state = state
        self.journal = journal
        self.first_day = scenario.first_day
        self.first_kpi_day = first_kpi_day
        places, categories = network.shape[0], len(network.skus.categories)
        days = scenario.days
        self.sku_facts = np.zeros((days, places, categories, len(SKU_FACTS)), dtype=np.int64)
        self.location_facts = np.zeros((days, places, len(LOCATION_FACTS)), dtype=np.int64)
        self._daybook = np.zeros((places, categories, len(DAYBOOK)), dtype=np.int64)
        self._before = self._worth()
        self._level: npt.NDArray[np.float64] | None = None
        self._forecast: Forecast | None = None

    def _worth(self) -> npt.NDArray[np.int64]:
        """(L, C) int64 cents: book and goods on the way, at cost."""
        stock, skus = self.state.stock, self.state.network.skus
        out = np.zeros((stock.book.shape[0], len(skus.categories)), dtype=np.int64)
        worth = (stock.book.astype(np.int64) + stock.transit) * skus.unit_cost_cents
        np.add.at(out.T, skus.category, worth.T)
        return out

    def forecast_issued(self, forecast: Forecast) -> None:
        """Days from now on are measured against this issue."""
        skus = self.state.network.skus
        level = np.zeros((len(skus.categories), forecast.level.shape[0]))
        np.add.at(level, skus.category, forecast.level.T.astype(np.float64))
        self._level, self._forecast = level.T, forecast

    def departed(self, tour: Tour) -> None:
        """Metres, seconds and the start of a tour are shared among its stops by load."""
        weights = np.array([stop.load.kg for stop in tour.stops])
        totals = (tour.metres, tour.returns_s - tour.departs_s, 1_000_000)
        shares = np.stack([share_integer(total, weights) for total in totals], axis=1)
        for stop, share in zip(tour.stops, shares.tolist(), strict=True):
            place, at = stop.load.destination, stop.unloaded_s
            self.journal.stop(place, at, share, is_on_time=stop.is_on_time)
            day = at // DAY_SECONDS - self.first_day
            if day >= len(self.location_facts):
                continue
            row = self.location_facts[day, place]
            row[_SHARED] += share
            row[_PLACE["stops"]] += 1
            row[_PLACE["stops_on_time"]] += stop.is_on_time

    def arrived(self, tour: Tour, stop: Stop) -> None:
        """Nothing to note: the times were known at departure."""

    def unloaded(self, tour: Tour, stop: Stop) -> None:
        """Nothing to note."""

    def returned(self, tour: Tour) -> None:
        """Nothing to note."""

    def close_day(self, day: int) -> None:
        """Facts of `day`, whose receipts have all been served; raises where stock leaks."""
        state = self.state
        sold = state.panel.sold_today
        leaving = state.panel.leaving()
        np.add(state.window, sold, out=state.window)
        if leaving is not None:
            np.subtract(state.window, leaving, out=state.window)
        source = state.network.locations.source
        for warehouse in state.network.warehouses:
            state.window[warehouse] = state.window[source == warehouse].sum(axis=0)
        bad = closing.close_day(
            day,
            state.stock,
            sold,
            state.window,
            state.panel.out_today,
            self._daybook,
            state.sold_total,
            state.master,
            SLOW_WINDOW_DAYS,
            SLOW_COVER_DAYS,
            Mode(day >= self.first_kpi_day, False),
        )
        if bad[0] >= 0:
            self._broken(day, *bad)
        self._copy(day)

    def _broken(self, day: int, place: int, sku: int) -> None:
        stock, network = self.state.stock, self.state.network
        raise ConservationBroken(
            f"on day {day} {network.locations.ids[place]} holds {stock.book[place, sku]} of "
            f"{network.skus.ids[sku]} in the book and {stock.physical[place, sku]} in truth; "
            f"its movements make {stock.expected[place, sku]}",
            field="stock",
            row=network.locations.ids[place],
            remedy="this is a defect of the program: report it with the scenario",
        )

    def _copy(self, day: int) -> None:
        state = self.state
        facts = self.sku_facts[day - self.first_day]
        late = {}
        for names, source in (
            (TALLY, state.tally),
            (EVENTS, state.events),
            (DAYBOOK, self._daybook),
        ):
            for i, name in enumerate(names):
                if name in _COLUMN:
                    facts[..., _COLUMN[name]] = source[..., i]
                else:
                    late[name] = source[..., i]
        facts[..., _COLUMN["revenue_cents"]] += late["late_revenue_cents"]
        facts[..., _COLUMN["shrink_cents"]] += late["receipt_shrink_cents"]
        facts[..., _COLUMN["units_demanded"]] = (
            facts[..., _COLUMN["units_sold"]]
            - late["units_filled_late"]
            + facts[..., _COLUMN["units_lost"]]
            + late["units_backordered"]
        )
        worth = facts[..., _COLUMN["closing_stock_cents"]] + facts[..., _COLUMN["in_transit_cents"]]
        facts[..., _COLUMN["stock_change_cents"]] = worth - self._before
        self._before = worth.copy()
        if self._forecast is not None and self._level is not None:
            weekday = (self._forecast.first_weekday + day) % 7
            mean = self._level * self._forecast.weekday[:, weekday, None]
            facts[..., _COLUMN["forecast_milliunits"]] = np.rint(mean * 1e3)
        state.tally[:] = 0
        state.events[:] = 0

    def facts(self, as_known_at_s: int) -> DayFacts:
        """Everything recorded."""
        network = self.state.network
        return DayFacts(
            self.first_day,
            network.locations.ids,
            network.skus.categories,
            self.sku_facts,
            self.location_facts,
            True,
            as_known_at_s,
        )
