"""Labels say in bars what the service itself reads from a scan."""

from __future__ import annotations

import datetime as dt
import re
import uuid

import pytest

from ops_api.labels.zpl import Label, zpl
from policies.domain.errors import InvalidInput
from tests.integration.api_service import Rig, make_rig

SKU, DEPOT, STORE = "K00001", "W01", "S0001"


@pytest.fixture
def rig(tmp_path):
    return make_rig(tmp_path, COMPANY_PREFIX="6901234")


def fetched(rig: Rig, path: str, who: str = "keeper") -> str:
    answer = rig.get(who, f"/labels/{path}")
    assert answer.status_code == 200, answer.json
    assert answer.content_type == "application/zpl"
    text = answer.data.decode()
    assert text.startswith("^XA")
    assert text.rstrip().endswith("^XZ")
    return text


def symbol(text: str) -> str:
    """What a scanner reads from the label: elements with FNC1 between them."""
    matrix = re.search(r"\^BXN[^^]*\^FH\\\^FD_1(.*?)\^FS", text)
    if matrix:
        data = matrix[1].replace("__", "\0").replace("_1", "\x1d").replace("\0", "_")
    else:
        found = re.search(r"\^BCN,100,Y,N,N,D\^FH\\\^FD(.*?)\^FS", text)
        assert found is not None
        data = re.sub(r"\((\d+)\)", r"\1", found[1]).replace(">8", "\x1d").replace(">0", ">")
    return "]d2" + data if matrix else "]C1" + data


def resolved(rig: Rig, code: str) -> dict:
    body = {"code": code, "location": DEPOT}
    answer = rig.post("keeper", "/scans/resolve", body)
    assert answer.status_code == 200, answer.json
    return answer.json


def test_a_shelf_label_scans_as_its_sku(rig):
    text = fetched(rig, f"sku?sku={SKU}&copies=3")
    found = resolved(rig, symbol(text))
    assert (
        found["kind"],
        found["sku"]["id"] if isinstance(found["sku"], dict) else found["sku"],
    ) == (
        "sku",
        SKU,
    )
    assert "^PQ3" in text
    assert rig.network.skus.gtin[0].zfill(14) in text


def test_a_lot_label_scans_as_its_lot_and_last_day(rig):
    line = {"event_id": str(uuid.uuid4()), "sku": SKU, "good": 5, "lot": "A/7_x"}
    dated = line | {"expires_on": "2024-03-09"}
    rig.post("keeper", "/receipts", {"location": DEPOT, "lines": [dated]})
    found = resolved(rig, symbol(fetched(rig, f"lot?sku={SKU}&lot=A/7_x")))
    assert found["lot"] == "A/7_x"
    assert dt.date.fromisoformat(found["expires_on"]) == dt.date(2024, 3, 9)
    assert rig.get("keeper", f"/labels/lot?sku={SKU}&lot=NONE").status_code == 404


def test_a_carton_label_scans_as_its_carton_and_is_for_both_ends_only(rig):
    body = {"origin": DEPOT, "destination": STORE, "lines": [{"sku": SKU, "quantity": 4}]}
    name = rig.post("clerk1", "/transfers", body).json["id"]
    for step in ("approve", "pick"):
        rig.post("keeper", f"/transfers/{name}:{step}")
    cartons = {"cartons": [{"lines": [{"sku": SKU, "quantity": 4}]}]}
    (sscc,) = rig.post("keeper", f"/transfers/{name}:pack", cartons).json["cartons"]
    text = fetched(rig, f"carton?sscc={sscc}")
    assert symbol(text) == f"]C100{sscc}"
    found = resolved(rig, symbol(text))
    assert found["kind"] in {"sscc", "transfer"}
    assert fetched(rig, f"carton?sscc={sscc}", "clerk1") == text
    assert rig.get("clerk2", f"/labels/carton?sscc={sscc}").status_code == 404


def test_words_can_not_command_the_printer():
    label = Label("^XA~JA\\ x", ("a^FSb",), (("01", "0" * 14), ("10", "A_1"), ("21", "9")))
    for is_matrix in (True, False):
        text = zpl(Label(label.title, label.lines, label.elements, is_matrix))
        assert text.count("^XA") == 1
        assert "~" not in text
        assert "a\\5EFSb" in text
    with pytest.raises(InvalidInput):
        zpl(Label("x", (), (("10", "批号"),)))
