"""Sheets out and in: what a person edits is applied, what is wrong comes back with the reason."""

from __future__ import annotations

import io
import uuid
import zipfile
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import insert

from ops_api.masterdata.service import load_network, read_network
from ops_api.transfers.tables import TRANSFERS
from ops_api.workbooks.files import CSV, XLSX
from scenarios.history.generate import generate_chain
from tests.integration.api_service import Rig, make_rig
from tests.integration.planner_service import open_proposals, planning_rig

STORE, SKU = "S0001", "K00001"


@pytest.fixture
def rig(tmp_path):
    made = make_rig(tmp_path)
    yield made
    made.engine.dispose()


def bring(rig: Rig, who: str, path: str, content: bytes, media: str = XLSX, **more: str) -> Any:
    head = {"Authorization": f"Bearer {rig.tokens[who]}", "Content-Type": media}
    head["Idempotency-Key"] = more.pop("key", str(uuid.uuid4()))
    return rig.client.post(f"/api/v1/imports/{path}", data=content, headers=head)


def export(rig: Rig, who: str, path: str) -> bytes:
    answer = rig.get(who, f"/exports/{path}")
    assert answer.status_code == 200, answer.json
    return bytes(answer.data)


def table(content: bytes) -> list[list[Any]]:
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def book(rows: list[list[Any]]) -> bytes:
    made = Workbook(write_only=True)
    sheet = made.create_sheet()
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def test_fifty_edits_of_five_thousand_rows_seven_of_them_wrong(rig):
    """43 applied in one change, 7 returned with the reason; the stale file refused row by row."""
    network, _ = generate_chain(stores=3, skus=5_000, days=1, lines_per_store_day=1, seed=5)
    load_network(rig.engine, network)
    rows = table(export(rig, "boss", "skus"))
    assert len(rows) == 5_001
    at = {name: i for i, name in enumerate(rows[0])}
    for i in range(1, 44):
        rows[i][at["name"]] = f"新品 {i}"
        rows[i][at["unit_cost_cents"]] += 1
    wrong = {
        44: ("pack_size", 0),
        45: ("unit_price_cents", "dear"),
        46: ("category", "none such"),
        47: ("name", None),
        48: ("lot_tracked", "perhaps"),
        49: ("mass_g", "=1+1"),
        50: ("gtin", "4006381333931"),
    }
    for i, (name, value) in wrong.items():
        rows[i][at[name]] = value
    content = book(rows)
    dry = bring(rig, "boss", "skus?dry_run=true", content).json
    assert (dry["applied"], dry["returned"], dry["unchanged"]) == (43, 7, 4_950)
    assert rig.get("boss", "/skus/K00010").json["version"] == 1
    key = str(uuid.uuid4())
    done = bring(rig, "boss", "skus", content, key=key)
    assert done.status_code == 200, done.json
    assert (done.json["applied"], done.json["returned"]) == (43, 7)
    replay = bring(rig, "boss", "skus", content, key=key)
    assert replay.headers["Idempotent-Replayed"] == "true"
    assert {one["row"] for one in done.json["returned_rows"]} == {i + 1 for i in wrong}
    for one in done.json["returned_rows"]:
        assert one["detail"].startswith(wrong[one["row"] - 1][0])
    seen = rig.get("boss", "/skus/K00010").json
    assert (seen["version"], seen["name"]) == (2, "新品 10")
    changes = {
        rig.get("boss", f"/skus/K{i:05d}/versions").json["versions"][0]["change_id"]
        for i in (10, 20, 43)
    }
    assert changes == {key}
    assert read_network(rig.engine).skus.names[42] == "新品 43"
    answer = table(rig.get("boss", done.json["workbook"].removeprefix("/api/v1")).data)
    assert answer[0][-3:] == ["status", "code", "reason"]
    assert [row[-3] for row in answer[1:]].count("applied") == 43
    assert "pack_size" in answer[44][-1]
    stale = bring(rig, "boss", "skus", content).json
    assert (stale["applied"], stale["returned"], stale["unchanged"]) == (0, 50, 4_950)
    codes = [one["code"] for one in stale["returned_rows"]]
    assert codes.count("VERSION_CONFLICT") == 43


