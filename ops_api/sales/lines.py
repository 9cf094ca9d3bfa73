"""A till's receipt lines, who posts them, and the answers they get."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, NamedTuple

from ops_api.errors import RETRYABLE
from ops_api.ledger.write import StockListener
from ops_api.settings import Settings
from policies.domain.errors import StoretwinError

LineResult = dict[str, Any]


@dataclass(frozen=True)
class Sale:
    """One receipt line with its times in whole seconds of UTC since 1970.

    `location` and `sku` are as sent; `row` is the line's number in its batch;
    `claimed_at` is the device's own time, `occurred_at` the same on our clock.
    """

    row: int
    event_id: str
    location: str
    sku: str
    quantity: int
    occurred_at: int
    unit_price_cents: int = 0
    basket: str = ""
    device: str = ""
    sequence: int = 0
    lot: str = ""
    claimed_at: int = 0
    serial: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """What makes two sendings of the same id the same event."""
        # The same text as of ledger.idempotency.digest over these values, in a quarter of its time.
        told = (
            f"[{quoted(self.location)},{quoted(self.sku)},{self.quantity},"
            f"{self.unit_price_cents},{quoted(self.basket)},{quoted(self.device)},"
            f"{self.sequence},{quoted(self.lot)},{self.claimed_at}"
        )
        told += f",{quoted(self.serial)}]" if self.serial else "]"
        return sha256(told.encode()).hexdigest()


@dataclass(frozen=True)
class Poster:
    """Who posts, when, and where they may."""

    actor: str
    device: str
    now: int
    reach: frozenset[str] | None
    settings: Settings
    listeners: tuple[StockListener, ...] = ()


class Job(NamedTuple):
    """The lines of one request."""

    sales: list[Sale]
    poster: Poster


def keys_of(job: Job) -> set[str]:
    """Event ids of a job."""
    return {sale.event_id for sale in job.sales}


def answer_line(sale: Sale, status: str) -> LineResult:
    """Answer for a line that was taken."""
    return {"row": sale.row, "event_id": sale.event_id, "status": status}


def refused(row: int, event_id: str | None, error: StoretwinError) -> LineResult:
    """Answer for a line that was not recorded."""
    return {
        "row": row,
        "event_id": event_id,
        "status": "refused",
        "code": error.code,
        "detail": error.detail,
        "field": error.field,
        "remedy": error.remedy,
        "retryable": error.code in RETRYABLE,
    }


def summary(lines: list[LineResult]) -> dict[str, Any]:
    """Counts by status, and the lines."""
    counts: dict[str, int] = {}
    for line in lines:
        counts[line["status"]] = counts.get(line["status"], 0) + 1
    return {"counts": counts, "lines": lines}


def payload_sale(text: str) -> Sale:
    """The sale in a parked task's payload."""
    return Sale(**json.loads(text)["sale"])
