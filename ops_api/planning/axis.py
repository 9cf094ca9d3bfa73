"""A moment of two clocks, and text ids as positions on the (L, K) axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ops_api.planning.wallclock import WallClock
from policies.domain.network import Network

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Moment:
    """What happened until `as_of` as far as it was recorded until `known_at`.

    Attributes
    ----------
    as_of, known_at : int, whole seconds of UTC since 1970
    """

    as_of: int
    known_at: int

    @classmethod
    def of(cls, network: Network, as_of_s: int, known_at_s: int | None = None) -> Moment:
        """A moment given in seconds of wall clock since day 0."""
        clock = WallClock(network)
        known = as_of_s if known_at_s is None else known_at_s
        return cls(clock.epoch(as_of_s), clock.epoch(known))


class Axis:
    """Positions of text ids on the (L, K) axis; what is not on it reads −1."""

    def __init__(self, network: Network) -> None:
        self.shape = network.shape
        self._place = {name: i for i, name in enumerate(network.locations.ids)}
        self._sku = {name: i for i, name in enumerate(network.skus.ids)}

    def places(self, names: tuple[str, ...]) -> Ints:
        """(N,) int64 positions of locations."""
        get = self._place.get
        return np.fromiter((get(name, -1) for name in names), dtype=np.int64, count=len(names))

    def skus(self, names: tuple[str, ...]) -> Ints:
        """(N,) int64 positions of SKUs."""
        get = self._sku.get
        return np.fromiter((get(name, -1) for name in names), dtype=np.int64, count=len(names))

    def sum(self, place: Ints, sku: Ints, amount: Ints) -> Ints:
        """(L, K) int64 sums; rows off the axis are left out."""
        out = np.zeros(self.shape[0] * self.shape[1], dtype=np.int64)
        ok = (place >= 0) & (sku >= 0)
        np.add.at(out, place[ok] * self.shape[1] + sku[ok], amount[ok])
        return out.reshape(self.shape)
