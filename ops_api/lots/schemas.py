"""Bodies and queries of lots and expiry rules."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field, StringConstraints

from ops_api.web.body import Strict
from ops_api.web.fields import EventId, Identifier, Limit, Moment, OptionalId, Units, Words

NamedLot = Annotated[
    str, StringConstraints(min_length=1, max_length=20, pattern=r"^[^\x00-\x1f]+$")
]
Days = Annotated[int, Field(ge=0, le=36_500)]


class LotQuery(Strict):
    """Lots that lie somewhere; `expires_before` gives the alerts of a horizon."""

    sku: OptionalId = ""
    location: OptionalId = ""
    expires_before: dt.date | None = None
    on_hold: bool | None = None
    limit: Limit = 200


class TraceQuery(Strict):
    """One lot."""

    sku: Identifier
    lot: NamedLot


class LotStep(Strict):
    """A hold, recall or release, with what was found."""

    sku: Identifier
    lot: NamedLot
    reason: Words = ""


class LotAssignment(Strict):
    """Goods whose book has no lot, and what their packs say."""

    event_id: EventId
    location: Identifier
    sku: Identifier
    quantity: Units
    lot: NamedLot
    expires_on: dt.date | None = None
    produced_on: dt.date | None = None
    occurred_at: Moment | None = None


class ExpiryRule(Strict):
    """What a category asks: days or share of shelf life at receipt, days at shipping and sale.

    The empty category holds for all that have no rule. `version` is the one that was
    read; 0 makes a new rule.
    """

    category: OptionalId = ""
    receipt_days: Days = 0
    receipt_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    sale_days: Days = 0
    version: Annotated[int, Field(ge=0, le=2**31 - 1)]
