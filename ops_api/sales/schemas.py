"""Bodies and answers of the sales slice."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ops_api.web.body import LineBatch, Strict
from ops_api.web.fields import Cents, EventId, Identifier, Lot, Moment, OptionalId, Sequence, Units


class SaleLine(Strict):
    """One line of a till's receipt. `sku` is our id or a GTIN behind the barcode."""

    event_id: EventId
    location: Identifier
    sku: Identifier
    quantity: Units
    occurred_at: Moment
    unit_price_cents: Cents = 0
    basket: OptionalId = ""
    device: OptionalId = ""
    sequence: Sequence = 0
    lot: OptionalId = ""
    serial: Lot = ""


class SalesBatch(LineBatch):
    """Lines of a till; `sent_at` is the till's clock when it sent them."""

    lines: Annotated[list[SaleLine], Field(min_length=1, max_length=1_000)]
    sent_at: Moment | None = None


class LineAnswer(BaseModel):
    """What became of one line."""

    row: int
    event_id: str | None
    status: Literal["created", "duplicate", "conflict", "parked", "refused"]
    code: str | None = None
    detail: str | None = None
    field: str | None = None
    remedy: str | None = None
    retryable: bool = False
    task_id: str | None = None
    answer: dict[str, object] | None = None


class BatchAnswer(BaseModel):
    """Counts by status, and every line that is not plainly created."""

    counts: dict[str, int]
    lines: list[LineAnswer]
