"""Bodies of transfers."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field, StringConstraints

from ops_api.web.body import Strict
from ops_api.web.fields import EventId, Identifier, Lot, Moment, Units, UnitsOrNone, Words
from policies.domain.units import PIECE

Sscc = Annotated[str, StringConstraints(pattern=r"^\d{18}$")]


class NewLine(Strict):
    """One SKU to move; `unit` is the base unit or `pack`."""

    sku: Identifier
    quantity: Units
    unit: Annotated[str, StringConstraints(min_length=1, max_length=16)] = PIECE


class NewTransfer(Strict):
    """A transfer between two locations."""

    origin: Identifier
    destination: Identifier
    lines: Annotated[list[NewLine], Field(min_length=1, max_length=1_000)]
    note: Words = ""


class Approval(Strict):
    """Units by SKU where they differ; `version` is the one that was read (0: whichever)."""

    quantities: dict[Identifier, UnitsOrNone] = Field(default_factory=dict)
    version: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


class ScannedLot(Strict):
    """Units of one lot as the picker scanned them."""

    sku: Identifier
    lot: Lot = ""
    quantity: Units


class Shipment(Strict):
    """What leaves; by default what was approved."""

    quantities: dict[Identifier, UnitsOrNone] | None = None
    lots: Annotated[list[ScannedLot], Field(min_length=1, max_length=1_000)] | None = None
    occurred_at: Moment | None = None


class ArrivedLine(Strict):
    """What came of one SKU; the event id makes a retry harmless."""

    event_id: EventId
    sku: Identifier
    good: UnitsOrNone
    damaged: UnitsOrNone = 0
    lot: Lot = ""
    expires_on: dt.date | None = None
    produced_on: dt.date | None = None
    serial: Lot = ""


class Arrived(Strict):
    """What arrived of a transfer or a purchase order."""

    lines: Annotated[list[ArrivedLine], Field(max_length=1_000, default_factory=list)]
    accepts_over: bool = False
    ends: bool = False
    cartons: Annotated[list[Sscc], Field(max_length=500, default_factory=list)]
    occurred_at: Moment | None = None


class Carton(Strict):
    """What lies in one carton or pallet."""

    lines: Annotated[list[ScannedLot], Field(min_length=1, max_length=200)]


class Packing(Strict):
    """Reserved goods by carton; what is in none stays at the origin."""

    cartons: Annotated[list[Carton], Field(min_length=1, max_length=200)]
