"""Phantom stock: the book says there is some, and nothing sells. Which cells to count first.

A shelf that is empty in truth sells nothing for certain; a full one sells nothing for d
days with the chance that the forecast gives. Bayes' rule on the days since the last sale,
with a constant hazard of turning into a phantom, gives the chance that it is one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput
from policies.domain.forecast import SalesPanel
from policies.domain.view import NetworkView

_FIT_ROUNDS = 60
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PhantomDetector:
    """Chance that a cell's book stock is not there.

    Parameters
    ----------
    hazard_per_day : float in (0, 1), chance that a cell turns into a phantom on a day
    """

    hazard_per_day: float = 0.002

    def __post_init__(self) -> None:
        if not 0 < self.hazard_per_day < 1:
            raise InvalidInput(
                f"hazard_per_day is {self.hazard_per_day}",
                field="hazard_per_day",
                remedy="give a share in (0, 1)",
            )

    def chance(self, view: NetworkView, panel: SalesPanel) -> Floats:
        """(L, K) chance of a phantom; 0 where the book is empty or nothing is expected.

        Days are weighed one by one from the newest back to the last sale: with j days
        since the turn, the older days without sale speak for a full shelf that was unlucky.
        """
        if view.forecast is None:
            raise InvalidInput("the view carries no forecast", field="view.forecast")
        per_day = view.forecast.level.astype(np.float64)
        ratio = np.maximum(view.forecast.variance_ratio.astype(np.float64), 1 + 1e-9)
        quiet = np.where(
            ratio < 1 + 1e-6, np.exp(-per_day), np.exp(-per_day / (ratio - 1) * np.log(ratio))
        )
        run = days_without_sale(panel)
        # Σ over the day of the turn: hazard · (still full before)^… ; a geometric series.
        stays = (1 - self.hazard_per_day) * quiet
        full = stays**run
        turned = self.hazard_per_day * np.where(stays < 1 - 1e-12, (1 - full) / (1 - stays), run)
        chance = turned / (turned + full)
        known = (view.on_hand > 0) & view.network.listed & (per_day > 0)
        return np.where(known, chance, 0.0)

    def fitted(self, view: NetworkView, panel: SalesPanel) -> PhantomDetector:
        """The detector whose hazard explains the panel's own silences.

        Expectation and maximisation in turn: the phantoms that the chances add up to, over
        the cell-days in which a cell could have turned (from half its silence on it had).
        """
        found = self
        run = days_without_sale(panel)
        open_cells = (view.on_hand > 0) & view.network.listed
        open_cells[view.network.locations.source < 0] = False
        if not open_cells.any() or panel.days == 0:
            return self
        for _ in range(_FIT_ROUNDS):
            chance = found.chance(view, panel)[open_cells]
            exposed = float((panel.days - chance * run[open_cells] / 2).sum())
            hazard = min(max(float(chance.sum()) / max(exposed, 1.0), 1e-6), 0.5)
            if abs(hazard - found.hazard_per_day) < 1e-3 * hazard:
                break
            found = PhantomDetector(hazard)
        return found

    def counts(
        self, view: NetworkView, panel: SalesPanel, most: int
    ) -> list[tuple[int, int, float]]:
        """(location, SKU, chance) of the `most` cells to count first, likeliest first."""
        chance = self.chance(view, panel)
        chance[view.network.locations.source < 0] = 0.0
        order = np.argsort(-chance, axis=None, kind="stable")[: max(most, 0)]
        rows, columns = np.unravel_index(order, chance.shape)
        return [
            (int(r), int(c), float(chance[r, c]))
            for r, c in zip(rows, columns, strict=True)
            if chance[r, c] > 0
        ]

    def availability(self, view: NetworkView, panel: SalesPanel) -> tuple[float, float]:
        """(share of listed store cells with book stock, the same less expected phantoms)."""
        stores = (view.network.locations.source >= 0)[:, None] & view.network.listed
        cells = max(int(stores.sum()), 1)
        book = float((stores & (view.on_hand > 0)).sum()) / cells
        return book, book - float(self.chance(view, panel)[stores].sum()) / cells


def days_without_sale(panel: SalesPanel) -> npt.NDArray[np.int64]:
    """(L, K) days since the last sale, the newest day first; out-of-stock days don't count."""
    quiet = np.zeros(panel.sold.shape[1:], dtype=np.int64)
    still = np.ones(panel.sold.shape[1:], dtype=np.bool_)
    for day in range(panel.days - 1, -1, -1):
        still &= panel.sold[day] <= 0
        if not still.any():
            break
        # On a day that was recorded as out of stock no sale was to be expected.
        shown = True if panel.out_share is None else panel.out_share[day] < 50
        quiet += still & shown
    return quiet
