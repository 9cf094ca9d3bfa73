"""Unconstrained replay adds what stock-outs kept from being sold, and says how surely."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from policies.domain.errors import InvalidInput, ScenarioInvalid
from policies.domain.network import DAY_SECONDS
from policies.domain.receipts import ReceiptColumns
from scenarios.chains import check_on_chain
from scenarios.commands import run_command
from scenarios.history.importer import History
from scenarios.scenario import load_scenario
from scenarios.stockouts import stockouts_of
from scenarios.worlds import save_chain
from tests.unit.demand_panels import panel
from twin.demand.unconstrained import Stockouts, unconstrain

DAYS = 56
COLUMNS = ("t_s", "sku", "quantity", "unit_price_cents", "basket")


def censored(receipts: ReceiptColumns, cut: float, seed: int = 5):
    """(what was left to sell, its stock-outs): a stock of each day, gone when it is sold."""
    rng = np.random.default_rng(seed)
    width = len(receipts.sku_ids)
    store = np.repeat(np.arange(len(receipts.store_ids)), np.diff(receipts.offsets))
    day = receipts.t_s // DAY_SECONDS
    cell = (store * width + receipts.sku) * DAYS + day
    units = np.bincount(cell, receipts.quantity, len(receipts.store_ids) * width * DAYS)
    mean = units.reshape(-1, DAYS).mean(axis=1)
    stock = np.round(np.repeat(mean, DAYS) * rng.gamma(4.0, cut / 4.0, len(units)))
    left, kept, ended = stock.copy(), np.zeros(receipts.lines, dtype=np.bool_), {}
    sold = np.zeros(receipts.lines, dtype=np.int32)
    for i in range(receipts.lines):
        c = cell[i]
        take = int(min(receipts.quantity[i], left[c]))
        left[c] -= take
        kept[i], sold[i] = take > 0, take
        if left[c] == 0 and c not in ended:
            ended[c] = int(receipts.t_s[i])
    cells = np.array(sorted(ended))
    at = np.array([ended[c] for c in cells])
    series = cells // DAYS
    out = Stockouts(series // width, series % width, at, (at // DAY_SECONDS + 1) * DAY_SECONDS)
    counts = np.bincount(store[kept], minlength=len(receipts.store_ids))
    columns = {name: np.asarray(getattr(receipts, name))[kept] for name in COLUMNS}
    columns["quantity"] = sold[kept]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return ReceiptColumns(receipts.store_ids, receipts.sku_ids, offsets, **columns), out


def test_restored_demand_is_near_the_truth_that_was_cut_off():
    truth, network = panel(stores=4, skus=8, days=DAYS, baskets_per_day=60)
    left, out = censored(truth, 1.1)
    made, record = unconstrain(left, network, out, 1, 0)
    true, sold, told = (int(one.quantity.sum()) for one in (truth, left, made))
    assert sold < 0.9 * true
    assert abs(told / true - 1) < 0.03
    assert record["added_units"] == told - sold
    assert record["added_units"] == pytest.approx(record["expected_units"], rel=0.05)
    other = record["sensitivity"]
    assert other["twice the weight of a series' level"] != record["expected_units"]
    assert 0.3 < other["in-stock profile alone"] / record["expected_units"] < 3
    assert record["censored_days"] == len(out.store)


def test_added_lines_lie_in_hours_without_stock_and_recorded_lines_stay():
    truth, network = panel(stores=2, skus=6, days=DAYS, baskets_per_day=30)
    left, out = censored(truth, 1.0)
    made, _ = unconstrain(left, network, out, 1, 0)
    assert made.lines > left.lines
    gone = {(int(s), int(k), int(t) // DAY_SECONDS): int(t) // 3600 for s, k, t in
            zip(out.store, out.sku, out.start_s, strict=True)}  # fmt: skip
    for s in range(2):
        rows = made.store(s)
        assert (np.diff(made.t_s[rows]) >= 0).all()
        new = made.basket[rows] < 0
        for t, k in zip(made.t_s[rows][new].tolist(), made.sku[rows][new].tolist(), strict=True):
            assert t // 3600 >= gone[s, k, t // DAY_SECONDS]
        for name in COLUMNS:
            recorded = getattr(left, name)[left.store(s)]
            assert np.array_equal(getattr(made, name)[rows][~new], recorded)


def test_the_same_seed_adds_the_same_lines_and_another_replication_others():
    truth, network = panel(stores=2, skus=6, days=DAYS, baskets_per_day=30)
    left, out = censored(truth, 1.0)
    one, two, other = (unconstrain(left, network, out, 1, r)[0] for r in (0, 0, 1))
    assert all(np.array_equal(getattr(one, n), getattr(two, n)) for n in COLUMNS)
    assert one.lines != other.lines or not np.array_equal(one.t_s, other.t_s)


def test_a_day_that_is_flagged_from_end_to_end_although_it_sold_ran_out_at_an_unknown_hour():
    truth, network = panel(stores=1, skus=2, days=DAYS, baskets_per_day=30)
    one = np.array([0])
    out = Stockouts(one, one, one * 0 + 7 * DAY_SECONDS, one + 8 * DAY_SECONDS)
    _, record = unconstrain(truth, network, out, 1, 0)
    assert record["flagged_days"] == 1
    # It sold at least what it sold: the mean above it adds a part of a usual day.
    mean = truth.quantity[truth.sku == 0].sum() / DAYS
    assert 0 < record["expected_units"] < mean


def test_a_series_that_was_hardly_in_stock_is_scaled_by_the_profile_of_its_category():
    """Of 56 days 3 were in stock and sold 10 each at noon: 53 × 10 are missing."""
    _, network = panel(stores=1, skus=2, days=DAYS, baskets_per_day=5)
    noon = 12 * 3600
    t = np.array([0, 1, 2, DAYS - 1]) * DAY_SECONDS + noon
    columns = {
        "t_s": t, "sku": np.array([0, 0, 0, 1]), "quantity": np.array([10, 10, 10, 1]),
        "unit_price_cents": np.full(4, 150), "basket": np.arange(4),
    }  # fmt: skip
    stores, skus = tuple(network.locations.ids[i] for i in network.stores), network.skus.ids
    left = ReceiptColumns(
        stores, skus, np.array([0, 4]), **{n: c.astype(np.int32) for n, c in columns.items()}
    )
    zero = np.array([0])
    out = Stockouts(zero, zero, zero + 3 * DAY_SECONDS, zero + DAYS * DAY_SECONDS)
    made, record = unconstrain(left, network, out, 1, 0)
    assert record["series_scaled_by_profile"] == 1
    assert record["expected_units"] == pytest.approx(530.0)
    # Prices of added lines are what the SKU was sold at.
    assert set(made.unit_price_cents[made.sku == 0].tolist()) == {150}


def test_a_stock_out_that_ends_before_it_begins_is_refused_with_its_row():
    with pytest.raises(InvalidInput) as refused:
        Stockouts(*(np.array(c) for c in ([0, 0], [0, 0], [5, 9], [6, 9])))
    assert (refused.value.field, refused.value.row) == ("stockouts", 1)


def test_a_scenario_replays_unconstrained_demand_and_states_its_sensitivity(tmp_path):
    truth, network = panel(stores=3, skus=8, days=DAYS, baskets_per_day=40)
    left, out = censored(truth, 1.0)
    save_chain(tmp_path / "chain", network, left, [(0, DAYS - 1)], out)
    text = f'name = "{{}}"\nextends = "base"\nchain = "{tmp_path}/chain"\nweeks = [5, 8]\n'
    text += "kpi_from_week = 5\nreplications = 1\n"
    (tmp_path / "u.toml").write_text(text.format("u") + 'demand = "unconstrained"\n')
    (tmp_path / "r.toml").write_text(text.format("r") + 'demand = "replay"\n')
    u = run_command(str(tmp_path / "u.toml"), out=tmp_path / "ru")
    r = run_command(str(tmp_path / "r.toml"), out=tmp_path / "rr")
    assert u["result_sha256"] != r["result_sha256"]
    told = json.loads((tmp_path / "ru/manifest.json").read_text())["panel_expansion"]
    assert told["method"] == "unconstrained replay"
    assert len(told["sensitivity"]) == 3
    assert told["added_units"] > 0


@pytest.mark.parametrize("generated", [True, False])
def test_a_chain_without_stock_outs_is_refused_with_file_key_and_remedy(tmp_path, generated):
    truth, network = panel(stores=2, skus=4, days=28, baskets_per_day=5)
    save_chain(tmp_path / "chain", network, truth, [(0, 27)])
    chain = 'extends = "tiny"' if generated else f'extends = "base"\nchain = "{tmp_path}/chain"'
    path = tmp_path / "u.toml"
    path.write_text(
        f'name = "u"\n{chain}\nweeks = [1, 4]\nkpi_from_week = 1\ndemand = "unconstrained"\n'
    )
    with pytest.raises(ScenarioInvalid, match="records no stock-outs") as refused:
        check_on_chain(load_scenario(str(path)))
    assert refused.value.field == "demand"
    assert str(path) in str(refused.value.row)
    assert "replay" in str(refused.value.remedy)


def test_unconstrained_demand_can_not_be_scaled(tmp_path):
    path = tmp_path / "u.toml"
    path.write_text('name = "u"\nextends = "tiny"\ndemand = "unconstrained"\ndemand_factor = 1.2\n')
    with pytest.raises(ScenarioInvalid) as refused:
        load_scenario(str(path))
    assert refused.value.field == "demand_factor"


def test_stock_outs_of_a_history_keep_their_stores_and_skus_and_days(tmp_path):
    """Rows of stores or SKUs that the chain does not have are left out."""
    receipts, _ = panel(stores=2, skus=2, days=7, baskets_per_day=3)
    rows = [("S1", "K0", "2024-01-02T10:00", "2024-01-02T12:30"),
            ("S9", "K0", "2024-01-02T10:00", "2024-01-02T12:30"),
            ("S0", "K1", "2023-12-31T22:00", "2024-01-01T02:00")]  # fmt: skip
    table = pd.DataFrame(rows, columns=["store_id", "sku_id", "start", "end"])
    for name in ("start", "end"):
        table[name] = pd.to_datetime(table[name])
    table.to_parquet(tmp_path / "stockouts.parquet")
    history = History(
        receipts, pd.DataFrame(), dt.date(2024, 1, 1), "UTC", None, "", folder=tmp_path
    )
    found = stockouts_of(history, receipts)
    told = [found.store, found.sku, found.start_s, found.end_s]
    hour = 3600
    assert np.stack(told, axis=1).tolist() == [
        [1, 0, DAY_SECONDS + 10 * hour, DAY_SECONDS + 12 * hour + 1800],
        [0, 1, 0, 2 * hour],
    ]
    assert stockouts_of(dataclasses.replace(history, folder=None), receipts) is None
