"""The ledger as Parquet and CSV: every row once, within reach, in the domain's columns."""

from __future__ import annotations

import io
from dataclasses import fields
from typing import Any

import pandas as pd
import pytest

from ops_api.workbooks.ledger import COLUMNS
from policies.domain.ledger import Movement
from tests.integration.api_service import Rig, make_rig

STORE, SKU = "S0001", "K00001"


@pytest.fixture
def rig(tmp_path):
    made = make_rig(tmp_path)
    made.post("till", "/sales:batch", {"lines": [made.sale(STORE, SKU, 2)]})
    return made


def table(rig: Rig, who: str = "boss", **asked: Any) -> pd.DataFrame:
    text = "&".join(f"{name}={value}" for name, value in asked.items())
    answer = rig.get(who, f"/exports/ledger?{text}")
    assert answer.status_code == 200, answer.json
    read = pd.read_csv if asked.get("form") == "csv" else pd.read_parquet
    options = {"keep_default_na": False} if asked.get("form") == "csv" else {}
    return read(io.BytesIO(answer.data), **options)


def test_both_forms_hold_the_same_rows_in_the_domains_columns(rig):
    columns = table(rig)
    text = table(rig, form="csv")
    assert list(columns) == list(text) == list(COLUMNS)
    people = {"actor", "device"}
    domain = {field.name.removesuffix("_s") for field in fields(Movement)} - people
    assert domain - {"visibility", "run_id"} <= set(columns)
    assert len(columns) == len(text) == 21
    assert (columns.movement_id == text.movement_id).all()
    (sale,) = columns[columns.kind == "sell"].itertuples()
    assert (sale.sku, sale.from_location, sale.to_location) == (SKU, STORE, "CUSTOMER")
    assert (sale.quantity, sale.unit_price_cents) == (2, 150)
    assert sale.occurred_at == pd.Timestamp(rig.clock.now)


def test_pages_by_the_last_number_hold_every_row_once(rig):
    whole = table(rig)
    parts, after = [], 0
    while True:
        part = table(rig, after=after, limit=8)
        parts.append(part)
        if len(part) < 8:
            break
        after = int(part.seq.iloc[-1])
    assert [len(part) for part in parts] == [8, 8, 5]
    assert pd.concat(parts).movement_id.tolist() == whole.movement_id.tolist()
    assert len(table(rig, after=10_000)) == 0
    assert len(table(rig, form="csv", after=10_000)) == 0


def test_a_store_gets_its_own_rows(rig):
    mine = table(rig, "clerk1")
    assert len(mine) == 6
    assert ((mine.from_location == STORE) | (mine.to_location == STORE)).all()
    assert len(table(rig, "clerk1", location="S0002")) == 0
    assert rig.get("admin", "/exports/ledger").status_code == 403
