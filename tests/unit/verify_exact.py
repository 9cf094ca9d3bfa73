"""Exact averages of a lost-sales store with lead time 1, by its Markov chain.

Written apart from the twin and from any simulation: state = units on hand after the
receipt; the order is made before the demand and is all that is on its way.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats


def averages(
    demand: str, mean: float, h: float, p: float, order: Callable[[int], int], most: int
) -> dict[str, float]:
    """Cost, holding, lost and fill per period; on hand never exceeds `most`."""
    size = 400
    if demand == "poisson":
        mass = stats.poisson.pmf(np.arange(size), mean)
    else:
        mass = stats.geom.pmf(np.arange(1, size + 1), 1 / (1 + mean))
    move = np.zeros((most + 1, most + 1))
    holding, lost = np.zeros(most + 1), np.zeros(most + 1)
    for x in range(most + 1):
        left = np.maximum(x - np.arange(size), 0)
        np.add.at(move[x], np.minimum(left + order(x), most), mass)
        holding[x] = left @ mass
        lost[x] = np.maximum(np.arange(size) - x, 0) @ mass
    move /= move.sum(axis=1, keepdims=True)
    equations = np.vstack([move.T - np.eye(most + 1), np.ones(most + 1)])
    share = np.linalg.lstsq(equations, np.append(np.zeros(most + 1), 1.0), rcond=None)[0]
    units_left, units_lost = float(share @ holding), float(share @ lost)
    return {
        "cost": h * units_left + p * units_lost,
        "holding": units_left,
        "lost": units_lost,
        "fill": 1 - units_lost / mean,
    }


def base_stock(level: int, cap: int = 10**6) -> Callable[[int], int]:
    """Order up to `level`; before the order nothing is on its way."""
    return lambda x: min(max(level - x, 0), cap)


def reorder_averages(
    mean: float, lead_time: int, order_cost: float, h: float, p: float, s: int, level: int
) -> dict[str, float]:
    """(s, S) with backorders and Poisson demand: chain of the position after ordering.

    Position y after the order of period t and the demand of t … t + L give the net stock
    at the end of period t + L.
    """
    most = int(mean * (lead_time + 1) + 12 * np.sqrt(mean * (lead_time + 1)) + 20)
    one = stats.poisson.pmf(np.arange(most), mean)
    positions = np.arange(s + 1, level + 1)
    move = np.zeros((len(positions), len(positions)))
    orders = np.zeros(len(positions))
    for i, y in enumerate(positions):
        for d in range(most):
            if y - d <= s:
                move[i, -1] += one[d]
                orders[i] += one[d]
            else:
                move[i, y - d - s - 1] += one[d]
    move /= move.sum(axis=1, keepdims=True)
    equations = np.vstack([move.T - np.eye(len(positions)), np.ones(len(positions))])
    share = np.linalg.lstsq(equations, np.append(np.zeros(len(positions)), 1.0), rcond=None)[0]
    total = stats.poisson.pmf(np.arange(most), mean * (lead_time + 1))
    net = positions[:, None] - np.arange(most)
    holding = float(share @ np.maximum(net, 0) @ total)
    backlog = float(share @ np.maximum(-net, 0) @ total)
    frequency = float(share @ orders)
    return {
        "cost": order_cost * frequency + h * holding + p * backlog,
        "holding": holding,
        "backlog": backlog,
        "order_frequency": frequency,
    }
