"""Random streams: one for each (replication, purpose, name), out of one master seed.

A stream is keyed by the *name* of what it belongs to, never by a position or by the
order in which streams are opened. So replication r does not depend on whether r − 1
ran, a store's demand does not change when another store is added, and two policies
meet the same demand (common random numbers).
"""

from __future__ import annotations

import hashlib

import numpy as np

from policies.domain.errors import InvalidInput

_WORD_LIMIT = 2**32


def stream(seed: int, replication: int, purpose: str, name: str = "") -> np.random.Generator:
    """The generator of one purpose at one named place.

    Parameters
    ----------
    seed : int, ≥ 0, the scenario's master seed
    replication : int, 0 ≤ replication < 2³²
    purpose : str
        What is drawn, for instance ``"demand"`` or ``"shrink"``; two purposes at one
        place never share draws, so a model that draws more for one leaves the other.
    name : str
        The store, SKU or lane the draws belong to; "" for the whole chain.

    Returns
    -------
    numpy.random.Generator
        PCG64, seeded by ``SeedSequence(seed, spawn_key=(replication, purpose, name))``.
    """
    return np.random.Generator(np.random.PCG64(seed_sequence(seed, replication, purpose, name)))


def seed_sequence(
    seed: int, replication: int, purpose: str, name: str = ""
) -> np.random.SeedSequence:
    """The seed behind :func:`stream`, for kernels that carry their own generator."""
    if seed < 0:
        raise InvalidInput(f"seed is {seed}", field="seed", remedy="give a seed of at least 0")
    if not 0 <= replication < _WORD_LIMIT:
        raise InvalidInput(
            f"replication is {replication}",
            field="replication",
            remedy="give a number from 0 to 4294967295",
        )
    return np.random.SeedSequence(seed, spawn_key=(replication, *_words(purpose), *_words(name)))


def _words(text: str) -> tuple[int, ...]:
    """Four 32-bit words of SHA-256: `hash()` is salted for each process, this is not.

    A fixed number of words of fixed size, because SeedSequence joins the parts of a
    spawn key: with parts of varying length two keys could spell the same sequence.
    """
    digest = hashlib.sha256(text.encode()).digest()
    return tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))
