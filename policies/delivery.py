"""On which evenings a location is reviewed, and how long each of its orders has to last.

A store is delivered the day after its review, so the calendar of reviews is the delivery
pattern. Either all stores have equally many reviews a week, spread over sectors by
direction, or each store has a weekday pattern of its own (``policies.routing.patterns``
finds good ones).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput, UnknownLocation
from policies.domain.network import BoolArray, LocationKind, Network

WEEK = 7


@dataclass(frozen=True)
class DeliveryCalendar:
    """Evenings on which stores are reviewed; warehouses are reviewed daily.

    Parameters
    ----------
    reviews_per_week : int, 1–7, reviews of a store without a pattern of its own
    delivery_days : int, 1–7, evenly spread weekdays on which these stores may be reviewed:
        with fewer days each of them has more stores, and their tours are denser
    patterns : tuple of (store id, seven 0/1 from Monday on), reviews of single stores
    """

    reviews_per_week: int = WEEK
    delivery_days: int = WEEK
    patterns: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for name in ("reviews_per_week", "delivery_days"):
            if not 1 <= getattr(self, name) <= WEEK:
                raise InvalidInput(
                    f"{name} is {getattr(self, name)}", field=name, remedy="1 to 7 days a week"
                )
        for store, days in self.patterns:
            if len(days) != WEEK or not set(days) <= {"0", "1"} or "1" not in days:
                raise InvalidInput(
                    f"the delivery pattern of {store} is {days!r}",
                    field="delivery_patterns",
                    row=store,
                    remedy="give seven digits 0 or 1 from Monday on, at least one of them 1",
                )

    @classmethod
    def of(
        cls, reviews_per_week: int, delivery_days: int, patterns: Mapping[str, str] | None
    ) -> DeliveryCalendar:
        """From plain parameters; stores in any order give the same calendar."""
        rows = sorted((store, str(days)) for store, days in (patterns or {}).items())
        return cls(reviews_per_week, delivery_days, tuple(rows))

    def due_on_weekday(self, network: Network) -> BoolArray:
        """(L, 7) bool: whether a location is reviewed in the evening of a weekday, Monday first.

        Each warehouse's stores are divided into as many sectors by direction as there are
        delivery days, and a sector shares its days, so that the stores of one day lie on
        common tours.
        """
        days = self.delivery_days
        weekdays = np.arange(days) * WEEK // days
        # Never more reviews than days on which anything is delivered.
        reviews = min(self.reviews_per_week, days)
        slots = (np.arange(reviews) * days) // reviews
        sector = network.delivery_sector if days == WEEK else network.sectors(days)
        due = np.zeros((network.shape[0], WEEK), dtype=np.bool_)
        rows = np.arange(network.shape[0])
        for slot in slots.tolist():
            due[rows, weekdays[(sector + slot) % days]] = True
        for store, pattern in self.patterns:
            if store not in network.locations.ids:
                raise UnknownLocation(
                    f"the delivery pattern names {store!r}, which is no location",
                    field="delivery_patterns",
                    row=store,
                    remedy="make the patterns anew for this network",
                )
            due[network.location_index(store)] = np.array([day == "1" for day in pattern])
        due[network.locations.kind == LocationKind.WAREHOUSE] = True
        return due

    def review_due(self, network: Network, day: int) -> BoolArray:
        """(L,) bool: whose review falls in the evening of day number `day`."""
        out: BoolArray = self.due_on_weekday(network)[:, _weekday(network, day)]
        return out

    def days_to_next(self, network: Network, day: int) -> npt.NDArray[np.int32]:
        """(L,) int32: days from the evening of `day` to each location's next review, 1–7."""
        due, today = self.due_on_weekday(network), _weekday(network, day)
        # Column i holds the weekday that is i + 1 days ahead.
        ahead = due[:, (today + 1 + np.arange(WEEK)) % WEEK]
        return np.asarray(ahead.argmax(axis=1) + 1, dtype=np.int32)

    def protection_days(self, network: Network, day: int) -> npt.NDArray[np.int32]:
        """(L,) int32: days from the evening of `day` until the next review's order arrives.

        A store's order leaves in the night and arrives the next day, so its interval is the
        days to its next review + 1. A warehouse (and a store that suppliers serve) is
        reviewed daily: 1 + the 90 % quantile of its suppliers' lead times, all pooled.
        """
        table = np.maximum(network.suppliers.lead_time_days, 1)
        lead = int(np.ceil(np.quantile(table, 0.9))) if table.size else 1
        own = np.where(network.locations.source >= 0, 1, lead)
        out: npt.NDArray[np.int32] = (self.days_to_next(network, day) + own).astype(np.int32)
        return out


def _weekday(network: Network, day: int) -> int:
    return (network.start_date.weekday() + day) % WEEK


EVERY_DAY = DeliveryCalendar()
