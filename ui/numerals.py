"""Figures as people read them: unit, sign, percentage points."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ui.i18n import Words

NOTHING = "–"
_DIGITS = {
    "share": 1,
    "days": 1,
    "per year": 1,
    "km": 0,
    "cents": 2,
    "minutes": 0,
    "units": 0,
    "kg": 0,
}


def scaled(value: float, unit: str) -> float:
    """`value` in the unit a person reads: shares in per cent, cents in the currency."""
    return value * 100.0 if unit == "share" else value / 100.0 if unit == "cents" else value


def number(value: float, unit: str, *, digits: int | None = None) -> str:
    """`value` as digits alone; a dash where there is none."""
    if not math.isfinite(value):
        return NOTHING
    places = _DIGITS.get(unit, 1) if digits is None else digits
    return f"{scaled(value, unit):,.{places}f}".replace("-", "−")


def figure(
    value: float, unit: str, say: Words, currency: str = "", *, digits: int | None = None
) -> str:
    """`value` with its unit in words."""
    if not math.isfinite(value):
        return NOTHING
    text = number(value, unit, digits=digits)
    return say(f"unit.{unit}", number=text, currency=currency).strip()


def difference(
    value: float, unit: str, say: Words, currency: str = "", *, digits: int | None = None
) -> str:
    """A signed difference; differences of shares are percentage points."""
    if not math.isfinite(value):
        return NOTHING
    text = _signed(value, unit, digits)
    name = "points" if unit == "share" else unit
    return say(f"unit.{name}", number=text, currency=currency).strip()


def spread(low: float, high: float, unit: str, say: Words, *, digits: int | None = None) -> str:
    """Two figures as one range, its unit said once."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    both = f"{number(low, unit, digits=digits)} … {number(high, unit, digits=digits)}"
    return say(f"unit.{unit}", number=both, currency="").strip()


def interval(
    low: float, high: float, unit: str, say: Words, currency: str = "", *, digits: int | None = None
) -> str:
    """Two signed differences as one interval, its unit said once."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return NOTHING
    ends = (_signed(low, unit, digits), _signed(high, unit, digits))
    name = "points" if unit == "share" else unit
    return say(f"unit.{name}", number=" … ".join(ends), currency=currency).strip()


def _signed(value: float, unit: str, digits: int | None) -> str:
    text = number(abs(value), unit, digits=digits)
    zero = not any(letter in "123456789" for letter in text)
    return ("±" if zero else "+" if value > 0 else "−") + text


def telling_digits(value: float, others: Sequence[float], unit: str, most: int = 3) -> int:
    """The fewest decimals, from the unit's own, that tell `value` from each of `others`.

    Where no number of decimals up to `most` can, the most are shown.
    """
    fewest = _DIGITS.get(unit, 1)
    known = [scaled(other, unit) for other in others if math.isfinite(other)]
    if not math.isfinite(value) or not known:
        return fewest
    mine = scaled(value, unit)
    for places in range(fewest, most):
        apart = all(
            round(mine, places) != round(other, places) and round(abs(mine - other), places) > 0
            for other in known
        )
        if apart:
            return places
    return most
