"""Phantom stock: the book says there is some, and nothing sells. Which cells to count first.

A shelf becomes a phantom when its last unit is sold while the book, which errs, still shows
some; from then on it is silent until somebody counts it or goods come in. How long a shelf
that is full would have been silent is not read off its own forecast, which has fallen
asleep with it, but off what the SKU sells in other stores and the store sells of other
SKUs: each cell's rate is Gamma distributed about that, and its own sales before the silence
make it sharper. (The same reasoning tells how likely a customer is still one who has not
bought for a while: Fader, Hardie & Lee 2005, Marketing Science 24(2), 275–284.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput
from policies.domain.forecast import SalesPanel
from policies.domain.view import NetworkView

DECAYS = (0.15, 0.25, 0.35, 0.5, 0.65, 0.8)
_FIT_ROUNDS = 100
_FIT_CELLS = 200_000
_PRIOR_SHARE, _PRIOR_TRIALS = 0.01, 20.0
_PRIOR_DECAY, _DECAY_WEIGHT = 0.35, 8.0
_WEIGHT_OF_CHAIN = 20.0
_MOST_OUT_PERCENT = 50
_SHAPES = (0.3, 50.0)
_MOST_SALE_DAYS = 0.98
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


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
    """

    emptied: float = 0.01
    standing: float = 0.01
    decay: float = 0.35

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
        return share / (1 - share) * seen.against_full

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
        from 0 as if twenty shelves had been looked at before.
        """
        return self.fitted_by(Evidence.of(view, panel))

    def fitted_by(self, seen: Evidence) -> PhantomDetector:
        """The same for evidence that was gathered before; of many cells a part is enough."""
        part = seen.part(_FIT_CELLS)
        if not part.may_be.any():
            return self
        fits = [self._fitted(part, decay) for decay in DECAYS]
        return max(fits, key=lambda one: one._log_likelihood(part))

    def _fitted(self, seen: Evidence, decay: float) -> PhantomDetector:
        found = PhantomDetector(self.emptied, self.standing, decay)
        sold, silent = seen.may_be & seen.has_sold, seen.may_be & ~seen.has_sold
        weight = found._by_book(seen)
        trials = (
            float((weight * seen.sale_days)[seen.may_be].sum()),
            float(weight[seen.may_be].sum()),
        )
        for _ in range(_FIT_ROUNDS):
            chance = found._chance(seen)
            turned = float(chance[sold].sum()), float(chance[silent].sum())
            new = PhantomDetector(_held(turned[0], trials[0]), _held(turned[1], trials[1]), decay)
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


@dataclass(frozen=True)
class Evidence:
    """What sales and book say of each cell, (L, K) each.

    Attributes
    ----------
    may_be : bool, listed in a store, with stock in the book
    book : float64, units in the book
    has_sold : bool, in the panel
    sale_days : float64, days with a sale
    against_full : float64, how many times likelier the silence is on an empty shelf
    """

    may_be: Bools
    book: Floats
    has_sold: Bools
    sale_days: Floats
    against_full: Floats

    def part(self, most: int) -> Evidence:
        """About `most` of the cells that may be phantoms, every n-th, as a row; or all."""
        cells = np.flatnonzero(self.may_be)
        cells = cells[:: -(-len(cells) // most)] if len(cells) > most else cells
        return Evidence(*(getattr(self, one.name).ravel()[cells] for one in fields(self)))

    @classmethod
    def of(cls, view: NetworkView, panel: SalesPanel) -> Evidence:
        """From a view and the sales panel before it.

        Raises
        ------
        InvalidInput
            Where the panel's cells are not those of the view, or it has no day.
        """
        shape = view.network.shape
        if panel.sold.shape[1:] != shape or panel.days == 0:
            raise InvalidInput(
                f"the panel has shape {panel.sold.shape}, the view {shape}",
                field="panel.sold",
                remedy="give at least one day of every location and SKU",
            )
        stores = (view.network.locations.source >= 0)[:, None] & view.network.listed
        book = np.asarray(view.on_hand)
        exposure, silent = _exposure(panel, stores)
        sale_days = (panel.sold > 0).sum(axis=0, dtype=np.float64)
        purchases = _purchases(sale_days, exposure)
        rate = _expected_rate(purchases, exposure, stores)
        shape_of_rate = _homogeneity(purchases, rate, exposure, stores)
        awake = exposure - silent
        # Days at the expected rate that the Gamma's own spread is worth.
        own = shape_of_rate / rate
        log_ratio = (shape_of_rate + _purchases(sale_days, awake)) * np.log1p(
            silent / (own + awake)
        )
        return cls(
            stores & (book > 0),
            book.astype(np.float64),
            sale_days > 0,
            sale_days,
            np.exp(np.minimum(log_ratio, 500.0)),
        )


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


def days_without_sale(panel: SalesPanel) -> npt.NDArray[np.int64]:
    """(L, K) days since the last sale, the newest day first; out-of-stock days don't count."""
    quiet = np.zeros(panel.sold.shape[1:], dtype=np.int64)
    for _, shown in _silent_days(panel):
        quiet += shown
    return quiet


