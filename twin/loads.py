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
    shipped_units, shipped_cases : int, sums of `shipped` once it has left; −1 = not known
    is_return : bool, rides home on a truck that is empty anyway: no process carries it
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
    shipped_units: int = -1
    shipped_cases: int = -1
    is_return: bool = False

    @property
    def total_shipped(self) -> int:
        """Units on the way."""
        return self.shipped_units if self.shipped_units >= 0 else int(self.shipped.sum())

    def cases_shipped(self, network: Network) -> int:
        """Cases on the way, each line's last case begun."""
        known = self.shipped_cases
        return known if known >= 0 else cases_of(network, self.sku, self.shipped)


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
    first, cases = _runs(key, lines.sku, lines.quantity, network.skus.pack_size)
    runs = np.arange(len(first))
    if not is_sorted:
        # Sort whole runs; only where two of them belong together sort every line.
        runs = np.argsort(key[first], kind="stable")
        if (np.diff(key[first][runs]) == 0).any():
            order = np.argsort(key, kind="stable")
            lines = lines.take(order)
            first, cases = _runs(key[order], lines.sku, lines.quantity, network.skus.pack_size)
            runs = np.arange(len(first))
    last = np.append(first[1:], len(lines))
    shipped = np.zeros(len(lines), dtype=np.int32)
    return [
        Load(
            number=first_number + i,
            kind=LineKind.PURCHASE if direct else LineKind(int(lines.kind[lo])),
            origin=-1 if direct else int(lines.origin[lo]),
            destination=int(lines.destination[lo]),
            need_s=need_s,
            sku=lines.sku[lo:hi],
            ordered=lines.quantity[lo:hi],
            shipped=shipped[lo:hi],
            cases=many,
        )
        for i, (lo, hi, many) in enumerate(
            zip(first[runs].tolist(), last[runs].tolist(), cases[runs].tolist(), strict=True)
        )
    ]


@njit(cache=True)
def _runs(
    key: npt.NDArray[np.int64], sku: IntArray, quantity: IntArray, pack: IntArray
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """((G,) where each run of equal keys begins, (G,) cases in it)."""
    runs = 1
    for i in range(1, len(key)):
        runs += key[i] != key[i - 1]
    first, cases = np.zeros(runs, dtype=np.int64), np.zeros(runs, dtype=np.int64)
    run = 0
    for i in range(len(key)):
        if i and key[i] != key[i - 1]:
            run += 1
            first[run] = i
        units, size = np.uint32(quantity[i]), np.uint32(pack[sku[i]])
        cases[run] += (units + size - np.uint32(1)) // size
    return first, cases


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
        # Two orders of one SKU may have come together: a load has each SKU once.
        found, line = np.unique(mine[:, 2], return_inverse=True)
        sku, quantity = found.astype(np.int32), np.zeros(len(found), dtype=np.int32)
        np.add.at(quantity, line.ravel(), mine[:, 3].astype(np.int32))
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
