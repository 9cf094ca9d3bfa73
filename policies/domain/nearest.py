"""A remedy for a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from policies.domain.errors import ScenarioInvalid


def nearest(
    name: str, known: Iterable[str], *, cutoff: float = 0.6, most: int | None = None
) -> str:
    """A remedy: the nearest known name, or the known ones.

    Parameters
    ----------
    cutoff : likeness from 0 to 1 that a name must have to be proposed
    most : names that are listed at the most; None = all
    """
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=cutoff)
    return f"did you mean {close[0]!r}?" if close else f"one of {', '.join(names[:most])}"


def check_in_network(kind: str, name: str, known: Collection[str], field: str) -> None:
    """A scenario's name of a SKU, category, lane, ... that the network must have.

    Raises
    ------
    ScenarioInvalid
        With the nearest known name.
    """
    if name not in known:
        raise ScenarioInvalid(
            f"no {kind} {name!r} in the network",
            field=field,
            remedy=nearest(name, known, cutoff=0.5, most=8),
        )
