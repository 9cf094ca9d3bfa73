"""Hourly sales with real stock-out flags."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scenarios.chains import chain_from_history
from scenarios.history.columns import open_receipts
from scenarios.history.importer import import_history, open_history
from scenarios.stockouts import load_stockouts
from tests.shared_data import shared

STORES = (64, 65)


@pytest.fixture(scope="module")
def source():
    """Rows of two stores as they are delivered."""
    frame = pd.read_parquet(shared("data/freshretail_city12_hourly.parquet"))
    stores = frame.store_id.unique()[:2]
    return frame[frame.store_id.isin(stores)].reset_index(drop=True)


@pytest.fixture(scope="module")
def history(source, tmp_path_factory):
    """Their import."""
    folder = tmp_path_factory.mktemp("fresh")
    source.to_parquet(folder / "two.parquet")
    import_history("freshretail-hourly", [folder / "two.parquet"], folder / "out")
    return open_history(folder / "out")


def hours(frame):
    """(N, 24) units."""
    return np.rint(frame[[f"s{h:02d}" for h in range(24)]].to_numpy() / 10).astype(int)


def test_every_unit_is_a_line_in_its_own_hour(source, history):
    """Per store, SKU, day and hour, none more and none less."""
    receipts = history.receipts
    assert receipts.quantity.max() == 1
    assert receipts.lines == hours(source).sum() == history.report.lines
    day = (pd.to_datetime(source.dt) - pd.Timestamp(history.start_date)).dt.days.to_numpy()
    expected = {}
    units = hours(source)
    for row, h in zip(*np.nonzero(units), strict=True):
        key = (str(source.store_id[row]), str(source.product_id[row]), day[row] * 24 + h)
        expected[key] = expected.get(key, 0) + units[row, h]
    store = np.repeat(np.array(receipts.store_ids), np.diff(receipts.offsets))
    sku = np.array(receipts.sku_ids)[receipts.sku]
    got = pd.Series(1, index=pd.MultiIndex.from_arrays([store, sku, receipts.t_s // 3600]))
    assert got.groupby(level=[0, 1, 2]).sum().to_dict() == expected


def test_seconds_inside_the_hour_are_spread_and_differ_between_skus(history):
    """No two thousand SKUs at half past."""
    second = np.asarray(history.receipts.t_s) % 3600
    tenth = np.bincount(second // 360, minlength=10) / len(second)
    assert tenth.min() > 0.08
    assert tenth.max() < 0.12
    assert "assumed_times" in history.report.notes


def test_stock_out_hours_are_those_of_the_flags(source, history):
    """Hours inside the intervals, row by row."""
    bits = source.stockout_bits.to_numpy().astype(np.int64)
    expected = sum(int(b).bit_count() for b in bits)
    table = history.stockouts
    length = (table.end - table.start).dt.total_seconds() / 3600
    assert length.sum() == expected > 0
    row = int(np.argmax(bits > 0))
    mine = table[
        (table.store_id == str(source.store_id[row]))
        & (table.sku_id == str(source.product_id[row]))
        & (table.start.dt.date == pd.to_datetime(source.dt[row]).date())
    ]
    out = [
        h for s, e in zip(mine.start, mine.end, strict=True) for h in range(s.hour, e.hour or 24)
    ]
    assert out == [h for h in range(24) if bits[row] >> h & 1]


def test_promotions_holidays_and_the_attribution_come_along(source, history):
    """Flags become the contract's tables; the licence asks for its source."""
    promotions = history.table("promotions")
    assert len(promotions) == (source.activity_flag > 0).sum()
    assert np.nanmin(promotions.depth) >= 0
    calendar = history.table("calendar")
    assert len(calendar) == 90
    assert calendar.holiday.sum() == source[source.holiday_flag > 0].dt.nunique()
    assert "CC BY 4.0" in history.report.notes["source"]
    assert history.report.read == history.report.kept == len(source)


def test_a_chain_built_from_it_knows_its_stock_outs(history, tmp_path):
    """Stores are called otherwise in a network; their stock-outs go with them."""
    told = chain_from_history(
        history.folder, tmp_path / "chain", stores=2, skus=5, warehouses=1, weeks=(1, 8)
    )
    found, panel = load_stockouts(tmp_path / "chain"), open_receipts(tmp_path / "chain/panel")
    assert told["stockouts"] == len(found.store) > 0
    table = history.stockouts
    kept = table[table.sku_id.astype(str).isin(panel.sku_ids)]
    assert len(found.store) == len(kept)
    first = kept.iloc[0]
    begins = (first.start - pd.Timestamp(history.start_date)).total_seconds()
    assert found.start_s[0] == begins
    assert panel.store_ids[found.store[0]] == f"S{first.store_id}"
