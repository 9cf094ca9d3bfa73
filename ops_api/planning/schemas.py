"""Bodies and queries of planning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ops_api.web.body import Strict
from ops_api.web.fields import Identifier, Limit, Moment, OptionalId, UnitsOrNone, Words

REFUSALS = ("enough_stock", "no_space", "wrong_season", "delisted", "quality", "other")
"""Reason codes of a refused proposal."""
_Metres = Annotated[int, Field(ge=0, le=10_000_000_000)]
_DayNumber = Annotated[int, Field(ge=-100_000, le=1_000_000)]


class NewRelease(Strict):
    """A release file, as text."""

    release: Annotated[str, Field(min_length=2, max_length=1_000_000)]


class ReleaseStep(Strict):
    """A step of a release; a pilot names its stores."""

    locations: Annotated[list[Identifier], Field(max_length=10_000, default_factory=list)]
    note: Words = ""


class ProposalQuery(Strict):
    """Proposals by place and state, newest first."""

    destination: OptionalId = ""
    origin: OptionalId = ""
    state: OptionalId = "open"
    plan: OptionalId = ""
    after: OptionalId = ""
    limit: Limit = 200


class Acceptance(Strict):
    """Accept as proposed; the quantities are what the page showed, so none can be guessed."""


class Edit(Strict):
    """Units by SKU where the person decides otherwise; 0 strikes the line."""

    quantities: Annotated[dict[Identifier, UnitsOrNone], Field(min_length=1, max_length=5_000)]


class Refusal(Strict):
    """Why a proposal is refused."""

    reason: Literal["enough_stock", "no_space", "wrong_season", "delisted", "quality", "other"]
    note: Words = ""


class RouteQuery(Strict):
    """Routes by warehouse and state, newest first."""

    warehouse: OptionalId = ""
    state: OptionalId = ""
    limit: Limit = 200


class RouteStop(Strict):
    """A stop of a run out of plan."""

    location: Identifier
    planned_at: Moment
    kg: Annotated[float, Field(ge=0, le=1e6)] = 0.0


class NewRoute(Strict):
    """A run that no plan foresaw: a van, a second truck."""

    origin: Identifier
    stops: Annotated[list[RouteStop], Field(min_length=1, max_length=200)]
    metres: _Metres
    departs_at: Moment


class RouteEnd(Strict):
    """A departure or a return; with both odometer readings the kilometres are the truck's."""

    occurred_at: Moment
    odometer_m: _Metres | None = None


class RouteStep(Strict):
    """What happened at a stop."""

    occurred_at: Moment
    location: Identifier


class KpiQuery(Strict):
    """Key figures over days of the network's calendar, of reality or of the twin's promise."""

    source: Literal["actual", "twin"] = "actual"
    first_day: _DayNumber | None = None
    last_day: _DayNumber | None = None
    by: Literal["total", "day", "location", "category"] = "total"
    kpi: OptionalId = ""


class PlanNow(Strict):
    """Plan the business day of a cut-off; default this moment."""

    as_of: Moment | None = None
