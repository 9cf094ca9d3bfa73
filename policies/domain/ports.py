"""Protocols of the policy families; each has one or two methods."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from policies.domain.decision import ProposalLines, Route, Unserved
from policies.domain.forecast import Forecast, SalesPanel
from policies.domain.network import IntArray, Network
from policies.domain.view import NetworkView


@runtime_checkable
class Forecaster(Protocol):
    """Makes a frozen issue from recorded sales."""

    def fit(self, panel: SalesPanel, network: Network) -> Forecast:
        """Forecast issued after the panel's last day."""
        ...


@runtime_checkable
class Replenisher(Protocol):
    """Says how much each location wants."""

    def order_quantity(self, view: NetworkView) -> tuple[IntArray, npt.NDArray[np.int8]]:
        """((L, K) int32 wanted base units, (L, K) int8 reason); 0 = nothing.

        Stores want from their warehouse, warehouses from their suppliers. Only cells
        of ``view.may_order`` are non-zero. Multiples of the pack size.
        """
        ...


@runtime_checkable
class Allocator(Protocol):
    """Divides warehouse stock among stores."""

    def allocate(self, view: NetworkView, wanted: IntArray) -> IntArray:
        """(L, K) int32 ≤ `wanted`; per warehouse and SKU not above what is available."""
        ...


@runtime_checkable
class TransferPolicy(Protocol):
    """Moves surplus between stores."""

    def transfers(self, view: NetworkView, granted: IntArray) -> ProposalLines:
        """Lateral lines, given what the warehouse already grants (L, K)."""
        ...


@runtime_checkable
class Router(Protocol):
    """Builds tours for what has to be delivered."""

    def routes(
        self, view: NetworkView, lines: ProposalLines
    ) -> tuple[tuple[Route, ...], tuple[Unserved, ...]]:
        """Tours that deliver every REPLENISH line's destination, or say why not."""
        ...
