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


class LaneQuery(Strict):
    """Lanes that end at a location."""

    destination: Identifier
