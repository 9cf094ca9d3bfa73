"""Returns of goods: what does not sell goes back to the warehouse, and some of it further."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from policies.domain.decision import LineKind
from policies.domain.network import DAY_SECONDS, IntArray
from policies.domain.stock import SLOW_WINDOW_DAYS
from twin import draws
from twin.loads import Load, cases_of
from twin.removal import Removal
from twin.state import State


class ReturnRounds:
    """Rounds in which stores send slow movers back, and what warehouses do with them.

    Perishables stay: their life would be over.

    Parameters
    ----------
    state : State
    removal : Removal
    seed, replication : int, for what is damaged and what a supplier takes
    """

    def __init__(self, state: State, removal: Removal, seed: int, replication: int) -> None:
        self.state, self.removal = state, removal
        self.rules = state.scenario.goods_returns
        network, scenario = state.network, state.scenario
        self.on = self.rules.every_days > 0 and not scenario.direct and scenario.pull is None
        lives = (network.skus.shelf_life_days > 0) & scenario.perishables.tracked
        self._may_return = ~lives
        ids = network.locations.ids
        self._keys = draws.keys(seed, replication, "goods return", ids) if self.on else None
        self.under_way: list[Load] = []
        self.sent = self.damaged = self.to_supplier = 0

    @property
    def at_s(self) -> int:
        """Seconds after midnight of a round."""
        return int(self.rules.at_hour * 3_600)

    def is_due(self, day: int) -> bool:
        """Whether stores send goods back on `day`."""
        return (day + 1 - self.state.scenario.first_day) % self.rules.every_days == 0

    def collect(self, now: int, first_number: int) -> list[Load]:
        """Tonight's loads, numbered from `first_number` on; nothing has moved yet."""
        network = self.state.network
        loads: list[Load] = []
        for place in network.stores.tolist():
            warehouse = int(network.locations.source[place])
            units = self._too_many(place)
            sku = np.flatnonzero(units > 0).astype(np.int32)
            if warehouse < 0 or not len(sku):
                continue
            ordered = units[sku].astype(np.int32)
            load = Load(
                first_number + len(loads),
                LineKind.LATERAL,
                place,
                warehouse,
                -1,
                sku,
                ordered,
                np.zeros(len(sku), dtype=np.int32),
                cases_of(network, sku, ordered),
                due_s=now + self.rules.back_days * DAY_SECONDS,
                is_return=True,
            )
            loads.append(load)
        self.under_way += loads
        return loads

    def due(self, now: int) -> list[Load]:
        """Loads that are back now."""
        back = [load for load in self.under_way if load.due_s <= now]
        self.under_way = [load for load in self.under_way if load.due_s > now]
        return back

    def sort(self, load: Load, now: int) -> None:
        """A warehouse has received a load: it throws away and sends on what it does not keep."""
        self.sent += int(load.shipped.sum())
        if self._keys is None:
            return
        some = load.shipped > 0
        sku, units = load.sku[some], load.shipped[some]
        # Two loads of one evening are never of the same store.
        key = self._keys[load.origin]
        counter = (now // DAY_SECONDS) * np.int64(2 * len(self._may_return)) + 2 * sku
        bad = _part(self.rules.damaged_share, units, draws.uniforms(key, counter))
        on = _part(self.rules.supplier_share, units - bad, draws.uniforms(key, counter + 1))
        place = load.destination
        self.damaged += int(self.removal.take(place, sku, bad, now, is_thrown=True).sum())
        self.to_supplier += int(self.removal.take(place, sku, on, now, is_thrown=False).sum())

    def _too_many(self, place: int) -> npt.NDArray[np.int64]:
        """(K,) units beyond what is kept, of SKUs that last too long, in whole cases."""
        state = self.state
        stock = state.stock
        # The window ends with yesterday.
        window = state.window[place].astype(np.int64) + state.panel.sold_today[place]
        book = stock.book[place].astype(np.int64)
        rules, pack = self.rules, self.state.network.skus.pack_size
        is_slow = book * SLOW_WINDOW_DAYS > window * rules.cover_days
        keep = np.ceil(window * rules.keep_days / SLOW_WINDOW_DAYS).astype(np.int64)
        spare = np.minimum(book - keep, stock.physical[place]) // pack * pack
        return np.where(is_slow & self._may_return, np.maximum(spare, 0), 0)

    def counters(self) -> dict[str, int]:
        """Units that came back, those thrown away there, and those a supplier took."""
        if not self.on:
            return {}
        return {
            "units_sent_back": self.sent,
            "sent_back_damaged_units": self.damaged,
            "sent_back_to_supplier_units": self.to_supplier,
        }


def _part(share: float, units: IntArray, u: npt.NDArray[np.float64]) -> IntArray:
    """(n,) units of the share, each rounded up or down by a draw."""
    out: IntArray = np.minimum(np.floor(share * units + u), units).astype(np.int32)
    return out
