"""A store whose unmet demand is lost: optimum and myopic policies by dynamic programming.

Source: Zipkin (2008), Operations Research 56:1256 and 56:937. State: units on hand after
the receipt and the L − 1 orders on their way. A period's cost is counted when the order
of that period arrives, L periods later; the averages are the same, and then one step of
value iteration from nothing is the myopic policy, two steps are the two-period one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput
from policies.exact.demand import (
    Floats,
    NoExactAnswer,
    left_over,
    mass,
    quantile,
    require_positive,
)

Actions = npt.NDArray[np.int64]
MOST_VALUES = 40_000_000
"""Numbers in the largest table that is still worked on (0.3 GB)."""
_SPAN = 1e-7
STEP = 0.8
"""Part of each step that is taken: low stock makes a chain all but periodic."""


@dataclass(frozen=True)
class LostSales:
    """One store.

    Parameters
    ----------
    demand : str, as in :func:`policies.exact.demand.mass`
    mean : float > 0, units per period
    holding_cost, lost_cost : float > 0, per unit left and per unit lost
    lead_time : int ≥ 0, periods L
    """

    demand: str
    mean: float
    holding_cost: float
    lost_cost: float
    lead_time: int

    def __post_init__(self) -> None:
        require_positive("mean", self.mean)
        require_positive("h", self.holding_cost)
        require_positive("p", self.lost_cost)
        require_positive("L", self.lead_time, zero=True)

    def probability(self) -> Floats:
        """(n,) demand of one period."""
        return mass(self.demand, self.mean)

    def newsvendor(self, periods: int) -> int:
        """Level of least cost if unmet demand waited, for the demand of `periods`."""
        share = self.lost_cost / (self.lost_cost + self.holding_cost)
        return quantile(self.demand, self.mean, periods, share)

    def one_period(self, most: int) -> tuple[Floats, Floats]:
        """(units left, units lost) expected from 0 … `most` units on hand."""
        left: Floats = left_over(self.probability(), most) @ np.arange(most + 1.0)
        return left, self.mean - np.arange(most + 1) + left


@dataclass(frozen=True)
class Averages:
    """Long-run averages per period; `level` is the highest position after ordering."""

    cost: float
    holding: float
    lost: float
    fill: float
    level: int | None = None


@dataclass(frozen=True)
class OrderTable:
    """A policy as a table.

    Attributes
    ----------
    orders : (M + 1, B ** (L − 1)) int64, by units on hand and orders on their way; the
        order that arrives next is the most significant digit in base B
    base : int, B = largest order + 1
    most : int, M = highest position
    """

    orders: Actions
    base: int
    most: int


def optimal(model: LostSales) -> OrderTable:
    """The policy of least average cost."""
    return _iterate(model, None)


def myopic(model: LostSales, periods: int = 1) -> OrderTable:
    """The order that is best for the `periods` periods from its arrival on."""
    if periods < 1:
        raise InvalidInput(f"{periods} periods", field="periods", remedy="at least 1")
    return _iterate(model, periods)


def _iterate(model: LostSales, periods: int | None) -> OrderTable:
    """Value iteration, to the end or for `periods` steps.

    An order above the one-period level, or a position above that of L + 1 periods with
    waiting demand, is never better (Zipkin 2008): both bound the table.
    """
    most = model.newsvendor(model.lead_time + 1)
    base = model.newsvendor(1) + 1
    if model.lead_time == 0:
        wanted = np.maximum(most - np.arange(most + 1), 0)[:, None]
        return OrderTable(wanted.astype(np.int64), most + 1, most)
    size = (most + 1) * base**model.lead_time
    if size > MOST_VALUES:
        raise NoExactAnswer(
            f"the dynamic programme has {size:.1e} values, more than {MOST_VALUES:.0e}",
            field="L",
            remedy="give a shorter lead time or a smaller mean",
        )
    left = left_over(model.probability(), most)
    held, lost = model.one_period(most)
    ahead = (model.holding_cost * held + model.lost_cost * lost)[:, None]
    for _ in range(model.lead_time):
        ahead = _after_demand(ahead, left, base)
    states = base ** (model.lead_time - 1)
    position = _positions(most, base, model.lead_time - 1)
    # A state above the bound orders nothing: it only falls back into the others.
    too_much = (position[:, :, None] + np.arange(base) > most) & (np.arange(base) > 0)
    shape = (most + 1, states, base)
    ahead = ahead.reshape(shape)
    ahead[too_much] = np.inf
    inside = position <= most
    value = np.zeros((most + 1, states))
    step = 0
    while True:
        choices = ahead + _after_demand(value, left, base).reshape(shape)
        new = choices.min(axis=2)
        step += 1
        change = (new - value)[inside]
        done = change.max() - change.min() < _SPAN * change.max()
        if step == periods or (periods is None and done):
            return OrderTable(choices.argmin(axis=2), base, most)
        if periods is None:
            new = value + STEP * (new - value)
        value = new - new[0, 0]


def _after_demand(values: Floats, left: Floats, base: int) -> Floats:
    """(M + 1, base · R): expected `values` (M + 1, R) once demand and the next receipt are in.

    Column z · R + r: what is on hand after a receipt of z, with the rest r.
    """
    most = len(left) - 1
    out = np.empty((most + 1, base, values.shape[1]))
    for z in range(base):
        out[:, z] = left @ values[np.minimum(np.arange(most + 1) + z, most)]
    return out.reshape(most + 1, -1)


def _positions(most: int, base: int, orders: int) -> Actions:
    """(most + 1, base ** orders): units on hand and on their way."""
    coming = np.zeros(1, dtype=np.int64)
    for _ in range(orders):
        coming = (coming[:, None] + np.arange(base)).ravel()
    out: Actions = np.arange(most + 1)[:, None] + coming
    return out
