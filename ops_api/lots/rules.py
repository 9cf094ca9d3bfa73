"""What a category asks of its lots, and the checks at the door and at the dock."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, insert, select, update

from ops_api.errors import LotExpired, LotOnHold, LotRequired, ShelfLifeTooShort, VersionConflict
from ops_api.masterdata.service import time_zone
from ops_api.masterdata.tables import EXPIRY_RULES, LOTS
from policies.domain.errors import InvalidInput

_DAY_ZERO = dt.date(1970, 1, 1)
LotId = tuple[str, str]
"""(SKU, lot)."""


@dataclass(frozen=True)
class Dated:
    """A lot as a pack says it; days since 1970, None where nothing is printed."""

    lot: str = ""
    expires_on: int | None = None
    produced_on: int | None = None


UNNAMED = Dated()
"""Goods whose pack says nothing, or nobody read it."""


def day_number(day: dt.date | None) -> int | None:
    """Days since 1970."""
    return None if day is None else (day - _DAY_ZERO).days


def date_of(number: int | None) -> str | None:
    """ISO date of days since 1970."""
    return None if number is None else (_DAY_ZERO + dt.timedelta(days=number)).isoformat()


def business_day(connection: Connection, at: int) -> int:
    """The network's day, counted from 1970, that a time of UTC falls on."""
    return day_in(time_zone(connection), at)


def day_in(tz: str, at: int) -> int:
    """The day of a zone, counted from 1970, that a time of UTC falls on."""
    today: dt.date = dt.datetime.fromtimestamp(at, ZoneInfo(tz)).date()
    return (today - _DAY_ZERO).days


def rules(connection: Connection) -> dict[str, Any]:
    """Rules by category; the one of ``""`` holds for categories that have none."""
    return {row.category: row for row in connection.execute(select(EXPIRY_RULES))}


def sale_days(known: dict[str, Any], category: str) -> int:
    """Days a lot must still have when it is shipped or sold; 0: its last day is good."""
    rule = known.get(category) or known.get("")
    return 0 if rule is None else int(rule.sale_days)


def receipt_days(known: dict[str, Any], category: str, shelf_life_days: int) -> int:
    """Days a lot must still have when a supplier brings it, as days or share of shelf life."""
    rule = known.get(category) or known.get("")
    if rule is None:
        return 0
    share = math.ceil(float(rule.receipt_share) * shelf_life_days)
    return max(int(rule.receipt_days), share)


def keep_rule(connection: Connection, category: str, values: dict[str, Any], version: int) -> int:
    """Write a category's rule; `version` is the one that was read, 0 for a new rule.

    Raises
    ------
    VersionConflict
    """
    e = EXPIRY_RULES.c
    found = connection.execute(select(e.version).where(e.category == category)).scalar()
    if (found or 0) != version:
        raise VersionConflict(
            f"the rule of {category or 'all categories'} is version {found or 0} by now",
            field="version",
            row=category,
            remedy="read it again",
        )
    if found is None:
        connection.execute(insert(EXPIRY_RULES).values(category=category, version=1, **values))
        return 1
    done = connection.execute(
        update(EXPIRY_RULES)
        .where(e.category == category, e.version == version)
        .values(version=version + 1, **values)
    )
    if done.rowcount != 1:
        raise VersionConflict("the rule was changed meanwhile", field="version", row=category)
    return version + 1


def lot_of(connection: Connection, sku: str, lot: str) -> Any:
    """A lot's row, or None."""
    return connection.execute(select(LOTS).where(LOTS.c.sku == sku, LOTS.c.lot == lot)).first()


def note_lot(connection: Connection, sku: str, dated: Dated) -> None:
    """Remember a lot the first time it is seen; a date that was missing is filled in."""
    if not dated.lot:
        return
    known = lot_of(connection, sku, dated.lot)
    if known is None:
        connection.execute(
            insert(LOTS).values(
                sku=sku,
                lot=dated.lot,
                expires_on=dated.expires_on,
                produced_on=dated.produced_on,
                on_hold=False,
            )
        )
    elif known.expires_on is None and dated.expires_on is not None:
        connection.execute(
            update(LOTS)
            .where(LOTS.c.sku == sku, LOTS.c.lot == dated.lot)
            .values(expires_on=dated.expires_on, version=LOTS.c.version + 1)
        )


def dated_of(connection: Connection, sku: Any, dated: Dated) -> Dated:
    """The lot with its last day: printed, known, or production day + the SKU's shelf life.

    Raises
    ------
    LotRequired
        The SKU is followed by lot, and its lot or last day can't be told.
    InvalidInput
        The lot is known with another last day.
    """
    if sku.lot_tracked and not dated.lot:
        raise lot_required(sku.id, "lot")
    known = lot_of(connection, sku.id, dated.lot) if dated.lot else None
    last = dated.expires_on
    if last is None and dated.produced_on is not None and sku.shelf_life_days > 0:
        last = dated.produced_on + sku.shelf_life_days
    if known is not None and known.expires_on is not None:
        if dated.expires_on is not None and dated.expires_on != known.expires_on:
            raise InvalidInput(
                f"lot {dated.lot} of SKU {sku.id} is known to last until "
                f"{date_of(known.expires_on)}",
                field="expires_on",
                row=sku.id,
                remedy="read the pack again, or ask quality control to correct the lot",
            )
        last = known.expires_on
    if last is None and sku.lot_tracked and sku.shelf_life_days > 0:
        raise lot_required(sku.id, "expires_on")
    return Dated(dated.lot, last, dated.produced_on)


def lot_required(sku: str, field: str) -> LotRequired:
    """The refusal of goods whose lot nobody named."""
    return LotRequired(
        f"SKU {sku} is followed by lot",
        field=field,
        row=sku,
        remedy="scan the pack, or type lot and last day as printed",
        facts={"sku": sku},
    )


def check_lot(sku: str, dated: Dated, today: int, days: int, *, on_hold: bool) -> None:
    """Refuse a lot that is held, expired, or too near its last day.

    Parameters
    ----------
    today : days since 1970
    days : days that must be left

    Raises
    ------
    LotOnHold, LotExpired, ShelfLifeTooShort
    """
    facts = {"sku": sku, "lot": dated.lot, "expires_on": date_of(dated.expires_on)}
    if on_hold:
        raise LotOnHold(
            f"lot {dated.lot} of SKU {sku} is on hold",
            field="lot",
            row=sku,
            remedy="set it aside and ask quality control",
            facts=facts,
        )
    if dated.expires_on is None:
        return
    left = dated.expires_on - today
    if left < 0:
        raise LotExpired(
            f"lot {dated.lot} of SKU {sku} expired on {date_of(dated.expires_on)}",
            field="lot",
            row=sku,
            remedy="take it off the shelf and write it off",
            facts=facts,
        )
    if left < days:
        raise ShelfLifeTooShort(
            f"lot {dated.lot} of SKU {sku} has {left} days left, {days} are asked",
            field="expires_on",
            row=sku,
            remedy="refuse it, or let a manager accept it",
            facts=facts | {"left": left, "asked": days},
        )
