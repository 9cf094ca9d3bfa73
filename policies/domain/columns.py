"""Columns that can't change: integers that are what they were given as, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from policies.domain.errors import InvalidInput


def frozen(array: npt.ArrayLike, dtype: npt.DTypeLike, column: str = "") -> Any:
    """A read-only contiguous copy-if-needed of `array` with the given dtype.

    Raises :class:`InvalidInput`, naming `column`, where a number would become another one:
    a NaN, a fraction or a number too large for an integer dtype.
    """
    given = np.asarray(array)
    if given.dtype.kind in "fiu" and np.dtype(dtype).kind in "iu" and given.dtype != dtype:
        _check_whole(given, np.iinfo(np.dtype(dtype)), column)
    out = np.ascontiguousarray(given, dtype=dtype)
    if out.flags.writeable:
        out = out.copy() if out is array else out
        out.flags.writeable = False
    return out


def _check_whole(given: npt.NDArray[Any], limits: np.iinfo[Any], column: str) -> None:
    if not given.size:
        return
    # A NaN fails the comparison.
    fits = (given >= limits.min) & (given <= limits.max)
    if given.dtype.kind == "f":
        fits &= given == np.floor(given)
    if not fits.all():
        at = np.argwhere(~fits)[0].tolist()
        raise InvalidInput(
            f"{column or 'a column'} holds {given[tuple(at)]}, which is no whole number from "
            f"{limits.min} to {limits.max}",
            field=column,
            row=", ".join(map(str, at)),
            remedy="give whole numbers of the base unit, none missing",
        )


def refuse(
    wrong: npt.NDArray[np.bool_], ids: tuple[str, ...], said: str, column: str, remedy: str
) -> None:
    """Raise :class:`InvalidInput` for the first of `ids` that is `wrong`."""
    bad = np.flatnonzero(wrong)
    if bad.size:
        name = ids[bad[0]]
        raise InvalidInput(f"{name} {said}", field=column, row=name, remedy=remedy)
