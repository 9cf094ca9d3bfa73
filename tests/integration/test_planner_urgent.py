"""Decisions out of turn: a sale below the safety line, the cheapest source, both books."""

from __future__ import annotations

import datetime as dt
import time

import numpy as np
import pytest
from sqlalchemy import func, select, update

from ops_api.database import reading, writing
from ops_api.ledger.health import check_ledger
from ops_api.masterdata.tables import SKUS
from ops_api.planning import locks, worker
from ops_api.planning.intraday import LOCK, UrgentRules, cheapest_source, run_intraday
from ops_api.planning.safety import store_line
from ops_api.planning.tables import DECISION_QUEUE, PROPOSALS, SAFETY_LINES
from policies.domain.facts import CostModel
from tests.integration.api_service import make_rig
from tests.unit.domain_networks import small_network

STORE, DEPOT = "S0001", "W01"


@pytest.fixture
def rig(tmp_path):
    """Ten of each SKU in every store, fifty in the warehouse, a safety line of four."""
    made = make_rig(tmp_path)
    with writing(made.engine) as connection:
        for place in ("S0001", "S0002", "S0003"):
            for sku in made.network.skus.ids:
                store_line(connection, place, sku, 4)
    return made


@pytest.fixture
def sku(rig):
    return rig.network.skus.ids[0]


def post(rig, *sales):
    answer = rig.post("till", "/sales:batch", {"lines": list(sales)})
    assert answer.status_code == 200
    return answer.json


def needs(rig, state=""):
    rows = rig.get("boss", "/needs").json["needs"]
    return [row for row in rows if not state or row["state"] == state]


def urgent(rig):
    rows = rig.get("boss", "/proposals?state=open&limit=1000").json["proposals"]
    return [row for row in rows if row["trigger"] == "intraday"]


def books(rig, sku):
    """(warehouse, on the road, store) and the book's total."""
    parts = (rig.on_hand(DEPOT, sku), rig.road(STORE, sku), rig.on_hand(STORE, sku))
    return parts, sum(parts)


def test_a_sale_below_the_line_is_mended_and_both_books_agree_at_each_step(rig, sku):
    """Queue, proposal, approval, shipment, receipt: nothing appears, nothing vanishes."""
    assert needs(rig) == []
    post(rig, rig.sale(STORE, sku, 7))
    (need,) = needs(rig, "open")
    assert (need["location"], need["sku"], need["level"], need["line"]) == (STORE, sku, 3, 4)
    before, total = books(rig, sku)
    assert run_intraday(rig.engine, rig.clock.now)["proposed"] == 1
    (one,) = urgent(rig)
    (line,) = one["lines"]
    assert line["reason"] == "below_safety_line"
    assert books(rig, sku) == (before, total)

    done = rig.post("manager1", f"/proposals/{one['id']}:accept").json
    assert books(rig, sku) == (before, total)
    units, document = line["quantity"], done["document_id"]
    sender = "keeper" if one["origin"] == DEPOT else f"manager{one['origin'][-1]}"
    made = rig.get("boss", f"/transfers/{document}").json
    assert made["lines"][0]["approved"] == units

    rig.post(sender, f"/transfers/{document}:ship")
    at_origin = rig.on_hand(one["origin"], sku)
    assert rig.road(STORE, sku) == units
    assert rig.on_hand(STORE, sku) == 3
    start = 50 if one["origin"] == DEPOT else 10
    assert at_origin == start - units

    body = {
        "lines": [{"event_id": "11111111-1111-4111-8111-111111111111", "sku": sku, "good": units}],
    }
    rig.post("clerk1", f"/transfers/{document}:receive", body)
    assert rig.road(STORE, sku) == 0
    assert rig.on_hand(STORE, sku) == 3 + units
    assert not any(check_ledger(rig.engine)["violations"].values())


def test_replayed_sales_queue_one_need(rig, sku):
    """The till sends the batch three times; the shelf falls once."""
    sale = rig.sale(STORE, sku, 7)
    for _ in range(3):
        post(rig, sale)
    assert len(needs(rig)) == 1
    assert run_intraday(rig.engine, rig.clock.now)["proposed"] == 1
    post(rig, sale)
    assert run_intraday(rig.engine, rig.clock.now) == {
        "proposed": 0,
        "dropped": 0,
        "proposals": [],
    }
    assert len(urgent(rig)) == 1


def test_further_sales_below_the_line_add_nothing(rig, sku):
    """One open need, then one open proposal, of a store and SKU: the line has fired."""
    post(rig, rig.sale(STORE, sku, 7))
    post(rig, rig.sale(STORE, sku, 1))
    assert len(needs(rig)) == 1
    run_intraday(rig.engine, rig.clock.now)
    post(rig, rig.sale(STORE, sku, 1))
    assert len(needs(rig)) == 1
    assert len(urgent(rig)) == 1


