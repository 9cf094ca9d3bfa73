"""The service over HTTP against a small model: the same stock, promises and lots at each step."""

from __future__ import annotations

import datetime as dt
import tempfile
import uuid

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from ops_api.database import write_with_retry
from ops_api.ledger.health import check_ledger
from ops_api.reservations.service import expire_due
from tests.integration.api_service import make_rig

DEPOT, STORE, OTHER = "W01", "S0001", "S0002"
SKUS = ("K00001", "K00002")
skus = st.sampled_from(SKUS)
places = st.sampled_from((STORE, OTHER))
units = st.integers(1, 15)
TRACKED = "K00003"
LOTS = {"A": "2024-03-01", "B": "2024-04-01", "C": "2024-05-01"}
"""Lots with their last day, the first to expire first."""


class Chain(RuleBasedStateMachine):
    """Sales on time and late, deliveries, counts, write-offs, reversals; some sent twice.

    And goods that come back, are promised, or are followed by lot.
    """

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        no_limit = {"WRITE_OFF_LIMIT_CENTS": 10**9, "WRITE_OFF_PHOTO_CENTS": 10**9}
        self.rig = make_rig(self.folder.name, **no_limit)
        self.stock = {
            (place, sku): 50 if place == DEPOT else 10
            for place in (DEPOT, STORE, OTHER)
            for sku in SKUS
        }
        self.counted: dict[tuple[str, str], dt.datetime] = {}
        # In the order of shipping: the service names documents at random, so sorting them would
        # let the same draws pick different ones when a history is run again.
        self.road: dict[str, tuple[str, int]] = {}
        self.sales: list[dict] = []
        self.reversed: set[str] = set()
        self.touched: set[tuple[str, str]] = set(self.stock)
        self.damaged = dict.fromkeys(self.stock, 0)
        self.reserved = dict.fromkeys(self.stock, 0)
        self.promises: dict[str, tuple[str, str]] = {}
        self.way_back: dict[str, tuple[str, int]] = {}
        self.lots = {place: dict.fromkeys(LOTS, 0) for place in (DEPOT, STORE)}
        self.held: set[str] = set()
        self.steps = 0
        change = {"version": 1, "lot_tracked": True}
        assert self.rig.post("boss", f"/skus/{TRACKED}:change", change).status_code == 200

    def take(self, place: str, sku: str, left: int) -> None:
        """Less lies there: what is gone can't stay promised."""
        self.stock[place, sku] = left
        self.reserved[place, sku] = min(self.reserved[place, sku], left)

    def teardown(self) -> None:
        if not hasattr(self, "rig"):
            return
        found = check_ledger(self.rig.engine)["violations"]
        self.rig.engine.dispose()
        self.folder.cleanup()
        assert not any(found.values()), found

    def seen(self, place: str, sku: str, at: dt.datetime) -> bool:
        """Whether a count has seen what happened at `at`."""
        return (place, sku) in self.counted and at <= self.counted[place, sku]

    @rule(place=places, sku=skus, quantity=units, minutes_ago=st.integers(0, 300))
    def sell(self, place: str, sku: str, quantity: int, minutes_ago: int) -> None:
        self.rig.clock.forward(minutes=1)
        at = self.rig.clock.now - dt.timedelta(minutes=minutes_ago)
        line = self.rig.sale(place, sku, quantity, occurred_at=at.isoformat())
        answer = self.rig.post("till", "/sales:batch", {"lines": [line, line]})
        assert answer.json["counts"] == {"created": 1, "duplicate": 1}
        self.sales.append(line)
        if not self.seen(place, sku, at):
            self.take(place, sku, max(self.stock[place, sku] - quantity, 0))
        self.touched.add((place, sku))

    @rule(data=st.data())
    def send_a_sale_again(self, data: st.DataObject) -> None:
        if self.sales:
            line = data.draw(st.sampled_from(self.sales))
            answer = self.rig.post("till", "/sales:batch", {"lines": [line]})
            assert answer.json["counts"] == {"duplicate": 1}
            self.touched.add((line["location"], line["sku"]))

    @rule(data=st.data())
    def reverse_a_sale(self, data: st.DataObject) -> None:
        if not self.sales:
            return
        self.rig.clock.forward(minutes=1)
        line = data.draw(st.sampled_from(self.sales))
        answer = self.rig.post("boss", f"/movements/{line['event_id']}:reverse")
        if line["event_id"] in self.reversed:
            assert answer.json["code"] == "ALREADY_REVERSED"
            return
        assert answer.status_code == 201, answer.json
        self.reversed.add(line["event_id"])
        at = dt.datetime.fromisoformat(line["occurred_at"])
        if not self.seen(line["location"], line["sku"], at):
            self.stock[line["location"], line["sku"]] += line["quantity"]
        self.touched.add((line["location"], line["sku"]))

    @rule(sku=skus, quantity=units)
    def ship(self, sku: str, quantity: int) -> None:
        self.rig.clock.forward(minutes=1)
        body = {
            "origin": DEPOT,
            "destination": STORE,
            "lines": [{"sku": sku, "quantity": quantity}],
        }
        name = self.rig.post("clerk1", "/transfers", body).json["id"]
        approved = self.rig.post("keeper", f"/transfers/{name}:approve")
        if quantity > self.stock[DEPOT, sku] - self.reserved[DEPOT, sku]:
            assert approved.json["code"] == "INSUFFICIENT_STOCK"
            return
        assert self.rig.post("keeper", f"/transfers/{name}:ship").json["state"] == "shipped"
        self.stock[DEPOT, sku] -= quantity
        self.road[name] = (sku, quantity)
        self.touched.add((DEPOT, sku))

    @rule(data=st.data(), share=st.floats(0, 1), twice=st.booleans())
    def receive(self, data: st.DataObject, share: float, twice: bool) -> None:
        if not self.road:
            return
        self.rig.clock.forward(minutes=1)
        name = data.draw(st.sampled_from(list(self.road)))
        sku, left = self.road[name]
        good = max(1, round(left * share))
        line = {"event_id": str(uuid.uuid4()), "sku": sku, "good": good}
        key = str(uuid.uuid4())
        for _ in range(1 + twice):
            got = self.rig.post("clerk1", f"/transfers/{name}:receive", {"lines": [line]}, key=key)
            assert got.status_code == 200, got.json
        self.stock[STORE, sku] += good
        self.road[name] = (sku, left - good)
        if left == good:
            del self.road[name]
        self.touched.add((STORE, sku))

    @rule(data=st.data())
    def close_short(self, data: st.DataObject) -> None:
        if self.road:
            name = data.draw(st.sampled_from(list(self.road)))
            closed = self.rig.post("manager1", f"/transfers/{name}:close")
            assert closed.json["state"] == "closed"
            del self.road[name]

    @rule(sku=skus, found=st.integers(0, 30))
    def count(self, sku: str, found: int) -> None:
        """By the clerk, and where it differs by the manager too."""
        self.rig.clock.forward(minutes=1)
        name = self.rig.post("clerk1", "/counts", {"location": STORE}).json["id"]
        for who in ("clerk1", "manager1"):
            line = {"event_id": str(uuid.uuid4()), "sku": sku, "counted": found}
            done = self.rig.post(who, f"/counts/{name}:submit", {"lines": [line]})
            if done.json["posted"]:
                break
        assert done.json["posted"] == [sku]
        self.take(STORE, sku, found)
        self.counted[STORE, sku] = self.rig.clock.now
        self.touched.add((STORE, sku))

    @rule(sku=skus, quantity=units)
    def write_off(self, sku: str, quantity: int) -> None:
        self.rig.clock.forward(minutes=1)
        body = {"location": STORE, "sku": sku, "quantity": quantity, "reason": "damaged"}
        name = self.rig.post("manager1", "/writeoffs", body).json["id"]
        done = self.rig.post("boss", f"/writeoffs/{name}:post")
        if quantity > self.stock[STORE, sku] - self.reserved[STORE, sku]:
            assert done.json["code"] == "INSUFFICIENT_STOCK"
            return
        assert done.status_code == 200, done.json
        self.stock[STORE, sku] -= quantity
        self.touched.add((STORE, sku))

    @rule(data=st.data())
    def void_a_sale(self, data: st.DataObject) -> None:
        """By the till that sold, once."""
        if not self.sales:
            return
        self.rig.clock.forward(minutes=1)
        sale = data.draw(st.sampled_from(self.sales))
        now = self.rig.clock.now.isoformat()
        line = {"event_id": str(uuid.uuid4()), "kind": "void", "occurred_at": now}
        line |= {"location": sale["location"], "of": sale["event_id"]}
        body = {"lines": [line, line]}
        answer = self.rig.post("till", "/till-returns:batch", body).json
        if sale["event_id"] in self.reversed:
            assert {one["code"] for one in answer["lines"]} == {"ALREADY_REVERSED"}
            return
        assert answer["counts"] == {"created": 1, "duplicate": 1}, answer
        self.reversed.add(sale["event_id"])
        cell = (sale["location"], sale["sku"])
        if not self.seen(*cell, dt.datetime.fromisoformat(sale["occurred_at"])):
            self.stock[cell] += sale["quantity"]
        self.touched.add(cell)

    @rule(sku=skus, quantity=units, damaged=st.booleans(), undone=st.booleans())
    def take_back(self, sku: str, quantity: int, damaged: bool, undone: bool) -> None:
        """A customer's return; some are reversed at once."""
        self.rig.clock.forward(minutes=1)
        condition = "damaged" if damaged else "good"
        line = {"sku": sku, "quantity": quantity, "condition": condition}
        body = {"kind": "customer", "location": STORE, "reason": "other", "lines": [line]}
        name = self.rig.post("clerk1", "/returns", body).json["id"]
        assert self.rig.post("manager1", f"/returns/{name}:post").json["state"] == "posted"
        if undone:
            back = self.rig.post("manager1", f"/returns/{name}:reverse")
            assert back.json["state"] == "reversed"
        else:
            where = self.damaged if damaged else self.stock
            where[STORE, sku] += quantity
        self.touched.add((STORE, sku))

    @rule(sku=skus, quantity=units)
    def send_back(self, sku: str, quantity: int) -> None:
        """From the store to the depot."""
        self.rig.clock.forward(minutes=1)
        lines = [{"sku": sku, "quantity": quantity}]
        body = {"kind": "warehouse", "location": STORE, "counterpart": DEPOT, "lines": lines}
        name = self.rig.post("clerk1", "/returns", body | {"reason": "overstock"}).json["id"]
        done = self.rig.post("manager1", f"/returns/{name}:post").json
        if quantity > self.stock[STORE, sku] - self.reserved[STORE, sku]:
            assert done["code"] == "INSUFFICIENT_STOCK"
            return
        self.stock[STORE, sku] -= quantity
        self.way_back[done["transfer_id"]] = (sku, quantity)
        self.touched.add((STORE, sku))

    @rule(data=st.data())
    def arrive_back(self, data: st.DataObject) -> None:
        if not self.way_back:
            return
        self.rig.clock.forward(minutes=1)
        name = data.draw(st.sampled_from(list(self.way_back)))
        sku, quantity = self.way_back.pop(name)
        line = {"event_id": str(uuid.uuid4()), "sku": sku, "good": quantity}
        got = self.rig.post("keeper", f"/transfers/{name}:receive", {"lines": [line]})
        assert got.json["state"] == "received"
        self.stock[DEPOT, sku] += quantity
        self.touched.add((DEPOT, sku))

    @rule(place=st.sampled_from((DEPOT, STORE, OTHER)), sku=skus, quantity=units)
    def promise(self, place: str, sku: str, quantity: int) -> None:
        self.rig.clock.forward(minutes=1)
        who = {DEPOT: "keeper", STORE: "clerk1", OTHER: "clerk2"}[place]
        until = (self.rig.clock.now + dt.timedelta(hours=24)).isoformat()
        lines = [{"sku": sku, "quantity": quantity}]
        body = {"location": place, "lines": lines, "expires_at": until}
        made = self.rig.post(who, "/reservations", body).json
        if quantity > self.stock[place, sku] - self.reserved[place, sku]:
            assert made["code"] == "INSUFFICIENT_STOCK"
            return
        self.reserved[place, sku] += quantity
        self.promises[made["id"]] = (place, sku)
        self.touched.add((place, sku))

    @rule(data=st.data(), step=st.sampled_from(("release", "fulfil")))
    def end_a_promise(self, data: st.DataObject, step: str) -> None:
        """What it still holds is free again; sales and counts may have made it less."""
        if not self.promises:
            return
        name = data.draw(st.sampled_from(list(self.promises)))
        cell = self.promises.pop(name)
        holds = self.rig.get("boss", f"/reservations/{name}").json["holds"]
        assert self.rig.post("till", f"/reservations/{name}:{step}").status_code == 200
        self.reserved[cell] -= sum(one["quantity"] for one in holds)
        self.touched.add(cell)

    @rule()
    def a_day_passes(self) -> None:
        """Every promise ends by the clock."""
        self.rig.clock.forward(hours=25)
        now = int(self.rig.clock.now.timestamp())
        write_with_retry(self.rig.engine, lambda connection: expire_due(connection, now))
        self.touched |= set(self.promises.values())
        self.promises = {}
        self.reserved = dict.fromkeys(self.reserved, 0)

    @rule(lot=st.sampled_from(sorted(LOTS)), quantity=units)
    def a_lot_comes(self, lot: str, quantity: int) -> None:
        self.rig.clock.forward(minutes=1)
        line = {"event_id": str(uuid.uuid4()), "sku": TRACKED, "good": quantity}
        line |= {"lot": lot, "expires_on": LOTS[lot]}
        got = self.rig.post("keeper", "/receipts", {"location": DEPOT, "lines": [line]})
        if lot in self.held:
            assert got.json["code"] == "LOT_ON_HOLD"
            return
        assert got.status_code == 201, got.json
        self.lots[DEPOT][lot] += quantity

    @rule(lot=st.sampled_from(sorted(LOTS)))
    def hold_or_free_a_lot(self, lot: str) -> None:
        step = "release" if lot in self.held else "hold"
        body = {"sku": TRACKED, "lot": lot, "reason": "quality"}
        done = self.rig.post("boss", f"/lots:{step}", body)
        if done.status_code == 404:
            assert not self.lots[DEPOT][lot]
            return
        self.held ^= {lot}

    @rule(quantity=units)
    def ship_the_first_to_expire(self, quantity: int) -> None:
        """And receive it whole, lot by lot."""
        self.rig.clock.forward(minutes=1)
        here = self.lots[DEPOT]
        free = {lot: here[lot] for lot in LOTS if lot not in self.held and here[lot]}
        lines = [{"sku": TRACKED, "quantity": quantity}]
        body = {"origin": DEPOT, "destination": STORE, "lines": lines}
        name = self.rig.post("clerk1", "/transfers", body).json["id"]
        approved = self.rig.post("keeper", f"/transfers/{name}:approve")
        if quantity > sum(free.values()):
            expected = {"INSUFFICIENT_STOCK", "LOT_ON_HOLD", "LOT_REQUIRED"}
            assert approved.json["code"] in expected
            return
        assert self.rig.post("keeper", f"/transfers/{name}:ship").json["state"] == "shipped"
        arrived = []
        for lot, there in free.items():
            part = min(quantity, there)
            quantity -= part
            if part:
                line = {"event_id": str(uuid.uuid4()), "sku": TRACKED, "good": part, "lot": lot}
                arrived.append(line)
                here[lot] -= part
                self.lots[STORE][lot] += part
        got = self.rig.post("clerk1", f"/transfers/{name}:receive", {"lines": arrived})
        assert got.json["state"] == "received", got.json

    @invariant()
    def lots_lie_where_they_should(self) -> None:
        self.steps = getattr(self, "steps", 0) + 1
        for place, lots in self.lots.items() if hasattr(self, "rig") else ():
            rows = self.rig.get("boss", f"/stock?location={place}&sku={TRACKED}").json["rows"]
            found = {row["lot"]: row["on_hand"] for row in rows if row["lot"]}
            assert {lot: found.get(lot, 0) for lot in LOTS} == lots, place

    @invariant()
    def the_book_says_the_same(self) -> None:
        """The balance, and the same asked of the ledger as of now."""
        for place, sku in self.touched if hasattr(self, "rig") else ():
            book = self.stock[place, sku] + self.damaged[place, sku]
            rows = self.rig.get("boss", f"/stock?location={place}&sku={sku}").json["rows"]
            assert sum(row["on_hand"] for row in rows) == book, (place, sku)
            assert sum(row["reserved"] for row in rows) == self.reserved[place, sku], (place, sku)
            now = self.rig.clock.now.isoformat().replace("+", "%2B")
            path = f"/stock?location={place}&sku={sku}&as_of={now}"
            rows = self.rig.get("boss", path).json["rows"]
            assert sum(row["on_hand"] for row in rows) == book
        self.touched = set()


EXAMPLES = {"sqlite": 52, "postgresql": 10}
"""Histories of up to 50 steps; together more than 2,000 steps on SQLite."""


def test_the_service_and_the_model_agree_at_every_step(database):
    taken: list[int] = []

    class Counted(Chain):
        def teardown(self) -> None:
            taken.append(self.steps)
            super().teardown()

    run_state_machine_as_test(
        Counted,
        settings=settings(
            max_examples=EXAMPLES[database],
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
        ),
    )
    assert sum(taken) >= {"sqlite": 2_000, "postgresql": 300}[database], sum(taken)
