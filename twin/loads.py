"""From proposal lines to loads: what staff do to them, and how they are grouped."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from numba import njit

from policies.domain.decision import SUPPLIER, LineKind, ProposalLines
from policies.domain.network import IntArray, Network
from twin import draws
from twin.scenario import Frictions, Opening


@dataclass
class Load:
    """The lines that travel together from one origin to one destination.

    Attributes
    ----------
    number : int, document number inside the run
    kind : LineKind
    origin, destination : int, axis indices; origin −1 = supplier
    need_s : int, when the need was detected; −1 = not known
    sku, ordered, shipped : (n,) int32; `shipped` is filled when the load leaves
    cases : int, ordered cases, for picking
    kg : float, shipped mass
    shipped_s, received_s, due_s : int, −1 = not yet, not known
    is_put_off : bool, approved tonight and started tomorrow evening
    """

    number: int
    kind: LineKind
    origin: int
    destination: int
    need_s: int
    sku: IntArray
    ordered: IntArray
    shipped: IntArray
    cases: int
    kg: float = 0.0
    shipped_s: int = -1
    received_s: int = -1
    due_s: int = -1
    is_put_off: bool = False

    @property
    def total_shipped(self) -> int:
        """Units on the way."""
        return int(self.shipped.sum())


def cases_of(network: Network, sku: IntArray, quantity: IntArray) -> int:
    """Cases of some lines, each line's last case begun."""
    return int((-(-quantity // network.skus.pack_size[sku])).sum())


def comply(
    lines: ProposalLines, network: Network, frictions: Frictions, keys: draws.Keys, day: int
) -> tuple[ProposalLines, ProposalLines]:
    """What staff let through tonight, and what they put off until tomorrow evening.

    Each line meets one draw of its destination, day and SKU. An edited line is one
    pack more or one pack less, with equal chance.
    """
    refuse, edit, delay = frictions.refuse_share, frictions.edit_share, frictions.delay_share
    if refuse + edit + delay <= 0 or not len(lines):
        return lines, ProposalLines.empty()
    u = draws.uniforms(
        keys[lines.destination], day * np.int64(network.shape[1]) + lines.sku.astype(np.int64)
    )
    is_edited = (u >= refuse) & (u < refuse + edit)
    pack = network.skus.pack_size[lines.sku]
    step = np.where(u < refuse + edit / 2, -pack, pack)
    quantity = np.where(is_edited, lines.quantity + step, lines.quantity).astype(np.int32)
    changed = ProposalLines(
        lines.kind, lines.origin, lines.destination, lines.sku, quantity, lines.due_s, lines.reason
    )
    kept = (u >= refuse) & (quantity > 0)
    waits = (u >= refuse + edit) & (u < refuse + edit + delay)
    return changed.take(kept & ~waits), changed.take(kept & waits)


def group(
    lines: ProposalLines, network: Network, need_s: int, first_number: int, *, direct: bool
) -> list[Load]:
    """Loads of the lines: one for each lane, and for each category of a purchase."""
    if not len(lines):
        return []
    size = network.shape[0]
    key = np.empty(len(lines), dtype=np.int64)
    is_sorted = _lane_keys(
        (lines.kind, lines.origin, lines.destination, lines.sku),
        network.skus.category,
        (int(LineKind.PURCHASE), size, len(network.skus.categories) + 1, int(direct)),
        key,
    )
    order: npt.NDArray[np.int64] | slice = slice(None)
    if not is_sorted:
        order = np.argsort(key, kind="stable")
        key = key[order]
    first = np.flatnonzero(np.concatenate([[True], np.diff(key) != 0]))
    last = np.concatenate([first[1:], [len(key)]])
    sku, quantity = lines.sku[order], lines.quantity[order]
    kind, origin, destination = lines.kind[order], lines.origin[order], lines.destination[order]
    cases = np.add.reduceat(-(-quantity // network.skus.pack_size[sku]), first)
    return [
        Load(
            number=first_number + i,
            kind=LineKind.PURCHASE if direct else LineKind(int(kind[lo])),
            origin=-1 if direct else int(origin[lo]),
            destination=int(destination[lo]),
            need_s=need_s,
            sku=sku[lo:hi],
            ordered=quantity[lo:hi],
            shipped=np.zeros(hi - lo, dtype=np.int32),
            cases=int(cases[i]),
        )
        for i, (lo, hi) in enumerate(zip(first.tolist(), last.tolist(), strict=True))
    ]


@njit(cache=True)
def _lane_keys(
    lines: tuple[npt.NDArray[np.int8], IntArray, IntArray, IntArray],
    category: IntArray,
    sizes: tuple[int, int, int, int],
    key: npt.NDArray[np.int64],
) -> bool:
    """Fill (n,) keys: equal for lines of one load; says whether they ascend already."""
    kind, origin, destination, sku = lines
    purchase, places, categories, direct = sizes
    ascends = True
    for i in range(len(key)):
        which = purchase if direct else np.int64(kind[i])
        lane = (which * (places + 1) + origin[i] + 1) * places + destination[i]
        part = category[sku[i]] + 1 if which == purchase and not direct else 0
        key[i] = lane * categories + part
        if i and key[i] < key[i - 1]:
            ascends = False
    return ascends


def split(load: Load, parts: int, network: Network) -> list[Load]:
    """The load as up to `parts` loads of about equal mass, cut between lines.

    A store that needs more than one truck is a stop of several tours.
    """
    mass = network.skus.mass_g[load.sku].astype(np.float64) * load.ordered
    middle = np.cumsum(mass) - mass / 2
    part = np.minimum((middle / max(mass.sum(), 1.0) * parts).astype(np.int64), parts - 1)
    out = []
    for number in range(parts):
        mine = part == number
        if mine.any():
            sku, ordered = load.sku[mine], load.ordered[mine]
            out.append(
                replace(
                    load,
                    sku=sku,
                    ordered=ordered,
                    shipped=np.zeros(len(sku), dtype=np.int32),
                    cases=cases_of(network, sku, ordered),
                )
            )
    return out


def carried_loads(network: Network, opening: Opening, now: int) -> list[Load]:
    """Open order lines of a warm start as loads that are on their way, by lane and due time."""
    rows = opening.on_order_lines
    if not len(rows):
        return []
    lanes, number = np.unique(rows[:, [0, 1, 4]], axis=0, return_inverse=True)
    loads = []
    for i, (origin, destination, due) in enumerate(lanes.tolist()):
        mine = rows[number.ravel() == i]
        sku, quantity = mine[:, 2].astype(np.int32), mine[:, 3].astype(np.int32)
        loads.append(
            Load(
                number=-2 - i,
                kind=LineKind.PURCHASE if origin == SUPPLIER else LineKind.REPLENISH,
                origin=origin,
                destination=destination,
                need_s=-1,
                sku=sku,
                ordered=quantity,
                shipped=quantity.copy(),
                cases=cases_of(network, sku, quantity),
                shipped_s=now,
                due_s=due,
            )
        )
    return loads
