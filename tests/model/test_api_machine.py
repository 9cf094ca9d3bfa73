"""The service over HTTP against a model of fifty lines: the same stock after every step."""

from __future__ import annotations

import datetime as dt
import tempfile
import uuid

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ops_api.ledger.health import check_ledger
from tests.integration.api_service import make_rig

DEPOT, STORE, OTHER = "W01", "S0001", "S0002"
SKUS = ("K00001", "K00002")
skus = st.sampled_from(SKUS)
places = st.sampled_from((STORE, OTHER))
units = st.integers(1, 15)


class Chain(RuleBasedStateMachine):
    """Sales on time and late, deliveries, counts, write-offs, reversals; some sent twice."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.rig = make_rig(self.folder.name)
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
            self.stock[place, sku] = max(self.stock[place, sku] - quantity, 0)
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
        if quantity > self.stock[DEPOT, sku]:
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
        self.stock[STORE, sku] = found
        self.counted[STORE, sku] = self.rig.clock.now
        self.touched.add((STORE, sku))

    @rule(sku=skus, quantity=units)
    def write_off(self, sku: str, quantity: int) -> None:
        self.rig.clock.forward(minutes=1)
        body = {"location": STORE, "sku": sku, "quantity": quantity, "reason": "damaged"}
        name = self.rig.post("manager1", "/writeoffs", body).json["id"]
        done = self.rig.post("boss", f"/writeoffs/{name}:post")
        if quantity > self.stock[STORE, sku]:
            assert done.json["code"] == "INSUFFICIENT_STOCK"
            return
        assert done.status_code == 200, done.json
        self.stock[STORE, sku] -= quantity
        self.touched.add((STORE, sku))

    @invariant()
    def the_book_says_the_same(self) -> None:
        """The balance, and the same asked of the ledger as of now."""
        for place, sku in self.touched if hasattr(self, "rig") else ():
            assert self.rig.on_hand(place, sku) == self.stock[place, sku], (place, sku)
            now = self.rig.clock.now.isoformat().replace("+", "%2B")
            path = f"/stock?location={place}&sku={sku}&as_of={now}"
            rows = self.rig.get("boss", path).json["rows"]
            assert sum(row["on_hand"] for row in rows) == self.stock[place, sku]
        self.touched = set()


TestChain = Chain.TestCase
TestChain.settings = settings(
    max_examples=15,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
