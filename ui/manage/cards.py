"""Today's cards, made of the service's own answers for the person who asks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

HORIZON_DAYS = 7
MOST = 30
"""Rows that a card shows; it says how many more there are."""
REFUSALS = ("enough_stock", "no_space", "wrong_season", "delisted", "quality", "other")


@dataclass(frozen=True)
class Said:
    """An answer of the service."""

    status: int
    body: dict[str, Any]


class Desk(Protocol):
    """The service as the page sees it: with the person's own rights, and no others."""

    def ask(
        self, method: str, path: str, cookies: str, body: Mapping[str, Any] | None = None
    ) -> Said:
        """One request to the API; a write's body holds its ``key``."""
        ...

    def now(self) -> dt.datetime:
        """The service's time in the chain's zone."""
        ...

    def local(self, moment: str) -> dt.datetime:
        """A time of the API in the chain's zone."""
        ...

    def sku_names(self, skus: Collection[str]) -> dict[str, str]:
        """Names of some SKUs."""
        ...


@dataclass
class Card:
    """A question and its rows.

    Attributes
    ----------
    rows : what the template shows, the most urgent first
    left_out : rows beyond those that are shown
    is_refused : the role may not see it
    """

    name: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: int = 0
    is_refused: bool = False


def cards(desk: Desk, cookies: str, places: Collection[str]) -> list[Card]:
    """Every card for a person of some places; none named means the whole chain."""
    today = desk.now().date()
    made = [
        _deliveries(desk, cookies, places),
        _approvals(desk, cookies),
        _proposals(desk, cookies),
        _expiring(desk, cookies, today),
        _tasks(desk, cookies),
        _differences(desk, cookies),
    ]
    named = {row["sku"] for card in made for row in _each(card) if row.get("sku")}
    names = desk.sku_names(named)
    for card in made:
        for row in _each(card):
            if row.get("sku"):
                row["name"] = names.get(row["sku"], row["sku"])
    return [card for card in made if not card.is_refused]


def _each(card: Card) -> list[dict[str, Any]]:
    """Rows and the lines inside of them."""
    return [one for row in card.rows for one in (row, *row.get("lines", ()))]


def _fetch(desk: Desk, cookies: str, path: str, member: str) -> list[dict[str, Any]] | None:
    """Rows of a list; None where the role may not read it."""
    said = desk.ask("GET", path, cookies)
    if said.status == 403:
        return None
    found: list[dict[str, Any]] = said.body.get(member, []) if said.status == 200 else []
    return found


def _card(name: str, rows: list[dict[str, Any]] | None) -> Card:
    if rows is None:
        return Card(name, is_refused=True)
    return Card(name, rows[:MOST], max(len(rows) - MOST, 0))


def _deliveries(desk: Desk, cookies: str, places: Collection[str]) -> Card:
    """Goods on the road to here, with the time the truck is planned to come."""
    rows: list[dict[str, Any]] | None = None
    for state in ("shipped", "partially_received"):
        part = _fetch(desk, cookies, f"/transfers?state={state}&limit=1000", "transfers")
        rows = rows if part is None else [*(rows or []), *part]
    if rows is None:
        return _card("deliveries", None)
    stops = {
        (route["id"], stop["location"]): stop["planned_at"]
        for route in _fetch(desk, cookies, "/routes?limit=1000", "routes") or []
        for stop in route["stops"]
    }
    out = [
        {
            "id": row["id"],
            "origin": row["origin"],
            "destination": row["destination"],
            "units": sum(
                line["shipped"] - line["received_good"] - line["received_damaged"]
                for line in row["lines"]
            ),
            "eta": _local(desk, stops.get((row["route_id"], row["destination"])) or row["due_at"]),
        }
        for row in rows
        if not places or row["destination"] in places
    ]
    return _card("deliveries", sorted(out, key=lambda row: (row["eta"] is None, str(row["eta"]))))


def _approvals(desk: Desk, cookies: str) -> Card:
    """Transfers that wait for a yes."""
    rows = _fetch(desk, cookies, "/transfers?state=proposed&limit=1000", "transfers")
    out = [
        {
            "id": row["id"],
            "origin": row["origin"],
            "destination": row["destination"],
            "units": sum(line["proposed"] for line in row["lines"]),
            "lines": [
                {"sku": line["sku"], "quantity": line["proposed"]} for line in row["lines"][:MOST]
            ],
        }
        for row in rows or []
    ]
    return _card("approvals", None if rows is None else out)


def _proposals(desk: Desk, cookies: str) -> Card:
    """What the planner proposes, each line with its reason in words; urgent ones first."""
    rows = _fetch(desk, cookies, "/proposals?state=open&limit=1000", "proposals")
    out = [
        {
            "id": row["id"],
            "origin": row["origin"],
            "destination": row["destination"],
            "kind": row["kind"],
            "is_urgent": row["trigger"] == "intraday",
            "due": _local(desk, row["due_at"]),
            "lines": [
                {
                    "sku": line["sku"],
                    "quantity": line["quantity"],
                    "sentence": line["sentence"],
                }
                for line in row["lines"]
            ],
        }
        for row in rows or []
    ]
    out.sort(key=lambda row: (not row["is_urgent"], str(row["due"]), row["id"]))
    return _card("proposals", None if rows is None else out)


def _expiring(desk: Desk, cookies: str, today: dt.date) -> Card:
    """Lots whose last day comes within the horizon, or has passed."""
    until = (today + dt.timedelta(days=HORIZON_DAYS + 1)).isoformat()
    rows = _fetch(desk, cookies, f"/lots?expires_before={until}&limit=1000", "lots")
    out = [
        {
            "sku": row["sku"],
            "lot": row["lot"],
            "place": row["location"],
            "units": row["units"],
            "is_held": row["on_hold"],
            "days": (dt.date.fromisoformat(row["expires_on"]) - today).days,
        }
        for row in rows or []
        if row["expires_on"]
    ]
    return _card("expiring", None if rows is None else out)


def _tasks(desk: Desk, cookies: str) -> Card:
    """Where the book and the shelf don't agree, and what else waits for a look."""
    rows = _fetch(desk, cookies, "/tasks?limit=1000", "tasks")
    out = [
        {
            # A shelf is counted because a till sold too much, or because it sells nothing.
            "kind": row["payload"].get("cause", row["kind"]),
            "place": row["location"],
            "sku": row["sku"],
            "document": row["document_id"],
            "days": row["payload"].get("days_silent", 0),
            "book": row["payload"].get("book", 0),
        }
        for row in rows or []
    ]
    return _card("tasks", None if rows is None else out)


def _differences(desk: Desk, cookies: str) -> Card:
    """Count lines outside of the tolerance."""
    rows = _fetch(desk, cookies, "/counts?limit=1000", "counts")
    out = [
        {
            "id": row["id"],
            "place": row["location"],
            "sku": line["sku"],
            "counted": line["counted"],
        }
        for row in rows or []
        for line in row["lines"]
        if line["state"] == "recount"
    ]
    return _card("differences", None if rows is None else out)


def _local(desk: Desk, moment: str | None) -> dt.datetime | None:
    return None if moment is None else desk.local(moment)
