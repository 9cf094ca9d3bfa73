"""The emulator's HTTP side: every answer is counted, every lost reply asked for again."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import requests

from policies.domain.errors import StoretwinError

NAMESPACE = uuid.UUID("c0a8a7f2-3c53-4f0a-9a1b-5a0b1f6e7d21")
_TRIES = 5


class Unanswered(StoretwinError):
    """The service gave no usable answer after several tries."""

    code = "UNANSWERED"


class Settable(Protocol):
    """A clock that can be moved on."""

    def set(self, moment: dt.datetime) -> None:
        """Go on to `moment`."""
        ...


def stable_id(*parts: object) -> str:
    """A UUID that follows from `parts`: the same event has the same id in every run."""
    return str(uuid.uuid5(NAMESPACE, "\x1f".join(map(str, parts))))


@dataclass
class Tally:
    """What was posted and what became of it.

    Attributes
    ----------
    posted : ids of distinct events and steps that were sent
    effective : of these, ids that took effect (once each, by the service's own word)
    duplicates : answers "duplicate" or replayed, to events sent again
    late : events that were sent more than an hour after they happened
    refused : refusals by code
    """

    posted: set[str] = field(default_factory=set)
    effective: set[str] = field(default_factory=set)
    created: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    late: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class Wire:
    """One connection to the service.

    Parameters
    ----------
    url : str, address of the service
    tokens : mapping of log-in name to bearer token
    clock : Settable, moved to the emulated time of each request
    drops : callable (number of the request) -> bool, whether its reply is lost; the
        request is then sent again with the same ids
    headers : callable giving headers of every request
    """

    def __init__(
        self,
        url: str,
        tokens: Mapping[str, str],
        clock: Settable,
        drops: Any = None,
        headers: Callable[[], dict[str, str]] = dict,
    ) -> None:
        self.url, self.tokens, self.clock = url.rstrip("/"), tokens, clock
        self.headers = headers
        self.session = requests.Session()
        self.session.trust_env = False
        self.drops = drops or (lambda number: False)
        self.requests = 0
        self.tally = Tally()

    def get(self, who: str, path: str, **query: Any) -> dict[str, Any]:
        """A read."""
        return self._ask("GET", who, path, query=query)[1]

    def plan(self, who: str, at: dt.datetime) -> dict[str, Any]:
        """Have the service plan the night of `at`."""
        self.clock.set(at)
        return self._ask("POST", who, "/plans:run", {"as_of": at.isoformat()})[1]

    def lines(
        self, who: str, path: str, key: str, events: list[dict[str, Any]], at: dt.datetime
    ) -> dict[str, Any]:
        """A batch of events at emulated time `at`, each answered on its own."""
        self.clock.set(at)
        tally = self.tally
        tally.posted.update(one["event_id"] for one in events)
        body = {key: events, "sent_at": at.isoformat()}
        _, answer = self._ask("POST", who, path, body)
        for line in answer["lines"]:
            event = events[line["row"]]["event_id"]
            if line["status"] == "duplicate":
                tally.duplicates += 1
                tally.effective.add(event)
            elif line["status"] in ("created", "parked"):
                tally.created[event] += 1
                tally.effective.add(event)
            else:
                tally.refused[line.get("code") or line["status"]] += 1
        return answer

    def step(
        self, who: str, path: str, body: dict[str, Any], key: str, at: dt.datetime
    ) -> dict[str, Any] | None:
        """A step of a document; None where it was refused (and counted)."""
        self.clock.set(at)
        self.tally.posted.add(key)
        status, answer = self._ask("POST", who, path, body, key=key)
        if status >= 400:
            self.tally.refused[answer.get("code", str(status))] += 1
            return None
        self.tally.created[key] += 1
        self.tally.effective.add(key)
        return answer

    def _ask(
        self,
        method: str,
        who: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        query: dict[str, Any] | None = None,
        key: str = "",
    ) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.tokens[who]}", **self.headers()}
        if key:
            headers["Idempotency-Key"] = key
        last = ""
        for _ in range(_TRIES):
            self.requests += 1
            reply = self.session.request(
                method,
                f"{self.url}/api/v1{path}",
                json=body,
                params=query,
                headers=headers,
                timeout=120,
            )
            if self.drops(self.requests):
                # The service has done it; the answer went astray. Ask again, same ids.
                last = "reply lost"
                continue
            if reply.status_code in (429, 503):
                last = str(reply.status_code)
                continue
            if key and reply.headers.get("Idempotent-Replayed"):
                self.tally.duplicates += 1
            answer = dict(reply.json())
            if reply.status_code >= 500 or (reply.status_code >= 400 and not key):
                raise Unanswered(f"{method} {path}: {reply.status_code} {answer.get('detail')}")
            return reply.status_code, answer
        raise Unanswered(f"{method} {path} was not answered: {last}")
