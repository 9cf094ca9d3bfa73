"""Goods that expire: optimum and base stock by dynamic programming.

Source: De Moor, Gijsbrechts & Boute (2022), EJOR 301:535, scenario A. A period: order,
demand served oldest or freshest first, shortage, the oldest class left expires, holding
on the younger ones, the order placed L − 1 periods ago arrives fresh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.errors import InvalidInput
from policies.exact.demand import Floats, NoExactAnswer, gamma_rounded, require_positive

Cells = npt.NDArray[np.int64]
MOST_VALUES = 20_000_000
_SPAN = 1e-6
_MOST_ROUNDS = 100_000
_STEP = 0.8
"""Part of each step that is taken: low stock makes a chain all but periodic."""
FIGURES = ("order", "lost", "expired", "holding")


@dataclass(frozen=True)
class PerishableModel:
    """One store with one SKU that expires.

    Parameters
    ----------
    life : int ≥ 1, periods m in which a unit can be sold
    lead_time : int ≥ 1, periods L; with 1 this period's order is fresh next period
    waste_cost : float ≥ 0, per unit expired
    is_fifo : bool, True = the oldest units are sold first
    mean, variation : float > 0, of the gamma variable that is rounded to the demand
    most : int ≥ 1, largest order
    order_cost, lost_cost, holding_cost : float ≥ 0, per unit
    """

    life: int
    lead_time: int
    waste_cost: float
    is_fifo: bool
    mean: float = 4.0
    variation: float = 0.5
    most: int = 10
    order_cost: float = 3.0
    lost_cost: float = 5.0
    holding_cost: float = 1.0

    def __post_init__(self) -> None:
        for name in ("life", "lead_time", "most"):
            if getattr(self, name) < 1:
                raise InvalidInput(
                    f"{name} is {getattr(self, name)}", field=name, remedy="at least 1"
                )
        for name in ("waste_cost", "order_cost", "lost_cost", "holding_cost"):
            require_positive(name, getattr(self, name), zero=True)
        if self.size > MOST_VALUES:
            raise NoExactAnswer(
                f"the dynamic programme has {self.size:.1e} values, more than {MOST_VALUES:.0e}",
                field="m",
                remedy="give a shorter life or lead time, or a smaller largest order",
            )

    @property
    def digits(self) -> int:
        """Classes on hand, oldest first, then orders on their way, the next first."""
        return self.life + self.lead_time - 1

    @property
    def size(self) -> int:
        """Number of states."""
        return int((self.most + 1) ** self.digits)


@dataclass(frozen=True)
class PerishableAverages:
    """Long-run averages per period."""

    cost: float
    order: float
    lost: float
    expired: float
    holding: float
    level: int | None = None


def optimal(model: PerishableModel) -> PerishableAverages:
    """The policy of least average cost."""
    orders, _ = _solve(model, np.zeros(0, dtype=np.int64), _weights(model))
    return _averages(model, orders, None)


def base_stock(model: PerishableModel, level: int) -> PerishableAverages:
    """Order up to `level` of everything on hand and on its way."""
    return _averages(model, _up_to(model, level), level)


def best_base_stock(model: PerishableModel) -> PerishableAverages:
    """The base-stock level of least average cost."""
    best, least = 0, np.inf
    # Past twice the demand of life and lead time everything more only expires.
    for level in range(1, int(2 * model.mean * (model.life + model.lead_time)) + 2):
        cost = _solve(model, _up_to(model, level), _weights(model))[1]
        if cost < least - 1e-9:
            best, least = level, cost
        elif level > best + 4:
            break
    return base_stock(model, best)


def _up_to(model: PerishableModel, level: int) -> Cells:
    if level < 0:
        raise InvalidInput(f"S is {level}", field="S", remedy="give units, not negative")
    stock = np.zeros(1, dtype=np.int64)
    for _ in range(model.digits):
        stock = (stock[:, None] + np.arange(model.most + 1)).ravel()
    out: Cells = np.clip(level - stock, 0, model.most)
    return out


def _weights(model: PerishableModel) -> Floats:
    return np.array([model.order_cost, model.lost_cost, model.waste_cost, model.holding_cost])


def _averages(model: PerishableModel, orders: Cells, level: int | None) -> PerishableAverages:
    figures = []
    for k in range(len(FIGURES)):
        figures.append(_solve(model, orders, np.eye(len(FIGURES))[k])[1])
    cost = float(np.array(figures) @ _weights(model))
    order, lost, expired, holding = figures
    return PerishableAverages(cost, order, lost, expired, holding, level)


def _solve(model: PerishableModel, orders: Cells, weights: Floats) -> tuple[Cells, float]:
    chances = gamma_rounded(model.mean, model.variation)
    first_sold = 0 if model.is_fifo else model.life - 1
    counts = np.ones(model.size, dtype=np.bool_)
    if len(orders):
        counts = _reached(
            model.life, model.lead_time, model.most + 1, first_sold, len(chances), orders
        )
    chosen, low, high = _iterate(
        model.life,
        model.lead_time,
        model.most + 1,
        first_sold,
        weights,
        chances,
        orders,
        counts,
        _SPAN,
        _MOST_ROUNDS,
    )
    return chosen, float(low + high) / 2


@njit(cache=True)
def _iterate(
    life: int,
    lead_time: int,
    base: int,
    first_sold: int,
    weights: Floats,
    chances: Floats,
    orders: Cells,
    counts: npt.NDArray[np.bool_],
    span: float,
    rounds: int,
) -> tuple[Cells, float, float]:
    """Relative value iteration over states that count; no `orders` = choose the best one."""
    digits = life + lead_time - 1
    size = base**digits
    value, new = np.zeros(size), np.zeros(size)
    chosen = np.zeros(size, dtype=np.int64)
    stock = np.empty(digits, dtype=np.int64)
    low, high = 0.0, 0.0
    for _ in range(rounds):
        low, high = np.inf, -np.inf
        for row in range(size):
            if not counts[row]:
                continue
            rest = row
            for i in range(digits - 1, -1, -1):
                stock[i] = rest % base
                rest //= base
            first = orders[row] if len(orders) else 0
            last = first + 1 if len(orders) else base
            fixed, ahead = _outlook(stock, life, base, first_sold, weights, chances, value)
            best, order = np.inf, 0
            for q in range(first, last):
                total = ahead[q] + weights[0] * q
                if total < best - 1e-12:
                    best, order = total, q
            new[row] = fixed + best
            chosen[row] = order
            change = new[row] - value[row]
            low, high = min(low, change), max(high, change)
        offset = (low + high) / 2
        for row in range(size):
            if counts[row]:
                value[row] += _STEP * (new[row] - offset - value[row])
        if high - low < span:
            break
    return chosen, low, high


@njit(cache=True)
def _reached(
    life: int, lead_time: int, base: int, first_sold: int, demands: int, orders: Cells
) -> npt.NDArray[np.bool_]:
    """Which states an empty store gets into under `orders`.

    A given policy may never mix its states. Goods that live one period are the extreme: all
    stock leaves each evening, so with L = 1 orders alternate between q and S − q for ever,
    and which q it is depends on the start. The average is that of a store that begins empty.
    """
    digits = life + lead_time - 1
    reached = np.zeros(base**digits, dtype=np.bool_)
    ahead = np.empty(base**digits, dtype=np.int64)
    stock, left = np.empty(digits, dtype=np.int64), np.empty(life, dtype=np.int64)
    reached[0], ahead[0], waiting = True, 0, 1
    while waiting:
        waiting -= 1
        row = ahead[waiting]
        rest = row
        for i in range(digits - 1, -1, -1):
            stock[i] = rest % base
            rest //= base
        for d in range(min(stock[:life].sum(), demands - 1) + 1):
            need = d
            for step in range(life):
                i = abs(first_sold - step)
                taken = min(stock[i], need)
                left[i] = stock[i] - taken
                need -= taken
            to = 0
            for i in range(1, life):
                to = to * base + left[i]
            for i in range(life, digits):
                to = to * base + stock[i]
            to = to * base + orders[row]
            if not reached[to]:
                reached[to], ahead[waiting] = True, to
                waiting += 1
    return reached


@njit(cache=True)
def _outlook(
    stock: Cells,
    life: int,
    base: int,
    first_sold: int,
    weights: Floats,
    chances: Floats,
    value: Floats,
) -> tuple[float, Floats]:
    """(cost of this period without its order, (base,) value of the next by the order)."""
    ahead = np.zeros(base)
    left = np.empty(life, dtype=np.int64)
    whole = stock[:life].sum()
    fixed, certain = 0.0, 1.0
    for d in range(min(whole, len(chances) - 1) + 1):
        # All demand from `whole` on empties the shelf alike.
        chance = certain if d == whole else chances[d]
        certain -= chances[d]
        need = d
        for step in range(life):
            i = abs(first_sold - step)
            taken = min(stock[i], need)
            left[i] = stock[i] - taken
            need -= taken
        to = 0
        for i in range(1, life):
            to = to * base + left[i]
        # The next order on its way becomes the fresh class.
        for i in range(life, len(stock)):
            to = to * base + stock[i]
        fixed += chance * (weights[2] * left[0] + weights[3] * left[1:].sum())
        for q in range(base):
            ahead[q] += chance * value[to * base + q]
    for d in range(whole + 1, len(chances)):
        fixed += weights[1] * chances[d] * (d - whole)
    return fixed, ahead
