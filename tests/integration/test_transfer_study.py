"""Neighbours' stock in a city: what the study counts, on a made-up record."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from policies.domain.errors import InvalidInput
from policies.domain.receipts import ReceiptColumns
from policies.transfer.min_cost_flow import MinCostFlowTransfer
from scenarios.history.importer import History, import_history
from scenarios.transfer_study import TransferStudy, transfer_study
from tests.shared_data import shared
from ui.cli import app

DAYS, STORES, SKUS = 42, 3, 2


def made(folder, out, rate=0.8):
    """Each store sells `rate` units of each SKU an hour from 6 to 22; `out` = (store, SKU)
    pairs that are empty from 10 h on from the fifth week."""
    rng = np.random.default_rng(6)
    sold = rng.poisson(rate, (STORES, DAYS, SKUS, 16))
    for store, sku in out:
        sold[store, 28:, sku, 4:] = 0
    columns, offsets, rows = [], [0], []
    for store in range(STORES):
        day, sku, hour = np.nonzero(sold[store])
        order = np.argsort(day * 24 + hour, kind="stable")
        t = day * 86_400 + (hour + 6) * 3_600 + 60
        columns.append([t[order], sku[order], sold[store][day, sku, hour][order]])
        offsets.append(offsets[-1] + len(day))
    for store, sku in out:
        for day in range(28, DAYS):
            start = np.datetime64("2024-01-01T10:00", "us") + np.timedelta64(day, "D")
            end = start + np.timedelta64(14, "h")
            rows.append((f"S{store}", f"K{sku}", start, end))
    t, sku, units = (np.concatenate(part).astype(np.int32) for part in zip(*columns, strict=True))
    frame = pd.DataFrame(rows, columns=["store_id", "sku_id", "start", "end"])
    pq.write_table(pa.Table.from_pandas(frame), folder / "stockouts.parquet")
    receipts = ReceiptColumns(
        tuple(f"S{i}" for i in range(STORES)),
        tuple(f"K{i}" for i in range(SKUS)),
        np.array(offsets),
        t,
        sku,
        units,
        np.full(len(t), 100, dtype=np.int32),
        np.full(len(t), -1, dtype=np.int32),
    )
    items = pd.DataFrame({"sku_id": receipts.sku_ids, "category": ["a", "a"]})
    return History(receipts, items, dt.date(2024, 1, 1), "UTC", None, "", folder)


def test_a_neighbour_with_stock_spares_most_of_an_afternoon(tmp_path):
    """14 days, empty from 10 to 22 h; goods arrive at 14 h: at most 8 of 12 hours."""
    result = transfer_study(made(tmp_path, [(0, 0)]), TransferStudy())
    assert result["label"] == "modelled"
    assert result["stockout_hours"] == 14 * 12
    for level in result["levels"]:
        assert 14 * 4 < level["hours_avoided"] <= 14 * 8
        assert level["low"] <= level["hours_avoided"] <= level["high"]
        assert level["lines"] == 14
        assert level["cost_cents"] > 20 * level["units"]


def test_who_has_no_more_than_it_needs_gives_nothing(tmp_path):
    """A cover of one, and of two, is what the policy leaves a donor."""
    history = made(tmp_path, [(0, 0)], rate=1.5)
    result = transfer_study(history, TransferStudy(covers=(1.0,)))
    many = transfer_study(history, TransferStudy(covers=(9.0,)))
    assert result["levels"][0]["units"] < 0.5 * many["levels"][0]["units"]


def test_a_dear_run_is_not_made(tmp_path):
    history = made(tmp_path, [(0, 0), (1, 1)])
    dear = MinCostFlowTransfer(donor_cover_days=0.0, run_cents_per_km=1e6)
    level = transfer_study(history, TransferStudy(covers=(8.0,)), dear)["levels"][0]
    assert (level["lines"], level["hours_avoided"], level["cost_cents"]) == (0, 0, 0)


def test_where_all_stores_are_empty_nothing_moves(tmp_path):
    history = made(tmp_path, [(store, 0) for store in range(STORES)])
    assert transfer_study(history, TransferStudy(covers=(8.0,)))["levels"][0]["lines"] == 0


def test_the_same_seed_gives_the_same_answer(tmp_path):
    history = made(tmp_path, [(0, 0)])
    assert transfer_study(history, TransferStudy()) == transfer_study(history, TransferStudy())


def test_a_record_without_stockouts_or_too_short_is_named(tmp_path):
    with pytest.raises(InvalidInput) as caught:
        transfer_study(made(tmp_path, []), TransferStudy())
    assert caught.value.field == "history"


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("covers", (), "covers"),
        ("covers", (0.0,), "covers"),
        ("decide_hour", 21, "decide_hour"),
        ("travel_hours", 0, "travel_hours"),
        ("price_cents", 800, "travel_hours"),
    ],
)
def test_an_assumption_that_can_not_be_is_named(name, value, field):
    with pytest.raises(InvalidInput) as caught:
        TransferStudy(**{name: value})
    assert caught.value.field == field


@pytest.mark.benchmark
def test_a_real_city_is_spared_a_tenth_of_its_stockout_hours(tmp_path):
    import_history(
        "freshretail-hourly", [shared("data/freshretail_city12_hourly.parquet")], tmp_path
    )
    run = CliRunner().invoke(app, ["study", "transfers", str(tmp_path), "--json"])
    assert run.exit_code == 0, run.output
    result = json.loads(run.stdout)
    assert len(result["levels"]) == 3
    for level in result["levels"]:
        assert 0.05 < level["share"] < 0.15
        assert level["low"] > 0
        assert level["net_cents"] > 0


def test_levels_that_are_no_numbers_are_named(tmp_path):
    run = CliRunner().invoke(app, ["study", "transfers", str(tmp_path), "--covers", "much"])
    assert run.exit_code == 2
    assert "covers" in run.output
