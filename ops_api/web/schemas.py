"""Shapes that several slices share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from ops_api.web.body import Strict
from ops_api.web.fields import Cursor, Identifier, Limit, Moment, OptionalId


class JsonObject(BaseModel):
    """An answer whose members are described in words; more may be added."""

    model_config = ConfigDict(extra="allow")


class Empty(Strict):
    """A step that needs nothing but its address."""


class StockQuery(Strict):
    """Stock of one location; with `as_of` from the ledger, as known at `known_at`."""

    location: Identifier
    sku: OptionalId = ""
    as_of: Moment | None = None
    known_at: Moment | None = None
    limit: Limit = 1_000


class PageQuery(Strict):
    """A page of a list, after a cursor."""

    after: OptionalId = ""
    limit: Limit = 200
    text: OptionalId = ""


class MovementQuery(Strict):
    """Movements in the order they were recorded."""

    location: OptionalId = ""
    sku: OptionalId = ""
    after: Cursor = 0
    limit: Limit = 200


class DocumentQuery(Strict):
    """Documents by place and state."""

    origin: OptionalId = ""
    destination: OptionalId = ""
    location: OptionalId = ""
    state: OptionalId = ""
    limit: Limit = 200
