"""What sales say of shelves: how long each has been silent, against what it used to sell.

How long a full shelf would have been silent is not read off its own forecast, which has
fallen asleep with it, but off what the SKU sells in other stores and the store sells of
other SKUs: each cell's rate is Gamma distributed about that, and its own sales outside of the
silence make it sharper. (The same reasoning tells how likely a customer is still one who has
not bought for a while: Fader, Hardie & Lee 2005, Marketing Science 24(2), 275–284.)

Goods are bought in bursts and go out of season, so full shelves are silent for longer than
that. By how much is read off the silences that a sale ended: see :class:`Endurance`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput
from policies.domain.forecast import SalesPanel
from policies.domain.view import NetworkView

_ENDED_CELLS = 200_000
_WEIGHT_OF_CHAIN = 20.0
_MOST_OUT_PERCENT = 50
_SHAPES = (0.3, 50.0)
_MOST_SALE_DAYS = 0.98
_STEPS = np.concatenate([np.arange(0.0, 3.0, 0.1), np.geomspace(3.0, 60.0, 40)])
_LEAST_ENDED = 5.0
_LONGEST = 500.0
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Endurance:
    """Share of silences of full shelves that are longer than a given one.

    Attributes
    ----------
    hazard : (G,) float64, ascending from 0: purchases that a shelf missed, as in
        :class:`Evidence`
    log_share : (G,) float64, logarithm of the share that lasts at least so long
    """

    hazard: Floats
    log_share: Floats

    @classmethod
    def of_steady_sales(cls) -> Endurance:
        """Of purchases that come singly, at a rate that does not change."""
        return cls(np.array([0.0, _LONGEST]), np.array([0.0, -_LONGEST]))

    @classmethod
    def of(cls, ended: Floats, lasting: Floats, full: Floats) -> Endurance:
        """From silences that were sold out of, and those that last.

        A table of survival (Kaplan & Meier 1958) in steps of the hazard; a silence that lasts
        counts as far as its shelf is believed to be full.

        Parameters
        ----------
        ended, lasting : (M,) and (N,) hazards
        full : (N,) chance that the shelf of each lasting silence is not empty
        """
        edges = np.append(_STEPS, np.inf)
        sold = np.histogram(ended, edges)[0].astype(np.float64)
        left = np.histogram(lasting, edges, weights=full)[0]
        at_risk = np.cumsum((sold + left)[::-1])[::-1]
        # Those that leave within a step were there for half of it.
        fraction = sold / np.maximum(at_risk - left / 2, 1e-9)
        log_share = np.append(0.0, np.cumsum(np.log1p(-np.minimum(fraction, 0.99)))[:-1])
        # Few ends tell little; what is longer goes on as the last ones that were seen often.
        often = np.flatnonzero(np.cumsum(sold[::-1])[::-1] >= _LEAST_ENDED)
        last = int(often[-1]) if len(often) else 0
        before = int(np.searchsorted(_STEPS, _STEPS[last] / 2))
        run = max(_STEPS[last] - _STEPS[before], 1e-9)
        slope = (log_share[before] - log_share[last]) / run
        return cls(
            np.append(_STEPS[: last + 1], _LONGEST),
            np.append(log_share[: last + 1], log_share[last] - slope * (_LONGEST - _STEPS[last])),
        )

    def against_full(self, hazard: Floats) -> Floats:
        """How many times likelier silences of such hazards are on an empty shelf."""
        return np.exp(np.minimum(-np.interp(hazard, self.hazard, self.log_share), _LONGEST))


@dataclass(frozen=True)
class Evidence:
    """What sales and book say of each cell, (L, K) each.

    Attributes
    ----------
    may_be : bool, listed in a store, with stock in the book
    book : float64, units in the book
    has_sold : bool, in the panel
    sale_days : float64, days with a sale
    hazard : float64, purchases that a full shelf would have made since its last sale, as
        expected of the cell; the longer a shelf is silent, the less this adds, as the cell
        shows that it sells less
    ended : (M,) float64, the same of silences that a sale ended, of some of the cells
    """

    may_be: Bools
    book: Floats
    has_sold: Bools
    sale_days: Floats
    hazard: Floats
    ended: Floats

    def part(self, most: int) -> Evidence:
        """About `most` of the cells that may be phantoms, every n-th, as a row; or all."""
        cells = _every_nth(self.may_be, most)
        return Evidence(
            self.may_be.ravel()[cells],
            self.book.ravel()[cells],
            self.has_sold.ravel()[cells],
            self.sale_days.ravel()[cells],
            self.hazard.ravel()[cells],
            self.ended,
        )

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
        trade = _trade(panel, stores)
        exposure, silent = _exposure(panel, trade)
        sale_days = (panel.sold > 0).sum(axis=0, dtype=np.float64)
        habits = _Habits.of(sale_days, exposure, stores)
        return cls(
            stores & (book > 0),
            book.astype(np.float64),
            sale_days > 0,
            sale_days,
            habits.hazard(silent),
            np.concatenate(list(_ended(panel, trade, habits, _every_nth(stores, _ENDED_CELLS)))),
        )


@dataclass(frozen=True)
class _Habits:
    """What each cell sells, any shape: days in stock, days with a sale, Gamma prior of the rate.

    ``own`` are the days at the expected rate that the prior is worth.
    """

    exposure: Floats
    sale_days: Floats
    own: Floats
    shape: float

    @classmethod
    def of(cls, sale_days: Floats, exposure: Floats, stores: Bools) -> _Habits:
        purchases = _purchases(sale_days, exposure)
        rate = _expected_rate(purchases, exposure, stores)
        shape = _homogeneity(purchases, rate, exposure, stores)
        return cls(exposure, sale_days, shape / rate, shape)

    def at(self, cells: npt.NDArray[np.int64]) -> _Habits:
        """Those of some cells, by their flat indices."""
        return _Habits(
            self.exposure.ravel()[cells],
            self.sale_days.ravel()[cells],
            self.own.ravel()[cells],
            self.shape,
        )

    def hazard(self, silent: Floats) -> Floats:
        """Of silences of so many days, by what was sold on the others."""
        awake = np.maximum(self.exposure - silent, 0.0)
        made = self.shape + _purchases(self.sale_days, awake)
        hazard: Floats = made * np.log1p(silent / (self.own + awake))
        return hazard


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


def _trade(panel: SalesPanel, stores: Bools) -> Floats:
    """(D, L) what a day of a store is worth: a closed day nothing, a Saturday more."""
    by_store = (panel.sold * stores).sum(axis=2, dtype=np.float64)
    chain = by_store.sum(axis=1)
    chain_index = chain / max(float(chain.mean()), 1e-9)
    trade = by_store + _WEIGHT_OF_CHAIN * chain_index[:, None]
    trade[by_store <= 0] = 0.0
    index: Floats = trade / np.maximum(trade.mean(axis=0), 1e-9)
    return index


def _exposure(panel: SalesPanel, trade: Floats) -> tuple[Floats, Floats]:
    """(L, K) days in stock and, of these, since the last sale, each by its store's trade."""
    exposure = np.zeros(panel.sold.shape[1:])
    for day in range(panel.days):
        exposure += trade[day][:, None] * _in_stock(panel, day)
    silent = np.zeros(exposure.shape)
    for day, shown in _silent_days(panel):
        silent += trade[day][:, None] * shown
    return exposure, np.minimum(silent, exposure)


def _ended(
    panel: SalesPanel, trade: Floats, habits: _Habits, cells: npt.NDArray[np.int64]
) -> Iterator[Floats]:
    """Day by day the hazards of the silences of these cells that a sale ended."""
    habits = habits.at(cells)
    place, sku = np.divmod(cells, panel.sold.shape[2])
    silent = np.zeros(len(cells))
    for day in range(panel.days):
        silent += trade[day][place] * _in_stock(panel, day)[place, sku]
        sold = np.flatnonzero(panel.sold[day][place, sku] > 0)
        yield habits.at(sold).hazard(silent[sold])
        silent[sold] = 0.0


def _every_nth(cells: Bools, most: int) -> npt.NDArray[np.int64]:
    """Flat indices of about `most` of the marked cells; or of all."""
    found = np.flatnonzero(cells)
    return found[:: -(-len(found) // most)] if len(found) > most else found


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