def test_a_line_fires_again_only_after_stock_has_clearly_recovered(rig, sku):
    """Hysteresis: at the line is not enough, half as much again is."""

    def receive(units: int) -> None:
        opened = rig.post("boss", f"/proposals/{urgent(rig)[0]['id']}:edit", edit(units)).json
        name = opened["document_id"]
        origin = rig.get("boss", f"/transfers/{name}").json["origin"]
        sender = "keeper" if origin == DEPOT else f"manager{origin[-1]}"
        rig.post(sender, f"/transfers/{name}:ship")
        body = {"lines": [{"event_id": event_id(name), "sku": sku, "good": units}]}
        assert rig.post("clerk1", f"/transfers/{name}:receive", body).status_code == 200

    def edit(units: int) -> dict:
        return {"quantities": {sku: units}}

    def event_id(name: str) -> str:
        import uuid

        return str(uuid.uuid5(uuid.NAMESPACE_OID, name))

    post(rig, rig.sale(STORE, sku, 7))
    run_intraday(rig.engine, rig.clock.now)
    receive(1)  # 4 on the shelf: at the line
    post(rig, rig.sale(STORE, sku, 1))
    assert len(needs(rig)) == 1
    with writing(rig.engine) as connection:
        armed = connection.execute(
            select(SAFETY_LINES.c.is_armed).where(
                SAFETY_LINES.c.location == STORE, SAFETY_LINES.c.sku == sku
            )
        ).scalar_one()
    assert not armed
    # Three on the shelf; a count finds five more, clearly above the line again.
    opened = rig.post("clerk1", "/counts", {"location": STORE}).json
    lines = {"lines": [{"event_id": event_id("count"), "sku": sku, "counted": 8}]}
    rig.clock.forward(minutes=1)
    rig.post("clerk1", f"/counts/{opened['id']}:submit", lines)
    rig.post("manager1", f"/counts/{opened['id']}:approve", {"sku": sku})
    rig.clock.forward(minutes=1)
    post(rig, rig.sale(STORE, sku, 6))
    assert len(needs(rig)) == 2


def test_a_write_off_fires_like_a_sale(rig, sku):
    """Whatever takes the shelf below the line."""
    event = {
        "event_id": "22222222-2222-4222-8222-222222222222",
        "kind": "write_off",
        "occurred_at": rig.clock.now.isoformat(),
        "location": STORE,
        "sku": sku,
        "quantity": 7,
        "reason": "damaged",
    }
    answer = rig.post("manager1", "/events:batch", {"events": [event]}).json
    assert answer["counts"] == {"created": 1}, answer
    assert [need["sku"] for need in needs(rig, "open")] == [sku]


def test_goods_on_the_road_count_before_a_need_is_queued(rig, sku):
    """The truck that already comes is the answer."""
    body = {"origin": DEPOT, "destination": STORE, "lines": [{"sku": sku, "quantity": 6}]}
    name = rig.post("clerk1", "/transfers", body).json["id"]
    rig.post("manager1", f"/transfers/{name}:approve")
    rig.post("keeper", f"/transfers/{name}:ship")
    post(rig, rig.sale(STORE, sku, 8))
    assert needs(rig) == []


def test_what_was_ordered_meanwhile_drops_the_need(rig, sku):
    """Looked at once more when its turn comes."""
    post(rig, rig.sale(STORE, sku, 7))
    body = {"origin": DEPOT, "destination": STORE, "lines": [{"sku": sku, "quantity": 6}]}
    name = rig.post("clerk1", "/transfers", body).json["id"]
    rig.post("manager1", f"/transfers/{name}:approve")
    assert run_intraday(rig.engine, rig.clock.now)["dropped"] == 1
    assert needs(rig)[0]["outcome"] == "on order"


def test_a_store_gets_a_few_proposals_out_of_turn_a_day_and_no_more(rig):
    """The cap counts per store and day; tomorrow is a new day."""
    skus = rig.network.skus.ids
    post(rig, *(rig.sale(STORE, one, 7) for one in skus))
    rules = UrgentRules(daily_cap=2)
    done = run_intraday(rig.engine, rig.clock.now, rules=rules)
    assert (done["proposed"], done["dropped"]) == (2, len(skus) - 2)
    assert {need["outcome"] for need in needs(rig, "dropped")} == {"daily cap"}
    rig.clock.forward(days=1)
    post(rig, *(rig.sale("S0002", one, 7) for one in skus[:1]))
    assert run_intraday(rig.engine, rig.clock.now, rules=rules)["proposed"] == 1


def test_a_neighbour_gives_when_the_warehouse_is_empty(rig, sku):
    """And keeps what it needs itself."""
    body = {"origin": DEPOT, "destination": "S0003", "lines": [{"sku": sku, "quantity": 50}]}
    name = rig.post("keeper", "/transfers", body)
    if name.status_code != 201:
        name = rig.post("boss", "/transfers", body)
    rig.post("keeper", f"/transfers/{name.json['id']}:approve")
    rig.post("keeper", f"/transfers/{name.json['id']}:ship")
    post(rig, rig.sale(STORE, sku, 7))
    assert run_intraday(rig.engine, rig.clock.now)["proposed"] == 1
    (one,) = urgent(rig)
    assert one["kind"] == "lateral"
    assert one["origin"] in {"S0002", "S0003"}
    # Ten on their shelf, of which their safety line of four stays.
    assert one["lines"][0]["quantity"] == 6


