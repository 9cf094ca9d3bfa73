"""A generated chain is whole, seeded and independent store by store."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from policies.domain.errors import InvalidInput
from policies.domain.identifiers import gtin14
from scenarios.history.generate import (
    ChainStretches,
    generate,
    generate_chain,
    load_costs,
    load_generated,
)
from scenarios.history.preset_cn_calendar import SPRING_FESTIVAL, festivals
from scenarios.history.shapes import BASKET_LINES, QUANTITIES, draw_table

SMALL = {"stores": 3, "skus": 20, "days": 28, "lines_per_store_day": 60, "seed": 1}


def chain(**changed):
    """The smallest chain."""
    return generate_chain(**SMALL | changed)


def test_receipts_are_time_sorted_inside_each_store_and_fit_the_network():
    """The kernel relies on it."""
    network, receipts = chain()
    opens, closes = network.locations.opens_s, network.locations.closes_s
    for i, place in enumerate(network.stores):
        rows = receipts.store(i)
        assert (np.diff(receipts.t_s[rows]) >= 0).all()
        assert set(np.diff(receipts.basket[rows])) == {0, 1}
        moment = receipts.t_s[rows] % 86_400
        assert moment.min() >= opens[place]
        assert moment.max() < closes[place]
    assert receipts.store_ids == tuple(network.locations.ids[i] for i in network.stores)
    assert receipts.sku.min() >= 0
    assert receipts.sku.max() < network.shape[1]
    assert receipts.quantity.min() >= 1
    assert receipts.t_s.max() < 28 * 86_400


def test_lines_of_one_receipt_share_their_second():
    """A receipt is paid once."""
    receipts = chain()[1]
    rows = receipts.store(0)
    same = np.diff(receipts.basket[rows]) == 0
    assert same.any()
    assert (np.diff(receipts.t_s[rows])[same] == 0).all()


def test_the_same_seed_gives_the_same_chain_and_another_another():
    """Seeds mean something."""
    one, same, other = chain()[1], chain()[1], chain(seed=2)[1]
    assert (one.t_s == same.t_s).all()
    assert (one.sku == same.sku).all()
    assert one.lines != other.lines or (one.sku[:50] != other.sku[:50]).any()


@pytest.mark.parametrize("preset", [None, "cn-supermarket"])
def test_a_further_store_changes_no_other_stores_receipts(preset):
    """Each store draws from its own stream, prices from the SKUs'."""
    small, large = chain(preset=preset)[1], chain(stores=4, preset=preset)[1]
    rows = int(small.offsets[-1])
    for name in ("t_s", "sku", "quantity", "unit_price_cents", "basket"):
        assert (getattr(small, name) == getattr(large, name)[:rows]).all(), name


@pytest.mark.parametrize("preset", [None, "cn-supermarket"])
def test_the_mean_number_of_lines_is_what_was_asked_for(preset):
    """Within four standard errors of the stores' sizes (logarithmic spread ≤ 0.45)."""
    stores = 200
    receipts = chain(stores=stores, lines_per_store_day=50, preset=preset)[1]
    per_store_day = receipts.lines / stores / 28
    assert abs(per_store_day / 50 - 1) < 4 * 0.45 / np.sqrt(stores) + 0.03


def test_drawn_skus_quantities_and_baskets_follow_the_laws_they_are_drawn_from():
    """Chi-square of the first store against the tables; the 1e-6 quantile is passed once."""
    receipts = chain(stores=1, skus=5, days=700, lines_per_store_day=300)[1]
    got = np.bincount(receipts.quantity, minlength=13)[1:13]
    expected = np.bincount(draw_table(QUANTITIES), minlength=13)[1:13] / 4096 * receipts.lines
    used = expected > 5
    chi = ((got - expected)[used] ** 2 / expected[used]).sum()
    assert chi < used.sum() + 8 * np.sqrt(2 * used.sum())
    size = np.bincount(receipts.basket)
    expected = np.bincount(draw_table(BASKET_LINES), minlength=41)[1:] / 4096 * len(size)
    chi = ((np.bincount(size, minlength=41)[1:] - expected) ** 2 / expected).sum()
    assert chi < 40 + 8 * np.sqrt(80)


def test_a_week_on_promotion_sells_more_at_a_lower_price():
    """Promotions show in the lines."""
    network, receipts = chain(stores=20, skus=100, days=56, lines_per_store_day=400)
    normal = network.skus.unit_price_cents[receipts.sku]
    promoted = receipts.unit_price_cents < normal
    week = receipts.t_s // (7 * 86_400)
    cells = np.zeros((8, 100))
    np.add.at(cells, (week, receipts.sku), receipts.quantity)
    on = np.zeros((8, 100), dtype=bool)
    on[week[promoted], receipts.sku[promoted]] = True
    assert 0.01 < on.mean() < 0.06
    lift = [cells[w, k] / cells[~on[:, k], k].mean() for w, k in zip(*np.nonzero(on), strict=True)]
    assert 2.0 < np.median(lift) < 3.0


def test_the_written_chain_is_the_chain_in_memory(tmp_path):
    """Bounded memory changes no line."""
    size = SMALL | {"preset": "cn-supermarket"}
    report = generate(**size, out=tmp_path / "chain")
    network, receipts = load_generated(tmp_path / "chain")
    expected_network, expected = generate_chain(**size)
    assert report.lines == expected.lines
    assert report.bytes > 20 * report.lines
    assert network.locations.names == expected_network.locations.names
    assert (network.listed == expected_network.listed).all()
    for name in ("offsets", "t_s", "sku", "quantity", "unit_price_cents", "basket"):
        assert (getattr(receipts, name) == getattr(expected, name)).all(), name
    assert load_costs(tmp_path / "chain").truck_cents_per_km == 350


