"""Bodies of returns."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ops_api.web.body import LineBatch, Strict
from ops_api.web.fields import Cents, EventId, Identifier, Lot, Moment, OptionalId, Sequence, Units


class NewReturnLine(Strict):
    """Goods of one SKU; resellable ones are good, others damaged."""

    sku: Identifier
    quantity: Units
    lot: Lot = ""
    serial: Lot = ""
    condition: Literal["good", "damaged"] = "good"


class NewReturn(Strict):
    """What comes back: from a customer, to a warehouse, or to a supplier (`counterpart`)."""

    kind: Literal["customer", "warehouse", "supplier"]
    location: Identifier
    counterpart: OptionalId = ""
    reason: Identifier
    basket: OptionalId = ""
    lines: Annotated[list[NewReturnLine], Field(min_length=1, max_length=1_000)]
    occurred_at: Moment | None = None


class TillReturn(Strict):
    """A till's fact: goods taken back, or a receipt line voided (`of` names its event).

    `unit_price_cents` is what the customer got back for a unit; it lowers net sales.
    """

    event_id: EventId
    kind: Literal["return", "void"]
    location: Identifier
    occurred_at: Moment
    sku: OptionalId = ""
    quantity: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    condition: Literal["good", "damaged"] = "good"
    lot: Lot = ""
    basket: OptionalId = ""
    of: OptionalId = ""
    unit_price_cents: Cents = 0
    device: OptionalId = ""
    sequence: Sequence = 0


class TillReturns(LineBatch):
    """Lines of a till; `sent_at` is the till's clock when it sent them."""

    lines: Annotated[list[TillReturn], Field(min_length=1, max_length=500)]
    sent_at: Moment | None = None
