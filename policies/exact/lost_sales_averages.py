"""Exact averages of a given policy of a store whose unmet demand is lost."""

from __future__ import annotations

import numpy as np
from numba import njit

from policies.domain.errors import InvalidInput
from policies.exact.demand import Floats, NoExactAnswer, left_over, mass
from policies.exact.lost_sales import MOST_VALUES, STEP, Actions, Averages, LostSales, OrderTable

_SPAN = 1e-8
_MOST_ROUNDS = 200_000


def base_stock_table(model: LostSales, level: int, cap: int | None = None) -> OrderTable:
    """Order up to `level` of position, at most `cap`, as a table."""
    if level < 0 or (cap is not None and cap < 1):
        raise InvalidInput(f"level {level}, cap {cap}", field="par1", remedy="give units above 0")
    largest = level if cap is None else min(level, cap)
    orders = max(model.lead_time - 1, 0)
    size = (level + 1) * (largest + 1) ** orders
    if size > MOST_VALUES:
        raise NoExactAnswer(
            f"the chain has {size:.1e} states, more than {MOST_VALUES:.0e}",
            field="L",
            remedy="give a shorter lead time or a lower level",
        )
    coming = np.zeros(1, dtype=np.int64)
    for _ in range(orders):
        coming = (coming[:, None] + np.arange(largest + 1)).ravel()
    gap = level - np.arange(level + 1)[:, None] - coming
    return OrderTable(np.clip(gap, 0, largest), largest + 1, level)


def table_averages(model: LostSales, table: OrderTable) -> Averages:
    """Averages of any policy given as a table, by iteration until they are bracketed."""
    most, states = table.most, table.orders.shape[1]
    left = left_over(model.probability(), most)
    held, lost = model.one_period(most)
    coming = np.zeros(1, dtype=np.int64)
    for _ in range(max(model.lead_time - 1, 0)):
        coming = (coming[:, None] + np.arange(table.base)).ravel()
    position = np.arange(most + 1)[:, None] + coming
    rows = np.flatnonzero(position.ravel() <= most)
    orders = table.orders.ravel()
    if model.lead_time == 0:
        left, held, lost = (one[np.arange(most + 1) + orders] for one in (left, held, lost))
        orders = np.zeros_like(orders)
    figures = np.stack([held, lost], axis=1)
    means, spread = _gain(
        rows, orders, figures, left, table.base, states, model.lead_time, _SPAN, _MOST_ROUNDS
    )
    if not (spread < 1e-5).all():
        raise NoExactAnswer(
            "the averages did not settle", field="policy", remedy="give a policy that is stable"
        )
    highest = int((position.ravel() + orders)[rows].max())
    return _averages(model, float(means[0]), float(means[1]), highest)


def constant_order(model: LostSales, quantity: int) -> Averages:
    """Averages when every period brings `quantity` units; below the mean only.

    What is left follows Lindley's recursion, so its mean is Spitzer's sum
    Σ E[(n·quantity − demand of n periods)⁺] / n.
    """
    if not 0 <= quantity < model.mean:
        raise NoExactAnswer(
            f"a constant order of {quantity} against a mean demand of {model.mean:g}",
            field="par1",
            remedy="give a quantity below the mean: else stock grows without end",
        )
    held, n = 0.0, 0
    while True:
        n += 1
        total = mass(model.demand, model.mean, n)[: n * quantity + 1]
        term = float(total @ (n * quantity - np.arange(len(total)))) / n
        held += term
        # Terms fall at least geometrically once they are this small.
        if term < 1e-12 * max(held, 1e-9) or term == 0.0:
            return _averages(model, held, model.mean - quantity, None)


def _averages(model: LostSales, held: float, lost: float, level: int | None) -> Averages:
    cost = model.holding_cost * held + model.lost_cost * lost
    return Averages(cost, held, lost, 1 - lost / model.mean, level)


@njit(cache=True)
def _gain(
    rows: Actions,
    orders: Actions,
    figures: Floats,
    left: Floats,
    base: int,
    states: int,
    lead_time: int,
    span: float,
    rounds: int,
) -> tuple[Floats, Floats]:
    """(2,) averages of (left, lost) per period, and how far apart their brackets are."""
    most = len(left) - 1
    value = np.zeros((len(orders), 2))
    new = np.zeros((len(orders), 2))
    low, high = np.zeros(2), np.zeros(2)
    first = states // base if lead_time > 1 else 1
    for _ in range(rounds):
        low[:], high[:] = np.inf, -np.inf
        for row in rows:
            x, coming = row // states, row % states
            arrives = orders[row]
            after = 0
            if lead_time > 1:
                arrives = coming // first
                after = (coming % first) * base + orders[row]
            a, b = figures[x, 0], figures[x, 1]
            for j in range(len(left)):
                chance = left[x, j]
                if chance > 0.0:
                    to = min(j + arrives, most) * states + after
                    a += chance * value[to, 0]
                    b += chance * value[to, 1]
            new[row, 0], new[row, 1] = a, b
            low[0], high[0] = min(low[0], a - value[row, 0]), max(high[0], a - value[row, 0])
            low[1], high[1] = min(low[1], b - value[row, 1]), max(high[1], b - value[row, 1])
        for row in rows:
            value[row, 0] += STEP * (new[row, 0] - value[row, 0] - (low[0] + high[0]) / 2)
            value[row, 1] += STEP * (new[row, 1] - value[row, 1] - (low[1] + high[1]) / 2)
        if max(high[0] - low[0], high[1] - low[1]) < span:
            break
    return (low + high) / 2, high - low
