"""Where to hold safety stock in a supply tree: guaranteed service times.

Source: Graves & Willems (2000), Manufacturing & Service Operations Management 2:68. Every
stage promises its customers a service time and covers demand up to a bound over what it
can't pass on: net time = inbound service time + own time − promised time. The dynamic
programme walks the tree once; distribution, assembly and any mix are allowed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from policies.domain.errors import InvalidInput


@dataclass(frozen=True)
class SupplyTree:
    """Stages and the arcs between them; without directions they form one tree.

    Parameters
    ----------
    own_days : tuple of int ≥ 0, processing time of each stage
    holding_cost : tuple of float ≥ 0, per unit and period at each stage
    deviation : tuple of float ≥ 0, standard deviation of a day's demand at each stage
    arcs : tuple of (int, int), supplier → customer
    promised_days : tuple of int or None, longest service time a stage may quote; None =
        no limit. A stage that serves customers of the chain has one
    safety_factor : float ≥ 0, z of the demand bound
    """

    own_days: tuple[int, ...]
    holding_cost: tuple[float, ...]
    deviation: tuple[float, ...]
    arcs: tuple[tuple[int, int], ...]
    promised_days: tuple[int | None, ...]
    safety_factor: float = 1.645

    def __post_init__(self) -> None:
        size = len(self.own_days)
        for name in ("holding_cost", "deviation", "promised_days"):
            if len(getattr(self, name)) != size:
                raise InvalidInput(f"{name} needs {size} values", field=name)
        numbers = (*self.own_days, *self.holding_cost, *self.deviation, self.safety_factor)
        if not all(math.isfinite(x) and x >= 0 for x in numbers):
            raise InvalidInput("times, costs and deviations are not negative", field="own_days")
        if len(self.arcs) != size - 1 or not _is_connected(size, self.arcs):
            raise InvalidInput(
                f"{len(self.arcs)} arcs do not join {size} stages into one tree",
                field="arcs",
                remedy="give exactly one path between any two stages",
            )


@dataclass(frozen=True)
class Placement:
    """Service times and safety stock of each stage, and the cost per period."""

    service_days: tuple[int, ...]
    inbound_days: tuple[int, ...]
    safety_stock: tuple[float, ...]
    cost: float


def place_safety_stock(tree: SupplyTree) -> Placement:
    """The service times of least holding cost."""
    walk = _Walk(tree)
    walk.up()
    return walk.down()


class _Walk:
    """The dynamic programme: leaves are folded into their one remaining neighbour.

    A node folded into its customer keeps its best cost by the service time S it quotes; a
    node folded into its supplier keeps it by the inbound service time SI it waits.
    """

    def __init__(self, tree: SupplyTree) -> None:
        self.tree = tree
        size = len(tree.own_days)
        self.suppliers: list[list[int]] = [[] for _ in range(size)]
        self.customers: list[list[int]] = [[] for _ in range(size)]
        for supplier, customer in tree.arcs:
            self.customers[supplier].append(customer)
            self.suppliers[customer].append(supplier)
        self.longest = sum(tree.own_days)
        self.order: list[int] = []
        self.parent = [-1] * size
        self.best: list[np.ndarray] = [np.zeros(0)] * size
        self.table: list[np.ndarray] = [np.zeros(0)] * size

    def up(self) -> None:
        """Fold every node into its parent; node 0 is the root."""
        stack = [0]
        while stack:
            node = stack.pop()
            self.order.append(node)
            for near in self.suppliers[node] + self.customers[node]:
                if near != self.parent[node]:
                    self.parent[near] = node
                    stack.append(near)
        for node in reversed(self.order):
            self.table[node] = self._costs(node)
            if self.parent[node] in self.customers[node]:
                self.best[node] = self.table[node].min(axis=1)
            else:
                self.best[node] = self.table[node].min(axis=0)

    def _costs(self, node: int) -> np.ndarray:
        """(S, SI) least cost of the subtree under `node`."""
        tree, n = self.tree, self.longest + 1
        quoted, inbound = np.arange(n)[:, None], np.arange(n)[None, :]
        net = inbound + tree.own_days[node] - quoted
        factor = tree.safety_factor * tree.holding_cost[node] * tree.deviation[node]
        out = np.where(net >= 0, factor * np.sqrt(np.maximum(net, 0)), np.inf)
        most = tree.promised_days[node]
        if most is not None:
            out[most + 1 :] = np.inf
        if not self.suppliers[node]:
            # The outside world delivers at once; waiting longer is nobody's wish.
            out[:, 1:] = np.inf
        for child in self.suppliers[node] + self.customers[node]:
            if child == self.parent[node]:
                continue
            if child in self.suppliers[node]:
                # Inbound time covers whatever a supplier quotes: the best up to it.
                out = out + np.minimum.accumulate(self.best[child])[None, :]
            else:
                # A customer waits at least what this stage quotes.
                least = np.minimum.accumulate(self.best[child][::-1])[::-1]
                out = out + least[:, None]
        return out

    def down(self) -> Placement:
        """Read the best times back from the root to the leaves."""
        size = len(self.parent)
        quoted, inbound = [0] * size, [0] * size
        for node in self.order:
            table, parent = self.table[node], self.parent[node]
            if parent >= 0 and parent in self.customers[node]:
                # Quotes at most what the customer waits.
                table = table.copy()
                table[inbound[parent] + 1 :] = np.inf
            elif parent >= 0:
                table = table.copy()
                table[:, : quoted[parent]] = np.inf
            at = np.unravel_index(int(np.argmin(table)), table.shape)
            quoted[node], inbound[node] = int(at[0]), int(at[1])
        cost = float(self.table[0].min())
        if not math.isfinite(cost):
            raise InvalidInput(
                "no service times satisfy the promises", field="promised_days",
                remedy="allow longer promises",
            )  # fmt: skip
        stock = [
            self.tree.safety_factor
            * self.tree.deviation[i]
            * math.sqrt(max(inbound[i] + self.tree.own_days[i] - quoted[i], 0))
            for i in range(size)
        ]
        return Placement(tuple(quoted), tuple(inbound), tuple(stock), cost)


def _is_connected(size: int, arcs: tuple[tuple[int, int], ...]) -> bool:
    near: list[list[int]] = [[] for _ in range(size)]
    for a, b in arcs:
        if not (0 <= a < size and 0 <= b < size):
            return False
        near[a].append(b)
        near[b].append(a)
    seen, stack = {0}, [0]
    while stack:
        for other in near[stack.pop()]:
            if other not in seen:
                seen.add(other)
                stack.append(other)
    return len(seen) == size
