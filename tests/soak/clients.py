"""Tills, phones and clerks that keep what happened until they were truthfully answered.

Every fact has an id from its device and is sent again with the same id until the answer
is known: on time or a week late, in any order, twice in one batch, long after it was
answered, and with another body under the same id, which must be refused.
"""

from __future__ import annotations

import datetime as dt
import http.client
import json
import random
import threading
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.soak.world import World

_TIMEOUT_S = 30


@dataclass(eq=False)
class Fact:
    """Something that happened, and what the service said about it.

    Attributes
    ----------
    ends : "effective", "parked" (older than a week) or "refused" (from the future)
    units : change of the stock of `cell` once it is effective
    heard : each answer
    """

    id: str
    body: dict[str, Any]
    cell: tuple[str, str]
    units: int
    ends: str = "effective"
    sent: int = 0
    heard: list[str] = field(default_factory=list)
    answer: Any = None


@dataclass
class Account:
    """What one client saw."""

    replies: Counter[str] = field(default_factory=Counter)
    untruthful: list[str] = field(default_factory=list)


class Client(threading.Thread):
    """Sends facts until told to stop, then until each is answered.

    Parameters
    ----------
    offset : how far the device's clock is off; it tells its clock with each batch
    """

    path = ""
    person = ""
    batch = 12
    """Most lines of a batch."""
    kept = 36
    """Unanswered facts beyond which nothing new happens."""
    arrives_twice = False
    """Whether the network delivers requests twice, so that a first sending is a duplicate."""

    def __init__(
        self,
        world: World,
        port: int,
        seed: int,
        *,
        offset: dt.timedelta = dt.timedelta(),
        tells_clock: bool = True,
        old: float = 0.0,
        ahead: float = 0.0,
    ) -> None:
        super().__init__(daemon=True)
        self.world, self.port, self.draws = world, port, random.Random(seed)
        self.offset, self.tells_clock, self.old, self.ahead = offset, tells_clock, old, ahead
        self.waiting: list[Fact] = []
        self.answered: list[Fact] = []
        self.account = Account()
        self.ending, self.deadline = threading.Event(), threading.Event()

    @property
    def facts(self) -> list[Fact]:
        """Everything that happened here."""
        return self.waiting + self.answered

    def run(self) -> None:
        """Work."""
        while not self.deadline.is_set() and (self.waiting or not self.ending.is_set()):
            if not self.ending.is_set() and len(self.waiting) < self.kept:
                self.waiting += [self.happen() for _ in range(self.draws.randint(1, self.batch))]
            try:
                self.send()
            except (OSError, http.client.HTTPException, ValueError) as error:
                # No reply, or half of one: nothing is known, so all of it is sent again.
                self.account.replies[f"lost ({type(error).__name__})"] += 1
                self.ending.wait(self.draws.uniform(0.01, 0.2))
                if self.ending.is_set():
                    self.deadline.wait(0.05)

    def happen(self) -> Fact:
        """Something new."""
        raise NotImplementedError

    def send(self) -> None:
        """One request."""
        raise NotImplementedError

    def pick(self) -> list[Fact]:
        """What goes into the next batch: in any order, some twice, some long answered."""
        count = min(len(self.waiting), self.draws.randint(1, self.batch))
        chosen = self.draws.sample(self.waiting, count)
        if chosen and self.draws.random() < 0.2:
            chosen.append(self.draws.choice(chosen))
        if self.answered and self.draws.random() < 0.3:
            chosen.append(self.draws.choice(self.answered))
        return chosen

    def when(self, rest: tuple[float, float] = (0, 3_600)) -> tuple[str, str]:
        """(device's time of a new fact, what becomes of it)."""
        age, ends = dt.timedelta(seconds=self.draws.uniform(*rest)), "effective"
        draw = self.draws.random()
        if draw < self.old:
            age, ends = dt.timedelta(days=self.draws.uniform(8, 30)), "parked"
        elif draw < self.old + self.ahead:
            age, ends = -dt.timedelta(days=self.draws.uniform(1, 3)), "refused"
        return (dt.datetime.now(dt.UTC) - age + self.offset).isoformat(), ends

    def cell(self) -> tuple[str, str]:
        """Any shelf."""
        return self.draws.choice(self.world.stores), self.draws.choice(self.world.skus)

    def uuid(self) -> str:
        """The next id."""
        return str(uuid.UUID(int=self.draws.getrandbits(128), version=4))

    def post(self, path: str, body: Any, key: str = "") -> tuple[int, dict[str, Any]]:
        """Status and JSON of an answer.

        Raises
        ------
        OSError, HTTPException, ValueError
            No answer, or not all of one.
        """
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_S)
        headers = {
            "Authorization": f"Bearer {self.world.tokens[self.person]}",
            "Content-Type": "application/json",
            "Connection": "close",
        } | ({"Idempotency-Key": key} if key else {})
        try:
            line.request("POST", f"/api/v1{path}", json.dumps(body), headers)
            reply = line.getresponse()
            content = reply.read()
        finally:
            line.close()
        said: dict[str, Any] = json.loads(content)
        self.account.replies[str(reply.status)] += 1
        if reply.status == 503 and reply.headers.get("Retry-After") is None:
            self.lie("503 without Retry-After")
        if reply.status >= 400 and reply.headers.get_content_type() != "application/problem+json":
            self.lie(f"{reply.status} is no problem+json")
        return reply.status, said

    def lie(self, what: str) -> None:
        """Note an answer that can't be true."""
        self.account.untruthful.append(f"{self.name}: {what}")

    def settle(self, fact: Fact, said: str) -> None:
        """Take a final answer."""
        fact.heard.append(said)
        if fact in self.waiting:
            self.waiting.remove(fact)
            self.answered.append(fact)


