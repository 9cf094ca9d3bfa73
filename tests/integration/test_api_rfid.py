"""A reader's sweep as observations, a count made of it, and codes of weighed goods."""

from __future__ import annotations

from typing import Any

import pytest

from ops_api.ledger.health import check_ledger
from policies.domain.identifiers import Sgtin, check_digit, encode_sgtin96
from tests.integration.api_service import Rig, make_rig

STORE = "S0001"


@pytest.fixture
def rig(tmp_path):
    made = make_rig(tmp_path)
    yield made
    assert not any(check_ledger(made.engine)["violations"].values())
    made.engine.dispose()


def tags(rig: Rig, sku: int, units: int, first: int = 1) -> list[str]:
    gtin = rig.network.skus.gtin[sku]
    return [encode_sgtin96(Sgtin(gtin, first + i), 7) for i in range(units)]


def sweep(rig: Rig, *epcs: str, session: str = "sweep 1", who: str = "clerk1", **more: Any) -> Any:
    reads = [{"epc": one} for one in epcs]
    body = {"session": session, "location": STORE, "reads": reads, **more}
    return rig.post(who, "/tag-reads:batch", body)


def test_a_sweep_is_one_observation_however_often_a_tag_is_seen(rig):
    """Items, a carton, a place, a tag of somebody else's goods, and noise."""
    strange = encode_sgtin96(Sgtin("04006381333931", 7), 7)
    carton, place = "3174257BF4499602D2000000", "3274257BF400000000000000"
    mine = tags(rig, 0, 8)
    done = sweep(rig, *mine, *mine[:3], strange, carton, place, "ABC", "F" * 24)
    assert done.status_code == 200, done.json
    assert (done.json["new"], done.json["again"]) == (13, 3)
    expected = {"item": 8, "unknown_gtin": 1, "carton": 1, "place": 1, "bad": 2}
    assert done.json["kinds"] == expected
    again = sweep(rig, *mine).json
    assert (again["new"], again["again"]) == (0, 8)
    assert sweep(rig, *mine, who="clerk2").json["code"] == "SITE_DENIED"


def test_a_count_uses_the_sweep_at_the_time_it_was_made(rig):
    """What was sold after the last read is gone from the shelf all the same."""
    at = rig.clock.now.isoformat()
    reads = [{"epc": one, "read_at": at} for one in (*tags(rig, 0, 10), *tags(rig, 1, 7))]
    body = {"session": "night", "location": STORE, "reads": reads}
    rig.post("clerk1", "/tag-reads:batch", body)
    rig.clock.forward(minutes=10)
    rig.post("till", "/sales:batch", {"lines": [rig.sale(STORE, "K00001", 2)]})
    name = rig.post("clerk1", "/counts", {"location": STORE}).json["id"]
    path = f"/counts/{name}:use-reads"
    done = rig.post("clerk1", path, {"session": "night", "also": ["K00003"]}).json
    assert done["counted"] == {"K00003": 0, "K00001": 10, "K00002": 7}
    assert done["posted"] == ["K00001"]
    assert set(done["recount"]) == {"K00002", "K00003"}
    assert rig.on_hand(STORE, "K00001") == 8
    again = rig.post("manager1", path, {"session": "night", "also": ["K00003"]}).json
    assert "code" in again or set(again["posted"]) >= {"K00002", "K00003"}
    none = rig.post("clerk1", path, {"session": "no such sweep"})
    assert none.json["code"] == "DOCUMENT_UNKNOWN"


def code(body: str) -> str:
    return body + check_digit(body)


def test_a_weighed_pack_says_what_it_is_and_how_much(rig):
    """By PLU, or by the code with zeros; by grams or by price."""
    new = {"name": "Grapes", "category": "category 1", "unit_cost_cents": 1, "unit_price_cents": 2}
    rig.post("boss", "/skus", new | {"id": "12345"})
    rig.post("boss", "/skus", new | {"id": "HAM", "gtin": code("229876500000")})

    def scan(text: str) -> dict[str, Any]:
        return dict(rig.post("clerk1", "/scans/resolve", {"code": text}).json)

    grapes = scan(code("211234501250"))
    assert (grapes["sku"], grapes["weight_g"]) == ("12345", 1_250)
    ham = scan(code("229876500399"))
    assert (ham["sku"], ham["price_cents"]) == ("HAM", 399)
    assert scan(code("215555500100"))["kind"] == "unknown_plu"
    wrong = scan(code("211234501250")[:-1] + str((int(check_digit("211234501250")) + 1) % 10))
    assert wrong["code"] == "GTIN_CHECKSUM"
