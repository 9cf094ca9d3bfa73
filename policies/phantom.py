"""Phantom stock: the book says there is some, and nothing sells. Which cells to count first.

A shelf becomes a phantom when its last unit is sold while the book, which errs, still shows
some; from then on it is silent until somebody counts it or goods come in. Full shelves are
silent at times, too: :mod:`policies.silence` tells for how long.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from policies.domain.errors import InvalidInput
from policies.domain.forecast import SalesPanel
from policies.domain.view import NetworkView
from policies.silence import Bools, Endurance, Evidence, Floats

DECAYS = (0.15, 0.25, 0.35, 0.5, 0.65, 0.8)
_FIT_ROUNDS = 100
_FIT_CELLS = 200_000
_ENDURANCE_ROUNDS = 4
_PRIOR_SHARE, _PRIOR_TRIALS = 0.01, 20.0
_PRIOR_DECAY, _DECAY_WEIGHT = 0.35, 8.0


@dataclass(frozen=True)
class CountSample:
    """Results of counts of cells that were drawn at random among those with book stock.

    Attributes
    ----------
    chance : (N,) float64, what the detector had said of each
    gone : (N,) bool, whether the count found nothing
    """

    chance: Floats
    gone: Bools

    def __post_init__(self) -> None:
        if self.chance.ndim != 1 or self.chance.shape != self.gone.shape:
            raise InvalidInput(
                f"{self.chance.shape} chances and {self.gone.shape} results",
                field="counted",
                remedy="give a chance and a result for each cell counted",
            )


@dataclass(frozen=True)
class PhantomDetector:
    """Chance that a cell's book stock is not there.

    Parameters
    ----------
    emptied : float in (0, 1), chance that a day's sales emptied a shelf whose book then
        shows one unit
    standing : float in (0, 1), share of cells with one unit in the book that have been
        phantoms for longer than the panel
    decay : float in (0, 1), by which both are multiplied for each further unit: the more the
        book shows, the less likely all of it is wrong
    endurance : how long full shelves are silent; steady sales unless fitted
    """

    emptied: float = 0.01
    standing: float = 0.01
    decay: float = 0.35
    endurance: Endurance = field(default_factory=Endurance.of_steady_sales, compare=False)

    def __post_init__(self) -> None:
        for name in ("emptied", "standing", "decay"):
            if not 0 < getattr(self, name) < 1:
                raise InvalidInput(
                    f"{name} is {getattr(self, name)}", field=name, remedy="give a share in (0, 1)"
                )

    def chance(self, view: NetworkView, panel: SalesPanel) -> Floats:
        """(L, K) chance of a phantom; 0 where the book is empty or a SKU is not listed."""
        return self.chance_by(Evidence.of(view, panel))

    def chance_by(self, seen: Evidence) -> Floats:
        """The same for evidence that was gathered before."""
        return np.where(seen.may_be, self._chance(seen), 0.0)

    def _by_book(self, seen: Evidence) -> Floats:
        """(L, K) by how much less a phantom is likely than behind a book of one unit."""
        weight: Floats = self.decay ** np.maximum(seen.book - 1.0, 0.0)
        return weight

    def _odds(self, seen: Evidence) -> Floats:
        """(L, K) empty against full: emptied by the last sale, or before the panel began."""
        share = np.where(seen.has_sold, self.emptied, self.standing) * self._by_book(seen)
        return share / (1 - share) * self.endurance.against_full(seen.hazard)

    def _chance(self, seen: Evidence) -> Floats:
        odds = self._odds(seen)
        return odds / (1 + odds)

    def _log_likelihood(self, seen: Evidence) -> float:
        """Of all cells' silences, less that of a chain without phantoms.

        Few phantoms say little of the decay: it is drawn to what was found in many worlds.
        """
        weight = self._by_book(seen)
        of_cell = np.log1p(self._odds(seen)) + np.log1p(-self.standing * weight)
        of_cell += seen.sale_days * np.log1p(-self.emptied * weight)
        drawn = _DECAY_WEIGHT * np.log(self.decay / _PRIOR_DECAY) ** 2
        return float(of_cell[seen.may_be].sum() - drawn)

    def fitted(self, view: NetworkView, panel: SalesPanel) -> PhantomDetector:
        """The detector whose shares explain the panel's own silences best.

        Expectation and maximisation in turn, for each of :data:`DECAYS`. Shares are held
        from 0 as if twenty shelves had been looked at before. How long full shelves are silent
        is taken from the panel, too, less those that are believed to be empty.
        """
        return self.fitted_by(Evidence.of(view, panel))

    def fitted_by(self, seen: Evidence) -> PhantomDetector:
        """The same for evidence that was gathered before; of many cells a part is enough."""
        part = seen.part(_FIT_CELLS)
        if not part.may_be.any():
            return self
        lasting = part.hazard[part.may_be]
        full = np.ones(len(lasting))
        found = self
        for _ in range(_ENDURANCE_ROUNDS):
            base = replace(self, endurance=Endurance.of(part.ended, lasting, full))
            fits = [base._fitted(part, decay) for decay in DECAYS]
            found = max(fits, key=lambda one: one._log_likelihood(part))
            full = 1 - found._chance(part)[part.may_be]
        return found

    def _fitted(self, seen: Evidence, decay: float) -> PhantomDetector:
        found = replace(self, decay=decay)
        sold, silent = seen.may_be & seen.has_sold, seen.may_be & ~seen.has_sold
        weight = found._by_book(seen)
        trials = (
            float((weight * seen.sale_days)[seen.may_be].sum()),
            float(weight[seen.may_be].sum()),
        )
        for _ in range(_FIT_ROUNDS):
            chance = found._chance(seen)
            turned = float(chance[sold].sum()), float(chance[silent].sum())
            new = replace(
                found,
                emptied=_held(turned[0], trials[0]),
                standing=_held(turned[1], trials[1]),
            )
            moved = abs(new.emptied - found.emptied) + abs(new.standing - found.standing)
            found = new
            if moved < 1e-7:
                break
        return found

    def counts(
        self, view: NetworkView, panel: SalesPanel, most: int
    ) -> list[tuple[int, int, float]]:
        """(location, SKU, chance) of the `most` cells to count first, likeliest first."""
        return likeliest(self.chance(view, panel), most)

    def availability(
        self, view: NetworkView, panel: SalesPanel, counted: CountSample | None = None
    ) -> tuple[float, float]:
        """(share of listed store cells with book stock, the same less phantoms).

        See :func:`availability`.
        """
        return availability(view, self.chance(view, panel), counted)


def availability(
    view: NetworkView, chance: Floats, counted: CountSample | None = None
) -> tuple[float, float]:
    """(share of listed store cells with book stock, the same less phantoms).

    Silence alone misses shelves that were emptied lately. Counts drawn at random tell by
    how much: what they found less what was said of them corrects the sum without bias,
    however wrong the chances are (a difference estimator: Särndal, Swensson & Wretman
    1992, ch. 6).

    Parameters
    ----------
    chance : (L, K) of a phantom
    """
    stores = (view.network.locations.source >= 0)[:, None] & view.network.listed
    cells = max(int(stores.sum()), 1)
    stocked = float((stores & (view.on_hand > 0)).sum())
    phantoms = float(chance[stores].sum())
    if counted is not None and len(counted.gone):
        phantoms += stocked * float((counted.gone - counted.chance).mean())
    return stocked / cells, (stocked - min(max(phantoms, 0.0), stocked)) / cells


def likeliest(chance: Floats, most: int) -> list[tuple[int, int, float]]:
    """(location, SKU, chance) of the `most` largest chances above 0, the largest first."""
    order = np.argsort(-chance, axis=None, kind="stable")[: max(most, 0)]
    rows, columns = np.unravel_index(order, chance.shape)
    return [
        (int(r), int(c), float(chance[r, c]))
        for r, c in zip(rows, columns, strict=True)
        if chance[r, c] > 0
    ]


def _held(turned: float, trials: float) -> float:
    """A share by what was seen, and a little by what was believed before."""
    share = (turned + _PRIOR_SHARE * _PRIOR_TRIALS) / (trials + _PRIOR_TRIALS)
    return min(max(share, 1e-9), 0.9)
