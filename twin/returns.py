"""Customers' returns: some days after a sale goods come back, to be sold again or not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from policies.domain.network import DAY_SECONDS, IntArray
from twin import draws, touches
from twin.journal import Journal
from twin.state import State


class Returns:
    """What customers bring back to the store that sold it.

    Parameters
    ----------
    state : State
    journal : Journal, is told of the movements
    seed, replication : int
    """

    def __init__(self, state: State, journal: Journal, seed: int, replication: int) -> None:
        self.state, self.journal = state, journal
        self.rules = state.scenario.customer_returns
        network = state.network
        self.on = self.rules.share > 0
        self._keys = (
            draws.keys(seed, replication, "customer return", network.locations.ids)
            if self.on
            else np.zeros(0, dtype=np.uint64)
        )
        is_tracked = state.scenario.perishables.tracked
        self._expires = (network.skus.shelf_life_days > 0) & is_tracked
        self.units = self.resold = self.refund_cents = 0

    def take_back(self, now: int) -> None:
        """Today's returns; receipts up to `now` have been served."""
        state, day = self.state, now // DAY_SECONDS
        sold = state.panel.sold_before(self.rules.after_days)
        if sold is None:
            return
        place, sku = (axis.astype(np.int32) for axis in np.nonzero(sold))
        units, good = brought_back(
            self.rules.share,
            self.rules.resell_share,
            sold[place, sku],
            self._keys[place],
            day * np.int64(sold.shape[1]) + sku,
        )
        # Nobody knows how a perishable that was out of the store has been kept.
        good[self._expires[sku]] = 0
        some = units > 0
        place, sku, units, good = place[some], sku[some], units[some], good[some]
        damaged = units - good
        touches.take_back(place, sku, good, damaged, now, state.stock, state.events, state.master)
        self.journal.taken_back(place, sku, units, damaged, now)
        self.units += int(units.sum())
        self.resold += int(good.sum())
        self.refund_cents += int(units @ state.network.skus.unit_price_cents[sku].astype(np.int64))

    def counters(self) -> dict[str, int]:
        """Units that came back, those that were for sale again, and what was paid back."""
        if not self.on:
            return {}
        return {
            "returned_units": self.units,
            "resold_units": self.resold,
            "refund_cents": self.refund_cents,
        }


def brought_back(
    share: float,
    resell_share: float,
    sold: npt.NDArray[np.integer],
    keys: draws.Keys,
    counters: npt.NDArray[np.int64],
) -> tuple[IntArray, IntArray]:
    """((n,) units that come back, (n,) those of them that can be sold again).

    The stated shares on average, each rounded up or down by a draw.
    """
    units = np.floor(share * sold + draws.uniforms(keys, 2 * counters))
    good = np.floor(resell_share * units + draws.uniforms(keys, 2 * counters + 1))
    return units.astype(np.int32), good.astype(np.int32)
