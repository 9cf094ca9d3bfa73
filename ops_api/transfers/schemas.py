"""Bodies of transfers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ops_api.web.body import Strict
from ops_api.web.fields import EventId, Identifier, Moment, Units, UnitsOrNone, Words


class NewLine(Strict):
    """One SKU to move."""

    sku: Identifier
    quantity: Units


class NewTransfer(Strict):
    """A transfer between two locations."""

    origin: Identifier
    destination: Identifier
    lines: Annotated[list[NewLine], Field(min_length=1, max_length=1_000)]
    note: Words = ""


class Approval(Strict):
    """Units by SKU where they differ from the proposal."""

    quantities: dict[Identifier, UnitsOrNone] = Field(default_factory=dict)


class Shipment(Strict):
    """What leaves; by default what was approved."""

    quantities: dict[Identifier, UnitsOrNone] | None = None
    occurred_at: Moment | None = None


class ArrivedLine(Strict):
    """What came of one SKU; the event id makes a retry harmless."""

    event_id: EventId
    sku: Identifier
    good: UnitsOrNone
    damaged: UnitsOrNone = 0


class Arrived(Strict):
    """What arrived of a transfer or a purchase order."""

    lines: Annotated[list[ArrivedLine], Field(max_length=1_000, default_factory=list)]
    accepts_over: bool = False
    ends: bool = False
    occurred_at: Moment | None = None
