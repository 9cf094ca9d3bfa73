"""The ledger as EPCIS 2.0 events: what happened, where, to which goods, page by page."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any
from urllib.parse import quote

import pytest

from ops_api.epcis.vocabulary import SENSES
from policies.domain.ledger import MovementKind
from tests.integration.api_service import Rig, make_rig

STORE, OTHER, DEPOT, SKU = "S0001", "S0002", "W01", "K00001"
STEPS = {
    "accepting",
    "arriving",
    "assembling",
    "collecting",
    "commissioning",
    "consigning",
    "creating_class_instance",
    "cycle_counting",
    "decommissioning",
    "departing",
    "destroying",
    "disassembling",
    "dispensing",
    "encoding",
    "entering_exiting",
    "holding",
    "inspecting",
    "installing",
    "killing",
    "loading",
    "other",
    "packing",
    "picking",
    "receiving",
    "removing",
    "repackaging",
    "repairing",
    "replacing",
    "reserving",
    "retail_selling",
    "sampling",
    "sensor_reporting",
    "shipping",
    "staging_outbound",
    "stock_taking",
    "stocking",
    "storing",
    "transporting",
    "unloading",
    "unpacking",
    "void_shipping",
}
"""Business steps of CBV 2.0."""


@pytest.fixture
def rig(tmp_path):
    return make_rig(tmp_path)


def query(rig: Rig, who: str = "boss", **asked: Any) -> dict[str, Any]:
    text = "&".join(f"{name}={quote(str(value))}" for name, value in asked.items())
    answer = rig.get(who, f"/events?{text}")
    assert answer.status_code == 200, answer.json
    return answer.json


def listed(rig: Rig, who: str = "boss", **asked: Any) -> list[dict[str, Any]]:
    body = query(rig, who, **asked)
    return body["epcisBody"]["queryResults"]["resultsBody"]["eventList"]


def moved(rig: Rig) -> str:
    """A transfer of three that was shipped and received, and a sale; the transfer's id."""
    body = {"origin": DEPOT, "destination": STORE, "lines": [{"sku": SKU, "quantity": 3}]}
    name = rig.post("clerk1", "/transfers", body).json["id"]
    for step in ("approve", "ship"):
        assert rig.post("keeper", f"/transfers/{name}:{step}").status_code == 200
    rig.clock.forward(hours=1)
    line = {"event_id": str(uuid.uuid4()), "sku": SKU, "good": 3}
    assert rig.post("clerk1", f"/transfers/{name}:receive", {"lines": [line]}).status_code == 200
    rig.post("till", "/sales:batch", {"lines": [rig.sale(STORE, SKU, 2)]})
    return str(name)


def test_every_kind_of_movement_has_a_step_of_the_vocabulary():
    assert set(SENSES) == set(MovementKind)
    assert {sense.step for sense in SENSES.values()} <= STEPS
    assert {sense.action for sense in SENSES.values()} <= {"ADD", "OBSERVE", "DELETE"}


def test_a_shipment_its_receipt_and_a_sale_are_three_events(rig):
    name = moved(rig)
    body = query(rig, EQ_bizStep="shipping|receiving|retail_selling")
    assert (body["type"], body["schemaVersion"]) == ("EPCISQueryDocument", "2.0")
    assert body["@context"][0].startswith("https://ref.gs1.org/standards/epcis/")
    out, back, sale = body["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    assert [event["bizStep"] for event in (out, back, sale)] == [
        "shipping",
        "receiving",
        "retail_selling",
    ]
    document = [{"type": "desadv", "bizTransaction": f"urn:storetwin:document:{name}"}]
    assert out["bizTransactionList"] == back["bizTransactionList"] == document
    assert "bizLocation" not in out, "goods on the road are at no place"
    assert (out["readPoint"]["id"], back["bizLocation"]["id"]) != ("", "")
    gtin = rig.network.skus.gtin[0].zfill(14)
    goods = {"epcClass": f"https://id.gs1.org/01/{gtin}", "quantity": 3}
    assert out["quantityList"] == back["quantityList"] == [goods]
    assert sale["quantityList"][0]["quantity"] == 2
    for event in (out, back, sale):
        assert uuid.UUID(event["eventID"].removeprefix("urn:uuid:"))
        assert dt.datetime.fromisoformat(event["eventTime"]).tzinfo is not None
        assert event["eventTimeZoneOffset"][0] in "+-"


def test_parameters_narrow_the_answer_as_the_standard_says(rig):
    moved(rig)
    gtin = rig.network.skus.gtin[0].zfill(14)
    link = f"https://id.gs1.org/01/{gtin}"
    steps = "shipping|receiving|retail_selling"
    assert len(listed(rig, EQ_bizStep=steps, MATCH_epc=link)) == 3
    assert listed(rig, EQ_bizStep=steps, MATCH_epc="https://id.gs1.org/01/04006381333931") == []
    later = (rig.clock.now - dt.timedelta(minutes=30)).isoformat()
    after = listed(rig, GE_eventTime=later)
    before = listed(rig, LT_eventTime=later)
    assert [event["bizStep"] for event in after] == ["receiving", "retail_selling"]
    assert len(after) + len(before) == len(listed(rig))
    (sale,) = listed(rig, EQ_bizStep="https://ref.gs1.org/cbv/BizStep-retail_selling")
    assert listed(rig, EQ_eventID=sale["eventID"]) == [sale]
    assert listed(rig, eventType="TransformationEvent") == []
    place = after[0]["bizLocation"]["id"]
    there = listed(rig, EQ_bizLocation=place, EQ_bizStep="receiving")
    assert there == after[:1]
    assert listed(rig, EQ_action="DELETE") == []
    wrong = rig.get("boss", "/events?MATCH_epc=whim")
    assert (wrong.status_code, wrong.json["field"]) == (400, "MATCH_epc")
    assert rig.get("boss", "/events?EQ_whim=1").status_code == 400


def test_pages_hold_each_event_once(rig):
    moved(rig)
    whole = [event["eventID"] for event in listed(rig)]
    seen: list[str] = []
    token: int | None = 0
    while token is not None:
        body = query(rig, perPage=4, nextPageToken=token)
        events = body["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
        seen += [event["eventID"] for event in events]
        token = body["nextPageToken"]
    assert seen == whole
    assert len(whole) == len(set(whole)) > 20


def test_a_store_sees_events_of_its_own_only(rig):
    moved(rig)
    steps = "shipping|receiving|retail_selling"
    assert len(listed(rig, "clerk1", EQ_bizStep=steps)) == 2
    assert listed(rig, "clerk2", EQ_bizStep=steps) == []
    assert rig.get("buyer", "/events").status_code == 403


def test_a_reversal_names_the_event_it_takes_back(rig):
    moved(rig)
    (sale,) = listed(rig, EQ_bizStep="retail_selling")
    name = sale["eventID"].removeprefix("urn:uuid:")
    assert rig.post("manager1", f"/movements/{name}:reverse").status_code == 201
    (undo,) = [event for event in listed(rig) if event["storetwin:kind"] == "reverse"]
    assert undo["storetwin:reverses"] == sale["eventID"]
    assert undo["quantityList"] == sale["quantityList"]
