"""Bodies of purchase orders and receipts."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ops_api.transfers.schemas import Arrived, ArrivedLine, NewLine
from ops_api.web.body import Strict
from ops_api.web.fields import Identifier, Moment, Words


class NewOrder(Strict):
    """What to buy from a supplier for one location."""

    supplier: Identifier
    destination: Identifier
    lines: Annotated[list[NewLine], Field(min_length=1, max_length=1_000)]
    due_at: Moment | None = None


class OrderEnd(Strict):
    """Why an order ends with a rest."""

    reason: Words = ""


class Delivery(Strict):
    """Goods from a supplier that no order of ours names."""

    location: Identifier
    lines: Annotated[list[ArrivedLine], Field(min_length=1, max_length=1_000)]
    accepts_short: bool = False
    occurred_at: Moment | None = None


class OrderArrived(Arrived):
    """What arrived of an order; a manager may accept goods with too few days left."""

    accepts_short: bool = False