class Batches(Client):
    """Sends batches whose lines are answered one by one."""

    lines = "lines"

    def send(self) -> None:
        """One batch; sometimes one that says otherwise under a known id."""
        known = self.draws.choice(self.answered) if self.answered else None
        if known is not None and known.ends == "effective" and self.draws.random() < 0.05:
            self._contradict(known)
            return
        chosen = self.pick()
        for fact in chosen:
            fact.sent += 1
        status, said = self.post(self.path, self._body(chosen))
        if status == 200:
            answers = {line["row"]: line for line in said["lines"]}
            for row, fact in enumerate(chosen):
                self._hear(fact, answers.get(row, {"status": "created"}))
        elif status not in (429, 503):
            self.lie(f"{status} {said.get('code')} to a good batch: {said.get('detail')}")
        else:
            self.deadline.wait(self.draws.uniform(0.02, 0.2))

    def _body(self, facts: list[Fact]) -> dict[str, Any]:
        body: dict[str, Any] = {self.lines: [fact.body for fact in facts]}
        if self.tells_clock:
            body["sent_at"] = (dt.datetime.now(dt.UTC) + self.offset).isoformat()
        return body

    def _hear(self, fact: Fact, line: dict[str, Any]) -> None:
        said = line["status"]
        possible = {
            "effective": {"created", "duplicate"},
            "parked": {"parked", "duplicate"},
            "refused": {"refused"},
        }[fact.ends]
        if said not in possible:
            self.lie(f"{said} {line.get('code')} for a fact that ends {fact.ends}: {line}")
        if said in ("created", "parked") and said in fact.heard:
            self.lie(f"{fact.id} was {said} twice")
        if said == "duplicate" and fact.sent < 2 and not self.arrives_twice:
            self.lie(f"{fact.id} is a duplicate of nothing")
        self.settle(fact, said)

    def _contradict(self, fact: Fact) -> None:
        """The same id with other content."""
        body = self._body([])
        body[self.lines] = [fact.body | {"quantity": fact.body["quantity"] + 1}]
        status, said = self.post(self.path, body)
        if status == 200 and said["lines"][0]["status"] != "conflict":
            self.lie(f"another body under a known id: {said['lines'][0]}")
        if status not in (200, 429, 503):
            self.lie(f"{status} to a contradiction")


class Till(Batches):
    """Sells."""

    path, person = "/sales:batch", "till"

    def happen(self) -> Fact:
        """A receipt line."""
        cell, units, name = self.cell(), self.draws.randint(1, 3), self.uuid()
        at, ends = self.when()
        body = {
            "event_id": name, "location": cell[0], "sku": cell[1], "quantity": units,
            "occurred_at": at, "unit_price_cents": self.draws.randint(1, 999),
            "basket": f"B{self.draws.randint(1, 9_999)}", "device": self.name,
        }  # fmt: skip
        return Fact(name, body, cell, -units, ends)


class Phone(Batches):
    """Writes goods off."""

    path, person, lines = "/events:batch", "manager", "events"

    def happen(self) -> Fact:
        """A broken jar."""
        cell, units, name = self.cell(), self.draws.randint(1, 3), self.uuid()
        at, ends = self.when()
        body = {
            "event_id": name, "kind": "write_off", "location": cell[0], "sku": cell[1],
            "quantity": units, "occurred_at": at, "reason": "damaged", "device": self.name,
        }  # fmt: skip
        return Fact(name, body, cell, -units, ends)


class Clerk(Client):
    """Takes deliveries in, each under its own key."""

    path, person, kept = "/receipts", "manager", 6

    def happen(self) -> Fact:
        """A delivery of one SKU."""
        cell, units, name = self.cell(), self.draws.randint(1, 3), self.uuid()
        line = {"event_id": self.uuid(), "sku": cell[1], "good": units}
        return Fact(name, {"location": cell[0], "lines": [line]}, cell, units)

    def send(self) -> None:
        """One delivery; sometimes one that was answered before."""
        fact = self.draws.choice(self.pick())
        if fact.heard and self.draws.random() < 0.3:
            other = {**fact.body, "accepts_short": True}
            status, said = self.post(self.path, other, fact.id)
            if status not in (409, 429, 503) or said["code"] == "STATE_INVALID":
                self.lie(f"another body under a known key: {status} {said}")
            return
        fact.sent += 1
        status, said = self.post(self.path, fact.body, fact.id)
        if status == 201:
            if fact.answer not in (None, said):
                self.lie(f"{fact.answer} became {said}")
            fact.answer = said
            self.settle(fact, "created")
        elif status not in (429, 503):
            self.lie(f"{status} {said.get('code')} to a good delivery: {said.get('detail')}")
        else:
            self.deadline.wait(self.draws.uniform(0.02, 0.2))