def test_a_failed_generation_leaves_nothing_behind(tmp_path, monkeypatch):
    """Whole or not at all."""

    def broken(network, folder):
        raise OSError("disk full")

    monkeypatch.setattr("scenarios.history.generate.save_network", broken)
    with pytest.raises(OSError, match="disk full"):
        generate(**SMALL, out=tmp_path / "chain")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("stores", 0), ("skus", 0), ("days", -1), ("lines_per_store_day", 0), ("preset", "mars")],
)
def test_a_size_below_one_or_an_unknown_preset_is_refused(field, value):
    """With the field."""
    with pytest.raises(InvalidInput) as caught:
        chain(**{field: value})
    assert caught.value.field == field


def test_a_folder_without_a_chain_is_refused(tmp_path):
    """With the remedy."""
    with pytest.raises(InvalidInput, match="storetwin generate"):
        load_generated(tmp_path)


def test_the_chinese_chain_has_names_barcodes_money_zone_and_formats_of_its_own():
    """Everything in the network, nothing in code that reads it."""
    network, receipts = chain(stores=40, skus=1_500, preset="cn-supermarket", days=7)
    assert (network.tz, network.currency) == ("Asia/Shanghai", "CNY")
    assert len(set(network.skus.names)) == 1_500
    assert len(set(network.locations.names)) == 42
    assert all(gtin14(code)[:3] == "069" for code in network.skus.gtin)
    assert len(set(network.skus.gtin)) == 1_500
    listed = network.listed[network.stores].mean(axis=1)
    assert sorted(set(np.round(listed, 2))) == [0.25, 0.6, 1.0]
    store = np.repeat(np.arange(40), np.diff(receipts.offsets))
    assert network.listed[network.stores[store], receipts.sku].all()
    fresh = network.skus.shelf_life_days[receipts.sku] > 0
    assert 0.45 < fresh.mean() < 0.75
    metres = network.distance_m[network.locations.source[network.stores], network.stores]
    assert metres.max() < 300_000


def test_the_evening_and_the_weekend_are_the_peaks_of_the_chinese_chain():
    """16 to 20 o'clock, Saturday and Sunday."""
    receipts = chain(preset="cn-supermarket", start_date=dt.date(2024, 4, 8))[1]
    hour = receipts.t_s % 86_400 // 3600
    assert np.bincount(hour, minlength=24).argmax() in {17, 18, 19}
    day = np.bincount(receipts.t_s // 86_400, minlength=28).reshape(4, 7).sum(axis=0)
    assert day[5:].min() > day[:4].max()


def test_demand_climbs_before_the_spring_festival_and_rests_on_its_first_day():
    """2024-02-10 is day 40 of a chain that begins on 2024-01-01."""
    receipts = chain(stores=10, days=70, lines_per_store_day=600, preset="cn-supermarket")[1]
    day = np.bincount(receipts.t_s // 86_400, minlength=70)
    normal = day[:21].mean()
    assert day[37:39].mean() > 1.5 * normal
    assert day[40] < 0.6 * normal
    assert 0.8 * normal < day[56:].mean() < 1.2 * normal


def test_festival_dates_are_true():
    """Published dates of the lunar year's turn, and the days derived from tables."""
    assert SPRING_FESTIVAL[2023] == dt.date(2023, 1, 22)
    assert SPRING_FESTIVAL[2024] == dt.date(2024, 2, 10)
    assert SPRING_FESTIVAL[2025] == dt.date(2025, 1, 29)
    assert SPRING_FESTIVAL[2026] == dt.date(2026, 2, 17)
    year = festivals(dt.date(2024, 1, 1), dt.date(2024, 12, 31))
    for month, day in ((1, 1), (2, 10), (4, 4), (5, 1), (6, 10), (9, 17), (10, 1)):
        assert dt.date(2024, month, day) in year
    with pytest.raises(InvalidInput, match="2040"):
        festivals(dt.date(2040, 1, 1), dt.date(2040, 1, 2))


def test_festival_dates_equal_the_lunar_calendar_where_it_is_installed():
    """Every year of the table."""
    lunar = pytest.importorskip("lunardate").LunarDate
    for year, day in SPRING_FESTIVAL.items():
        assert lunar.from_solar_date(day.year, day.month, day.day).month == 1
        assert lunar.from_solar_date(day.year, day.month, day.day).day == 1
        assert day.year == year


def test_a_chain_in_stretches_is_the_chain_in_one_piece():
    """Stretches that cut weeks, and a shorter last one: the same lines, store by store."""
    network, one = chain()
    parts = ChainStretches(**SMALL, stretch_days=10)
    assert parts.network.skus.ids == network.skus.ids
    pieces = [piece for day in range(40) if (piece := parts.stretch(day)) is not None]
    assert len(pieces) == 3
    for name in ("t_s", "sku", "quantity", "unit_price_cents", "basket"):
        for i in range(len(one.store_ids)):
            rows = [getattr(piece, name)[piece.store(i)] for piece in pieces]
            assert (np.concatenate(rows) == getattr(one, name)[one.store(i)]).all()
