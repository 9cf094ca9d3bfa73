"""Which lots leave first: the first to expire of those that may leave at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select

from ops_api.errors import InsufficientStock
from ops_api.ledger.schema import BALANCES
from ops_api.lots.rules import (
    Dated,
    business_day,
    check_lot,
    lot_required,
    rules,
    sale_days,
)
from ops_api.masterdata.tables import LOTS, SKUS
from policies.domain.errors import StoretwinError

_NEVER = 2**31


@dataclass(frozen=True)
class Stack:
    """Good units of one lot at one place.

    Attributes
    ----------
    free : units that are not reserved
    blocked : why staff may not move them, or None
    """

    lot: str
    free: int
    expires_on: int | None
    blocked: StoretwinError | None


def stacks(
    connection: Connection, place: str, skus: Iterable[str], at: int
) -> dict[str, list[Stack]]:
    """Lots of each SKU at `place`, the first to expire first, as they may be moved at `at`."""
    b, l, s = BALANCES.c, LOTS.c, SKUS.c  # noqa: E741
    found = connection.execute(
        select(
            b.sku, b.lot, b.on_hand, b.reserved, l.expires_on, l.on_hold, s.category, s.lot_tracked
        )
        .select_from(BALANCES)
        .outerjoin(SKUS, s.id == b.sku)
        .outerjoin(LOTS, (l.sku == b.sku) & (l.lot == b.lot))
        .where(
            b.location == place,
            b.sku.in_(sorted(set(skus))),
            b.condition == "good",
            b.on_hand > 0,
        )
    ).all()
    known = rules(connection)
    today = business_day(connection, at)
    out: dict[str, list[Stack]] = defaultdict(list)
    for row in sorted(found, key=lambda r: (r.sku, _or_never(r.expires_on), r.lot)):
        why: StoretwinError | None = None
        try:
            if row.lot_tracked and not row.lot:
                raise lot_required(row.sku, "lot")
            dated = Dated(row.lot, row.expires_on)
            check_lot(
                row.sku,
                dated,
                today,
                sale_days(known, row.category),
                on_hold=bool(row.on_hold),
            )
        except StoretwinError as error:
            why = error
        free = row.on_hand - row.reserved
        out[row.sku].append(Stack(row.lot, free, row.expires_on, why))
    return out


def first_out(
    place: str, sku: str, units: int, heap: list[Stack], *, at_most: bool = False
) -> list[tuple[str, int]]:
    """(lot, units) to take, the first to expire first.

    Parameters
    ----------
    at_most : take what there is instead of refusing

    Raises
    ------
    InsufficientStock, LotOnHold, LotExpired, ShelfLifeTooShort, LotRequired
        Where only blocked lots would be enough, what blocks them.
    """
    out, left = [], units
    for stack in heap:
        part = min(left, stack.free) if stack.blocked is None else 0
        if part > 0:
            out.append((stack.lot, part))
            left -= part
    if left and not at_most:
        blocked = [stack for stack in heap if stack.blocked is not None and stack.free > 0]
        if sum(stack.free for stack in blocked) >= left and blocked[0].blocked is not None:
            raise blocked[0].blocked
        free = units - left
        raise InsufficientStock(
            f"{place} has {free} free of SKU {sku}, {units} were asked",
            field="quantity",
            row=sku,
            remedy=f"take at most {free}",
            facts={"location": place, "sku": sku, "free": free, "wanted": units},
        )
    return out


def named_lot(sku: str, lot: str, heap: list[Stack]) -> None:
    """Refuse a lot that a picker named although it may not leave."""
    for stack in heap:
        if stack.lot == lot and stack.blocked is not None:
            raise stack.blocked


def any_lots(
    place: str, sku: str, units: int, heap: list[Stack], lot: str = ""
) -> list[tuple[str, int]]:
    """(lot, units) to dispose of: a named lot, or the first to expire, blocked or not."""
    chosen = [stack for stack in heap if stack.lot == lot] if lot else heap
    free = [Stack(stack.lot, stack.free, stack.expires_on, None) for stack in chosen]
    return first_out(place, sku, units, free)


def _or_never(day: int | None) -> int:
    return _NEVER if day is None else day