def test_barcodes_stay_text_and_nothing_runs_as_a_formula(rig):
    """A name that begins like a formula goes out harmless and comes back as it was."""
    evil = '=HYPERLINK("http://evil.example")'
    rig.post("boss", f"/skus/{SKU}:change", {"version": 1, "name": evil})
    content = export(rig, "boss", "skus")
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    name, code = sheet["D2"], sheet["C2"]
    assert (name.data_type, name.value) == ("s", f"'{evil}")
    assert (code.data_type, code.number_format) == ("s", "@")
    assert len(code.value) == 14
    assert {rule.type for rule in sheet.data_validations.dataValidation} == {"whole", "list"}
    back = bring(rig, "boss", "skus", content).json
    assert (back["applied"], back["returned"], back["unchanged"]) == (0, 0, 5)
    comma = export(rig, "boss", "skus?form=csv").decode("utf-8-sig")
    assert f"\"'{evil}".replace('"http', '""http').split("(")[0] in comma


@pytest.mark.parametrize(("form", "encoding"), [("csv", "utf-8-sig"), ("csv-gb18030", "gb18030")])
def test_csv_comes_in_as_spreadsheets_write_it(rig, form, encoding):
    """UTF-8 with a mark or GB18030, headings in Chinese, semicolons too."""
    rig.post("boss", f"/skus/{SKU}:change", {"version": 1, "name": "绿茶"})
    text = export(rig, "boss", f"skus?form={form}&language=zh").decode(encoding)
    assert text.startswith("商品编码,版本,条码")
    changed = text.replace("绿茶", "乌龙茶").replace(",", ";").encode(encoding)
    done = bring(rig, "boss", "skus", changed, CSV).json
    assert (done["applied"], done["returned"], done["unchanged"]) == (1, 0, 4)
    assert rig.get("boss", f"/skus/{SKU}").json["name"] == "乌龙茶"


def bomb() -> bytes:
    """A sheet of a few kB that unpacks to 60 MB."""
    out = io.BytesIO(book([["sku", "version"]]))
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", b"0" * 60_000_000)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "media", "status", "code"),
    [
        (b"no workbook", XLSX, 400, "VALIDATION"),
        (b"", CSV, 400, "VALIDATION"),
        (b"PK\x03\x04" + b"0" * 99, XLSX, 400, "VALIDATION"),
        (b"\xff\xfa\x00", CSV, 400, "VALIDATION"),
        (b"name\nTea", CSV, 400, "VALIDATION"),
        (b"sku,sku,version\n", CSV, 400, "VALIDATION"),
        (b"{}", "application/json", 415, "UNSUPPORTED_MEDIA"),
        (bomb, XLSX, 413, "BATCH_TOO_LARGE"),
        (b"x" * 20_000_001, CSV, 413, "BATCH_TOO_LARGE"),
    ],
    ids=range(9),
)
def test_hostile_files_are_refused_as_problems(rig, content, media, status, code):
    body = content() if callable(content) else content
    answer = bring(rig, "boss", "skus", body, media)
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.json


def test_a_count_sheet_is_blind_and_comes_back_as_one_count(rig):
    """Filled rows are counted, empty ones were not."""
    rows = table(export(rig, "clerk1", f"count-sheet?location={STORE}"))
    assert rows[0] == ["sku", "gtin", "name", "counted"]
    assert all(row[3] is None for row in rows[1:])
    rows[1][3], rows[2][3], rows[3][3] = 10, "many", 4
    path = f"count-sheet?location={STORE}"
    done = bring(rig, "clerk1", path, book(rows)).json
    assert (done["applied"], done["returned"], done["unchanged"]) == (2, 1, len(rows) - 4)
    counts = rig.get("clerk1", f"/counts?location={STORE}").json["counts"]
    states = {line["sku"]: line["state"] for line in counts[0]["lines"]}
    assert states == {rows[1][0]: "posted", rows[3][0]: "recount"}
    far = bring(rig, "clerk1", "count-sheet?location=S0002", book(rows))
    assert far.json["code"] == "SITE_DENIED"
    other = rig.get("clerk2", done["workbook"].removeprefix("/api/v1"))
    assert other.json["code"] == "DOCUMENT_UNKNOWN"


