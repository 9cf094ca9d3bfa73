"""The rolling-origin test: same ground for every model, and nothing from after an origin."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from policies.domain.errors import InvalidInput
from policies.domain.receipts import ReceiptColumns
from scenarios.backtest import Backtest, backtest
from scenarios.backtest_series import series_of
from scenarios.history.importer import History, import_history, open_history
from tests.shared_data import shared
from ui.cli import app

DAYS, STORES, SKUS = 120, 4, 6
KEYS = {
    "wape", "bias", "wrmsse", "pinball9", "pinball95_total7", "coverage_80", "coverage_95",
    "fit_seconds", "predict_seconds",
}  # fmt: skip


def made(folder=None, days=DAYS, level=4.0):
    """A history of few stores and SKUs: Poisson days with a weekend, at 15 and 18 h."""
    rng = np.random.default_rng(8)
    weekday = np.array([0.8, 0.8, 0.9, 1.0, 1.1, 1.3, 1.1])[np.arange(days) % 7]
    t, sku, units, offsets = [], [], [], [0]
    for _ in range(STORES):
        sold = rng.poisson(level * weekday[:, None] * (1 + np.arange(SKUS)) / 3)
        day, which = np.nonzero(sold)
        t.append(day * 86_400 + 15 * 3600)
        sku.append(which)
        units.append(sold[day, which])
        offsets.append(offsets[-1] + len(day))
    columns = [np.concatenate(x).astype(np.int32) for x in (t, sku, units)]
    receipts = ReceiptColumns(
        tuple(f"S{i}" for i in range(STORES)),
        tuple(f"K{i}" for i in range(SKUS)),
        np.array(offsets),
        *columns,
        np.full(offsets[-1], 100, dtype=np.int32),
        np.full(offsets[-1], -1, dtype=np.int32),
    )
    items = pd.DataFrame({"sku_id": receipts.sku_ids, "category": ["a", "a", "a", "b", "b", "b"]})
    return History(receipts, items, dt.date(2024, 1, 1), "UTC", None, "", folder)


def test_every_model_is_scored_on_the_same_days_with_all_its_figures():
    """The naive is always there; the ratios are those of the figures."""
    result = backtest(made(), Backtest(horizon=14, origins=2, models=("weekday_mean", "boosting")))
    assert set(result["models"]) == {"seasonal_naive", "weekday_mean", "boosting"}
    assert result["series"] == STORES * SKUS
    assert len(result["origins"]) == 2
    for name, figures in result["models"].items():
        assert set(figures) >= KEYS
        assert all(math.isfinite(figures[key]) for key in KEYS)
        over = figures["wrmsse"] / result["models"]["seasonal_naive"]["wrmsse"]
        assert result["ratios"][name]["wrmsse"] == pytest.approx(over)
    # A stationary Poisson: the mean of eight weeks beats last week by about √(1/2 · 9/8).
    assert 0.65 < result["ratios"]["weekday_mean"]["wrmsse"] < 0.85
    assert result["models"]["boosting"]["wrmsse"] < result["models"]["seasonal_naive"]["wrmsse"]


def test_models_learn_from_more_series_than_are_scored():
    """Those scored are the same, and a model that pools nothing says the same of them."""
    few, more = (
        backtest(
            made(),
            Backtest(horizon=14, origins=2, series=4, learnt_from=n, models=("weekday_mean",)),
        )
        for n in (1, 3)
    )
    assert (few["series"], few["learnt_from"]) == (4, 4)
    assert (more["series"], more["learnt_from"]) == (4, 12)
    for model in ("seasonal_naive", "weekday_mean"):
        a, b = few["models"][model], more["models"][model]
        assert all(a[key] == b[key] for key in KEYS if "seconds" not in key)


def test_days_after_the_last_week_asked_for_are_not_read():
    """What happens later changes no figure."""
    history = made()
    late = history.receipts.t_s >= 90 * 86_400
    units = np.where(late, history.receipts.quantity * 50, history.receipts.quantity)
    other = dataclasses.replace(
        history, receipts=dataclasses.replace(history.receipts, quantity=units)
    )
    ask = Backtest(horizon=14, origins=2, until=90, models=("ses",))
    a, b = (backtest(h, ask)["models"]["ses"] for h in (history, other))
    assert {k: v for k, v in a.items() if "seconds" not in k} == {
        k: v for k, v in b.items() if "seconds" not in k
    }


def test_series_are_chosen_by_what_they_sold_before_the_first_origin():
    """A SKU that sells only later is none of the chosen."""
    history = made()
    early = (history.receipts.sku == 5) & (history.receipts.t_s < 60 * 86_400)
    units = np.where(early, 1, history.receipts.quantity)
    changed = dataclasses.replace(
        history, receipts=dataclasses.replace(history.receipts, quantity=units)
    )
    panel = series_of(changed, level="store-sku", series=4, until_day=DAYS, first_origin=60)
    assert all(name.endswith("K4") for name in panel.names)


def test_a_category_is_the_sum_of_its_skus():
    """Level store-category adds up store-sku."""
    ask = {"series": 99, "until_day": DAYS, "first_origin": 60}
    fine = series_of(made(), level="store-sku", **ask)
    coarse = series_of(made(), level="store-category", **ask)
    assert coarse.shape == (STORES * 2, DAYS)
    for i, name in enumerate(coarse.names):
        store, category = name.split(" / ")
        mine = [
            j
            for j, other in enumerate(fine.names)
            if other.startswith(store) and ("ab"[int(other[-1]) // 3] == category)
        ]
        assert (coarse.sold[i] == fine.sold[mine].sum(axis=0)).all()


def test_stockouts_count_by_what_is_usually_sold_in_their_hours(tmp_path):
    """All sales fall at 15 h: a morning without stock costs nothing, the afternoon the day."""
    start = np.array(["2024-01-05T06:00", "2024-01-06T14:00", "2024-01-07T20:00"], "datetime64[s]")
    end = np.array(["2024-01-05T12:00", "2024-01-06T23:00", "2024-01-08T15:30"], "datetime64[s]")
    table = {"store_id": ["S1"] * 3, "sku_id": ["K5"] * 3, "start": start, "end": end}
    pq.write_table(pa.table(table), tmp_path / "stockouts.parquet")
    panel = series_of(made(tmp_path), level="store-sku", series=99, until_day=DAYS, first_origin=60)
    row = panel.in_stock[panel.names.index("S1 / K5")]
    assert row[4] == pytest.approx(1.0)
    assert row[5] == pytest.approx(0.0)
    assert row[6] == pytest.approx(1.0)
    assert row[7] == pytest.approx(0.5)
    assert panel.in_stock.sum() == pytest.approx(panel.in_stock.size - 1.5)


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        ({"horizon": 0}, "horizon"),
        ({"origins": 0}, "origins"),
        ({"series": 0}, "series"),
        ({"level": "region"}, "level"),
        ({"models": ("oracle",)}, "models"),
        ({"horizon": 100, "origins": 5}, "history"),
    ],
)
def test_what_can_not_be_asked_is_named(ask, field):
    with pytest.raises(InvalidInput) as caught:
        backtest(made(), Backtest(**{"horizon": 14, "origins": 2, **ask}))
    assert caught.value.field == field
    assert caught.value.remedy


@pytest.mark.parametrize("case", ["one day", "no sale before the first origin"])
def test_a_history_that_tells_nothing_is_refused(case):
    history = made(days=1) if case == "one day" else made()
    if case != "one day":
        late = history.receipts.t_s >= 100 * 86_400
        units = np.where(late, history.receipts.quantity, 0)
        receipts = dataclasses.replace(history.receipts, quantity=units)
        history = dataclasses.replace(history, receipts=receipts)
    with pytest.raises(InvalidInput) as caught:
        backtest(history, Backtest(horizon=14, origins=2))
    assert caught.value.field == "history"


@pytest.fixture(scope="module")
def fresh_city(tmp_path_factory):
    """The FreshRetailNet city."""
    out = tmp_path_factory.mktemp("fresh")
    import_history("freshretail-hourly", [shared("data/freshretail_city12_hourly.parquet")], out)
    return out


def test_the_command_prints_the_agreed_keys(fresh_city):
    """On real hourly sales with real stock-outs, the busiest 200 series."""
    run = CliRunner().invoke(
        app,
        ["backtest", str(fresh_city), "--horizon", "14", "--origins", "2", "--series", "200",
         "--models", "ses,boosting", "--json"],
    )  # fmt: skip
    assert run.exit_code == 0, run.output
    result = json.loads(run.stdout)
    assert result["default"] == "boosting"
    assert set(result["models"]) == {"seasonal_naive", "ses", "boosting"}
    assert result["series"] == 200
    assert result["peak_rss_bytes"] > 0
    assert result["ratios"]["boosting"]["wrmsse"] < 0.85


def test_stock_outs_and_promotions_of_a_real_city_reach_the_series(fresh_city):
    """Shares between 0 and 1; about a third of the days promoted; days lost in part."""
    panel = series_of(
        open_history(fresh_city), level="store-sku", series=500, until_day=90, first_origin=60
    )
    assert 0.2 < (panel.promotion > 0).mean() < 0.5
    assert 0.3 < panel.is_whole.mean() < 0.8
    assert panel.in_stock.min() == 0.0
    assert panel.holiday.sum() == 31


def test_a_folder_without_a_history_is_named(tmp_path):
    run = CliRunner().invoke(app, ["backtest", str(tmp_path)])
    assert run.exit_code == 2
    assert "holds no imported history" in run.output