def _silent_days(panel: SalesPanel) -> Iterator[tuple[int, Bools]]:
    """From the newest day back: which cells had not sold since, and showed stock."""
    still = np.ones(panel.sold.shape[1:], dtype=np.bool_)
    for day in range(panel.days - 1, -1, -1):
        still &= panel.sold[day] <= 0
        if not still.any():
            break
        yield day, still & _in_stock(panel, day)


def _in_stock(panel: SalesPanel, day: int) -> Bools:
    """On a day that was recorded as out of stock no sale was to be expected."""
    if panel.out_share is None:
        return np.ones(panel.sold.shape[1:], dtype=np.bool_)
    in_stock: Bools = panel.out_share[day] < _MOST_OUT_PERCENT
    return in_stock


def _exposure(panel: SalesPanel, stores: Bools) -> tuple[Floats, Floats]:
    """(L, K) days in stock and, of these, since the last sale, each day by its store's trade.

    A closed day counts nothing, a Saturday more than a Monday.
    """
    by_store = (panel.sold * stores).sum(axis=2, dtype=np.float64)
    chain = by_store.sum(axis=1)
    chain_index = chain / max(float(chain.mean()), 1e-9)
    trade = by_store + _WEIGHT_OF_CHAIN * chain_index[:, None]
    trade[by_store <= 0] = 0.0
    index = trade / np.maximum(trade.mean(axis=0), 1e-9)
    exposure = np.zeros(stores.shape)
    for day in range(panel.days):
        exposure += index[day][:, None] * _in_stock(panel, day)
    silent = np.zeros(stores.shape)
    for day, shown in _silent_days(panel):
        silent += index[day][:, None] * shown
    return exposure, np.minimum(silent, exposure)


def _purchases(sale_days: Floats, exposure: Floats) -> Floats:
    """(L, K) purchases that leave as many days without any, if they come singly.

    Days tell how silent a shelf would be; units would not: six bottles are one purchase.
    """
    share = np.minimum(sale_days / (exposure + 0.5), _MOST_SALE_DAYS)
    purchases: Floats = -exposure * np.log1p(-share)
    return purchases


def _expected_rate(purchases: Floats, exposure: Floats, stores: Bools) -> Floats:
    """(L, K) purchases a day by what the SKU sells elsewhere and the store sells of all."""
    days = np.where(stores, exposure, 0.0)
    made = np.where(stores, purchases, 0.0)
    per_sku = (made.sum(axis=0) + 0.5) / np.maximum(days.sum(axis=0), 1.0)
    expected = (days * per_sku).sum(axis=1)
    per_store = (made.sum(axis=1) + 1.0) / (expected + 1.0)
    rate: Floats = per_store[:, None] * per_sku[None, :]
    return rate


def _homogeneity(purchases: Floats, rate: Floats, exposure: Floats, stores: Bools) -> float:
    """Shape of the Gamma by which cells differ from what is expected of them (moments)."""
    expected = rate * exposure
    by_chance = exposure * np.expm1(np.minimum(rate, 3.0))
    # By one over the expected number: else a few fast sellers would speak for all.
    weight = stores / np.maximum(expected, 1.0)
    gap = ((np.square(purchases - expected) - by_chance) * weight).sum()
    spread = gap / max(float((np.square(expected) * weight).sum()), 1e-12)
    return float(np.clip(1 / max(spread, 1e-9), *_SHAPES))


def _held(turned: float, trials: float) -> float:
    """A share by what was seen, and a little by what was believed before."""
    share = (turned + _PRIOR_SHARE * _PRIOR_TRIALS) / (trials + _PRIOR_TRIALS)
    return min(max(share, 1e-9), 0.9)
