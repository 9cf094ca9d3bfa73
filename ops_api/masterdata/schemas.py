"""Bodies and queries of the master data."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ops_api.web.body import Strict
from ops_api.web.fields import Identifier, Name, OptionalId

Amount = Annotated[int, Field(ge=0, le=2_000_000_000)]


class NewSku(Strict):
    """A SKU to add; it is planned from the next network that is loaded on."""

    id: Identifier
    name: Name
    category: Identifier
    unit_cost_cents: Amount
    unit_price_cents: Amount
    pack_size: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    mass_g: Amount = 0
    volume_cm3: Amount = 0
    shelf_life_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    count_tolerance_units: Annotated[int, Field(ge=0, le=10_000)] = 0
    gtin: OptionalId = ""
    lot_tracked: bool = False
    serial_tracked: bool = False


class ChangedSku(Strict):
    """New values of a SKU; what is left out stays. `version` is the one that was read."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    name: Name | None = None
    category: Identifier | None = None
    unit_cost_cents: Amount | None = None
    unit_price_cents: Amount | None = None
    pack_size: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    mass_g: Amount | None = None
    volume_cm3: Amount | None = None
    shelf_life_days: Annotated[int, Field(ge=0, le=36_500)] | None = None
    count_tolerance_units: Annotated[int, Field(ge=0, le=10_000)] | None = None
    lot_tracked: bool | None = None
    serial_tracked: bool | None = None


class LaneQuery(Strict):
    """Lanes that end at a location."""

    destination: Identifier
