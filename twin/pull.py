"""One-for-one orders under continuous review: echelons in series, no review grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from policies.domain.errors import ScenarioInvalid
from policies.domain.network import IntArray, LocationKind, Network
from twin import pull_kernel
from twin.pull_kernel import Pipes
from twin.scenario import EchelonPull
from twin.state import State

_ROOM = 64
"""Units on one lane at the start; a ring grows when it is full at a day's end."""


class Pull:
    """Lines of stages, each from a store up to the outermost warehouse.

    The opening is what a line holds that nobody has bought from: every stage its own
    level, nothing on the way (:func:`installation_levels`).

    Parameters
    ----------
    state : State
    rules : EchelonPull
    is_traced : bool, whether movement rows are asked for
    """

    def __init__(self, state: State, rules: EchelonPull, *, is_traced: bool) -> None:
        self.state = state
        network = state.network
        check(network, rules)
        if is_traced:
            raise ScenarioInvalid(
                "a run with one-for-one orders keeps no movement rows",
                field="pull",
                remedy="run it without a trace of movements",
            )
        places, skus = network.shape
        source = np.asarray(network.locations.source)
        below = np.full(places, -1, dtype=np.int32)
        below[source[source >= 0]] = np.flatnonzero(source >= 0)
        # What a lane can hold at all: everything the line's top level can ever be short of.
        deepest = int(np.max(rules.echelon_levels, initial=0))
        room = max(_ROOM, 4 * deepest)
        self.pipes = Pipes(
            np.zeros((places, skus, room), dtype=np.int64),
            np.zeros((places, skus), dtype=np.int32),
            np.zeros((places, skus), dtype=np.int32),
            np.zeros((places, skus), dtype=np.int32),
            np.asarray(rules.lead_s, dtype=np.int32),
            np.array(source, dtype=np.int32),
            below,
        )

    def advance(self, until: int) -> None:
        """Serve, order, ship and receive everything up to `until`, in every line."""
        state = self.state
        for s in range(len(state.cursor)):
            is_done = pull_kernel.advance_line(
                state.lines,
                state.cursor,
                s,
                until,
                state.stock,
                state.panel.sold_today,
                state.tally,
                state.events,
                state.master,
                self.pipes,
            )
            if not is_done:
                raise ScenarioInvalid(
                    f"more than {self.pipes.arrives.shape[2]} units are on the way of one SKU",
                    field="pull.echelon_levels",
                    remedy="give levels that cover the demand of the lead times",
                )

    def on_road(self) -> npt.NDArray[np.int32]:
        """(L, K) int32, units on the way from another location of ours."""
        inner = self.pipes.above[:, None] >= 0
        return np.where(inner, self.pipes.size, 0).astype(np.int32)

    def on_order(self) -> npt.NDArray[np.int32]:
        """(L, K) int32, units on the way and units that the stage above owes."""
        above = self.pipes.above
        owed = np.where(above[:, None] >= 0, self.pipes.owed[above], 0)
        return (self.pipes.size + owed).astype(np.int32)


def check(network: Network, rules: EchelonPull) -> None:
    """Refuse what is no line of stages."""
    places = network.shape[0]
    for name, value in (("echelon_levels", rules.echelon_levels), ("lead_s", rules.lead_s)):
        if len(value) != places or min(value) < 0:
            raise ScenarioInvalid(
                f"{name} has {len(value)} values for {places} locations",
                field=f"pull.{name}",
                remedy="give one for each location, none negative",
            )
    source = np.asarray(network.locations.source)
    used = source[source >= 0]
    if (
        len(np.unique(used)) < len(used)
        or (network.locations.kind[used] == LocationKind.STORE).any()
    ):
        raise ScenarioInvalid(
            "one-for-one orders need lines: each warehouse serves one place",
            field="network.locations.source",
            remedy="give each warehouse one store or one warehouse below it",
        )


def installation_levels(network: Network, echelon_levels: tuple[int, ...]) -> IntArray:
    """(L,) int32, the stock each stage keeps for itself.

    An echelon can't hold more than the one that encloses it: the level that counts is the
    least of its own and of all above it (Axsäter & Rosling 1993); a stage keeps what its
    echelon has over the one below.
    """
    source = np.asarray(network.locations.source)
    counts = np.array(echelon_levels, dtype=np.int64)
    for place in range(len(counts)):
        above = int(source[place])
        while above >= 0:
            counts[place] = min(counts[place], echelon_levels[above])
            above = int(source[above])
    own = counts.copy()
    for place, above in enumerate(source.tolist()):
        if above >= 0:
            own[above] -= counts[place]
    return own.astype(np.int32)
