"""Counter-based uniform numbers: the same draw for the same thing, whoever asks, whenever.

A draw belongs to a (seed, replication, purpose, place) key and a counter (a receipt
line's number, a day). Nothing is consumed, so a policy that serves fewer lines leaves
every other draw where it was, and a run that starts later meets the same draws.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from numba import njit

from twin.streams import seed_sequence

Keys = npt.NDArray[np.uint64]

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


def keys(seed: int, replication: int, purpose: str, names: Iterable[str]) -> Keys:
    """(n,) uint64, one key for each name."""
    found = [
        seed_sequence(seed, replication, purpose, name).generate_state(1, np.uint64)[0]
        for name in names
    ]
    return np.array(found, dtype=np.uint64)


@njit(cache=True)
def uniform(key: np.uint64, counter: int) -> float:
    """One number in [0, 1): SplitMix64 (Steele, Lea & Flood 2014) of key and counter."""
    z = key + np.uint64(counter + 1) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


def uniforms(key: Keys, counters: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """The same for arrays; `key` and `counters` broadcast."""
    z = key + (counters.astype(np.uint64) + np.uint64(1)) * np.uint64(_STEP)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(_MIX_1)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_MIX_2)
    z = z ^ (z >> np.uint64(31))
    out: npt.NDArray[np.float64] = (z >> np.uint64(11)).astype(np.float64) / 9007199254740992.0
    return out


def uniform_plain(key: int, counter: int) -> float:
    """The same in plain Python integers, for the reference model."""
    z = (key + (counter + 1) * _STEP) & _MASK
    z = ((z ^ (z >> 30)) * _MIX_1) & _MASK
    z = ((z ^ (z >> 27)) * _MIX_2) & _MASK
    return ((z ^ (z >> 31)) >> 11) / 9007199254740992.0
