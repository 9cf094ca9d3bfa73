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
from twin.carbon import CAUSES, CarbonAccount
from twin.closing import DAYBOOK
from twin.journal import Journal
from twin.kernel import TALLY
from twin.result import TourStop
from twin.road import Stop, Tour
from twin.state import State
from twin.touches import EVENTS

_COLUMN = {name: i for i, name in enumerate(SKU_FACTS)}
_PLACE = {name: i for i, name in enumerate(LOCATION_FACTS)}
_SHARED = [
    _PLACE[name] for name in ("route_metres", "route_seconds", "route_starts_micro", "empty_metres")
]


class Recorder:
    """Day facts of one run.

    Parameters
    ----------
    state : State
    journal : Journal, is told of truck stops
    first_kpi_day : int
    carbon : CarbonAccount or None
    keeps_tours : bool, whether every stop is kept
    """

    def __init__(
        self,
        state: State,
        journal: Journal,
        first_kpi_day: int,
        carbon: CarbonAccount | None = None,
        *,
        keeps_tours: bool = False,
    ) -> None:
        scenario, network = state.scenario, state.network
        self.state = state
        self.journal = journal
        self.first_day = scenario.first_day
        self.first_kpi_day = first_kpi_day
        self.keeps_tours = keeps_tours
        self.tours: list[TourStop] = []
        self.carbon = carbon
        places, categories = network.shape[0], len(network.skus.categories)
        days = scenario.days
        self.sku_facts = np.zeros((days, places, categories, len(SKU_FACTS)), dtype=np.int64)
        self.location_facts = np.zeros((days, places, len(LOCATION_FACTS)), dtype=np.int64)
        self._daybook = np.zeros((places, categories, len(DAYBOOK)), dtype=np.int64)
        self._before = np.zeros((places, categories), dtype=np.int64)
        self._by_source = np.zeros(
            (2, len(network.warehouses) + 1, network.shape[1]), dtype=np.int64
        )
        frictions = scenario.frictions
        self._never_apart = not state.stock.gap.any() and not (
            frictions.shrink_per_unit_sold
            or frictions.misscan_per_line
            or frictions.receipt_error_per_line
            or scenario.store.count_error_per_line
            or scenario.misplacement.on
        )
        self._level: npt.NDArray[np.float64] | None = None
        self._forecast: Forecast | None = None

    def opened(self) -> None:
        """Take what lies in stock and on the road now as the state before the first day."""
        closing.worth_by_category(self.state.stock, self.state.master, self._before)

    def forecast_issued(self, forecast: Forecast) -> None:
        """Days from now on are measured against this issue."""
        skus = self.state.network.skus
        level = np.zeros((forecast.level.shape[0], len(skus.categories)))
        closing.sum_by_category(forecast.level, self.state.master, level)
        self._level, self._forecast = level, forecast

    def departed(self, tour: Tour) -> None:
        """Metres, seconds and the start of a tour are shared among its stops by load."""
        if self.carbon is not None:
            self.carbon.departed(tour)
        if self.keeps_tours:
            self.tours += stops_of(tour)
        weights = np.array([stop.load.kg for stop in tour.stops])
        seconds, starts = tour.returns_s - tour.departs_s, 1_000_000 * tour.starts
        totals = (tour.metres, seconds, starts, tour.empty_metres)
        if len(tour.stops) == 1:
            shares = [list(totals)]
        else:
            parts = [share_integer(total, weights) for total in totals]
            shares = np.stack(parts, axis=1).tolist()
        for stop, share in zip(tour.stops, shares, strict=True):
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

    def close_stores(self, day: int, first: int, end: int) -> None:
        """Facts of the stores among locations `first` … `end` − 1, whose `day` is over.

        Raises where stock leaks. Call it for all locations, then :meth:`close_day`.
        """
        state = self.state
        state.panel.keep_today(first, end)
        leaving = state.panel.leaving()
        bad = closing.close_stores(
            day,
            first,
            end,
            state.stock,
            state.panel.sold_today,
            leaving if leaving is not None else np.zeros((0, 0), dtype=np.int16),
            state.window,
            state.panel.out_today,
            self._daybook,
            self._by_source,
            state.master,
            SLOW_WINDOW_DAYS,
            SLOW_COVER_DAYS,
            self._never_apart,
        )
        if bad[0] >= 0:
            self._broken(day, *bad)

    def close_day(self, day: int) -> None:
        """Facts of the warehouses and of the whole `day`, whose stores have been closed."""
        state = self.state
        bad = closing.close_warehouses(
            day,
            state.stock,
            state.panel.sold_today,
            state.window,
            state.panel.out_today,
            self._daybook,
            self._by_source,
            state.master,
            SLOW_WINDOW_DAYS,
            SLOW_COVER_DAYS,
            self._never_apart,
        )
        if day >= self.first_kpi_day:
            state.sold_total += self._by_source[0].sum(axis=0)
        self._by_source[:] = 0
        if bad[0] >= 0:
            self._broken(day, *bad)
        self._copy(day)
        if self.carbon is not None:
            self._close_carbon(day, self.carbon)

    def _close_carbon(self, day: int, carbon: CarbonAccount) -> None:
        grams = carbon.close(self.state.panel.sold_today)
        facts = self.sku_facts[day - self.first_day]
        for i, cause in enumerate(CAUSES):
            facts[..., _COLUMN[f"co2e_{cause}_mg"]] = np.rint(grams[..., i] * 1e3)
        if day + 1 == self.first_kpi_day:
            carbon.begin()

    def _broken(self, day: int, place: int, sku: int) -> None:
        stock, network = self.state.stock, self.state.network
        is_store = self.state.master.is_store[place]
        made = stock.expected[place, sku] - (self.state.window[place, sku] if is_store else 0)
        raise ConservationBroken(
            f"on day {day} {network.locations.ids[place]} holds {stock.book[place, sku]} of "
            f"{network.skus.ids[sku]} in the book and {stock.physical[place, sku]} in truth; "
            f"its movements make {made}",
            field="stock",
            row=network.locations.ids[place],
            remedy="this is a defect of the program: report it with the scenario",
        )

    def _copy(self, day: int) -> None:
        state = self.state
        facts = self.sku_facts[day - self.first_day]
        late: dict[str, npt.NDArray[np.int64]] = {}
        for names, source in (
            (TALLY, state.tally),
            (EVENTS, state.events),
            (DAYBOOK, self._daybook),
        ):
            columns = np.array([_COLUMN.get(name, -1) for name in names], dtype=np.int64)
            closing.copy_columns(facts, source, columns)
            late |= {name: source[..., i] for i, name in enumerate(names) if name not in _COLUMN}
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


def stops_of(tour: Tour) -> list[TourStop]:
    """A tour as it is kept."""
    last = len(tour.stops) - 1
    return [
        TourStop(
            tour.origin,
            stop.load.destination,
            i,
            i == last,
            tour.departs_s,
            tour.returns_s,
            stop.arrives_s,
            stop.begins_s,
            stop.unloaded_s,
            float(stop.load.kg),
            stop.load.total_shipped,
        )
        for i, stop in enumerate(tour.stops)
    ]