def test_proposals_are_decided_in_a_sheet(tmp_path):
    """Accept, cut and refuse; a refusal without a reason comes back, and nothing is half done."""
    from ops_api.planning.planner import plan

    rig = planning_rig(tmp_path)
    rig.clock.now = rig.clock.now.replace(hour=22, minute=30)
    plan(rig.engine, rig.clock.now)
    rows = table(export(rig, "boss", "proposal-sheet"))
    names = list(dict.fromkeys(row[0] for row in rows[1:]))
    assert len(names) >= 3
    first, second, third = names[:3]
    for row in rows[1:]:
        if row[0] == first:
            row[7:9] = ["accept", 1]
        elif row[0] == second:
            row[7], row[9] = "refuse", "no_space"
        elif row[0] == third:
            row[7] = "refuse"
    done = bring(rig, "boss", "proposal-sheet", book(rows)).json
    by_name = {name: sum(row[0] == name for row in rows) for name in names}
    assert done["applied"] == by_name[first] + by_name[second]
    assert done["returned"] == by_name[third]
    still = {row["id"] for row in open_proposals(rig)}
    assert third in still
    assert not still & {first, second}
    made = rig.get("boss", "/transfers?limit=1000").json["transfers"]
    assert {
        line["approved"] for one in made if one["source"] == first for line in one["lines"]
    } <= {1}
    again = bring(rig, "boss", "proposal-sheet", book(rows)).json
    assert again["applied"] == 0


def test_every_list_goes_out_as_a_file_within_the_same_reach(rig):
    """Documents become a row per line; pages are followed to the end."""
    body = {"origin": "W01", "destination": STORE}
    for sku in ("K00001", "K00002"):
        lines = [{"sku": sku, "quantity": 1}]
        rig.post("clerk1", "/transfers", body | {"lines": lines})
    registry = rig.app.extensions["storetwin"].registry
    names = [one for one in registry if one.path.startswith("/exports/") and XLSX in one.gives]
    assert len(names) >= 20
    queries = {"lanes": "?destination=S0001", "stock": "?location=W01"}
    for endpoint in names:
        key = endpoint.name.removeprefix("export_")
        query = queries.get(key, "")
        query = "?rule=no_cost" if key == "data_quality_findings" else query
        query = f"?location={STORE}" if key == "count_sheet" else query
        answer = rig.get("boss", endpoint.path + query)
        if answer.status_code == 403:
            answer = rig.get("clerk1", endpoint.path + query)
        assert answer.status_code == 200, (endpoint.name, answer.json)
        assert answer.mimetype == XLSX
        table(answer.data)
    mine = table(export(rig, "clerk1", "transfers"))
    assert len(mine) == 3
    assert len(table(export(rig, "clerk2", "transfers"))) <= 1
    moves = table(export(rig, "boss", "movements?limit=2"))
    assert len(moves) == 1 + sum(int(rig.network.shape[0]) for _ in rig.network.skus.ids)


def test_a_list_of_documents_goes_out_whole_however_long_it_is(rig):
    """1,203 transfers, three more than a page of the list and a cursor it does not have."""
    row = {
        "kind": "replenish",
        "state": "closed",
        "origin": "W01",
        "destination": STORE,
        "source": "",
        "route_id": "",
        "note": "",
        "value_cents": 0,
        "need_detected_at": 0,
        "created_at": 0,
        "created_by": "",
        "approved_by": "",
        "version": 1,
    }
    with rig.engine.begin() as connection:
        connection.execute(insert(TRANSFERS), [row | {"id": f"T{i:05d}"} for i in range(1_203)])
    rows = table(export(rig, "boss", "transfers"))
    assert len({line[rows[0].index("id")] for line in rows[1:]}) == 1_203
    assert len(rig.get("boss", "/transfers?limit=1000").json["transfers"]) == 1_000
