"""Units of measure: every quantity is an integer in the SKU's base unit.

Counted goods are pieces, weighed goods grams. A pack level is a whole number of base
units; a fraction that does not come out even is refused, never rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from policies.domain.errors import InvalidInput, UnknownUnit

PIECE = "each"
GRAM = "g"
_WEIGHTS = {"mg": Decimal("0.001"), "g": Decimal(1), "kg": Decimal(1_000), "t": Decimal(1_000_000)}
MOST = 2**31 - 1
"""Largest quantity of one movement: it fits the ledger's columns."""


def to_base_units(
    amount: str | int | Decimal, unit: str, base: str, packs: Mapping[str, int] | None = None
) -> int:
    """`amount` of `unit` as an integer number of base units.

    Parameters
    ----------
    amount : decimal number as text, int or Decimal; a float is refused by its type
    unit : str, "each", a weight, or a pack level of `packs`
    base : {"each", "g"}
    packs : mapping of pack level to base units, optional

    Raises
    ------
    UnknownUnit, InvalidInput
    """
    factor = _factor(unit, base, packs or {})
    try:
        exact = Decimal(amount) * factor
    except (InvalidOperation, ValueError):
        raise InvalidInput(f"{amount!r} is no number", field="quantity") from None
    if not exact.is_finite() or exact != exact.to_integral_value():
        raise InvalidInput(
            f"{amount} {unit} is not a whole number of {base}",
            field="quantity",
            remedy="give a quantity that comes out even",
        )
    if abs(exact) > MOST:
        raise InvalidInput(f"{amount} {unit} is too much for one line", field="quantity")
    return int(exact)


def _factor(unit: str, base: str, packs: Mapping[str, int]) -> Decimal:
    if unit == base:
        return Decimal(1)
    if unit in packs:
        return Decimal(packs[unit])
    if base == GRAM and unit in _WEIGHTS:
        return _WEIGHTS[unit]
    known = [base, *packs, *(_WEIGHTS if base == GRAM else ())]
    raise UnknownUnit(
        f"no unit {unit!r} for this SKU", field="unit", remedy=f"one of {', '.join(known)}"
    )