def test_a_need_without_any_source_says_so(rig, sku):
    """Nobody has a pack to spare."""
    for place in ("S0001", "S0002", "S0003"):
        post(rig, rig.sale(place, sku, 10))
    body = {"origin": DEPOT, "destination": "S0003", "lines": [{"sku": sku, "quantity": 50}]}
    name = rig.post("boss", "/transfers", body).json["id"]
    rig.post("keeper", f"/transfers/{name}:approve")
    rig.post("keeper", f"/transfers/{name}:ship")
    done = run_intraday(rig.engine, rig.clock.now)
    assert done["proposed"] == 0
    assert "no source" in {need["outcome"] for need in needs(rig, "dropped")}


def test_a_need_and_its_sale_stand_or_fall_together(rig, sku, monkeypatch):
    """The queue is written in the sale's transaction."""
    import ops_api.sales.service as sales

    def dies(*_: object, **__: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr(sales, "open_tasks", dies)
    rig.app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = rig.post("till", "/sales:batch", {"lines": [rig.sale(STORE, sku, 7)]})
    assert answer.status_code == 500
    with reading(rig.engine) as connection:
        for table in (DECISION_QUEUE, PROPOSALS):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0
    assert rig.on_hand(STORE, sku) == 10


def test_a_worker_beside_the_service_answers_a_need_by_itself(rig, sku, monkeypatch):
    """Within its next look; where nothing waits it does nothing."""
    monkeypatch.setattr(worker, "LOOK_S", 0.02)
    desk = worker.NeedsWorker(rig.engine, rig.clock)
    assert desk.look() is None
    post(rig, rig.sale(STORE, sku, 7))
    desk.start()
    for _ in range(500):
        if urgent(rig):
            break
        time.sleep(0.01)
    desk.stop()
    assert [one["destination"] for one in urgent(rig)] == [STORE]
    assert desk.look() is None


def test_a_worker_leaves_the_queue_to_another_that_is_at_it(rig, sku):
    """The need stays queued."""
    post(rig, rig.sale(STORE, sku, 7))
    desk = worker.NeedsWorker(rig.engine, rig.clock)
    with locks.held(rig.engine, LOCK, int(rig.clock.now.timestamp())):
        assert desk.look() is None
    assert desk.look()["proposed"] == 1


def test_the_cheapest_source_is_the_nearest_that_can_give_it_all():
    """Cost per unit: there and back, divided by what it gives; whole packs where it is short."""
    network = small_network()
    places = network.shape[0]
    spare = np.full(places, 100)
    place = int(network.stores[0])
    nearest = min(
        (i for i in range(places) if i != place),
        key=lambda i: network.distance_m[i, place] + network.distance_m[place, i],
    )
    offer = cheapest_source(network, spare, place, 0, 12, CostModel())
    assert offer is not None
    assert (offer.origin, offer.units) == (nearest, 12)
    assert cheapest_source(network, np.zeros(places, dtype=int), place, 0, 12, CostModel()) is None
    pack = int(network.skus.pack_size[0])
    short = np.zeros(places, dtype=int)
    short[nearest] = pack + pack - 1 if pack > 1 else 1
    few = cheapest_source(network, short, place, 0, 10 * pack, CostModel())
    assert few is not None
    is_store = network.locations.source[nearest] >= 0
    assert few.units == (short[nearest] if is_store else short[nearest] // pack * pack)


def test_a_day_later_the_book_is_read_as_of_now(rig, sku):
    """A need that has recovered by the time it is looked at is dropped."""
    post(rig, rig.sale(STORE, sku, 7))
    body = {
        "lines": [{"event_id": "33333333-3333-4333-8333-333333333333", "sku": sku, "counted": 9}]
    }
    rig.clock.forward(minutes=5)
    opened = rig.post("clerk1", "/counts", {"location": STORE}).json
    rig.post("clerk1", f"/counts/{opened['id']}:submit", body)
    rig.post("manager1", f"/counts/{opened['id']}:approve", {"sku": sku})
    done = run_intraday(rig.engine, rig.clock.now + dt.timedelta(seconds=1))
    assert done["dropped"] == 1
    assert needs(rig)[0]["outcome"] == "recovered"


def test_a_sku_whose_master_data_is_wrong_is_not_ordered_out_of_turn(rig, sku):
    """As the nightly plan leaves it out, and the need says why."""
    with writing(rig.engine) as connection:
        connection.execute(update(SKUS).where(SKUS.c.id == sku).values(pack_size=0))
    post(rig, rig.sale(STORE, sku, 7))
    done = run_intraday(rig.engine, rig.clock.now)
    assert (done["proposed"], done["dropped"]) == (0, 1)
    assert needs(rig)[0]["outcome"] == "master data"
